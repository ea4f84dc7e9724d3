"""The plain U-Net: which labels count in its rows, and how its output is read."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.methods.baseline.method import Baseline
from napari_mtseg.methods.baseline.settings import BaselineSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.targets.paint_summary import summarise

WHOLE = CompleteRegion(whole=True)
BACKGROUND_ROW = (np.indices((12, 16))[0] == 11).astype(np.uint8)


def baseline(*, n_classes: int = 1, ndim: int = 2, **settings) -> Baseline:
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0,) * ndim)
    small = {"base_channels": 2, "levels": 2, **settings}
    return Baseline(BaselineSettings.checked(small), task)


def square(shape=(12, 16), key: int = 5, start: int = 3, side: int = 6) -> ObjectMasks:
    objects = np.zeros(shape, np.uint32)
    objects[(slice(start, start + side),) * len(shape)] = key
    return ObjectMasks(objects=objects, class_of={key: 1})


def partial(**rest) -> Annotation:
    return replace(empty_annotation((12, 16)), partial=square(side=2), **rest)


def exact(**rest) -> Annotation:
    return replace(empty_annotation((12, 16)), full=square(), complete=WHOLE, **rest)


def started(method: Baseline, annotation: Annotation, pixels=None) -> Annotation:
    if pixels is None:
        pixels = np.zeros((1, *annotation.shape), np.float32)
    return method.start(annotation, pixels=pixels, rng=np.random.default_rng(0))


def probabilities(classes, n_classes: int) -> dict[str, np.ndarray]:
    hot = np.arange(n_classes + 1).reshape(-1, *[1] * np.ndim(classes)) == classes
    return {"segmentation": np.where(hot, 0.9, 0.1 / n_classes).astype(np.float32)}


def test_all_labels_are_left_as_they_are():
    drawn = partial()
    assert started(baseline(), drawn) is drawn


def test_full_masks_alone_count_in_row_sl():
    method = baseline(labels="full")
    both = started(method, replace(exact(), partial=square(key=9, start=0)))
    assert both.has_full
    assert not both.has_partial
    assert not method.uses(started(method, partial()))


def test_partial_masks_count_as_whole_objects_in_row_wl():
    method = baseline(labels="partial")
    targets = method.targets(started(method, partial()), painted=partial())
    expected = np.where(square(side=2).objects > 0, 1, BACKGROUND)
    assert np.array_equal(targets.maps["classes"], expected)


def test_full_masks_are_made_partial_in_row_wl():
    found = started(baseline(labels="partial"), exact())
    n_kept = np.count_nonzero(found.full.objects)
    assert 0 < n_kept < 36


def test_strokes_count_as_objects_in_row_wl():
    scribbles = np.zeros((12, 16), np.uint8)
    scribbles[2, 2:6] = 3
    drawn = replace(empty_annotation((12, 16)), scribbles=scribbles)
    method = baseline(labels="partial")
    targets = method.targets(started(method, drawn), painted=drawn)
    assert np.array_equal(targets.maps["classes"], scribbles // 3)


@pytest.mark.parametrize("labels", ["partial", "grabcut", "full"])
def test_an_image_without_the_labels_is_not_used(labels):
    method = baseline(labels=labels)
    scribbles = np.ones((12, 16), np.uint8)
    drawn = replace(empty_annotation((12, 16)), scribbles=scribbles)
    assert not method.uses(started(method, drawn))


def test_grabcut_fills_the_bright_square_in_row_pl():
    truth = square(shape=(40, 40), start=12, side=16)
    seed = square(shape=(40, 40), start=17, side=5)
    pixels = (truth.objects > 0).astype(np.float32)[np.newaxis] * 2 - 1
    drawn = replace(empty_annotation((40, 40)), partial=seed)
    found = started(baseline(labels="grabcut"), drawn, pixels)
    assert np.array_equal(found.full.objects, truth.objects)
    assert found.complete == WHOLE


def test_grabcut_leaves_full_masks_alone():
    drawn = exact()
    assert started(baseline(labels="grabcut"), drawn) is drawn


@pytest.mark.parametrize("ndim", [2, 3])
def test_targets_ignore_what_is_not_painted(ndim):
    shape = (4, 12, 16)[-ndim:]
    masks = square(shape=shape, start=1, side=2)
    drawn = replace(empty_annotation(shape), partial=masks)
    targets = baseline(ndim=ndim).targets(drawn, painted=drawn)
    expected = np.where(masks.objects > 0, 1, IGNORE)
    assert np.array_equal(targets.maps["classes"], expected)
    assert np.array_equal(targets.known, expected)
    assert targets.stratum == "weak"


def test_inferred_background_has_a_low_weight():
    shape = (4, 80)
    drawn = replace(
        empty_annotation(shape),
        partial=square(shape=shape, start=0, side=2),
        tags=Tags(exhaustive=True),
    )
    targets = baseline().targets(drawn, painted=drawn)
    assert targets.maps["classes"][0, 70] == BACKGROUND
    assert targets.maps["weight"][0, 70] == np.float32(0.3)


def test_losses_are_0_where_nothing_is_known():
    method = baseline(class_weighting=True)
    batch = Batch(
        image=torch.zeros(2, 1, 16, 16),
        targets={
            "classes": torch.full((2, 16, 16), IGNORE),
            "weight": torch.ones(2, 16, 16),
        },
        magnification=torch.ones(2),
    )
    terms = method.losses(method.network(), batch, 0.0)
    assert {name: float(term.detach()) for name, term in terms.items()} == {
        "cross_entropy": 0,
        "dice": 0,
    }


def test_dice_weight_0_leaves_the_dice_loss_out():
    method = baseline(dice_weight=0.0)
    batch = Batch(
        image=torch.zeros(1, 1, 16, 16),
        targets={
            "classes": torch.zeros((1, 16, 16), dtype=torch.int64),
            "weight": torch.ones(1, 16, 16),
        },
        magnification=torch.ones(1),
    )
    assert set(method.losses(method.network(), batch, 0.0)) == {"cross_entropy"}


def test_connected_regions_of_a_class_are_objects():
    classes = np.array([[1, 1, 0, 1, 2, 2]])
    found = baseline(n_classes=2).interpret(probabilities(classes, 2))
    assert found.classes.tolist() == classes.tolist()
    assert found.instances.tolist() == [[1, 1, 0, 2, 3, 3]]
    assert found.class_of == {1: 1, 2: 1, 3: 2}
    assert found.probabilities.dtype == np.float16


def test_small_objects_are_dropped_from_both_maps():
    found = baseline(min_size=2).interpret(probabilities(np.array([[1, 1, 0, 1]]), 1))
    assert found.classes.tolist() == [[1, 1, 0, 0]]
    assert found.instances.tolist() == [[1, 1, 0, 0]]


def test_an_empty_prediction_has_no_objects():
    found = baseline(ndim=3).interpret(probabilities(np.zeros((2, 3, 4), int), 1))
    assert not found.instances.any()
    assert found.class_of == {}


def test_labels_do_not_grow():
    drawn = partial()
    grown = baseline().grow(
        drawn, probabilities(np.ones((12, 16), int), 1), iteration=1
    )
    assert grown is drawn


def test_settings_do_not_depend_on_the_paint():
    method = baseline()
    assert method.adapted(summarise([partial()])) is method.settings
    assert [stage.grows for stage in method.stages()] == [False]


@pytest.mark.parametrize(
    ("labels", "drawn", "problems"),
    [
        (
            "all",
            partial(),
            [
                "Only one class is painted and no background. Paint one background "
                "stroke, or tick 'every object is marked'."
            ],
        ),
        (
            "full",
            partial(scribbles=BACKGROUND_ROW),
            [
                "labels=full was asked for but no image has a complete region. Mark "
                "one, or set labels=all."
            ],
        ),
        ("partial", partial(), []),
        ("grabcut", partial(), []),
        (
            "partial",
            replace(empty_annotation((12, 16)), scribbles=np.ones((12, 16), np.uint8)),
            ["Only background is painted. Paint at least one object of a class."],
        ),
        ("full", exact(), []),
        ("all", exact(), []),
    ],
)
def test_missing_labels_are_said(labels, drawn, problems):
    found = baseline(labels=labels).readiness(summarise([drawn]))
    assert list(found.problems) == problems
