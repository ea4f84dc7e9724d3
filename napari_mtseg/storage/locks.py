"""A lock names the one process that may write a folder.

The operating system frees it when that process ends, however it ends.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Any, Self

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.storage.write import clear_write_errors, write_json

LOCK_FILE = ".lock"


OWNER_FILE = ".lock.json"


_LOCK_PATIENCE = 0.25
"""Seconds that taking a lock waits, so that :func:`is_locked` never spoils it."""


class FolderLock:
    """The right to write a folder, held by one process at a time.

    Advisory: it binds those who ask for it. The lock ends with this object (keep it)
    and with the process, also when that is killed. A process made by fork after the
    lock was taken keeps it until it ends as well.

    Parameters
    ----------
    path : Path
        Folder to write; made if it is missing.
    purpose : str
        What is written there, for the message: 'annotations', 'run NAME'.
    """

    def __init__(self, path: Path, *, purpose: str) -> None:
        from filelock import FileLock

        self.path = Path(path)
        self.purpose = purpose
        self._lock = FileLock(
            self.path / LOCK_FILE, timeout=_LOCK_PATIENCE, thread_local=False
        )

    def acquire(self) -> Self:
        """Take the lock, at once or not at all.

        Raises
        ------
        ProjectError
            If another process (or another lock of this one) writes the folder.
        StorageError
            If the folder cannot be written.
        """
        from filelock import Timeout

        with clear_write_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout:
                raise ProjectError(self._held_sentence()) from None
        owner = {
            "pid": os.getpid(),
            "host": gethostname(),
            "since": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
            "purpose": self.purpose,
        }
        try:
            write_json(self.path / OWNER_FILE, owner)
        except BaseException:
            self._lock.release()
            raise
        return self

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._lock.is_locked:
            with suppress(OSError):
                (self.path / OWNER_FILE).unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        """Take the lock."""
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self.release()

    def _held_sentence(self) -> str:
        owner = _owner(self.path)
        return (
            f"'{self.path}' ({self.purpose}) is already being written by process "
            f"{owner.get('pid', 'unknown')} on {owner.get('host', 'an unknown host')} "
            f"(since {owner.get('since', 'an unknown time')}). "
            "Close it there or wait until it ends, then try again."
        )


def is_locked(path: Path) -> bool:
    """Return True while a process holds the :class:`FolderLock` of a folder.

    Where the lock may not be touched (a folder of somebody else), the note that its
    owner left decides, which outlives an owner that was killed.
    """
    from filelock import FileLock, Timeout

    lock_file = Path(path) / LOCK_FILE
    if not lock_file.exists():
        return False
    try:
        with FileLock(lock_file, timeout=0, thread_local=False):
            return False
    except Timeout:
        return True
    except OSError:
        return (Path(path) / OWNER_FILE).exists()


def _owner(path: Path) -> Mapping[str, Any]:
    try:
        owner = json.loads((path / OWNER_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}
