"""What the ledger of a batch tells of an image, and whether its result still counts."""

import hashlib
import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

from napari_mtseg.domain.printable import printable
from napari_mtseg.storage.batch_ledger import ImageRecord
from napari_mtseg.storage.file_stamp import file_stamp
from napari_mtseg.storage.result_files import ALSO
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.storage.zarr_results import SUFFIX, is_result
from napari_mtseg.workflows.batch_file import FileTask
from napari_mtseg.workflows.image_outcome import ImageOutcome, WholeImage
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.prediction_paths import full_path

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
    stamp = file_stamp(task.file)
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
    choices = task.choices
    wanted = choices.maps if record.in_blocks else choices.wanted
    has_all = set(wanted) <= set(record.written)
    return has_all and bool(key) and record.made_from == key and _is_whole(record, task)


def with_maps_of(record: ImageRecord | None, task: FileTask, key: str) -> FileTask:
    """Return a task that also wants the maps of an earlier result that it replaces.

    An OME-Zarr folder is written as a whole, so new maps cannot be put beside those
    that are there, as files can.

    Parameters
    ----------
    record : ImageRecord or None
        Of an earlier batch, if there is one.
    task : FileTask
        What is wanted now.
    key : str
        From :func:`made_from`.
    """
    if record is None or not key or record.made_from != key:
        return task
    if not any((task.out / f).is_dir() for f in record.files if f.endswith(SUFFIX)):
        return task
    choices = task.choices
    others = {*choices.maps, *ALSO, "overview"}
    maps = [name for name in record.written if name not in others]
    return replace(task, choices=replace(choices, maps=(*choices.maps, *maps)))


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
    choices = task.choices
    written = choices.maps if outcome.in_blocks else choices.wanted
    return ImageRecord(
        input=printable(task.file),
        name=task.name,
        status="failed" if has_failed else "done",
        error=outcome.error and printable(outcome.error),
        objects=outcome.n_objects,
        areas=outcome.areas,
        area_name=outcome.area_name,
        seconds=round(outcome.seconds, 3),
        scores=outcome.scores,
        scenes=whole.scenes,
        present=whole.present,
        disagreeing=whole.disagreeing,
        disagreement=_known(whole.disagreement),
        doubt=_known(whole.doubt),
        notices=tuple(printable(notice) for notice in outcome.notices),
        files=tuple(_inside(task.out, file) for file in outcome.files),
        written=() if has_failed else written,
        in_blocks=outcome.in_blocks,
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


def remove_outdated(new: ImageRecord, before: ImageRecord | None, out: Path) -> None:
    """Remove the files of an image that the new result does not replace.

    They are of another model, another image or another choice of its channels. Only
    files that an earlier batch wrote into the folder are touched.

    Parameters
    ----------
    new : ImageRecord
        Of this batch.
    before : ImageRecord or None
        Of an earlier batch, if there is one.
    out : Path
        Absolute path of the folder of the results.

    Raises
    ------
    StorageError
        If a file cannot be removed.
    """
    if before is None or new.status == "failed" or before.made_from == new.made_from:
        return
    for name in set(before.files) - set(new.files):
        path = full_path(out / name)
        if path.parent != out:
            continue
        with clear_write_errors(path):
            if not path.is_dir() or path.is_symlink():
                path.unlink(missing_ok=True)
            elif is_result(path):
                shutil.rmtree(path)


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
            doubt=_number(record.doubt),
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


def _inside(out: Path, file: Path) -> str:
    return printable(file.relative_to(out)).replace(os.sep, "/")


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
