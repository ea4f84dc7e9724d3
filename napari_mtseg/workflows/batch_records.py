"""What the ledger of a batch tells of an image, and whether its result still counts."""

import hashlib
import json
import math
import os
from pathlib import Path

from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.storage.batch_ledger import ImageRecord
from napari_mtseg.workflows.batch_file import FileTask
from napari_mtseg.workflows.image_outcome import ImageOutcome, WholeImage
from napari_mtseg.workflows.predict import Model

_RESULTS = 1
"""raised when results change, so that earlier ones no longer count"""


def made_from(task: FileTask, fingerprint: str) -> str:
    """Return a hash of what the result of an image depends on.

    The file counts by its size and the time it was changed, which is quick; of a
    folder, all files inside do.

    Parameters
    ----------
    task : FileTask
        The image, and how it is read.
    fingerprint : str
        Of the model.

    Returns
    -------
    str
        '' where the file cannot be seen.
    """
    stamp = _stamp(task.file)
    choices = task.choices
    how = [choices.channels, choices.axes, choices.blocks == "always"]
    told = json.dumps([_RESULTS, stamp, fingerprint, how])
    return hashlib.sha256(told.encode()).hexdigest() if stamp else ""


def is_done(record: ImageRecord, task: FileTask, key: str) -> bool:
    """Return True if a result has all that is wanted, from the same file and model.

    Parameters
    ----------
    record : ImageRecord
        Of an earlier batch.
    task : FileTask
        What is wanted now.
    key : str
        From :func:`made_from`.
    """
    has_all = set(task.choices.wanted) <= set(record.written)
    return has_all and bool(key) and record.made_from == key and _is_whole(record, task)


def path_text(path: Path) -> str:
    """Return a path as text that JSON holds, whatever bytes its name is made of."""
    return str(path).encode(errors="backslashreplace").decode()


def record_of(
    outcome: ImageOutcome, task: FileTask, model: Model, key: str
) -> ImageRecord:
    """Return what the ledger tells of an image that was tried.

    Parameters
    ----------
    outcome : ImageOutcome
        How it went.
    task : FileTask
        What was wanted.
    model : Model
        Whose names it has.
    key : str
        From :func:`made_from`.
    """
    whole = outcome.whole
    has_failed = outcome.error is not None
    return ImageRecord(
        input=path_text(task.file),
        name=task.name,
        status="failed" if has_failed else "done",
        error=outcome.error,
        objects=outcome.n_objects,
        areas=outcome.areas,
        area_name=outcome.area_name,
        seconds=round(outcome.seconds, 3),
        doubt=outcome.scores.get(DEFAULT_SCORE),
        scores=outcome.scores,
        scenes=whole.scenes,
        present=whole.present,
        disagreeing=whole.disagreeing,
        disagreement=_known(whole.disagreement),
        sampled_doubt=_known(whole.doubt),
        notices=outcome.notices,
        files=tuple(_inside(task.out, file) for file in outcome.files),
        written=() if has_failed else task.choices.wanted,
        model=model.info.name,
        run=model.info.provenance.run,
        made_from=key,
    )


def joined(new: ImageRecord, before: ImageRecord | None, task: FileTask) -> ImageRecord:
    """Return a record that also counts what an earlier batch wrote of the same.

    So maps can be added to a folder, one batch after the other.
    """
    if before is None or new.status == "failed" or not new.made_from:
        return new
    if before.made_from != new.made_from or not _is_whole(before, task):
        return new
    return new.changed(
        {
            "files": tuple(dict.fromkeys((*before.files, *new.files))),
            "written": tuple(dict.fromkeys((*before.written, *new.written))),
        }
    )


def outcome_in(record: ImageRecord, task: FileTask) -> ImageOutcome:
    """Return the outcome of an image that an earlier batch has done."""
    return ImageOutcome(
        name=task.file.name,
        n_objects=record.objects,
        areas=record.areas,
        area_name=record.area_name,
        whole=WholeImage(
            scenes=record.scenes,
            present=record.present,
            disagreeing=record.disagreeing,
            disagreement=_number(record.disagreement),
            doubt=_number(record.sampled_doubt),
        ),
        scores=record.scores,
        files=tuple(task.out / file for file in record.files),
        was_done_before=True,
    )


def _is_whole(record: ImageRecord, task: FileTask) -> bool:
    """Return True if all files of a result are still there, none of them empty."""
    files = [task.out / file for file in record.files]
    try:
        return all(file.is_dir() or file.stat().st_size for file in files)
    except OSError:
        return False


def _stamp(file: Path) -> list[int]:
    """Return number, size and newest change of what a file or folder consists of."""
    parts = [file]
    if file.is_dir():
        parts = [
            Path(folder) / name for folder, _, names in os.walk(file) for name in names
        ]
    elif file.suffix.lower() == ".mhd":
        parts = [part for part in file.parent.iterdir() if part.stem == file.stem]
    try:
        facts = [part.stat() for part in parts]
    except OSError:
        return []
    if not facts:
        return []
    return [
        len(facts),
        sum(fact.st_size for fact in facts),
        max(fact.st_mtime_ns for fact in facts),
    ]


def _inside(out: Path, file: Path) -> str:
    return path_text(file.relative_to(out)).replace(os.sep, "/")


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
