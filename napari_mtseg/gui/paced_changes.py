"""Changes that are made one after the other, so that the window answers between."""

from collections.abc import Callable, Mapping

from qtpy.QtCore import QObject, QTimer, Signal

_PAUSE = 10
"""milliseconds between two changes"""


class PacedChanges(QObject):
    """Makes changes by name; a newer one of the same name replaces what waits."""

    made = Signal()
    """one was made"""
    ended = Signal()
    """none waits any more"""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[str, Callable[[], object]] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._make_one)

    def __contains__(self, name: str) -> bool:
        """Return True if a change of this name waits."""
        return name in self._waiting

    def add(self, changes: Mapping[str, Callable[[], object]]) -> None:
        """Make these as well, after what waits."""
        self._waiting.update(changes)
        self._timer.start()

    def drop(self, name: str) -> None:
        """Do not make the change of this name."""
        self._waiting.pop(name, None)

    def clear(self) -> None:
        """Make none of those that wait."""
        self._timer.stop()
        self._waiting.clear()

    def _make_one(self) -> None:
        if self._waiting:
            self._waiting.pop(next(iter(self._waiting)))()
            self.made.emit()
        if not self._waiting:
            self._timer.stop()
            self.ended.emit()
