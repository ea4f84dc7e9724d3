"""Full masks that a verdict writes: what was there is frozen first, and comes back.

::

    reviews/ID-TIME.json            the annotation before a verdict, see snapshot.py
    reviews/ID-TIME.written.json    what that verdict wrote
    reviews/pending.json            the same, while it is being written

A verdict is written in this order: snapshot, ``pending.json``, annotation, line of
the log; then ``pending.json`` gets its lasting name. Where a process was killed in
between, :func:`settle` ends it: an annotation that is whole gets its line, one that
is not becomes again what it was. Only full masks, the complete region and the origin
are ever put back; partial masks, scribbles and tags belong to whoever painted them.
"""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.errors import (
    AnnotationError,
    MtsegError,
    ProjectError,
    StorageError,
)
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import ReviewRecord
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.annotation_files import facts_of
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.settings_files import read_settings
from napari_mtseg.storage.snapshot import load_snapshot, take_snapshot
from napari_mtseg.storage.write import clear_write_errors, write_json

FOLDER = "reviews"
PENDING = "pending.json"
WRITTEN = ".written.json"


class MaskChange(Settings):
    """What one verdict wrote, so that later edits of a person are seen."""

    record: ReviewRecord
    """the verdict"""
    digest: str
    """SHA-256 of the full masks, their classes and the complete region"""
    origin: str
    """origin of the annotation"""
    classes: tuple[str, ...]
    """names of classes 1, 2, ... then"""
    is_untouched: bool
    """True if the masks are as the program made them"""
    was_untouched: bool
    """True if those before were"""


def write_masks(
    project: Project,
    log: ReviewLog,
    record: ReviewRecord,
    *,
    before: Annotation,
    after: Annotation,
    is_untouched: bool,
) -> ReviewRecord:
    """Write the annotation that follows from a verdict, and the verdict.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock, and has called :func:`settle`.
    log : ReviewLog
        Its log.
    record : ReviewRecord
        The verdict, without its ``before``.
    before : Annotation
        The annotation as it is on the disk.
    after : Annotation
        The annotation with other full masks, region or origin.
    is_untouched : bool
        True if the new masks are as the program made them.

    Returns
    -------
    ReviewRecord
        The verdict as it was logged, with its ``before``.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written; the annotation is as
        before then, or is so once :func:`settle` finds room.
    """
    entry = project.image(record.image_id)
    folder = _reviews(project)
    file = _new_file(folder, entry)
    take_snapshot(project, file, images=[entry])
    change = MaskChange(
        record=record.changed({"before": f"{FOLDER}/{file.name}"}),
        digest=_digest(after),
        origin=after.origin,
        classes=_class_names(project),
        is_untouched=is_untouched,
        was_untouched=are_untouched(project, log, entry, before),
    )
    write_json(folder / PENDING, change.model_dump(mode="json"))
    try:
        project.save_annotation(entry, after)
        log.append(change.record)
    except StorageError:
        with suppress(MtsegError):
            _put_back(project, change)
        raise
    _keep(project, change)
    return change.record


def settle(project: Project, log: ReviewLog) -> ReviewRecord | None:
    """End a verdict that a killed process left half done; quick where there is none.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock.
    log : ReviewLog
        Its log.

    Returns
    -------
    ReviewRecord or None
        The verdict, if its annotation was whole, so that it counts from now on.

    Raises
    ------
    MtsegError
        If the annotation is damaged, or the disk is full.
    """
    pending = _reviews(project) / PENDING
    try:
        change = read_settings(pending, MaskChange)
    except FileNotFoundError:
        return None
    except ProjectError:
        # A note that cannot be read must not stand in the way of all verdicts.
        pending.unlink(missing_ok=True)
        return None
    if change.record in log.records():
        _keep(project, change)
        return None
    present = project.annotation(project.image(change.record.image_id))
    if (_digest(present), present.origin) != (change.digest, change.origin):
        _put_back(project, change)
        return None
    log.append(change.record)
    _keep(project, change)
    return change.record


def change_of(project: Project, record: ReviewRecord) -> MaskChange | None:
    """Return what a verdict wrote; None where it wrote nothing, or it is unknown."""
    if record.before is None:
        return None
    try:
        return read_settings(_written(project.path / record.before), MaskChange)
    except (OSError, MtsegError):
        return None


def is_as_written(change: MaskChange, annotation: Annotation) -> bool:
    """Return True if nobody edited the full masks since a verdict wrote them."""
    return (change.digest, change.origin) == (_digest(annotation), annotation.origin)


def are_untouched(
    project: Project, log: ReviewLog, entry: ImageEntry, annotation: Annotation
) -> bool:
    """Return True if the full masks of an image are as the program made them.

    Where that cannot be told, because the notes are gone or classes changed since,
    accepted masks count as untouched and corrected ones as a person's.
    """
    if not annotation.is_accepted_prediction:
        return not has_full_masks(annotation)
    records = (r for r in reversed(log.records()) if r.image_id == entry.id)
    last = next((r for r in records if r.before is not None), None)
    change = None if last is None else change_of(project, last)
    if change is None or change.classes != _class_names(project):
        return annotation.origin.startswith("accepted")
    return change.is_untouched and is_as_written(change, annotation)


def has_full_masks(annotation: Annotation) -> bool:
    """Return True if full masks are painted or a region is marked complete."""
    return annotation.has_full or not annotation.full.is_empty


def masks_before(project: Project, record: ReviewRecord) -> Annotation:
    """Return the annotation as it was before a verdict that changed it.

    Raises
    ------
    AnnotationError
        If it is gone, or classes came, went or changed places since.
    ProjectError
        If it is damaged.
    ValueError
        If the verdict changed nothing.
    """
    if record.before is None:
        raise ValueError(f"{record} changed nothing")
    file, entry = project.path / record.before, project.image(record.image_id)
    if not file.exists():
        raise AnnotationError(
            f"What was painted on '{entry.name}' before is gone: '{file}' is missing. "
            "Put back a copy of the file, or delete the full masks by hand."
        )
    before = load_snapshot(project, file).annotation(entry)
    change, now = change_of(project, record), _class_names(project)
    is_painted = bool(before.full.class_of)
    if is_painted and change is not None and _moved(change.classes, now):
        raise AnnotationError(
            f"What was painted on '{entry.name}' before has the classes "
            f"{', '.join(change.classes)}, but the project now has {', '.join(now)}. "
            "Delete the full masks by hand instead."
        )
    return before


def with_masks_of(annotation: Annotation, other: Annotation) -> Annotation:
    """Return an annotation with the full masks, region and origin of another."""
    return replace(
        annotation, full=other.full, complete=other.complete, origin=other.origin
    )


def same_masks(one: Annotation, other: Annotation) -> bool:
    """Return True if full masks, classes, region and origin are the same."""
    return one.origin == other.origin and _digest(one) == _digest(other)


def _put_back(project: Project, change: MaskChange) -> None:
    entry = project.image(change.record.image_id)
    file = project.path / str(change.record.before)
    before = load_snapshot(project, file).annotation(entry)
    project.save_annotation(entry, with_masks_of(project.annotation(entry), before))
    (_reviews(project) / PENDING).unlink(missing_ok=True)


def _keep(project: Project, change: MaskChange) -> None:
    written = _written(project.path / str(change.record.before))
    with clear_write_errors(written), suppress(FileNotFoundError):
        (_reviews(project) / PENDING).replace(written)


def _written(snapshot: Path) -> Path:
    return snapshot.with_name(snapshot.name.removesuffix(".json") + WRITTEN)


def _reviews(project: Project) -> Path:
    return project.path / FOLDER


def _new_file(folder: Path, entry: ImageEntry) -> Path:
    with clear_write_errors(folder):
        folder.mkdir(exist_ok=True)
    stem = f"{entry.id}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    names = (f"{stem}{'' if n == 1 else f'-{n}'}.json" for n in range(1, 1000))
    return next(folder / name for name in names if not (folder / name).exists())


def _digest(annotation: Annotation) -> str:
    facts = facts_of(annotation)
    told: list[Any] = [facts["shape"], facts["full_classes"], facts["complete"]]
    digest = hashlib.sha256(repr(told).encode())
    digest.update(np.ascontiguousarray(annotation.full.objects, np.uint32).data)
    return digest.hexdigest()


def _class_names(project: Project) -> tuple[str, ...]:
    return tuple(known.name for known in project.info.classes)


def _moved(then: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Tell whether a class that was there then is gone or at another place."""
    kept = [name for name in then if name in now]
    moved = any(then.index(name) != now.index(name) for name in kept)
    return moved or len(now) < len(then)
