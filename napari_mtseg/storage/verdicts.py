"""A person's verdict on a prediction: what it does to the annotation and to the log.

Masks that a person painted, imported or edited are never replaced by a prediction.
Every function needs the annotation lock, which its caller holds, and ends first what
a killed process left half done.
"""

from dataclasses import dataclass, replace

from napari_mtseg.domain.annotation import Annotation, CompleteRegion
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import ReviewRecord, Verdict
from napari_mtseg.storage.full_masks import same_masks, with_masks_of
from napari_mtseg.storage.predicted_masks import predicted_masks, prediction_folder
from napari_mtseg.storage.prediction_files import load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog, time_now
from napari_mtseg.storage.verdict_masks import (
    are_untouched,
    change_of,
    is_as_written,
    masks_before,
    settle,
    write_masks,
)
from napari_mtseg.storage.whole_annotation import check_labels_fit, whole_annotation

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
    MemoryShortageError
        If the labels of a large image do not fit into memory.
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

    Masks of another run stay if a person corrected or edited them. Of masks of this
    run that were edited, a notice says where the edits are kept. Parameters, errors:
    as :func:`accept`.
    """
    log = log or ReviewLog(project.path)
    settle(project, log)
    load_answer(prediction_folder(project, entry, run))
    present = whole_annotation(project, entry)
    record = _record(entry, run, "rejected", who=who, note=note)
    if not present.is_accepted_prediction:
        return _logged(log, record)
    edited = not are_untouched(project, log, entry, present)
    is_of_run = present.origin in {f"{ACCEPTED} {run}", f"{CORRECTED} {run}"}
    if not is_of_run and (edited or present.origin.startswith(CORRECTED)):
        return _logged(log, record, _stay_sentence(entry, present))
    after = with_masks_of(present, _without_prediction(project, log, present, entry))
    written = write_masks(
        project, log, record, before=present, after=after, is_untouched=False
    )
    notices = (_edited_sentence(entry, written),) * edited
    return Judged(record=written, notices=notices, changed=True)


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
    Masks of an earlier verdict that was taken back meanwhile do not come back.

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
    present, change = whole_annotation(project, entry), change_of(project, given[-1])
    origin = f"{given[-1].verdict} {run}" if change is None else change.origin
    if present.origin != origin:
        return _logged(
            log, record, f"'{entry.name}' has other masks by now, which stay."
        )
    before = masks_before(project, given[-1])
    was_untouched = change is not None and change.was_untouched
    if was_untouched and _is_withdrawn(log, entry, before.origin):
        before = _without_prediction(project, log, present, entry)
    written = write_masks(
        project,
        log,
        record,
        before=present,
        after=with_masks_of(present, before),
        is_untouched=was_untouched,
    )
    edited = change is None or not is_as_written(change, present)
    notices = (_edited_sentence(entry, written),) * edited
    return Judged(record=written, notices=notices, changed=True)


def _take_over(
    project: Project, entry: ImageEntry, record: ReviewRecord, log: ReviewLog
) -> Judged:
    """Make the prediction the full mask, unless a person's masks are there."""
    settle(project, log)
    check_labels_fit(entry)
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
    if own and _says_nothing_new(record, own[-1]):
        return Judged(record=own[-1], notices=notices)
    log.append(record)
    return Judged(record=record, notices=notices)


def _says_nothing_new(record: ReviewRecord, standing: ReviewRecord) -> bool:
    is_same = (record.verdict, record.who) == (standing.verdict, standing.who)
    return is_same and record.note in {"", standing.note}


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


def _is_withdrawn(log: ReviewLog, entry: ImageEntry, origin: str) -> bool:
    """Tell whether the verdict that masks came from was given but stands no more."""
    given, standing = (
        origin in {f"{r.verdict} {r.run}" for r in records if r.image_id == entry.id}
        for records in (log.records(), log.standing())
    )
    return given and not standing


def _edited_sentence(entry: ImageEntry, written: ReviewRecord) -> str:
    return f"'{entry.name}' was edited since; that is kept in '{written.before}'."


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
