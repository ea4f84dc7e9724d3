"""A person's verdict on a prediction: what it does to the annotation and to the log.

Masks that a person painted, imported or edited are never replaced by a prediction.
Every function needs the annotation lock, which its caller holds, and ends first what
a killed process left half done.
"""

from dataclasses import dataclass, replace

from napari_mtseg.domain.annotation import Annotation, CompleteRegion
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import ReviewRecord, Verdict
from napari_mtseg.storage.predicted_masks import predicted_masks, prediction_folder
from napari_mtseg.storage.prediction_files import load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog, time_now
from napari_mtseg.storage.verdict_masks import (
    are_untouched,
    change_of,
    is_as_written,
    masks_before,
    same_masks,
    settle,
    with_masks_of,
    write_masks,
)

ACCEPTED: Verdict = "accepted"
CORRECTED: Verdict = "corrected"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of one verdict."""

    record: ReviewRecord
    """the verdict, as it is in the log"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""
    changed: bool = False
    """True if the annotation on disk was written"""


def accept(
    project: Project,
    entry: ImageEntry,
    run: str,
    *,
    who: str,
    note: str = "",
    log: ReviewLog | None = None,
) -> Judged:
    """Make a prediction the full mask of its image, of origin 'accepted RUN'.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock.
    entry : ImageEntry
        The image.
    run : str
        Run whose prediction is accepted.
    who : str
        Name of the person, such as that of
        :func:`~napari_mtseg.storage.review_log.account_name`.
    note : str
        What the person says about it.
    log : ReviewLog, optional
        The same one for several verdicts saves time.

    Raises
    ------
    AnnotationError
        If the prediction is of another size, or the annotation is damaged.
    ProjectError
        If there is no prediction, it is damaged, or classes changed since.
    StorageError
        If the disk is full or the project cannot be written.
    """
    record = _record(entry, run, ACCEPTED, who=who, note=note)
    return _take_over(project, entry, record, log or ReviewLog(project.path))


def fix(
    project: Project,
    entry: ImageEntry,
    run: str,
    *,
    who: str,
    note: str = "",
    log: ReviewLog | None = None,
) -> Judged:
    """Make a prediction the full mask that a person edits, of origin 'corrected RUN'.

    Parameters, errors: as :func:`accept`.
    """
    record = _record(entry, run, CORRECTED, who=who, note=note)
    return _take_over(project, entry, record, log or ReviewLog(project.path))


def reject(
    project: Project,
    entry: ImageEntry,
    run: str,
    *,
    who: str,
    note: str = "",
    log: ReviewLog | None = None,
) -> Judged:
    """Say that a prediction is wrong; masks that came from a prediction are taken back.

    Masks of an earlier run stay if a person corrected them. Parameters, errors: as
    :func:`accept`.
    """
    log = log or ReviewLog(project.path)
    settle(project, log)
    load_answer(prediction_folder(project, entry, run))
    present = project.annotation(entry)
    record = _record(entry, run, "rejected", who=who, note=note)
    if not present.is_accepted_prediction:
        return _logged(log, record)
    if present.origin.startswith(CORRECTED) and present.origin != f"{CORRECTED} {run}":
        return _logged(log, record, _stay_sentence(entry, present))
    after = with_masks_of(present, _without_prediction(project, log, present, entry))
    written = write_masks(
        project, log, record, before=present, after=after, is_untouched=False
    )
    return Judged(record=written, changed=True)


def skip(
    project: Project,
    entry: ImageEntry,
    run: str,
    *,
    who: str,
    note: str = "",
    log: ReviewLog | None = None,
) -> Judged:
    """Put a prediction aside. Parameters, errors: as :func:`accept`."""
    log = log or ReviewLog(project.path)
    settle(project, log)
    load_answer(prediction_folder(project, entry, run))
    return _logged(log, _record(entry, run, "skipped", who=who, note=note))


def undo(
    project: Project, *, run: str, who: str, log: ReviewLog | None = None
) -> Judged | None:
    """Take back the last verdict of a run that still stands; None if there is none.

    The full masks become what they were before it; what a person edited since is
    frozen first, and a notice says where. Masks that have another origin by now stay.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock.
    run : str
        Run whose verdict is taken back.
    who : str
        Name of the person.
    log : ReviewLog, optional
        The same one for several verdicts saves time.

    Raises
    ------
    AnnotationError, ProjectError
        If what was there before is gone or damaged, or its classes are gone.
    StorageError
        If the disk is full or the project cannot be written.
    """
    log = log or ReviewLog(project.path)
    settle(project, log)
    given = [record for record in log.standing() if record.run == run]
    if not given:
        return None
    entry = project.image(given[-1].image_id)
    record = _record(entry, run, None, who=who)
    if given[-1].before is None:
        return _logged(log, record)
    present, change = project.annotation(entry), change_of(project, given[-1])
    origin = f"{given[-1].verdict} {run}" if change is None else change.origin
    if present.origin != origin:
        return _logged(
            log, record, f"'{entry.name}' has other masks by now, which stay."
        )
    after = with_masks_of(present, masks_before(project, given[-1]))
    written = write_masks(
        project,
        log,
        record,
        before=present,
        after=after,
        is_untouched=change is not None and change.was_untouched,
    )
    edited = change is None or not is_as_written(change, present)
    notice = f"'{entry.name}' was edited since; that is kept in '{written.before}'."
    return Judged(record=written, notices=(notice,) * edited, changed=True)


def _take_over(
    project: Project, entry: ImageEntry, record: ReviewRecord, log: ReviewLog
) -> Judged:
    """Make the prediction the full mask, unless a person's masks are there."""
    settle(project, log)
    masks = predicted_masks(project, entry, record.run)
    present = project.annotation(entry)
    origin = f"{record.verdict} {record.run}"
    untouched = are_untouched(project, log, entry, present)
    if untouched:
        whole = CompleteRegion(whole=True)
        after = replace(present, full=masks, complete=whole, origin=origin)
        notices = _held_out(entry)
    else:
        is_same_run = present.origin == f"{ACCEPTED} {record.run}"
        is_renamed = record.verdict == CORRECTED and is_same_run
        after = replace(present, origin=origin) if is_renamed else present
        notices = (_stay_sentence(entry, present),)
    if same_masks(present, after):
        return _logged(log, record, *notices)
    written = write_masks(
        project, log, record, before=present, after=after, is_untouched=untouched
    )
    return Judged(record=written, notices=notices, changed=True)


def _logged(log: ReviewLog, record: ReviewRecord, *notices: str) -> Judged:
    """Log a verdict that changes no mask; one that stands already is not repeated."""
    given = [r for r in log.standing() if r.run == record.run]
    own = [r for r in given if r.image_id == record.image_id]
    if record.verdict is not None and own and own[-1].verdict == record.verdict:
        return Judged(record=own[-1], notices=notices)
    log.append(record)
    return Judged(record=record, notices=notices)


def _record(
    entry: ImageEntry, run: str, verdict: Verdict | None, *, who: str, note: str = ""
) -> ReviewRecord:
    return ReviewRecord(
        image_id=entry.id, run=run, verdict=verdict, who=who, when=time_now(), note=note
    )


def _without_prediction(
    project: Project, log: ReviewLog, present: Annotation, entry: ImageEntry
) -> Annotation:
    """Return the annotation as it was before any prediction became its full mask."""
    for record in reversed(log.records()):
        if record.image_id == entry.id and record.before is not None:
            before = masks_before(project, record)
            if not before.is_accepted_prediction:
                return before
    return present.without_accepted_prediction()


def _stay_sentence(entry: ImageEntry, annotation: Annotation) -> str:
    if annotation.is_accepted_prediction:
        return f"'{entry.name}' has masks that a person edited, which stay as they are."
    return f"'{entry.name}' has full masks of a person, which stay as they are."


def _held_out(entry: ImageEntry) -> tuple[str, ...]:
    if entry.split == "train":
        return ()
    return (
        f"'{entry.name}' is held out ({entry.split}): its mask is kept but neither "
        "trains nor scores.",
    )
