"""Following a run that trains in another process, by signals."""

from threading import Event as Flag
from threading import Thread
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.events import Event, Noticed
from napari_mtseg.gui.run_follower import RunFollower

_PATIENCE = 2.0
"""Seconds that :meth:`RunWatch.close` waits for a slow disk."""


class RunWatch(QObject):
    """Tells of a run by signals, in the thread that made this object.

    ``happened`` brings events in order, each once; where a training was resumed, all
    of them come again, from the first one. ``ended`` comes once, at last, with 'done',
    'stopped' or 'failed' and a sentence.

    Parameters
    ----------
    follower : RunFollower
        The run.
    """

    happened = Signal(object)
    ended = Signal(str, str)
    _found = Signal(object)
    _over = Signal(str, str)

    def __init__(
        self,
        follower: RunFollower,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._follower = follower
        self._is_heard = True
        self._refused = ""
        self._wake = Flag()
        queued = Qt.ConnectionType.QueuedConnection
        self._found.connect(self._on_found, queued)
        self._over.connect(self._on_over, queued)
        self._thread = Thread(target=self._follow, name="mtseg run", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the training to save and end; it is ended by force if it does not."""
        self._wish(stop=True)

    def look_at(self, image_id: str | None) -> None:
        """Ask for predictions of this image while training."""
        self._wish(current_image=image_id)

    def close(self) -> None:
        """Watch no longer; the training goes on, and no signal follows."""
        self._is_heard = False
        self._wake.set()
        self._thread.join(_PATIENCE)

    def _wish(self, **wishes: Any) -> None:
        self._follower.wish(**wishes)
        self._wake.set()

    def _follow(self) -> None:
        follower = self._follower
        while self._is_heard:
            self._tell_wishes()
            self._report(follower.new_events())
            if follower.is_over():
                self._report(follower.new_events())
                self._emit(self._over, *follower.outcome())
                return
            self._wake.wait(follower.pace.read)
            self._wake.clear()
        # A stop wished for just before the window closed must not get lost.
        self._tell_wishes()

    def _tell_wishes(self) -> None:
        try:
            self._follower.tell_wishes()
        except MtsegError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                self._report((Noticed(message=self._refused),))

    def _report(self, events: tuple[Event, ...]) -> None:
        if events:
            self._emit(self._found, events)

    def _emit(self, told: Any, *values: object) -> None:
        try:
            told.emit(*values)
        except RuntimeError:
            # The Qt side was deleted with its window, without a word.
            self._is_heard = False

    def _on_found(self, events: tuple[Event, ...]) -> None:
        if self._is_heard:
            self.happened.emit(events)

    def _on_over(self, how: str, sentence: str) -> None:
        self._thread.join()
        if self._is_heard:
            self.ended.emit(how, sentence)
