"""What a worker does with one block of an image; doing it twice does no harm.

First :func:`predicted_block`, of all blocks; then, with what is known of whole objects,
:func:`finished_block`; then :func:`shrunk_part` of the smaller copies.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.geometry.object_sums import object_sums
from napari_mtseg.geometry.slabs import slabs
from napari_mtseg.geometry.tiles import Slices, widened, within
from napari_mtseg.instances.components import contours_of
from napari_mtseg.instances.joining import block_objects
from napari_mtseg.networks.part_inference import PartAnswers
from napari_mtseg.storage.block_store import BlockStore
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.storage.zarr_results import ZarrResults
from napari_mtseg.uncertainty.quality import BAND, outline_band, region_sums
from napari_mtseg.workflows.block_plan import BlockPlan
from napari_mtseg.workflows.derived_maps import (
    doubt_maps,
    sampled_maps,
    with_derived_maps,
)
from napari_mtseg.workflows.devices import is_out_of_memory
from napari_mtseg.workflows.network_input import CheckedNormalisation, NetworkPixels
from napari_mtseg.workflows.predict import Model

FOUND, FINAL_IDS, SUMS = "found", "final", "sums"
"""tables of a block: what it found, the ids of its objects, their measurements"""

IDS, CLASSES, UNCERTAINTY, CONFIDENCE = "ids", "classes", "uncertainty", "confidence"
"""arrays of the store: provisional ids and classes, and what scores are made of"""

MADE_LAST = ("instances", "classes", "contours")
"""maps that need whole objects"""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockTask:
    """One block of an image."""

    plan: BlockPlan
    """of the image"""
    number: int
    """of the block"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ShrinkTask:
    """A part of one smaller copy of a map."""

    plan: BlockPlan
    """of the image"""
    name: str
    """of the map"""
    level: int
    """of the copy, from 1"""
    part: Slices
    """of the copy"""


def predicted_block(model: Model, task: BlockTask) -> None:
    """Predict a block, number its objects from 1, and write what it found.

    Raises
    ------
    ImageError
        If that part of the file is damaged, or holds NaN or infinite values.
    MemoryShortageError
        If the memory does not suffice.
    StorageError
        If the disk is full or the results cannot be written.
    """
    plan, number = task.plan, task.number
    store = BlockStore.beside(plan.result)
    seen, inner = plan.seen(number), plan.inner(number)
    image = _opened(plan)
    normalise = CheckedNormalisation(image.name, plan.normalisation)
    answers = _answers(model, plan, number, image, normalise)
    sampled = sampled_maps(answers.maps)
    found = model.method.block_rule().interpret(answers.maps | _no_answers(model))
    answers.maps.clear()  # as large as all that is still to come
    doubts = doubt_maps(found, sampled)
    crop = within(inner, seen)
    direct = [name for name in plan.maps if name not in (*MADE_LAST, "probabilities")]
    found = with_derived_maps(
        found, maps=direct, spacing=plan.info.spacing, doubts=doubts
    )
    with clear_write_errors(plan.result):
        _write_maps(plan, found, inner, crop)
        store.array(IDS)[inner] = found.instances[crop]
        store.array(CLASSES)[inner] = found.classes[crop]
        _uncertainty_array(plan)[inner] = doubts["uncertainty"][crop]
        probabilities = found.probabilities[(slice(None), *crop)]
        store.array(CONFIDENCE)[inner] = probabilities.max(axis=0)
    facts = _facts_of(plan, number, found)
    store.save(FOUND, number, facts | _said(answers, normalise))


def finished_block(model: Model, task: BlockTask) -> None:
    """Give the objects of a block their ids in the image, and measure them.

    Raises
    ------
    StorageError
        If the disk is full or the results cannot be written.
    """
    plan, number = task.plan, task.number
    store = BlockStore.beside(plan.result)
    inner = plan.inner(number)
    around = widened(inner, (BAND,) * len(inner), plan.shape)
    crop = within(inner, around)
    ids = _final_ids(plan, store, around)
    results = ZarrResults.open_partial(plan.result)
    objects = ids[crop]
    with clear_write_errors(plan.result):
        if "instances" in plan.maps:
            results["instances"][inner] = objects
        if "classes" in plan.maps:
            classes = np.asarray(store.array(CLASSES)[inner])
            results["classes"][inner] = np.where(objects > 0, classes, np.uint8(0))
        if "contours" in plan.maps:
            results["contours"][inner] = contours_of(ids)[crop]
    image = _opened(plan)
    uncertainty = np.asarray(_uncertainty_array(plan)[inner])
    sums = object_sums(
        ids,
        inner=crop,
        origin=tuple(side.start for side in around),
        intensities=np.asarray(image.pixels[(slice(None), *around)]),
        uncertainty=np.asarray(_uncertainty_array(plan)[around]),
    )
    confidence = np.asarray(store.array(CONFIDENCE)[inner])
    band = outline_band(ids, spacing=plan.info.spacing)[crop]
    region = region_sums(confidence[np.newaxis], uncertainty, objects, band).total()
    scores = {f"region_{name}": np.asarray(v) for name, v in vars(region).items()}
    doubt = np.array(uncertainty.sum(dtype=np.float64))
    store.save(SUMS, number, {**vars(sums), **scores, "total_uncertainty": doubt})


def shrunk_part(_model: Model, task: ShrinkTask) -> None:
    """Write a part of a smaller copy of a map.

    Raises
    ------
    StorageError
        If the disk is full or the copy cannot be written.
    """
    results = ZarrResults.open_partial(task.plan.result)
    results.shrink(task.name, task.level, task.part)


def face_key(axis: int, *, is_high: bool) -> str:
    """Return under which name a block's table has the ids at a face."""
    return f"{'high' if is_high else 'low'}_{axis}"


def _opened(plan: BlockPlan) -> Image:
    changed = plan.image_path.stat().st_mtime_ns
    return _opened_once(plan.image_path, plan.channels, plan.axes, changed)


@lru_cache(maxsize=1)
def _opened_once(
    path: Path, channels: tuple[int, ...] | None, axes: str | None, _changed: int
) -> Image:
    """Open an image once for all of its blocks: some formats are decoded at once."""
    return open_image(path, channels=channels, axes=axes)


def _answers(
    model: Model,
    plan: BlockPlan,
    number: int,
    image: Image,
    normalise: CheckedNormalisation,
) -> PartAnswers:
    try:
        return model.predictor.of_part(
            NetworkPixels(image.pixels, model.info.colour),
            plan.grid,
            plan.seen(number),
            inner=plan.inner(number),
            normalise=normalise,
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryShortageError(
            f"The memory does not hold a window of '{image.name}' of about "
            f"{model.memory:g} GiB. Predict again with less, such as --memory "
            f"{model.memory / 2:g}."
        ) from error


def _no_answers(model: Model) -> dict[str, NDArray[np.float32]]:
    """Return heads for the image as a whole that say nothing yet."""
    heads = model.predictor.image_heads
    return {name: np.zeros(n, np.float32) for name, n in heads.items()}


def _write_maps(
    plan: BlockPlan, found: Prediction, inner: Slices, crop: Slices
) -> None:
    results = ZarrResults.open_partial(plan.result)
    for name in plan.maps:
        if name in (*MADE_LAST, UNCERTAINTY):
            continue
        target = results[name]
        if name == "probabilities":
            values: NDArray[Any] = found.probabilities[(slice(None), *crop)]
        else:
            values = found.maps[name][crop]
        target[(..., *inner)] = values.astype(target.dtype, copy=False)


def _uncertainty_array(plan: BlockPlan) -> Any:
    """Return where the uncertainty is written: the result, if it is wanted there."""
    if UNCERTAINTY in plan.maps:
        return ZarrResults.open_partial(plan.result)[UNCERTAINTY]
    return BlockStore.beside(plan.result).array(UNCERTAINTY)


def _facts_of(
    plan: BlockPlan, number: int, found: Prediction
) -> dict[str, NDArray[Any]]:
    """Return the objects of a block, and their ids at the faces to other blocks."""
    seen, inner = plan.seen(number), plan.inner(number)
    classes = np.zeros(max(found.class_of, default=0) + 1, np.uint8)
    classes[list(found.class_of)] = list(found.class_of.values())
    objects = block_objects(
        found.instances[within(inner, seen)],
        classes,
        corner=[side.start for side in inner],
        shape=plan.shape,
    )
    faces = {}
    for axis, size in enumerate(plan.shape):
        for is_high in (False, True):
            edge = inner[axis].stop if is_high else inner[axis].start
            if 0 < edge < size:
                face = plan.face(number, axis, is_high=is_high)
                ids = found.instances[within(face, seen)]
                faces[face_key(axis, is_high=is_high)] = ids
    return {**vars(objects), **faces}


def _said(
    answers: PartAnswers, normalise: CheckedNormalisation
) -> dict[str, NDArray[Any]]:
    """Return what a block adds to what is known of the image as a whole."""
    said = answers.said
    told: dict[str, NDArray[Any]] = {
        "seen": np.array(normalise.seen),
        "said_windows": np.array([one.number for one in said], np.int64),
        "said_areas": np.array([one.area for one in said], np.int64),
    }
    for name in said[0].answers if said else ():
        told[f"said_by_{name}"] = np.stack([one.answers[name] for one in said])
    if answers.overlap is not None:
        told["intersections"] = answers.overlap.intersections
    return told


def _final_ids(
    plan: BlockPlan, store: BlockStore, region: Slices
) -> NDArray[np.uint32]:
    """Return the ids in the image of the objects of a region."""
    ids = np.zeros([side.stop - side.start for side in region], np.uint32)
    provisional = store.array(IDS)
    for number, common in plan.blocks_at(region):
        final = store.load(FINAL_IDS, number)["ids"]
        found, place = np.asarray(provisional[common]), within(common, region)
        for slab in slabs(found.shape):
            ids[place][slab] = final[found[slab]]
    return ids
