"""Slow reading in a thread, of which only the newest answer counts."""

from collections.abc import Callable
from threading import Thread
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.errors import MtsegError


class NewestAnswer(QObject):
    """Runs one function at a time in a thread and tells what the newest one returned.

    A question that is asked while another is being answered waits, and replaces
    whatever waited before it; the older answer is dropped.
    """

    answered = Signal(object)
    """what the newest function returned"""
    refused = Signal(str)
    """the sentence of the :class:`MtsegError` that the newest function raised"""

    _ended = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: Callable[[], Any] | None = None
        self._is_busy = False
        self._is_dropped = False
        self._ended.connect(self._take)

    @property
    def is_busy(self) -> bool:
        """True while an answer is awaited."""
        return self._is_busy

    def ask(self, function: Callable[[], Any]) -> None:
        """Call ``function`` in a thread; the answer comes as a signal."""
        if self._is_busy:
            self._waiting = function
            return
        self._is_busy, self._is_dropped = True, False
        Thread(target=self._work, args=(function,), daemon=True).start()

    def drop(self) -> None:
        """Forget what was asked: no answer will be told."""
        self._waiting, self._is_dropped = None, True

    def _work(self, function: Callable[[], Any]) -> None:
        found: Any = None
        error: BaseException | None = None
        try:
            found = function()
        except Exception as caught:  # noqa: BLE001 - raised again by _take
            error = caught
        try:
            self._ended.emit(found, error)
        except RuntimeError:
            # The window closed meanwhile: nobody asks any more.
            return

    def _take(self, found: Any, error: BaseException | None) -> None:
        self._is_busy = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.ask(waiting)
        elif self._is_dropped:
            return
        elif isinstance(error, MtsegError):
            self.refused.emit(str(error))
        elif error is not None:
            raise error
        else:
            self.answered.emit(found)
