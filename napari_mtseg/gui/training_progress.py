"""How far a training is: in the page, and in napari's activity area."""

import time

from napari.utils import progress
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_mtseg.domain.events import RunStarted, StageStarted, StepFinished
from napari_mtseg.gui.durations import TimeLeft, duration_text
from napari_mtseg.methods.catalog import CATALOG

ACTIVITY_EVERY = 1.0
"""seconds between two turns of napari's bar, each of which draws the whole window"""


class TrainingProgress(QWidget):
    """A bar that never runs backwards, with the stage and the time left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training_progress")
        self._left = TimeLeft()
        self._stage, self._title = "", "Training"
        self._activity: progress | None = None
        self._advanced_at = 0.0
        self.bar = QProgressBar()
        self.bar.setObjectName("training_bar")
        self.bar.setToolTip("Steps taken, of all steps of this training.")
        self.bar.setTextVisible(False)
        self.words = QLabel()
        self.words.setObjectName("training_words")
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(1)
        self.words.setToolTip("Stage, step, and the time left (after 5 s).")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.bar)
        layout.addWidget(self.words)

    @property
    def title(self) -> str:
        """What trains, as far as it is known."""
        return self._title

    def begin(self, title: str, *, is_live: bool) -> None:
        """Show a training that has not taken a step yet.

        Parameters
        ----------
        title : str
            Name of the method, for the activity area.
        is_live : bool
            True to show it in the activity area too.
        """
        self.end()
        self._title, self._stage = title, "Starting"
        self._left.restart()
        # A bar without a range is busy, which a run that is only looked at is not.
        self.bar.setRange(0, 0 if is_live else 1)
        self.bar.setValue(0)
        self._say("Starting: reading images…" if is_live else "")
        if is_live:
            self._activity = progress(total=0, desc=title)

    def started(self, event: RunStarted) -> None:
        """Take note that a run began, or went on where it had been stopped."""
        self._left.restart()
        if event.method in CATALOG:
            self._title = CATALOG[event.method].title
        self.bar.setRange(0, max(event.total_steps, 1))
        self.bar.setValue(event.resumed_at)
        if self._activity is not None:
            self._activity.total = max(event.total_steps, 1)
            self._activity.set_description(self._title)
            self._advance(event.resumed_at)

    def stage_started(self, event: StageStarted) -> None:
        """Take note that the next stage began."""
        self._stage = event.name.capitalize()
        if self._activity is not None:
            self._activity.set_description(f"{self._title}, {event.name}")

    def stepped(self, event: StepFinished) -> None:
        """Take note of a step; :meth:`refresh` shows it."""
        if self.bar.maximum() != event.of:
            self.bar.setRange(0, event.of)
        if event.step > self.bar.value():
            self._left.add(event.step, event.of, event.seconds)
            self.bar.setValue(event.step)

    def refresh(self) -> None:
        """Say in words how far the training is."""
        if self.bar.maximum() <= 1:
            return
        seconds = self._left.seconds
        left = "" if seconds is None else f", about {duration_text(seconds)} left"
        at = f"step {self.bar.value():,} of {self.bar.maximum():,}"
        self._say(f"{self._stage}: {at}{left}")
        self._advance(self.bar.value())

    def end(self) -> None:
        """Take the training out of the activity area; the bar stays where it is."""
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        if self.bar.maximum() == 0:
            self.bar.setRange(0, 1)
            self._say("")
        if self.bar.maximum() > 1:
            self._say(f"Step {self.bar.value():,} of {self.bar.maximum():,}")

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _advance(self, step: int) -> None:
        now = time.monotonic()
        if self._activity is None or step <= self._activity.n:
            return
        if now - self._advanced_at > ACTIVITY_EVERY:
            self._advanced_at = now
            self._activity.update(step - self._activity.n)
