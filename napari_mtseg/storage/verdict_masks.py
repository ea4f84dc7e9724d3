"""Full masks that a verdict writes: what was there is frozen first, and comes back.

::

    reviews/ID-TIME.json            the annotation before a verdict, see snapshot.py
    reviews/ID-TIME.written.json    what that verdict wrote
    reviews/pending.json            the same, while it is being written

A verdict is written in this order: snapshot, ``pending.json``, annotation, line of
the log; then ``pending.json`` gets its lasting name. Where a process was killed in
between, :func:`settle` ends it: an annotation that is whole gets its line, one that
is half written becomes again what it was, and one that a person painted since stays.
Only full masks, the complete region and the origin are ever put back; partial masks,
scribbles and tags belong to whoever painted them.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

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
from napari_mtseg.storage.full_masks import (
    has_full_masks,
    is_mixture,
    masks_digest,
    part_digests,
    same_masks,
    with_masks_of,
)
from napari_mtseg.storage.predicted_masks import class_names_of, classes_moved
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
    parts: tuple[str, ...] = ()
    """digests of the parts of the full masks, which are written one by one"""


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
        digest=masks_digest(after),
        origin=after.origin,
        classes=class_names_of(project),
        is_untouched=is_untouched,
        was_untouched=are_untouched(project, log, entry, before),
        parts=part_digests(after.full.objects),
    )
    write_json(folder / PENDING, change.model_dump(mode="json"))
    try:
        project.save_annotation(entry, after)
        log.append(change.record)
    except StorageError:
        with suppress(MtsegError):
            _put_back(project, entry, before)
        raise
    _keep(project, change)
    return change.record


def settle(project: Project, log: ReviewLog) -> ReviewRecord | None:
    """End a verdict that a killed process left half done; quick where there is none.

    What is put back is frozen first. Full masks that a person painted, imported or
    edited since are never put back.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock.
    log : ReviewLog
        Its log.

    Returns
    -------
    ReviewRecord or None
        The verdict, if its annotation was whole, or a person edited it since, so that
        it counts from now on.

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
    if not _stays(project, change):
        pending.unlink(missing_ok=True)
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
    return (change.digest, change.origin) == (
        masks_digest(annotation),
        annotation.origin,
    )


def are_untouched(
    project: Project, log: ReviewLog, entry: ImageEntry, annotation: Annotation
) -> bool:
    """Return True if the full masks of an image are as the program made them.

    Where that cannot be told, because the notes are gone or classes went or changed
    places since, accepted masks count as untouched and corrected ones as a person's.
    """
    if not annotation.is_accepted_prediction:
        return not has_full_masks(annotation)
    records = (r for r in reversed(log.records()) if r.image_id == entry.id)
    last = next((r for r in records if r.before is not None), None)
    change = None if last is None else change_of(project, last)
    if change is None or classes_moved(change.classes, class_names_of(project)):
        return annotation.origin.startswith("accepted")
    return change.is_untouched and is_as_written(change, annotation)


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
    change, now = change_of(project, record), class_names_of(project)
    is_painted = bool(before.full.class_of)
    if is_painted and change is not None and classes_moved(change.classes, now):
        raise AnnotationError(
            f"What was painted on '{entry.name}' before has the classes "
            f"{', '.join(change.classes)}, but the project now has {', '.join(now)}. "
            "Delete the full masks by hand instead."
        )
    return before


def _stays(project: Project, change: MaskChange) -> bool:
    """Tell whether masks of an unlogged verdict stay; put back half-written ones."""
    entry = project.image(change.record.image_id)
    present = project.annotation(entry)
    if is_as_written(change, present):
        return True
    file = project.path / str(change.record.before)
    before = load_snapshot(project, file).annotation(entry)
    if same_masks(present, before):
        return False
    if _is_half_written(change, before, present):
        take_snapshot(project, _new_file(_reviews(project), entry), images=[entry])
        _put_back(project, entry, before)
        return False
    # Without its line, a later verdict would take what was edited for untouched.
    is_edited = before.origin != present.origin == change.origin
    return is_edited and present.is_accepted_prediction


def _is_half_written(
    change: MaskChange, before: Annotation, present: Annotation
) -> bool:
    return (
        present.origin in {before.origin, change.origin}
        and (present.complete == before.complete or not present.has_full)
        and is_mixture(present.full.objects, before.full.objects, change.parts)
    )


def _put_back(project: Project, entry: ImageEntry, before: Annotation) -> None:
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
