"""The Train page: choose a method, train it, watch it learn, look at earlier runs."""

from functools import partial

from napari.utils.notifications import show_warning
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.durations import duration_text
from napari_mtseg.gui.earlier_runs import EarlierRuns
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.live_training import LiveTraining
from napari_mtseg.gui.method_choice import MethodChoice
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.run_comparison import RunComparison
from napari_mtseg.gui.run_history import RunHistory
from napari_mtseg.gui.run_records import estimated_seconds
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.trainer import ReadinessReport, Trainer
from napari_mtseg.gui.training_choices import TrainingChoices
from napari_mtseg.gui.training_view import TrainingView

ASK_AFTER = 500
"""milliseconds after the last stroke or setting until both are looked at again"""

STARTING = "Starting…"
RESUMING = "Resuming…"


class TrainPage(QWidget):
    """Everything about training.

    Parameters
    ----------
    state : WindowState
        The open project, image and run.
    editing : Editing
        Saves the paint before a training.
    trainer : Trainer
        Trains.
    overlays : Overlays
        Draws growing labels and previews.
    """

    def __init__(
        self,
        state: WindowState,
        editing: Editing,
        trainer: Trainer,
        overlays: Overlays,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("train_page")
        self._state, self._editing, self._trainer = state, editing, trainer
        self._busy = self._refusal = ""
        self._is_stale = True
        self._history = RunHistory(state, self)
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.timeout.connect(self._ask_readiness)
        self._build(overlays)
        self._live = LiveTraining(state, trainer, self._view, self._history, self)
        self._join_controls()
        self._join_shared()
        self._refresh()

    def train(self) -> None:
        """Start the run that is set, or say why it cannot start."""
        reason = self._why_not()
        if reason:
            show_warning(reason)
            return
        self._wait(STARTING)
        # After the busy state is drawn: saving the last strokes may take a moment.
        QTimer.singleShot(0, self._send)

    def showEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Look at the paint again if it changed while another page was shown."""
        super().showEvent(event)
        if self._is_stale:
            self._asking.start(0)

    def _build(self, overlays: Overlays) -> None:
        self._method = MethodChoice()
        self._choices = TrainingChoices(self._method.key)
        self._button = QPushButton("Train")
        self._button.setObjectName("train")
        self._button.setMinimumWidth(110)
        self._tooltip = f"Trains with what is painted now. Key: {key_of('train')}"
        self._estimate = SentenceLabel(parent=self)
        self._estimate.setObjectName("estimate")
        self._estimate.setToolTip("From earlier runs of the same size.")
        self._sentence = SentenceLabel(parent=self)
        self._sentence.setObjectName("train_sentence")
        self._view = TrainingView(self._state, overlays)
        self._runs = EarlierRuns()
        runs = Fold("Earlier runs", self._runs, tooltip="All runs of this project.")
        runs.heading.setObjectName("earlier_runs_heading")
        row = QHBoxLayout()
        row.addWidget(self._button)
        row.addWidget(self._estimate, stretch=1)
        # Keeps the button as wide as it is while there is no estimate.
        row.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._method)
        layout.addWidget(self._choices)
        # Above the button: who presses it has what is said in view.
        layout.addWidget(self._sentence)
        layout.addLayout(row)
        for widget in (self._view, runs):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _join_controls(self) -> None:
        self._method.chosen.connect(self._choices.set_method)
        self._method.paint_wanted.connect(lambda: self._go_on("annotate"))
        self._choices.changed.connect(self._change_settings)
        self._choices.method_wanted.connect(self._method.choose)
        self._button.clicked.connect(self.train)
        self._view.chosen.connect(self._go_on)
        self._live.began.connect(self._begin)
        self._live.ended.connect(self._end)
        self._runs.looked_at.connect(self._look_at)
        self._runs.resume.connect(self._resume)
        self._runs.train_on.connect(self._train_on)
        self._runs.compare.connect(lambda runs: RunComparison(runs, self).show())
        self._history.changed.connect(self._take_records)

    def _join_shared(self) -> None:
        state, trainer = self._state, self._trainer
        state.events.project.connect(self._change_project)
        state.events.start_from.connect(self._start_from)
        state.annotation_saved.connect(self._change_paint)
        state.images_changed.connect(self._change_paint)
        state.classes_changed.connect(self._change_paint)
        trainer.prepared.connect(self._change_paint)
        trainer.readiness_changed.connect(self._take_readiness)
        trainer.devices_changed.connect(self._choices.set_devices)
        trainer.refused.connect(self._refuse)

    def _change_project(self) -> None:
        project = self._state.project
        self._method.forget()
        self._busy, self._refusal, self._is_stale = "", "", True
        if project is not None and project.images:
            self._choices.set_ndim(len(project.images[0].spatial_shape))
        self._refresh()

    def _change_paint(self) -> None:
        self._is_stale = True
        if self.isVisible():
            self._asking.start(ASK_AFTER)

    def _change_settings(self) -> None:
        self._refusal = ""
        self._refresh()
        self._change_paint()

    def _ask_readiness(self) -> None:
        if self._state.project is not None:
            self._is_stale = False
            is_usable = self._choices.settings() is not None
            self._trainer.ask_readiness(self._choices.request() if is_usable else None)

    def _take_readiness(self, report: ReadinessReport) -> None:
        self._method.show_report(report)
        self._refresh()

    def _take_records(self) -> None:
        self._runs.show_records(self._history.records)
        self._choices.set_earlier_runs(self._history.records)
        self._start_from()
        self._refresh()

    def _send(self) -> None:
        try:
            self._editing.flush()
        except MtsegError as error:
            self._refuse(str(error))
            return
        self._trainer.train(self._choices.request())

    def _resume(self, run_id: str) -> None:
        self._wait(RESUMING)
        self._trainer.resume(run_id)

    def _refuse(self, sentence: str) -> None:
        self._wait("")
        self._refusal = sentence
        self._refresh()
        self._scroll_to(self._sentence, self._button)

    def _begin(self) -> None:
        self._wait("")
        self._scroll_to(self._view)

    def _end(self) -> None:
        self._history.refresh()
        self._refresh()
        self._scroll_to(self._view.outcome)

    def _scroll_to(self, *widgets: QWidget) -> None:
        """Bring parts of the page into view once they have their places."""
        area = self._scroll_area()
        if area is not None:
            for widget in widgets:
                QTimer.singleShot(0, partial(area.ensureWidgetVisible, widget))

    def _wait(self, why: str) -> None:
        """Show that a press was heard, until the trainer answers; '' for it has."""
        self._busy, self._refusal = why, ""
        self._refresh()
        self._button.repaint()

    def _look_at(self, run_id: str) -> None:
        if not self._live.is_live:
            self._state.run_id = run_id

    def _train_on(self, run_id: str) -> None:
        record = self._history.record(run_id)
        if record is not None:
            self._method.choose(record.method)
            self._choices.start_from(run_id)
            self._button.setFocus()

    def _start_from(self) -> None:
        """Train on from the run that another page wants, once it is read."""
        wanted = self._state.start_from
        if wanted is not None and self._history.record(wanted) is not None:
            self._state.start_from = None
            self._train_on(wanted)

    def _go_on(self, way: str) -> None:
        """Do what the user chose after a training, or go to another page."""
        if way == "resume" and self._view.run_id is not None:
            self._resume(self._view.run_id)
        elif way == "again":
            self.train()
        elif way in {"annotate", "review", "export"}:
            self._state.page = way  # type: ignore[assignment]

    def _why_not(self) -> str:
        """Return why no training can start now; '' where one can."""
        if self._state.project is None:
            return "No project is open. Open one, then train."
        if self._busy:
            return self._busy
        if self._live.is_live or self._trainer.is_training:
            return "A training is running. Stop it, or wait until it ends."
        if self._method.problems:
            return f"Not enough to train: {' '.join(self._method.problems)}"
        return self._setting_problems()

    def _setting_problems(self) -> str:
        """Return what is wrong with the settings, a line each; '' if nothing is."""
        problem = self._choices.form.problem
        return problem or "\n".join(self._method.setting_problems)

    def _refresh(self) -> None:
        reason = self._why_not()
        self._button.setEnabled(not reason)
        self._button.setText(self._busy or "Train")
        self._button.setToolTip(reason or self._tooltip)
        self._runs.set_training(bool(self._busy) or self._live.is_live)
        # What is chosen for the next run makes room for the one that trains.
        self._choices.setVisible(not self._live.is_live)
        self._method.set_brief(self._live.is_live)
        problem = self._setting_problems() or self._refusal
        self._sentence.say("" if self._live.is_live else problem, "problem")
        self._estimate.say("" if reason else self._estimated())

    def _estimated(self) -> str:
        settings = self._choices.settings()
        if settings is None:
            return ""
        seconds = estimated_seconds(
            self._history.records,
            method=self._choices.method,
            settings=settings,
            units=self._choices.units(),
        )
        if seconds is None:
            return "no estimate yet"
        return f"about {duration_text(seconds)}"

    def _scroll_area(self) -> QScrollArea | None:
        above = self.parentWidget()
        while above is not None and not isinstance(above, QScrollArea):
            above = above.parentWidget()
        return above
