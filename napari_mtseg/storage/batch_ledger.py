"""The ledger of a folder of results: what was predicted, from what, and what failed.

``OUT/batch.jsonl`` is appended line by line, so that a killed prediction keeps what was
done and whoever watches sees it grow. Each prediction into the folder begins with a
line ``{"kind": "begun", ...}``, has a line ``{"kind": "image", ...}`` per image, and
ends with ``{"kind": "ended", ...}``. What stands before the newest 'begun' are images
that earlier ones have done.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.locks import FolderLock, is_locked
from napari_mtseg.storage.review_log import time_now
from napari_mtseg.storage.write import (
    append_line,
    clear_write_errors,
    write_bytes_atomically,
)

LEDGER = "batch.jsonl"
"""name of the ledger in the folder of results"""

_BEGUN = b'{"kind": "begun"'

Status = Literal["done", "failed", "skipped"]


class BatchBegun(Settings):
    """The prediction of many images has begun."""

    kind: Literal["begun"] = "begun"
    """what the line is"""
    total: int
    """images that were asked for"""
    model: str
    """name of the model, for people"""
    run: str = ""
    """run of a project that the weights come from"""
    maps: tuple[str, ...] = ()
    """names of the maps that are written"""
    when: str = ""
    """UTC, ISO 8601 with seconds"""


class ImageRecord(Settings):
    """How the prediction of one image went."""

    kind: Literal["image"] = "image"
    """what the line is"""
    input: str
    """absolute path of the image"""
    name: str
    """with which the names of its results begin"""
    status: Status
    """'skipped' if an earlier prediction did it already, which the rest tells of"""
    error: str | None = None
    """why it failed, a sentence; None if it did not"""
    objects: Annotated[dict[str, int], Field(default_factory=dict)]
    """class name -> number of objects"""
    areas: Annotated[dict[str, float], Field(default_factory=dict)]
    """class name -> area or volume of all its objects; empty if not measured"""
    area_name: str = ""
    """what ``areas`` are, such as 'area_um2' or 'volume_px3'"""
    seconds: float = 0.0
    """wall time"""
    scores: Annotated[dict[str, float], Field(default_factory=dict)]
    """those of :data:`~napari_mtseg.domain.review.SCORES` that are known"""
    scenes: Annotated[dict[str, float], Field(default_factory=dict)]
    """scene -> probability; empty where the method does not tell"""
    present: Annotated[dict[str, float], Field(default_factory=dict)]
    """class name -> probability that it occurs; empty where the method does not tell"""
    disagreeing: tuple[str, ...] = ()
    """classes about which ``present`` and the class map disagree"""
    disagreement: float | None = None
    """how much they do, 0..1; None where the method does not tell"""
    doubt: float | None = None
    """how doubtful the segmentation is, >= 0; None if it was answered once"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""
    files: tuple[str, ...] = ()
    """results, relative to the folder, '/' between parts"""
    written: tuple[str, ...] = ()
    """what ``files`` hold: maps, 'overview', 'rois', 'coco'"""
    in_blocks: bool = False
    """True if it was predicted in blocks, which gives maps alone"""
    model: str = ""
    """name of the model"""
    run: str = ""
    """run that the weights come from"""
    made_from: str = ""
    """hash of what the result depends on: the file and the model"""


class BatchEnded(Settings):
    """All images were tried."""

    kind: Literal["ended"] = "ended"
    """what the line is"""
    done: int
    """images that were predicted"""
    failed: int
    """images that could not be"""
    skipped: int
    """images that were done before"""
    report: str | None = None
    """page about all of them, relative to the folder"""


Line = BatchBegun | ImageRecord | BatchEnded

_KINDS: Mapping[str, type[BatchBegun] | type[ImageRecord] | type[BatchEnded]] = {
    "begun": BatchBegun,
    "image": ImageRecord,
    "ended": BatchEnded,
}


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """How far the newest prediction into a folder is."""

    total: int
    """images that were asked for"""
    n_done: int
    """predicted so far"""
    n_failed: int
    """could not be predicted"""
    n_skipped: int
    """were done before"""
    errors: tuple[tuple[str, str], ...]
    """path of each image that failed, and why, a sentence"""
    seconds: float
    """that the images predicted so far took, all together"""
    is_running: bool
    """True while a process predicts into the folder"""
    has_ended: bool
    """True if all images were tried; False also if it was stopped or killed"""
    report: Path | None
    """page about all images; None before the end"""
    begun: BatchBegun
    """what was asked for"""

    @property
    def n_tried(self) -> int:
        """Images that are through, in whatever way."""
        return self.n_done + self.n_failed + self.n_skipped


class BatchLedger:
    """The ledger of one folder, for the one process that predicts into it.

    Used as a context manager it keeps others from predicting into the folder.

    Parameters
    ----------
    folder : Path
        Of the results; made on entering if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / LEDGER
        self._lock = FolderLock(folder, purpose="results")

    def __enter__(self) -> "BatchLedger":
        """Take the folder.

        Raises
        ------
        ProjectError
            If another process predicts into it.
        StorageError
            If it cannot be written.
        """
        self._lock.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the folder back."""
        self._lock.release()

    def done_before(self) -> dict[str, ImageRecord]:
        """Return path of an image -> how it was predicted, of all that ever were."""
        return {
            line.input: line
            for line in _lines_in(_content(self._path))
            if isinstance(line, ImageRecord) and line.status != "failed"
        }

    def begin(self, begun: BatchBegun) -> None:
        """Begin a prediction; what earlier ones have done is kept, in one line each.

        Raises
        ------
        StorageError
            If the disk is full or the ledger cannot be written.
        """
        kept = [r.changed({"status": "done"}) for r in self.done_before().values()]
        lines: list[Line] = [*kept, begun.changed({"when": time_now()})]
        content = "".join(f"{_text(line)}\n" for line in lines)
        write_bytes_atomically(self._path, content.encode())

    def add(self, record: ImageRecord) -> None:
        """Append how one image went; a power cut may take the last seconds.

        Raises
        ------
        StorageError
            If the disk is full or the ledger cannot be written.
        """
        append_line(self._path, _text(record), durable=False)

    def end(self, ended: BatchEnded) -> None:
        """Append that all images were tried.

        Raises
        ------
        StorageError
            If the disk is full or the ledger cannot be written.
        """
        append_line(self._path, _text(ended))

    def newest(self) -> tuple[ImageRecord, ...]:
        """Return the images of the newest prediction, in the order they were tried."""
        lines = _lines_in(_newest(_content(self._path)))
        return tuple(line for line in lines if isinstance(line, ImageRecord))


def read_ledger(folder: Path) -> BatchProgress | None:
    """Return how far the newest prediction into a folder is.

    Parameters
    ----------
    folder : Path
        Of the results.

    Returns
    -------
    BatchProgress or None
        None where nothing was predicted into the folder.

    Raises
    ------
    StorageError
        If the ledger may not be read.
    """
    begun: BatchBegun | None = None
    ended: BatchEnded | None = None
    images: list[ImageRecord] = []
    for line in _lines_in(_newest(_content(folder / LEDGER))):
        if isinstance(line, BatchBegun):
            begun = line
        elif isinstance(line, BatchEnded):
            ended = line
        else:
            images.append(line)
    if begun is None:
        return None
    n = {s: sum(image.status == s for image in images) for s in _STATUSES}
    return BatchProgress(
        total=begun.total,
        n_done=n["done"],
        n_failed=n["failed"],
        n_skipped=n["skipped"],
        errors=tuple((i.input, i.error) for i in images if i.error is not None),
        seconds=sum(image.seconds for image in images if image.status != "skipped"),
        is_running=is_locked(folder),
        has_ended=ended is not None,
        report=folder / ended.report if ended and ended.report else None,
        begun=begun,
    )


_STATUSES: tuple[Status, ...] = ("done", "failed", "skipped")


def _content(path: Path) -> bytes:
    with clear_write_errors(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""


def _newest(content: bytes) -> bytes:
    """Return what stands from the newest 'begun' on; nothing if there is none."""
    place = max(content.rfind(b"\n" + _BEGUN) + 1, 0)
    return content[place:] if content[place:].startswith(_BEGUN) else b""


def _lines_in(content: bytes) -> Iterator[Line]:
    """Yield whole lines; one that was cut off, or of a newer version, is left out."""
    for text in content.decode(errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError, SettingsError):
            values: Any = json.loads(text)
            yield _KINDS[values["kind"]].checked(values)


def _text(line: Line) -> str:
    return json.dumps(line.model_dump(mode="json"), allow_nan=False)
