"""A published file of weights: where it is, what it must be, and how it comes here."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from napari_mtseg.domain.errors import ModelError

CACHE_VARIABLE = "MTSEG_CACHE"
"""environment variable that names another folder for what can be had again"""

_PATIENCE = 20.0
"""Seconds without an answer after which a download is given up (ours)."""

_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file of weights as its authors offer it."""

    url: str
    """where it is"""
    sha256: str
    """64 hexadecimal digits"""
    n_bytes: int
    """its size"""

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return PurePosixPath(urlsplit(self.url).path).stem

    @property
    def shown_sha256(self) -> str:
        """The digits that a sentence shows."""
        return self.sha256[:16]


def cache_folder() -> Path:
    """Return the user's folder for what can be had again; it need not exist."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "napari-mtseg" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "napari-mtseg"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "napari-mtseg"


def download(
    file: BinaryIO,
    published: PublishedFile,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write a published file into ``file``, no more than it should be.

    Raises
    ------
    ModelError
        If it cannot be had, or the connection broke off.
    """
    done = 0
    with _answer(published) as response:
        length = response.headers.get("Content-Length") or ""
        total = int(length) if length.isdigit() else published.n_bytes
        for chunk in _chunks(response, published):
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
            if done > published.n_bytes:
                return
    if length.isdigit() and done < total:
        raise _broken_off(published, f"{done // 2**20} of {total // 2**20} MB")


def _answer(published: PublishedFile) -> Any:
    request = Request(published.url, headers={"User-Agent": "napari-mtseg"})
    try:
        return urlopen(request, timeout=_PATIENCE)
    except (OSError, HTTPException) as error:
        raise refusal(
            published,
            f"The weights of VGG16 could not be downloaded ({_reason(error)}).",
        ) from error


def _chunks(response: Any, published: PublishedFile) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _broken_off(published, _reason(error)) from error
        if not chunk:
            return
        yield chunk


def _reason(error: BaseException) -> str:
    cause = error
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        cause = error.reason if isinstance(error.reason, BaseException) else error
    strerror = getattr(cause, "strerror", None)
    return str(strerror or cause) or type(cause).__name__


def _broken_off(published: PublishedFile, why: str) -> ModelError:
    return refusal(published, f"The download broke off ({why}): try again.")


def refusal(published: PublishedFile, what: str) -> ModelError:
    """Return the error that says what is wrong, and how to have the file otherwise."""
    return ModelError(
        f"{what} Download {published.url} by hand and set encoder_weights to its path, "
        "or set encoder_weights=none."
    )
