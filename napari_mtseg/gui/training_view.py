"""One training on the page: progress, curves, growth, how it ended, and its log."""

from collections import deque
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mtseg.domain.events import (
    Event,
    LabelsGrown,
    Noticed,
    PreviewReady,
    RunStarted,
    StageStarted,
    StepFinished,
    TrainingFinished,
    ValidationFinished,
)
from napari_mtseg.gui.curves import TrainingCurves
from napari_mtseg.gui.growth_slider import GrowthSlider
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.preview_reader import PreviewReader
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.training_log import TrainingLog
from napari_mtseg.gui.training_outcome import TrainingOutcome
from napari_mtseg.gui.training_progress import TrainingProgress
from napari_mtseg.storage.run_folder import RunFolder

AT_ONCE = 400
"""events that are taken between two turns of the event loop"""


class TrainingView(QWidget):
    """Shows one run, live or as it was.

    Parameters
    ----------
    state : WindowState
        Its current image is shown as it is learned.
    overlays : Overlays
        Draws the growing labels and the previews.
    """

    stop_clicked = Signal()
    chosen = Signal(str)
    """a way on: 'review', 'export', 'resume' or 'again'"""
    ended = Signal(str, str)
    """what :meth:`end` was told, once all events before it are shown"""

    def __init__(
        self, state: WindowState, overlays: Overlays, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("training_view")
        self._state = state
        self.run_id: str | None = None
        self.metrics: Mapping[str, float] = {}
        """of the best validation so far"""
        self._is_live = False
        self._waiting: deque[Event] = deque()
        self._is_taking = False
        self._more = QTimer(self)
        self._more.setSingleShot(True)
        self._more.timeout.connect(self._take_some)
        self._end: tuple[str, str] | None = None
        self._previews = PreviewReader(state, overlays, self)
        self._build(state, overlays)
        self.forget()

    def begin(self, run: RunFolder, title: str, *, is_live: bool) -> None:
        """Show a run; nothing is known of it yet, unless it is the one that is shown.

        Parameters
        ----------
        run : RunFolder
            Its folder.
        title : str
            What to call it.
        is_live : bool
            True if it trains now.
        """
        if self.run_id != run.path.name:
            self.forget()
            self.growth.watch(run)
            self.log.begin(run.path)
        self.run_id, self._is_live, self._end = run.path.name, is_live, None
        self._title.setText(title)
        self.progress.begin(title, is_live=is_live)
        self.outcome.clear()
        self.notice.say("")
        self._previews.watch(run if is_live else None)
        self._stop_row.setVisible(is_live)
        self.set_stopping(False)
        self.setVisible(True)

    def forget(self) -> None:
        """Show no run."""
        self.run_id, self._is_live, self._end = None, False, None
        self.metrics = {}
        self._waiting.clear()
        self._more.stop()
        self.progress.end()
        self.curves.clear()
        self.growth.forget()
        self.outcome.clear()
        self.notice.say("")
        self._previews.watch(None)
        self.setVisible(False)

    def take(self, events: Sequence[Event]) -> None:
        """Show what happened, in order; many events take several turns."""
        self._waiting.extend(events)
        if not self._more.isActive():
            self._take_some()

    def end(self, how: str, sentence: str) -> None:
        """Take note that the run ended; ``ended`` follows after all of its events."""
        self._end = (how, sentence)
        if not self._more.isActive():
            self._take_some()

    def set_stopping(self, is_stopping: bool) -> None:
        """Answer a press on Stop until the training has ended."""
        self.stop.setEnabled(not is_stopping)
        self.stop.setText("Stopping…" if is_stopping else "Stop")
        self.stop.setToolTip(
            "The training ends after this step."
            if is_stopping
            else "Ends the training after this step. The best weights so far are kept, "
            f"and it can be resumed. Key: {key_of('stop')}"
        )

    def _build(self, state: WindowState, overlays: Overlays) -> None:
        self._title = QLabel()
        self._title.setWordWrap(True)
        self._title.setObjectName("training_title")
        self.progress = TrainingProgress()
        self.curves = TrainingCurves()
        self.growth = GrowthSlider(state, overlays)
        self.notice = SentenceLabel(parent=self)
        self.notice.setObjectName("training_notice")
        self.outcome = TrainingOutcome()
        self.log = TrainingLog()
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("stop_training")
        self.stop.setMinimumWidth(110)
        self.stop.clicked.connect(self.stop_clicked)
        self._stop_row = QWidget()
        row = QHBoxLayout(self._stop_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.stop)
        row.addWidget(QLabel("keeps the best so far"))
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self._title,
            self.progress,
            self.outcome,
            self._stop_row,
            self.growth,
            self.notice,
            self.curves,
            self.log,
        ):
            layout.addWidget(widget)
        self.outcome.chosen.connect(self._choose)

    def _choose(self, way: str) -> None:
        if way == "log":
            self.log.show_open()
        else:
            self.chosen.emit(way)

    def _take_some(self) -> None:
        if self._is_taking:
            # napari's progress bar lets the event loop turn in the middle of this.
            return
        self._is_taking = True
        try:
            for _ in range(AT_ONCE):
                if not self._waiting:
                    break
                self._take(self._waiting.popleft())
        finally:
            self._is_taking = False
        self.log.refresh()
        if self._is_live:
            self.progress.refresh()
        if self._waiting:
            self._more.start(0)
        elif self._end is not None:
            self._show_end(*self._end)

    def _take(self, event: Event) -> None:
        self.log.take(event)
        if isinstance(event, StepFinished):
            self.progress.stepped(event)
            self.curves.add_losses(event.step, event.losses)
        elif isinstance(event, ValidationFinished):
            self.curves.add_scores(event.step, self._named(event.metrics))
            if event.is_best:
                self.metrics = event.metrics
        else:
            self._take_rare(event)

    def _named(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return scores by names for people; of one class its mean says it all."""
        project = self._state.project
        classes = () if project is None else project.info.classes
        names = {"score": "Dice" if len(metrics) <= 2 else "mean Dice"}
        if len(metrics) > 2:
            for n_class, known in enumerate(classes, start=1):
                names[f"dice class {n_class}"] = known.name
        return {names[key]: value for key, value in metrics.items() if key in names}

    def _take_rare(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.progress.started(event)
            if self._is_live:
                self._title.setText(self.progress.title)
            self.curves.forget_after(event.resumed_at)
        elif isinstance(event, StageStarted):
            self.progress.stage_started(event)
        elif isinstance(event, LabelsGrown):
            self.growth.grown(event.iteration)
        elif isinstance(event, PreviewReady):
            self._previews.take(event)
        elif isinstance(event, Noticed):
            self.notice.say(event.message, "note")
        elif isinstance(event, TrainingFinished):
            self.metrics = event.metrics or self.metrics

    def _show_end(self, how: str, sentence: str) -> None:
        self._end, self._is_live = None, False
        self.progress.end()
        self._stop_row.setVisible(False)
        self._previews.watch(None)
        self.ended.emit(how, sentence)
