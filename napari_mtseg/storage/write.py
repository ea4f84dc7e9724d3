"""Durable writing: what was saved stays, whatever happens in the middle of a save.

A file is replaced in one step and is on the disk, folder entry included, when the
call returns. The disk that fills up or refuses becomes one clear sentence.
"""

import errno
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from napari_mtseg.domain.errors import ProjectError, StorageError

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)
_QUOTA = getattr(errno, "EDQUOT", None)
_WINDOWS_PATIENCE = 2.0
"""Seconds that a replacement waits for a reader to close the file (Windows only)."""


@contextmanager
def clear_write_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write into one sentence that names ``path``.

    Parameters
    ----------
    path : Path
        File or folder that is being written inside the block.

    Raises
    ------
    StorageError
        If the disk or the user's quota is full, writing is not permitted, or a file
        is where a folder should be. Other errors pass unchanged.
    """
    try:
        yield
    except OSError as error:
        sentence = _write_sentence(Path(path), error.errno)
        if sentence is None:
            raise
        raise StorageError(sentence) from error


def write_bytes_atomically(path: Path, data: bytes | memoryview) -> None:
    """Replace the content of ``path`` in one step; a crash leaves the old or the new.

    The data go to a new file of the same folder, which is fsynced and then takes the
    place of the old one; the folder is fsynced where the system can (not on Windows).

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written; the old content is untouched.
    FileNotFoundError
        If the folder does not exist.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    with clear_write_errors(path):
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        _sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically and durably.

    NaN and infinity, which JSON does not have, are written as null.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    TypeError
        If ``value`` holds something that JSON cannot express.
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes_atomically(path, text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    FileNotFoundError
        If there is no such file: the caller knows what that means.
    ProjectError
        If the file is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise ProjectError(
            f"'{path}' is damaged: {error.msg} at line {error.lineno}, column "
            f"{error.colno}. Put back a copy of the file, or mend it in a text editor."
        ) from None
    except UnicodeDecodeError:
        raise ProjectError(
            f"'{path}' is damaged: it is not UTF-8 text. Put back a copy of the file."
        ) from None


def append_line(path: Path, text: str, *, durable: bool = True) -> None:
    r"""Append one line to a text file, which is made if it is missing.

    A line that an earlier crash cut off is ended first, so that it spoils no other;
    a line for which the disk has no room is taken back.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        The line, without its line break.
    durable : bool
        False leaves it to the system when the line reaches the disk: a killed
        process loses nothing, a power cut the last seconds.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    ValueError
        If ``text`` holds a line break.
    """
    if "\n" in text or "\r" in text:
        raise ValueError(f"more than one line: {text[:80]!r}")
    path = Path(path)
    with clear_write_errors(path):
        is_new = not path.exists()
        with path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                _write_all(
                    file.fileno(), _line_break_if_cut(file, end) + text.encode() + b"\n"
                )
            except OSError:
                file.truncate(end)
                raise
            if durable:
                os.fsync(file.fileno())
        if is_new and durable:
            _sync_folder(path.parent)


def _write_sentence(path: Path, code: int | None) -> str | None:
    if code == errno.ENOSPC:
        return (
            f"The disk that holds '{path}' is full ({_free(path)} free). Free some "
            "space and try again; what was saved before is untouched."
        )
    if code is not None and code == _QUOTA:
        return (
            f"Your quota on the disk that holds '{path}' is used up. Free some "
            "space and try again; what was saved before is untouched."
        )
    if code in _DENIED:
        return (
            f"'{path}' cannot be written: permission denied. Choose another folder, "
            "or ask its owner for the right to write there."
        )
    in_the_way = next((p for p in (path, *path.parents) if p.is_file()), None)
    if code in _NO_FOLDER and in_the_way is not None:
        return (
            f"Nothing can be written to '{path}': '{in_the_way}' is a file, not a "
            "folder. Choose another folder."
        )
    return None


def _free(path: Path) -> str:
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    size = float(shutil.disk_usage(existing).free)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _replace(partial: Path, path: Path) -> None:
    """Replace; Windows refuses while a reader has the file open, so try again there."""
    deadline = time.monotonic() + (_WINDOWS_PATIENCE if sys.platform == "win32" else 0)
    while True:
        try:
            os.replace(partial, path)  # noqa: PTH105 - one name for tests to break
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; the file itself is synced.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _line_break_if_cut(file: Any, end: int) -> bytes:
    if end == 0:
        return b""
    file.seek(end - 1)
    return b"" if file.read(1) == b"\n" else b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
