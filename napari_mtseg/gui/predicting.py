"""Having a run predict one image or all, and telling how that went."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.durations import MEASURE_FOR, duration_text
from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.uncertainty_choice import UncertaintyChoice
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.prediction_files import FACTS
from napari_mtseg.storage.run_folder import RunFolder

NO_RUN = "Nothing is trained yet. Train a run on the Train page first."
_LOOK_EVERY = 500
"""milliseconds between two looks at how far a prediction is"""


class Predicting(QWidget):
    """Buttons that predict one image or all, with progress, a stop and the outcome.

    Above them stands where the uncertainty shall come from.
    """

    arrived = Signal()
    """the prediction of the current image was replaced"""
    all_predicted = Signal()
    """predicting all images has come to its end"""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._commands = state, commands
        self._run_id: str | None = None
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._began, self._wanted = 0.0, [""]
        self._arrived: set[str] = set()
        self._is_all = False
        self._uncertainty = UncertaintyChoice(self)
        self._one = named_button("predict_image", "Predict this image", self)
        self._all = named_button("predict_all", "Predict all images", self)
        self._progress = QProgressBar(self)
        self._progress.setObjectName("predict_progress")
        self._progress.setToolTip("Images predicted so far, and the time left")
        self._stop = named_button("stop_predicting", "Stop", self)
        self._stop.setToolTip("Stop predicting; what is predicted already is kept")
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("predict_outcome")
        self._counting = NewestAnswer(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._uncertainty)
        column.addLayout(row_of(self._one, self._all))
        column.addLayout(row_of(self._progress, self._stop))
        column.addWidget(self._outcome)
        self._one.clicked.connect(self._predict_one)
        self._all.clicked.connect(self._predict_all)
        self._stop.clicked.connect(self._stop_now)
        self._timer.timeout.connect(self._look)
        self._counting.answered.connect(self._show_progress)
        state.events.project.connect(self._leave_project)
        self._enable()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run that predicts."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._outcome.say("")
        self._uncertainty.set_run(self._run)
        self._enable()

    @property
    def _run(self) -> RunFolder | None:
        project = self._state.project
        if project is None or self._run_id is None:
            return None
        return RunFolder(project.path / "runs" / self._run_id)

    def _enable(self) -> None:
        obstacle = self._obstacle()
        no_image = "" if self._state.entry else "No image is open."
        tips = {
            self._one: obstacle or no_image or "Segment the image on the canvas",
            self._all: obstacle
            or no_image
            or "Segment every image of the project; earlier predictions of this run "
            "are replaced",
        }
        for button, tip in tips.items():
            button.setEnabled(not (obstacle or no_image))
            button.setToolTip(tip)
        for widget in (self._progress, self._stop):
            widget.setVisible(self._running is not None)

    def _obstacle(self) -> str:
        """Return why nothing can be predicted now, or ''."""
        run = self._run
        if run is None:
            return NO_RUN
        if self._running is not None:
            return "Predicting already; wait for it or stop it."
        if is_locked(run.path):
            return "This run is training. Predict when it has ended, or stop it first."
        if not run.checkpoint("best").exists():
            return "This run has no weights. Resume it, or choose another run."
        return ""

    def _predict_one(self) -> None:
        if self._state.image_id is not None:
            ids = [self._state.image_id]
            self._is_all = False
            self._predict(ids, ["--image", self._state.image_id])

    def _predict_all(self) -> None:
        if self._state.project is not None:
            self._is_all = True
            self._predict([entry.id for entry in self._state.project.images], [])

    def _predict(self, ids: list[str], which: Sequence[str]) -> None:
        project, run_id = self._state.project, self._run_id
        if project is None or run_id is None or self._running is not None:
            return
        self._project = project.path
        self._began, self._wanted, self._arrived = time.time(), ids, set()
        self._outcome.say("")
        self._progress.setRange(0, 0)
        options = [*which, *self._uncertainty.options(), "--json"]
        args = ["predict", str(project.path), "--run", run_id, *options]
        self._running = self._commands.run(args, self._finish)
        self._timer.start()
        self._enable()

    def _look(self) -> None:
        """Count in a thread which of the images have been predicted since."""
        if self._project is not None and self._run_id is not None:
            folder = self._project / "predictions" / self._run_id
            ids, since = self._wanted, self._began
            self._counting.ask(lambda: predicted_since(folder, ids, since))

    def _show_progress(self, done: set[str]) -> None:
        if self._running is None or not done:
            return
        n, of = len(done), len(self._wanted)
        self._progress.setRange(0, of)
        self._progress.setValue(n)
        seconds = time.time() - self._began
        left = duration_text(seconds / n * (of - n))
        known = seconds >= MEASURE_FOR and n < of
        self._progress.setFormat(f"{n} / {of}" + (f" · {left} left" if known else ""))
        new, self._arrived = done - self._arrived, done
        if self._state.image_id in new:
            self.arrived.emit()

    def _stop_now(self) -> None:
        if self._running is not None:
            self._stop.setEnabled(False)
            self._running.stop()

    def _leave_project(self) -> None:
        self._outcome.say("")
        self._stop_now()
        self._enable()

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        self._timer.stop()
        self._counting.drop()
        self._stop.setEnabled(True)
        self._enable()
        project = self._state.project
        if project is not None and project.path == self._project:
            self._outcome.say(*outcome_of(result))
            self._state.predictions_changed.emit()
            if self._is_all and not result.was_stopped:
                self.all_predicted.emit()


def predicted_since(folder: Path, ids: Sequence[str], since: float) -> set[str]:
    """Return the images whose prediction was written after ``since``, Unix seconds."""
    done = set()
    for key in ids:
        try:
            if (folder / key / FACTS).stat().st_mtime >= since:
                done.add(key)
        except OSError:
            continue
    return done


def outcome_of(result: CommandResult) -> tuple[str, Kind]:
    """Return how a prediction ended as a sentence, and which kind of news it is."""
    if result.was_stopped:
        return "Stopped. What was predicted before is kept.", "note"
    try:
        told = json.loads(result.stdout)
        done, failed = told["predicted"], told["failed"]
    except (ValueError, KeyError, TypeError):
        return result.sentence, "problem"
    n = len(done)
    sentence = f"{n:,} image{'' if n == 1 else 's'} predicted."
    if failed:
        first = failed[0]["error"]
        return f"{sentence} {len(failed):,} could not be: {first}", "problem"
    notices = [notice for one in done for notice in one["notices"]]
    if notices:
        return f"{sentence} {notices[0]}", "note"
    return sentence, "ok"
