"""Events of a run, read from its events.jsonl: all at once, or as they are appended."""

import os
from pathlib import Path
from typing import BinaryIO

from napari_mtseg.domain.events import Event, from_json_line


class EventReader:
    """Reads events while another process appends them, each of them once.

    A line is read when it is whole. Where a resumed training has rewritten the file,
    reading begins again at its start.

    Parameters
    ----------
    file : Path
        A run's events; the file need not exist yet.
    skip : bool
        True passes over what is in the file now, until it is rewritten.
    """

    def __init__(self, file: Path, *, skip: bool = False) -> None:
        self._file = file
        self._inode = 0
        self._offset = 0
        if skip and file.exists():
            stat = file.stat()
            self._inode, self._offset = stat.st_ino, stat.st_size

    def new_events(self) -> tuple[Event, ...]:
        """Return the events since the last call; none while the file is not there."""
        try:
            with self._file.open("rb") as file:
                return self._read(file)
        except OSError:
            return ()

    def _read(self, file: BinaryIO) -> tuple[Event, ...]:
        stat = os.fstat(file.fileno())
        if stat.st_ino != self._inode or stat.st_size < self._offset:
            self._inode, self._offset = stat.st_ino, 0
        if stat.st_size == self._offset:
            return ()
        file.seek(self._offset)
        content = file.read()
        # What was cut off may be taken back by its writer, so it is read again.
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return events_in(whole)


def events_in(content: bytes) -> tuple[Event, ...]:
    """Return all whole events; a line cut off by a crash is passed over."""
    found = []
    for line in content.decode(errors="replace").splitlines():
        try:
            found.append(from_json_line(line))
        except ValueError:
            continue
    return tuple(found)
