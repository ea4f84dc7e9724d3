"""A segmentation of a folder that is going on, and what its ledger says of it."""

import time
from dataclasses import dataclass
from pathlib import Path

from napari.utils.notifications import show_error

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import RunningCommand
from napari_mtseg.gui.folder_request import FolderRequest
from napari_mtseg.gui.window_settings import remember_unfinished
from napari_mtseg.storage.batch_ledger import BatchProgress, read_ledger


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is being segmented now."""

    request: FolderRequest
    project: Path | None
    """project that was open when it began"""
    since: str
    """when it began, UTC, ISO 8601; the ledger may be that of an earlier one"""
    running: RunningCommand

    def of_this(self, found: BatchProgress | None) -> BatchProgress | None:
        """Return ``found`` if it tells of this prediction."""
        return found if found and found.begun.when >= self.since else None

    def remember(self) -> None:
        """Keep with its project what is being segmented."""
        self._keep(self.request)

    def forget(self) -> None:
        """All of it is done."""
        self._keep(None)

    def _keep(self, request: FolderRequest | None) -> None:
        if self.project is None:
            return
        try:
            remember_unfinished(self.project, request)
        except MtsegError as error:
            show_error(str(error))


def timed_ledger(folder: Path) -> tuple[BatchProgress | None, float]:
    """Return what a folder's ledger says, and how many seconds reading it took."""
    began = time.perf_counter()
    return read_ledger(folder), time.perf_counter() - began
