"""Earlier runs, read in a thread whenever one begins or ends."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.run_records import RunReader, RunRecord
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.run_folder import RunFolder


class RunHistory(QObject):
    """Knows the runs of the open project.

    Parameters
    ----------
    state : WindowState
        Its project is read, again whenever its runs changed.
    """

    changed = Signal()
    """:attr:`records` are new"""
    read = Signal(str, object)
    """name of a run and its events, as :meth:`ask_events` wanted"""

    def __init__(self, state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.records: tuple[RunRecord, ...] = ()
        """newest first"""
        self._reader = RunReader()
        self._answers, self._past = NewestAnswer(self), NewestAnswer(self)
        self._answers.answered.connect(self._take)
        self._past.answered.connect(lambda found: self.read.emit(*found))
        state.events.project.connect(self._change_project)
        state.runs_changed.connect(self.refresh)

    def record(self, run_id: str) -> RunRecord | None:
        """Return what is known of a run; None for one that was not read yet."""
        return next((r for r in self.records if r.id == run_id), None)

    def refresh(self) -> None:
        """Read the runs again."""
        if self._state.project is not None:
            path = self._state.project.path
            self._answers.ask(partial(_read, self._reader, path))

    def ask_events(self, run_id: str) -> None:
        """Read all events of a run; :attr:`read` tells them."""
        if self._state.project is not None:
            run = RunFolder(self._state.project.path / "runs" / run_id)
            self._past.ask(lambda: (run_id, run.events()))

    def _change_project(self) -> None:
        self._answers.drop()
        self._past.drop()
        self._reader, self.records = RunReader(), ()
        self.changed.emit()
        self.refresh()

    def _take(self, found: tuple[Path, tuple[RunRecord, ...]]) -> None:
        path, records = found
        if self._state.project is not None and self._state.project.path == path:
            self.records = records
            self.changed.emit()


def _read(reader: RunReader, path: Path) -> tuple[Path, tuple[RunRecord, ...]]:
    return path, reader.records(path)
