"""What a training said: its events as lines, and what it wrote into log.txt."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from napari_mtseg.domain.events import (
    Event,
    LabelsGrown,
    Noticed,
    RunStarted,
    StageStarted,
    TrainingFailed,
    TrainingFinished,
    ValidationFinished,
)
from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.newest_answer import NewestAnswer

LOG_FILE = "log.txt"

_TAIL = 20_000
"""bytes of the log file that are shown"""
_LINES = 1000
_EVERY = 1000
"""milliseconds between two looks at the log file while it is shown"""


class TrainingLog(QWidget):
    """A fold with a line per event, and below them the end of the run's log file."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file: Path | None = None
        self._lines: list[str] = []
        self._said = ""
        self.text = QPlainTextEdit()
        self.text.setObjectName("training_log")
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setMinimumWidth(1)
        self.text.setFixedHeight(170)
        self.text.setToolTip("What happened in this training, and what it wrote.")
        self.fold = Fold(
            "Log", self.text, tooltip="What happened, line by line, for questions."
        )
        self.fold.heading.setObjectName("log_heading")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        self._answers = NewestAnswer(self)
        self._answers.answered.connect(self._take_file)
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._look)
        self.fold.toggled.connect(self._open)

    def begin(self, folder: Path) -> None:
        """Show the log of another run."""
        self._answers.drop()
        self._file, self._lines, self._said = folder / LOG_FILE, [], ""
        self.refresh()
        if self.fold.is_open:
            self._look()

    def take(self, event: Event) -> None:
        """Add the line of an event; :meth:`refresh` shows it."""
        line = line_of(event)
        if line:
            self._lines = [*self._lines[-_LINES:], line]

    def show_open(self) -> None:
        """Open the log and read what the training wrote."""
        self.fold.set_open(True)
        self._look()

    def refresh(self) -> None:
        """Show what was added, at its end unless the user reads further up."""
        if not self.fold.is_open:
            return
        said = [f"— {LOG_FILE} —", self._said] if self._said else []
        text = "\n".join([*self._lines, *said])
        if text == self.text.toPlainText():
            return
        bar = self.text.verticalScrollBar()
        at, follows = bar.value(), bar.value() >= bar.maximum() - 2
        self.text.setPlainText(text)
        bar.setValue(bar.maximum() if follows else at)

    def _open(self, is_open: bool) -> None:
        if is_open:
            self.refresh()
            self._look()
            self._timer.start()
        else:
            self._timer.stop()

    def _look(self) -> None:
        if self._file is not None and self.isVisible():
            self._answers.ask(partial(_end_of, self._file))

    def _take_file(self, text: str) -> None:
        self._said = text
        self.refresh()


def line_of(event: Event) -> str:
    """Return an event as a line for people; '' for what a bar or curve shows."""
    if isinstance(event, RunStarted):
        began = f"went on at step {event.resumed_at}" if event.resumed_at else "began"
        return f"{event.method} {began} on {event.device}, {event.total_steps} steps"
    if isinstance(event, StageStarted):
        return f"step {event.step}: {event.name}"
    if isinstance(event, LabelsGrown):
        share = f"{event.grown_share:+.1%}"
        return f"step {event.step}: labels grown, iteration {event.iteration} ({share})"
    if isinstance(event, ValidationFinished):
        scores = ", ".join(f"{k} {v:.3f}" for k, v in event.metrics.items())
        return f"step {event.step}: {scores}{' (best)' if event.is_best else ''}"
    if isinstance(event, (Noticed, TrainingFailed)):
        return event.message
    if isinstance(event, TrainingFinished):
        return f"step {event.step}: {event.reason}"
    return ""


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(max(file.stat().st_size - _TAIL, 0))
            return stream.read().decode(errors="replace").strip()
    except OSError:
        return ""
