"""Prediction of images that are larger than memory, block by block.

1. Each block is predicted and its objects are numbered.
2. Objects of different blocks that are one are joined: tables of ids alone, here.
3. Each block gets the ids of whole objects, and these are measured.
4. Smaller copies of all maps are made, part by part.

Blocks are tasks of a :class:`~napari_mtseg.workflows.task_runner.TaskRunner`. A
prediction that was ended goes on with the blocks that are not done.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.instances.joining import JoinedObjects
from napari_mtseg.storage.block_store import BlockStore
from napari_mtseg.storage.file_stamp import file_stamp
from napari_mtseg.storage.result_files import write_object_table
from napari_mtseg.storage.zarr_results import ZarrResults, partial_folder
from napari_mtseg.workflows.block_request import (
    BlockRequest,
    PlannedBlocks,
    planned_blocks,
)
from napari_mtseg.workflows.block_results import (
    WholeTask,
    check_contrast,
    object_table,
    objects_of_blocks,
    outcome_of_blocks,
    scores_of_blocks,
    whole_answer,
    windows_said,
)
from napari_mtseg.workflows.block_tasks import (
    CLASSES,
    CONFIDENCE,
    FINAL_IDS,
    FOUND,
    IDS,
    SUMS,
    UNCERTAINTY,
    BlockTask,
    ShrinkTask,
    finished_block,
    predicted_block,
    shrunk_part,
)
from napari_mtseg.workflows.image_outcome import ImageOutcome
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.task_runner import ModelSource, TaskRunner

Task = TypeVar("Task")
Result = TypeVar("Result")

_SHARES = {FOUND: 0.85, SUMS: 0.1}
"""of the whole work, for progress (ours)"""


def predict_in_blocks(  # noqa: PLR0913 - four of the arguments are optional
    source: ModelSource,
    image_path: Path,
    stem: Path,
    *,
    maps: Sequence[str],
    runner: TaskRunner,
    channels: Sequence[int] | None = None,
    axes: str | None = None,
    between: Callable[[float], None] | None = None,
) -> ImageOutcome:
    """Predict an image of any size into ``STEM.ome.zarr`` and ``STEM_objects.csv``.

    Maps are those of the whole image at once, computed in the same windows. Objects
    that are connected pieces of a class are the same too; those of a method with a
    margin (:class:`~napari_mtseg.methods.protocol.BlockRule`) are where they are
    smaller than it.

    Parameters
    ----------
    source : ModelSource
        The model.
    image_path : Path
        What :func:`~napari_mtseg.storage.image_files.open_image` reads in parts.
    stem : Path
        Folder and beginning of the names of the results.
    maps : sequence of str
        Of :func:`~napari_mtseg.workflows.map_choice.maps_of` the model, without
        'distance'.
    runner : TaskRunner
        Does the blocks.
    channels : sequence of int, optional
        Channels of the file to use, from 0.
    axes : str, optional
        Axes of the file, such as 'ZYX', where it does not say.
    between : callable, optional
        Called after each block with the share that is done, 0..1; what it raises ends
        the prediction.

    Returns
    -------
    ImageOutcome
        With the files, the table of objects among them if 'instances' is wanted.

    Raises
    ------
    ImageError
        If the image is damaged, constant, or holds NaN or infinite values.
    ModelError
        If the image has other dimensions or channels than the model.
    MemoryShortageError
        If a window or a block does not fit into memory.
    SettingsError
        If a map, or the objects of this model, are not to be had in blocks.
    StorageError
        If the disk is full or the results cannot be written.
    """
    began = time.monotonic()
    request = BlockRequest(
        image_path=image_path.absolute(),
        stem=stem.absolute(),
        maps=tuple(maps),
        channels=None if channels is None else tuple(channels),
        axes=axes,
    )
    blocks = _Blocks(runner, source, between or (lambda _share: None))
    done = blocks.predicted(request)
    return replace(done, seconds=time.monotonic() - began)


class _Blocks:
    """The prediction of one image in blocks."""

    def __init__(
        self, runner: TaskRunner, source: ModelSource, between: Callable[[float], None]
    ) -> None:
        self._runner = runner
        self._source = source
        self._between = between

    def predicted(self, request: BlockRequest) -> ImageOutcome:
        planned = self._one(planned_blocks, request)
        store = BlockStore.beside(planned.plan.result)
        _begin(planned, store)
        try:
            return self._of_plan(planned, store, request.stem)
        except ImageError:
            # the image will not do, so what was found of it is of no use
            _remove(planned, store)
            raise

    def _of_plan(
        self, planned: PlannedBlocks, store: BlockStore, stem: Path
    ) -> ImageOutcome:
        plan = planned.plan
        self._all_blocks(predicted_block, planned, store, FOUND, 0)
        check_contrast(planned, store)
        objects = objects_of_blocks(planned, store)
        _save_ids(store, objects)
        classes = tuple(sorted({int(c) for c in objects.class_of.values()}))
        said = windows_said(planned, store)
        answer = self._one(whole_answer, WholeTask(said=said, classes=classes))
        self._all_blocks(finished_block, planned, store, SUMS, _SHARES[FOUND])
        results = ZarrResults.open_partial(plan.result)
        self._shrink(results, planned)
        table = object_table(planned, store, objects)
        scores = scores_of_blocks(planned, store)
        done = outcome_of_blocks(planned, answer, scores, table, objects)
        files = []
        if "instances" in plan.maps:
            path = stem.with_name(f"{stem.name}_objects.csv")
            files.append(write_object_table(path, table))
        files.insert(0, results.finish(pyramids=False))
        store.remove()
        self._between(1.0)
        return replace(done, files=tuple(files))

    def _all_blocks(
        self,
        work: Callable[[Model, BlockTask], None],
        planned: PlannedBlocks,
        store: BlockStore,
        table: str,
        begin: float,
    ) -> None:
        """Do all blocks that have no such table yet."""
        plan = planned.plan
        tasks = [
            BlockTask(plan=plan, number=number)
            for number in range(plan.n_blocks)
            if not store.has(table, number)
        ]
        n_before = plan.n_blocks - len(tasks)
        for n, _ in enumerate(self._run(work, tasks), start=n_before + 1):
            self._between(begin + _SHARES[table] * n / plan.n_blocks)

    def _shrink(self, results: ZarrResults, planned: PlannedBlocks) -> None:
        """Make the smaller copies, each from the one that is a step larger."""
        begin = sum(_SHARES.values())
        for level in range(1, results.n_levels):
            tasks = [
                ShrinkTask(plan=planned.plan, name=name, level=level, part=part)
                for name in results.names
                for part in results.parts(name, level)
            ]
            for _ in self._run(shrunk_part, tasks):
                self._between(begin + (1 - begin) * level / results.n_levels)

    def _one(self, work: Callable[[Model, Task], Result], task: Task) -> Result:
        ((_, result),) = self._run(work, [task])
        return result

    def _run(
        self, work: Callable[[Model, Task], Result], tasks: Sequence[Task]
    ) -> Iterable[tuple[Task, Result]]:
        return self._runner.run(work, tasks, self._source) if tasks else ()


def _begin(planned: PlannedBlocks, store: BlockStore) -> None:
    """Make empty results, unless an earlier attempt at the same can go on."""
    plan, facts = planned.plan, _facts(planned)
    if store.is_of(facts) and partial_folder(plan.result).is_dir():
        return
    store.remove()
    ZarrResults.create(
        plan.result, info=plan.info, maps=planned.kinds, chunk=plan.chunk
    )
    arrays: dict[str, Any] = {IDS: np.uint32, CLASSES: np.uint8, CONFIDENCE: np.float16}
    if UNCERTAINTY not in plan.maps:
        arrays[UNCERTAINTY] = np.float32
    store.begin(facts, arrays=arrays, shape=plan.shape, chunk=plan.chunk)


def _facts(planned: PlannedBlocks) -> dict[str, Any]:
    """Return what the blocks depend on."""
    plan = planned.plan
    return {
        "model": planned.fingerprint,
        "image": [str(plan.image_path), *file_stamp(plan.image_path)],
        "read": [plan.channels, plan.axes, repr(plan.info)],
        "normalisation": [
            plan.normalisation.offset.tolist(),
            plan.normalisation.scale.tolist(),
        ],
        "maps": plan.maps,
        "windows": repr(plan.grid),
        "blocks": [plan.block, plan.margin],
        "objects": [planned.min_size, planned.only_largest],
    }


def _save_ids(store: BlockStore, objects: JoinedObjects) -> None:
    for number, ids in enumerate(objects.ids):
        store.save(FINAL_IDS, number, {"ids": ids})


def _remove(planned: PlannedBlocks, store: BlockStore) -> None:
    store.remove()
    ZarrResults.open_partial(planned.plan.result).remove()
