"""The Review page: predict, and look at the predictions one by one."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.durations import MEASURE_FOR, duration_text
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlay_switches import OverlaySwitches
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.prediction_files import FACTS, has_prediction
from napari_mtseg.storage.run_folder import RunFolder, runs_of
from napari_mtseg.storage.write import read_json

NO_RUN = "Nothing is trained yet. Train a run on the Train page first."
_ID = Qt.ItemDataRole.UserRole
_LOOK_EVERY = 500
"""milliseconds between two looks at how far a prediction is"""


@dataclass(frozen=True, kw_only=True)
class PredictedImage:
    """One line of the list of predicted images."""

    id: str
    """image"""
    name: str
    """its file name"""
    scores: str
    """what the prediction says of the image as a whole, in words"""


class ReviewPage(QWidget):
    """Chooses a run, has it predict, and goes through what it predicted.

    Parameters
    ----------
    state : WindowState
        Shared state; choosing a run sets its ``run_id``, a line its ``image_id``.
    overlays : Overlays
        Shows the prediction of the current image.
    commands : Commands
        Runs `mtseg predict`.
    """

    def __init__(
        self,
        state: WindowState,
        overlays: Overlays,
        commands: Commands,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("review_page")
        self._state, self._overlays = state, overlays
        self._shown: Path | None = None
        self._reading = NewestAnswer(self)
        self._runs = _run_box(self)
        self._predicting = Predicting(state, commands, self)
        self._here = SentenceLabel("", "plain", self)
        self._here.setObjectName("review_here")
        self._images = PredictedImages(state, self)
        self._lay_out()
        self._reading.answered.connect(self._images.list_images)
        self._predicting.arrived.connect(self._show_image)
        self._runs.activated.connect(self._choose_run)
        overlays.failed.connect(lambda why: self._here.say(why, "problem"))
        state.events.project.connect(self._list_runs)
        state.events.run_id.connect(self._list_runs)
        state.runs_changed.connect(self._list_runs)
        state.events.image_id.connect(self._show_other_image)
        state.predictions_changed.connect(self._read)
        self._list_runs()

    @property
    def run_id(self) -> str | None:
        """Run whose predictions are looked at; None if there is none."""
        return self._runs.currentData()

    def _lay_out(self) -> None:
        form = QFormLayout()
        # Above it, so that the date fits into the line.
        form.addRow(QLabel("Run", self))
        form.addRow(self._runs)
        results = QGroupBox("Results on this image", self)
        inside = QVBoxLayout(results)
        inside.addWidget(self._here)
        inside.addWidget(OverlaySwitches(self._state, self._overlays, self))
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        column.addLayout(form)
        column.addWidget(self._predicting)
        column.addWidget(results)
        column.addWidget(self._images, stretch=1)
        column.addStretch(0)

    def _list_runs(self) -> None:
        project, wanted = self._state.project, self._state.run_id
        runs = _runs_to_review(project.path, wanted) if project else []
        ids = [run.path.name for run in runs]
        chosen = wanted if wanted in ids else self.run_id
        self._runs.clear()
        for run in runs:
            self._runs.addItem(_title(run), run.path.name)
        place = ids.index(chosen) if chosen in ids else 0
        self._runs.setCurrentIndex(place if runs else -1)
        self._runs.setEnabled(bool(runs))
        self._runs.setToolTip(
            "Training run whose results are shown; the newest stands first"
            if runs
            else NO_RUN
        )
        self._read()

    def _choose_run(self, place: int) -> None:
        self._state.run_id = self._runs.itemData(place)
        self._read()

    def _read(self) -> None:
        """Read in a thread what is predicted, and show this image's results."""
        project, run_id = self._state.project, self.run_id
        if project is None or run_id is None:
            self._reading.drop()
            self._images.list_images(())
        else:
            names = [(entry.id, entry.name) for entry in project.images]
            folder = project.path / "predictions" / run_id
            self._reading.ask(lambda: predicted_images(folder, names))
        self._show_image()

    def _show_other_image(self) -> None:
        self._shown = None
        self._images.mark_current()
        self._show_image()

    def _show_image(self) -> None:
        """Show the run's prediction of the current image, or say there is none."""
        project, run_id = self._state.project, self.run_id
        self._predicting.set_run(run_id)
        if project is None or run_id is None:
            self._here.say(NO_RUN, "note")
        elif self._state.image_id is None:
            self._here.say("The project has no image. Add some first.", "note")
        else:
            folder = project.path / "predictions" / run_id / self._state.image_id
            if has_prediction(folder):
                self._shown = folder
                self._overlays.show_prediction(folder)
                self._here.say("")
                return
            self._here.say(self._unpredicted(project.path / "runs" / run_id), "note")
        if self._shown is not None:
            # What a training shows of this image is not ours to take away.
            self._shown = None
            self._overlays.clear()

    def _unpredicted(self, run: Path) -> str:
        if is_locked(run):
            return "This run is training; its results come as it learns."
        return "This run has not predicted this image. Click Predict this image."


class Predicting(QWidget):
    """Buttons that predict one image or all, with progress, a stop and the outcome."""

    arrived = Signal()
    """the prediction of the current image was replaced"""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._commands = state, commands
        self._run_id: str | None = None
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._began, self._wanted = 0.0, [""]
        self._has_arrived = False
        self._one = _button("predict_image", "Predict this image", self)
        self._all = _button("predict_all", "Predict all images", self)
        self._progress = QProgressBar(self)
        self._progress.setObjectName("predict_progress")
        self._progress.setToolTip("Images predicted so far, and the time left")
        self._stop = _button("stop_predicting", "Stop", self)
        self._stop.setToolTip("Stop predicting; what is predicted already is kept")
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("predict_outcome")
        self._counting = NewestAnswer(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(_row(self._one, self._all))
        column.addLayout(_row(self._progress, self._stop))
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
        self._enable()

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
        project = self._state.project
        if project is None or self._run_id is None:
            return NO_RUN
        if self._running is not None:
            return "Predicting already; wait for it or stop it."
        run = RunFolder(project.path / "runs" / self._run_id)
        if is_locked(run.path):
            return "This run is training. Predict when it has ended, or stop it first."
        if not run.checkpoint("best").exists():
            return "This run has no weights. Resume it, or choose another run."
        return ""

    def _predict_one(self) -> None:
        if self._state.image_id is not None:
            ids = [self._state.image_id]
            self._predict(ids, ["--image", self._state.image_id])

    def _predict_all(self) -> None:
        if self._state.project is not None:
            self._predict([entry.id for entry in self._state.project.images], [])

    def _predict(self, ids: list[str], which: Sequence[str]) -> None:
        project, run_id = self._state.project, self._run_id
        if project is None or run_id is None or self._running is not None:
            return
        self._project = project.path
        self._began, self._wanted, self._has_arrived = time.time(), ids, False
        self._outcome.say("")
        self._progress.setRange(0, 0)
        args = ["predict", str(project.path), "--run", run_id, *which, "--json"]
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
        if self._state.image_id in done and not self._has_arrived:
            self._has_arrived = True
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


class PredictedImages(QGroupBox):
    """The predicted images with their scores; a click or Enter shows one."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._list = QListWidget(self)
        self._list.setObjectName("predicted_images")
        self._list.setToolTip("Predicted images; a click or Enter shows one")
        self._list.setAccessibleName("Predicted images")
        self._list.setUniformItemSizes(True)
        self._list.setMinimumHeight(140)
        self._list.setSpacing(3)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._list.setHorizontalScrollBarPolicy(never)
        self._back = _button("previous_predicted", "◀ Previous", self)
        self._next = _button("next_predicted", "Next ▶", self)
        column = QVBoxLayout(self)
        column.addWidget(self._list)
        column.addLayout(_row(self._back, self._next))
        self._list.itemActivated.connect(self._go_to)
        self._list.itemClicked.connect(self._go_to)
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        self.list_images(())

    def list_images(self, images: Sequence[PredictedImage]) -> None:
        """Show other images."""
        self._list.clear()
        for image in images:
            item = QListWidgetItem(f"{image.name}\n{image.scores}", self._list)
            item.setData(_ID, image.id)
            item.setToolTip(f"{image.name}: {image.scores}")
        self.setTitle(f"Predicted images ({len(images):,})")
        self.setVisible(bool(images))
        self.mark_current()

    def mark_current(self) -> None:
        """Select the line of the current image, if it has one."""
        place, n = self._place(), self._list.count()
        self._list.setCurrentRow(-1 if place is None else place)
        steps = (
            (self._back, 0, "before", "first"),
            (self._next, n - 1, "after", "last"),
        )
        for button, end, side, which in steps:
            is_end = place == end
            button.setEnabled(n > 0 and not is_end)
            button.setToolTip(
                f"This is the {which} predicted image"
                if is_end
                else f"Show the predicted image {side} this one"
            )

    def _ids(self) -> list[str]:
        items = map(self._list.item, range(self._list.count()))
        return [item.data(_ID) for item in items if item is not None]

    def _place(self) -> int | None:
        ids, here = self._ids(), self._state.image_id
        return ids.index(here) if here in ids else None

    def _go_to(self, item: QListWidgetItem) -> None:
        self._state.image_id = item.data(_ID)

    def _step(self, step: int) -> None:
        place, ids = self._place(), self._ids()
        start = (-1 if step > 0 else len(ids)) if place is None else place
        if 0 <= start + step < len(ids):
            self._state.image_id = ids[start + step]


def predicted_images(
    folder: Path, names: Sequence[tuple[str, str]]
) -> tuple[PredictedImage, ...]:
    """Return which images a run has predicted, with what it says of them.

    Parameters
    ----------
    folder : Path
        The run's predictions.
    names : sequence of (str, str)
        Id and file name of each image of the project.
    """
    found = []
    for key, name in names:
        try:
            scores = scores_in_words(read_json(folder / key / FACTS))
        except FileNotFoundError:
            continue
        except (MtsegError, OSError, TypeError, KeyError):
            scores = "cannot be read; predict it again"
        found.append(PredictedImage(id=key, name=name, scores=scores))
    return tuple(found)


def scores_in_words(facts: dict[str, Any]) -> str:
    """Return the scores of a prediction as one line.

    Examples
    --------
    >>> scores_in_words({"class_of": {"1": 1}, "scores": {"quality": 0.914}})
    '1 object · quality 0.91'
    """
    n = len(facts["class_of"])
    known = [
        f"{name.replace('_', ' ')} {value:.2f}"
        for name, value in facts["scores"].items()
        if value is not None and math.isfinite(value)
    ]
    return " · ".join([f"{n:,} object{'' if n == 1 else 's'}", *known])


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


def _runs_to_review(project: Path, wanted: str | None) -> list[RunFolder]:
    """Return the runs with weights, and the wanted one, newest first."""
    return [
        run
        for run in reversed(runs_of(project))
        if run.path.name == wanted or run.checkpoint("best").exists()
    ]


def _title(run: RunFolder) -> str:
    """Return a run's name for people: method and local time."""
    stamp, method = run.path.name[:15], run.path.name[16:]
    title = CATALOG[method].title if method in CATALOG else method
    try:
        begun = datetime.strptime(stamp, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return run.path.name
    return f"{title} · {begun.astimezone():%d %b %H:%M}"


def _run_box(parent: QWidget) -> QComboBox:
    box = QComboBox(parent)
    box.setObjectName("review_run")
    box.setAccessibleName("Run")
    shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(shrinks)
    box.setMinimumContentsLength(12)
    return box


def _button(name: str, text: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
