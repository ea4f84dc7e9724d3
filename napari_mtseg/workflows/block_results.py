"""What the blocks of an image say together: its objects, their table, its scores."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.review import known_scores
from napari_mtseg.geometry.measurements import measurements
from napari_mtseg.geometry.object_sums import ObjectSums, merged_sums
from napari_mtseg.instances.joining import (
    BlockObjects,
    JoinedObjects,
    Pairs,
    agreeing_pairs,
    joined_objects,
    touching_pairs,
)
from napari_mtseg.networks.sample_overlap import SampleOverlap
from napari_mtseg.networks.whole_image import Said
from napari_mtseg.storage.block_store import BlockStore
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.uncertainty.quality import RegionSums, image_scores
from napari_mtseg.workflows.block_request import PlannedBlocks
from napari_mtseg.workflows.block_tasks import FOUND, SUMS, face_key
from napari_mtseg.workflows.image_outcome import ImageOutcome, WholeImage
from napari_mtseg.workflows.network_input import CheckedNormalisation
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.quality_scores import scores_of_answers

_REGION = "region_"


@dataclass(frozen=True, eq=False, kw_only=True)
class WholeTask:
    """What all windows say of the image as a whole, and the classes that occur."""

    said: tuple[Said, ...]
    """by the heads for the input as a whole"""
    classes: tuple[int, ...]
    """classes of the objects"""


@dataclass(frozen=True, kw_only=True)
class WholeAnswer:
    """What a method says of an image as a whole."""

    present: dict[int, float]
    """class -> probability that it occurs; empty where the method does not tell"""
    scenes: tuple[float, ...]
    """probability of each scene; empty where the method does not tell"""
    disagreement: float
    """how much ``present`` and the objects disagree; NaN where it is not told"""
    disagreeing: tuple[int, ...]
    """classes about which they do"""


def whole_answer(model: Model, task: WholeTask) -> WholeAnswer:
    """Let the method answer for the image as a whole, on a map of what occurs."""
    heads = model.predictor.heads
    shape = (1,) * (model.info.ndim - 1) + (len(task.classes) + 1,)
    outputs = {name: np.zeros((n, *shape), np.float32) for name, n in heads.items()}
    for place, c in enumerate((0, *task.classes)):
        outputs["segmentation"][(c, ..., place)] = 1
    rule = model.method.block_rule()
    found = rule.interpret({**outputs, **model.predictor.joined(task.said)})
    return WholeAnswer(
        present=dict(found.present),
        scenes=found.scenes,
        disagreement=found.scores.get("disagreement", math.nan),
        disagreeing=disagreeing_classes(found.present, found.classes),
    )


def objects_of_blocks(planned: PlannedBlocks, store: BlockStore) -> JoinedObjects:
    """Join the objects of all blocks; the ids at faces are held for a row of blocks."""
    plan = planned.plan
    blocks: list[BlockObjects] = []
    pairs: list[tuple[int, int, Pairs]] = []
    open_faces: dict[tuple[int, int], NDArray[np.uint32]] = {}
    for number in range(plan.n_blocks):
        table = store.load(FOUND, number)
        blocks.append(
            BlockObjects(
                sizes=table["sizes"],
                first_places=table["first_places"],
                classes=table["classes"],
            )
        )
        for before, axis in plan.before(number):
            one = open_faces.pop((before, axis))
            other = table[face_key(axis, is_high=False)]
            if plan.margin[axis]:
                found = agreeing_pairs(one, other)
            else:
                kinds = blocks[before].classes, blocks[number].classes
                found = touching_pairs(one, other, *kinds)
            pairs.append((before, number, found))
        for axis in range(len(plan.shape)):
            if (key := face_key(axis, is_high=True)) in table:
                open_faces[number, axis] = table[key]
    return joined_objects(
        blocks, pairs, min_size=planned.min_size, only_largest=planned.only_largest
    )


def check_contrast(planned: PlannedBlocks, store: BlockStore) -> None:
    """Refuse an image whose pixels, of all blocks, are all equal.

    Raises
    ------
    ImageError
        If they are.
    """
    plan = planned.plan
    seen = CheckedNormalisation(plan.image_path.name, plan.normalisation)
    for number in range(plan.n_blocks):
        seen.see(*store.load(FOUND, number)["seen"].tolist())
    seen.check_contrast()


def windows_said(planned: PlannedBlocks, store: BlockStore) -> tuple[Said, ...]:
    """Return what all windows say of the image as a whole."""
    blocks = range(planned.plan.n_blocks)
    return tuple(one for n in blocks for one in _said_in(store.load(FOUND, n)))


def object_table(
    planned: PlannedBlocks, store: BlockStore, objects: JoinedObjects
) -> dict[str, NDArray[Any]]:
    """Return the measurements of all objects of an image."""
    plan = planned.plan
    names = ObjectSums.__dataclass_fields__
    sums = merged_sums(
        ObjectSums(**{name: table[name] for name in names})
        for table in _tables(planned, store, SUMS)
    )
    return measurements(
        sums,
        class_of=objects.class_of,
        class_names=planned.class_names,
        spacing=plan.info.spacing,
        unit=plan.info.unit,
    )


def scores_of_blocks(planned: PlannedBlocks, store: BlockStore) -> dict[str, float]:
    """Return how doubtful the image is, from the sums of its blocks."""
    names = [n for n in RegionSums.__dataclass_fields__ if n != "n_outputs"]
    totals = {name: np.zeros(1) for name in names}
    uncertainty = 0.0
    for table in _tables(planned, store, SUMS):
        uncertainty += float(table["total_uncertainty"])
        for name in names:
            totals[name] += table[_REGION + name]
    n_outputs = len(planned.class_names) + 1
    sums = RegionSums(n_outputs=n_outputs, **totals)
    n_pixels = float(sums.n_objects[0])
    nothing = np.zeros((n_outputs, 1, 1), np.float32)
    return {
        "doubt": uncertainty / max(n_pixels, 1),
        **image_scores(sums, nothing, nothing[0]),
        **scores_of_answers(_overlap(planned, store), is_missing=n_pixels == 0),
    }


def outcome_of_blocks(
    planned: PlannedBlocks,
    answer: WholeAnswer,
    scores: Mapping[str, float],
    table: Mapping[str, NDArray[Any]],
    objects: JoinedObjects,
) -> ImageOutcome:
    """Return how the prediction went; files and time are left to the caller."""
    names, count = planned.class_names, Counter(objects.class_of.values())
    sizes = next(key for key in table if key.startswith(("area_", "volume_")))
    return ImageOutcome(
        name=planned.plan.image_path.name,
        notices=planned.notices,
        n_objects={name: count[c] for c, name in names.items()},
        areas={
            name: float(table[sizes][table["class"] == c].sum())
            for c, name in names.items()
        },
        area_name=sizes,
        whole=WholeImage(
            scenes=dict(zip(planned.scenes, answer.scenes, strict=True))
            if answer.scenes
            else {},
            present={
                names[c]: p for c, p in sorted(answer.present.items()) if c in names
            },
            disagreeing=tuple(names[c] for c in answer.disagreeing),
            disagreement=answer.disagreement,
            doubt=scores["doubt"] if planned.is_sampled else math.nan,
        ),
        scores=known_scores(scores),
        uncertainty_from=planned.uncertainty_from,
    )


def _tables(
    planned: PlannedBlocks, store: BlockStore, name: str
) -> Iterable[dict[str, NDArray[Any]]]:
    return (store.load(name, number) for number in range(planned.plan.n_blocks))


def _overlap(planned: PlannedBlocks, store: BlockStore) -> SampleOverlap | None:
    """Return what several answers have in common on the image; None of one."""
    if not planned.is_sampled:
        return None
    tables = _tables(planned, store, FOUND)
    shared = np.sum([table["intersections"] for table in tables], axis=0)
    return SampleOverlap(intersections=shared)


def _said_in(table: dict[str, NDArray[Any]]) -> list[Said]:
    """Return what a block's table tells of the image as a whole."""
    heads = [key for key in table if key.startswith("said_by_")]
    return [
        Said(
            number=int(number),
            area=int(area),
            answers={key.removeprefix("said_by_"): table[key][i] for key in heads},
        )
        for i, (number, area) in enumerate(
            zip(table["said_windows"], table["said_areas"], strict=True)
        )
    ]
