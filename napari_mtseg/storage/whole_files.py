"""Files that can be made again: whole or not there, without waiting for the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from napari_mtseg.storage.write import clear_write_errors


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a hidden path beside ``path`` to write to, which takes its place at the end.

    Nothing is left where the writing fails. No time is spent on fsync: after a power
    cut the file may have to be made again.

    Parameters
    ----------
    path : Path
        Final place; its folder exists. The hidden path has the same ending.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    partial = path.with_name(f".{uuid4().hex[:12]}.{path.name}")
    with clear_write_errors(path):
        try:
            yield partial
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
