"""Many image files: predicted one by one or by several workers, each of them once.

What is done is in the ledger of the folder of results, so that a batch that was killed
goes on where it was, and images that changed are predicted again.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_mtseg.domain.errors import ClusterError, LostTaskError
from napari_mtseg.domain.printable import printable
from napari_mtseg.storage.batch_ledger import (
    BatchBegun,
    BatchEnded,
    BatchLedger,
)
from napari_mtseg.storage.coco_files import merge_coco
from napari_mtseg.storage.result_files import check_also, result_format_of
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.storage.zarr_results import SUFFIX, check_replaceable
from napari_mtseg.workflows.batch_file import (
    BatchChoices,
    FileTask,
    Progress,
    file_in_blocks,
    predicted_file,
)
from napari_mtseg.workflows.batch_records import (
    is_done,
    joined,
    made_from,
    outcome_in,
    record_of,
    remove_outdated,
    with_maps_of,
)
from napari_mtseg.workflows.batch_report import write_batch_report
from napari_mtseg.workflows.image_outcome import ImageOutcome
from napari_mtseg.workflows.map_choice import checked_maps
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.prediction_paths import (
    check_out,
    full_path,
    output_names,
)
from napari_mtseg.workflows.task_runner import InThisProcess, ModelSource, TaskRunner

EVERYTHING = BatchChoices()
"""what is written where nothing is chosen"""

COCO = "_coco.json"
"""how the names of COCO files end"""

ALL_COCO = "coco.json"
"""the COCO files of all images in one"""

_LEFT_OVER = re.compile(r"\.[0-9a-f]{12}\..+|\..+\.[0-9a-f]{12}\.tmp")
"""names of files that a killed process had not written to their end, see
:mod:`~napari_mtseg.storage.whole_files` and :mod:`~napari_mtseg.storage.write`"""

_UNFINISHED = re.compile(r"\.(.+)\.ome\.zarr\.(?:blocks|partial|old)", re.DOTALL)
"""names of folders of an image that is not predicted to its end, see
:mod:`~napari_mtseg.storage.block_store` and :mod:`~napari_mtseg.storage.zarr_results`
"""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Who predicts, where it is not this process."""

    runner: TaskRunner
    """such as :func:`~napari_mtseg.workflows.cluster.open_cluster` gives"""
    source: ModelSource
    """the model, which each of them loads"""


def predict_files(
    model: Model,
    files: Sequence[Path],
    out: Path,
    *,
    choices: BatchChoices = EVERYTHING,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Iterator[ImageOutcome]:
    """Predict image files and write the results of each into one folder.

    Files whose result is there already, from the same file, by the same model and with
    all that is wanted, are passed over. What happened is appended to the folder's
    ledger (:mod:`~napari_mtseg.storage.batch_ledger`) as each image is done.

    Parameters
    ----------
    model : Model
        From :func:`~napari_mtseg.workflows.predict.load_model`.
    files : sequence of Path
        From :func:`~napari_mtseg.workflows.prediction_paths.input_files`.
    out : Path
        Folder for the results; made if it is missing.
    choices : BatchChoices
        What is wanted of each image.
    workers : Workers, optional
        Who predicts; this process with ``model`` by default.
    progress : callable, optional
        Called while an image is predicted in blocks, with its name and the share that
        is done, 0..1.

    Yields
    ------
    ImageOutcome
        One per file: first those that were done before, then each as it is done.

    Raises
    ------
    SettingsError
        If the model has no such map, a file that is wanted beside them is not known or
        not to be had, or the results would lie among the images.
    ProjectError
        If another process predicts into ``out``.
    StorageError
        If the disk is full or ``out`` cannot be written, or holds a folder with the
        name of a result that is none.
    """
    choices = replace(choices, maps=checked_maps(choices.maps, model))
    check_also(choices.also)
    check_out(out, files)
    with BatchLedger(full_path(out)) as ledger:
        yield from _Batch(model, ledger, choices, progress).run(files, workers)


class _Batch:
    """A prediction of many files into one folder, which is locked."""

    def __init__(
        self,
        model: Model,
        ledger: BatchLedger,
        choices: BatchChoices,
        progress: Progress | None,
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._choices = choices
        self._progress = progress
        self._before = ledger.done_before()
        self._keys: dict[Path, str] = {}

    def run(
        self, files: Sequence[Path], workers: Workers | None
    ) -> Iterator[ImageOutcome]:
        """Yield how each file went; at the end, write the tables."""
        info, tasks = self._model.info, self._tasks(files)
        for task in tasks:
            _check_result(task)
        self._ledger.begin(
            BatchBegun(
                total=len(files),
                model=info.name,
                run=info.provenance.run,
                maps=self._choices.maps,
            )
        )
        self._remove_left_over()
        fingerprint, to_do = self._model.fingerprint, []
        for task in tasks:
            record = self._before.get(printable(task.file))
            key = self._keys[task.file] = made_from(task, fingerprint)
            if self._choices.again or record is None or not is_done(record, task, key):
                to_do.append(with_maps_of(record, task, key))
                continue
            self._ledger.add(record.changed({"status": "skipped"}))
            yield outcome_in(record, task)
        try:
            yield from self._predicted(to_do, workers)
        except ClusterError:
            self._write_report()
            raise
        self._end()

    def _tasks(self, files: Sequence[Path]) -> list[FileTask]:
        """Return a task per file; results that are there keep their names."""
        known = {record.input: record.name for record in self._before.values()}
        names = output_names(files, known)
        return [
            FileTask(
                file=full_path(file),
                out=self._ledger.folder,
                name=name,
                choices=self._choices,
            )
            for file, name in zip(files, names, strict=True)
        ]

    def _predicted(
        self, tasks: Sequence[FileTask], workers: Workers | None
    ) -> Iterator[ImageOutcome]:
        runner = workers.runner if workers else InThisProcess(self._model)
        # In this process the model is there, so its source is not looked at.
        source = workers.source if workers else ModelSource(path=Path())
        blocks = self._choices.blocks
        for_blocks = list(tasks) if blocks == "always" else []
        in_memory = [] if blocks == "always" else tasks
        for task, outcome in _all_done(runner, in_memory, source):
            if outcome.is_too_large and blocks == "auto":
                for_blocks.append(task)
                continue
            self._note(task, outcome)
            yield outcome
        for task in for_blocks:
            outcome = file_in_blocks(task, source, runner, progress=self._progress)
            self._note(task, outcome)
            yield outcome

    def _note(self, task: FileTask, outcome: ImageOutcome) -> None:
        """Append to the ledger how an image went; now its result counts."""
        # The hash is from before the prediction: the file may have changed since.
        record = record_of(outcome, task, self._model, self._keys[task.file])
        before = self._before.get(record.input)
        remove_outdated(record, before, self._ledger.folder)
        self._ledger.add(joined(record, before, task))

    def _remove_left_over(self) -> None:
        folder = self._ledger.folder
        with clear_write_errors(folder):
            for file in folder.iterdir():
                if _LEFT_OVER.fullmatch(file.name) and file.is_file():
                    file.unlink()

    def _remove_unfinished(self) -> None:
        """Remove what blocks of images left that no batch goes on with."""
        newest, folder = self._ledger.newest(), self._ledger.folder
        failed = {record.name for record in newest if record.status == "failed"}
        with clear_write_errors(folder):
            for inside in folder.iterdir():
                of_blocks = _UNFINISHED.fullmatch(inside.name)
                if of_blocks and of_blocks[1] not in failed and inside.is_dir():
                    shutil.rmtree(inside, ignore_errors=True)

    def _end(self) -> None:
        self._remove_unfinished()
        report = self._write_report()
        n = Counter(record.status for record in self._ledger.newest())
        self._ledger.end(
            BatchEnded(
                done=n["done"],
                failed=n["failed"],
                skipped=n["skipped"],
                report=report.name,
            )
        )

    def _write_report(self) -> Path:
        """Write what tells of all images, and return its page."""
        newest, out = self._ledger.newest(), self._ledger.folder
        if "coco" in self._choices.also:
            named = [out / file for record in newest for file in record.files]
            merge_coco([f for f in named if f.name.endswith(COCO)], out / ALL_COCO)
        return write_batch_report(out, newest, self._before)


def _check_result(task: FileTask) -> None:
    """Refuse to replace an OME-Zarr folder that is no result of this program."""
    path = task.out / f"{task.name}{SUFFIX}"
    if path.exists() and (
        task.choices.blocks == "always" or result_format_of(task.file) == "ome-zarr"
    ):
        check_replaceable(path)


def _all_done(
    runner: TaskRunner, tasks: Sequence[FileTask], source: ModelSource
) -> Iterator[tuple[FileTask, ImageOutcome]]:
    """Yield how each file went; one that ends every worker has failed."""
    left = {task.file: task for task in tasks}
    while left:
        try:
            for task, outcome in runner.run(predicted_file, [*left.values()], source):
                del left[task.file]
                yield task, outcome
        except LostTaskError as error:
            lost = next(task for task in left.values() if task == error.task)
            del left[lost.file]
            yield lost, ImageOutcome(name=lost.file.name, error=str(error))
        else:
            return
