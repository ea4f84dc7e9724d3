"""Recursive approximation on tiny, hand-made probability maps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.methods.protocol import Task
from napari_mtseg.methods.recursive_approximation.method import RecursiveApproximation
from napari_mtseg.methods.recursive_approximation.settings import (
    RecursiveApproximationSettings,
)
from napari_mtseg.targets.paint_summary import summarise

WHOLE = CompleteRegion(whole=True)
SHAPE = (9, 20)


def method(*, n_classes: int = 1, ndim: int = 2, **settings) -> RecursiveApproximation:
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0,) * ndim)
    small = {"base_channels": 2, "levels": 3, "separation": "off", **settings}
    return RecursiveApproximation(RecursiveApproximationSettings.checked(small), task)


def masks(objects, class_of=None) -> ObjectMasks:
    objects = np.asarray(objects, np.uint32)
    ids = np.unique(objects[objects > 0]).tolist()
    return ObjectMasks(objects=objects, class_of=class_of or dict.fromkeys(ids, 1))


def blocks(*boxes, shape=SHAPE) -> np.ndarray:
    """Objects 1, 2, ... that fill the columns ``a:b`` of the inner rows."""
    objects = np.zeros(shape, np.uint32)
    inner = (slice(1, -1),) * (len(shape) - 1)
    for key, (a, b) in enumerate(boxes, start=1):
        objects[(*inner, slice(a, b))] = key
    return objects


def annotation(objects=None, *, shape=SHAPE, class_of=None, **rest) -> Annotation:
    drawn = replace(empty_annotation(shape), **rest)
    return (
        drawn if objects is None else replace(drawn, partial=masks(objects, class_of))
    )


def strokes(shape=SHAPE, **values: slice) -> np.ndarray:
    scribbles = np.zeros(shape, np.uint8)
    for name, columns in values.items():
        code = {"background": 1, "separator": 2, "first": 3, "second": 4}[name]
        scribbles[..., columns] = code
    return scribbles


def hot(classes, n_outputs: int) -> np.ndarray:
    classes = np.asarray(classes)
    outputs = np.arange(n_outputs).reshape(-1, *[1] * classes.ndim)
    return np.where(outputs == classes, 0.9, 0.1 / (n_outputs - 1)).astype(np.float32)


def outputs(segmentation, approximation, separator=None, *, n_classes: int = 1):
    found = {
        "segmentation": hot(segmentation, n_classes + 1),
        "approximation": hot(approximation, n_classes + 1),
    }
    return found if separator is None else found | {"separator": hot(separator, 2)}


FULL = annotation(full=masks(blocks((2, 8))), complete=WHOLE)
WEAK = annotation(blocks((2, 5)), scribbles=strokes(background=slice(15, 17)))
SEPARATED = annotation(
    blocks((2, 5), (7, 9)),
    scribbles=strokes(separator=slice(6, 7), background=slice(15, 17)),
)


# --- What is 'auto' ------------------------------------------------------------


def test_full_masks_teach_where_there_are_any():
    found = method(beta=0.5).adapted(summarise([WEAK, FULL]))
    assert (found.supervision, found.beta) == ("full", 0.5)


def test_weak_labels_teach_slowly_where_there_is_no_full_mask():
    found = method(beta=0.5).adapted(summarise([WEAK]))
    assert (found.supervision, found.beta) == ("paint", 0.2)
    assert method(beta=0.1).adapted(summarise([WEAK])).beta == 0.1


def test_separators_switch_their_task_on():
    automatic = method(separation="auto")
    assert automatic.adapted(summarise([WEAK, SEPARATED])).separation == "on"
    assert automatic.adapted(summarise([WEAK])).separation == "off"


def test_what_was_asked_for_stays():
    found = method(supervision="paint", separation="off").adapted(
        summarise([FULL, SEPARATED])
    )
    assert (found.supervision, found.separation, found.beta) == ("paint", "off", 0.5)


# --- Readiness -----------------------------------------------------------------

NO_FULL = (
    "No full mask is painted: the boundaries are learned from weak labels and growth "
    "is slowed down to beta 0.2. One full mask makes the boundaries better."
)
NO_PARTIAL = (
    "No partial masks are painted: nothing grows but what is simulated from the full "
    "masks. The plain U-Net does the same in less time."
)


@pytest.mark.parametrize(
    ("settings", "annotations", "problems", "notices"),
    [
        ({}, [FULL, WEAK], [], []),
        ({}, [WEAK], [], [NO_FULL]),
        ({}, [FULL], [], [NO_PARTIAL]),
        (
            {"supervision": "full", "strokes_teach": False},
            [WEAK],
            [
                "supervision=full was asked for but no image has a complete region. "
                "Mark one, or set supervision=auto."
            ],
            [],
        ),
        (
            {"supervision": "full"},
            [WEAK],
            [
                "supervision=full was asked for but no image has a complete region. "
                "Mark one, or set supervision=auto."
            ],
            [],
        ),
        (
            {"separation": "on"},
            [WEAK],
            [
                "separation=on was asked for but there is neither a separator nor a "
                "full mask. Draw one, or set separation=auto."
            ],
            [],
        ),
        (
            {"separation": "on"},
            [FULL, WEAK],
            [],
            [
                "The separation task is on but no separator is drawn: it learns from "
                "the borders of touching full masks alone."
            ],
        ),
        ({"separation": "on"}, [FULL, SEPARATED], [], []),
        (
            {},
            [annotation()],
            [
                "Nothing is painted on the training images. Paint at least one object "
                "and some background."
            ],
            ["No paint for class 1: it cannot be learned."],
        ),
    ],
)
def test_what_is_missing_is_said(settings, annotations, problems, notices):
    found = method(**settings).readiness(summarise(annotations))
    assert list(found.problems) == problems
    assert list(found.notices) == notices


# --- Start and targets ---------------------------------------------------------


def started(maker: RecursiveApproximation, drawn: Annotation) -> Annotation:
    pixels = np.zeros((1, *drawn.shape), np.float32)
    return maker.start(drawn, pixels=pixels, rng=np.random.default_rng(0))


def test_strokes_begin_as_masks_and_full_masks_get_simulated_ones():
    begun = started(
        method(), annotation(shape=SHAPE, scribbles=strokes(first=slice(3, 4)))
    )
    assert np.array_equal(begun.partial.objects > 0, begun.scribbles == 3)
    simulated = started(method(erode_low=0.5, erode_high=0.5), FULL).partial.objects
    assert 0 < np.count_nonzero(simulated) < np.count_nonzero(FULL.full.objects)


def test_weak_images_teach_segmentation_by_their_scribbles_only():
    targets = method(supervision="full").targets(WEAK, painted=WEAK)
    expected = np.where(WEAK.scribbles == 1, BACKGROUND, IGNORE)
    assert np.array_equal(targets.maps["segmentation"], expected)
    silent = method(supervision="full", strokes_teach=False).targets(WEAK, painted=WEAK)
    assert (silent.maps["segmentation"] == IGNORE).all()
    assert targets.stratum == "weak"


def test_without_full_masks_all_that_is_known_teaches_segmentation():
    targets = method(supervision="paint").targets(WEAK, painted=WEAK)
    expected = np.where(
        WEAK.partial.objects > 0, 1, np.where(WEAK.scribbles == 1, BACKGROUND, IGNORE)
    )
    assert np.array_equal(targets.maps["segmentation"], expected)


def test_full_images_teach_both_tasks_everywhere():
    targets = method(supervision="full").targets(started(method(), FULL), painted=FULL)
    assert np.array_equal(targets.maps["segmentation"], FULL.full.objects > 0)
    assert not (targets.maps["approximation"] == IGNORE).any()
    assert targets.stratum == "full"


def test_the_separator_is_a_target_only_where_it_is_a_task():
    assert "separator" not in method().targets(SEPARATED, painted=SEPARATED).maps
    target = (
        method(separation="on").targets(SEPARATED, painted=SEPARATED).maps["separator"]
    )
    assert (target[:, 6] == 1).all()


@pytest.mark.parametrize("separation", ["on", "off"])
def test_losses_are_0_where_nothing_is_known(separation):
    maker = method(separation=separation)
    unknown = torch.full((2, 16, 16), IGNORE)
    batch = Batch(
        image=torch.zeros(2, 1, 16, 16),
        targets={
            "segmentation": unknown,
            "segmentation_weight": torch.ones(2, 16, 16),
            "approximation": unknown,
            "separator": unknown,
        },
        magnification=torch.ones(2),
    )
    terms = maker.losses(maker.network(), batch, 0.0)
    assert ("separation" in terms) == (separation == "on")
    assert all(float(term.detach()) == 0 for term in terms.values())


def test_labels_grow_after_every_iteration():
    stages = method(iterations=3, steps_per_iteration=7).stages()
    assert [(s.name, s.steps, s.grows) for s in stages] == [
        (f"iteration {i} of 3", 7, True) for i in (1, 2, 3)
    ]


# --- Growth --------------------------------------------------------------------


def test_the_last_iteration_may_take_more_steps():
    stages = method(iterations=3, steps_per_iteration=7, last_steps=20).stages()
    assert [stage.steps for stage in stages] == [7, 7, 20]


@pytest.mark.parametrize(("iteration", "fills"), [(1, False), (2, True), (3, True)])
def test_growth_fills_the_proposal_around_the_last_iteration(iteration, fills):
    drawn = annotation(blocks((6, 9), shape=(9, 20)), shape=(9, 20))
    proposal = blocks((1, 14), shape=(9, 20)) > 0
    maker = method(iterations=3, beta=0.1, beta_last=1e6)
    grown = maker.grow(drawn, outputs(proposal, proposal), iteration=iteration)
    assert np.array_equal(grown.partial.objects > 0, proposal) is fills


@pytest.mark.parametrize("shape", [(9, 20), (5, 9, 20)])
def test_masks_grow_into_the_segmentation(shape):
    drawn = annotation(blocks((4, 6), shape=shape), shape=shape)
    proposal = blocks((1, 10), shape=shape) > 0
    maker = method(beta=1.0, ndim=len(shape))
    grown = drawn
    for _ in range(10):
        grown = maker.grow(grown, outputs(proposal, proposal), iteration=1)
    assert np.array_equal(grown.partial.objects > 0, proposal)


@given(
    arrays(np.uint32, (7, 8), elements=st.sampled_from([0, 0, 0, 1, 2])),
    arrays(np.uint8, (7, 8), elements=st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])),
    arrays(np.uint8, (7, 8), elements=st.integers(0, 2)),
    st.booleans(),
)
def test_growth_keeps_paint_and_stays_out_of_known_background(
    objects, scribbles, segmentation, has_full
):
    drawn = annotation(
        objects,
        shape=(7, 8),
        class_of={1: 1, 2: 2},
        scribbles=scribbles,
        full=masks(blocks((2, 6), shape=(7, 8))),
        complete=CompleteRegion(whole=has_full),
    )
    maker = method(n_classes=2, beta=2.0)
    begun = started(maker, drawn)
    grown = maker.grow(
        begun, outputs(segmentation, segmentation, n_classes=2), iteration=1
    )
    before, after = begun.partial.objects, grown.partial.objects
    assert (after[before > 0] == before[before > 0]).all()
    added = (after > 0) & (before == 0)
    assert not (added & ((scribbles == 1) | (scribbles == 2))).any()
    if has_full:
        outside = (drawn.full.objects == 0) & (scribbles < 3)
        assert not (added & outside).any()
    else:
        assert (segmentation[added] > 0).all()
    assert grown.partial.class_of == begun.partial.class_of


def test_known_foreground_is_grown_into_though_the_network_misses_it():
    drawn = annotation(blocks((4, 5)), full=masks(blocks((2, 8))), complete=WHOLE)
    nothing = np.zeros(SHAPE, int)
    maker = method(beta=5.0)
    grown = drawn
    for _ in range(5):
        grown = maker.grow(grown, outputs(nothing, nothing), iteration=1)
    assert np.array_equal(grown.partial.objects > 0, drawn.full.objects > 0)


def test_masks_do_not_grow_over_the_border_of_touching_full_masks():
    exact = blocks((2, 12), (12, 14))
    seeds = blocks((3, 4), (13, 14))
    drawn = annotation(seeds, full=masks(exact), complete=WHOLE)
    maker = method(beta=5.0)
    grown = drawn
    for _ in range(8):
        grown = maker.grow(grown, outputs(exact > 0, seeds), iteration=1)
    wrong = (grown.partial.objects > 0) & (grown.partial.objects != exact)
    assert not wrong.any()


def test_a_painted_separator_stops_growth():
    proposal = blocks((1, 13)) > 0
    grown = method(beta=5.0)
    drawn = annotation(blocks((2, 5)), scribbles=strokes(separator=slice(6, 7)))
    for _ in range(5):
        drawn = grown.grow(drawn, outputs(proposal, proposal), iteration=1)
    assert not drawn.partial.objects[:, 6:].any()


def test_a_predicted_separator_keeps_touching_masks_apart():
    proposal = blocks((1, 18)) > 0
    line = np.zeros(SHAPE, int)
    line[:, 5:7] = 1
    drawn = annotation(blocks((2, 4), (14, 16)))
    maker = method(beta=5.0, separation="on")
    for _ in range(8):
        drawn = maker.grow(drawn, outputs(proposal, proposal, line), iteration=1)
    found = drawn.partial.objects
    assert set(np.unique(found[:, :5])) == {0, 1}
    assert set(np.unique(found[:, 7:])) == {0, 2}


@pytest.mark.parametrize("value", [0, 1])
def test_without_masks_nothing_grows(value):
    drawn = annotation()
    everywhere = np.full(SHAPE, value)
    grown = method().grow(drawn, outputs(everywhere, everywhere), iteration=1)
    assert not grown.partial.objects.any()


# --- Prediction ----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 20), (5, 9, 20)])
def test_approximated_objects_grow_to_the_segmentation(shape):
    proposal = blocks((2, 8), (11, 17), shape=shape) > 0
    seeds = blocks((4, 6), (13, 15), shape=shape) > 0
    found = method(ndim=len(shape)).interpret(outputs(proposal, seeds))
    assert np.array_equal(found.classes, proposal)
    assert np.array_equal(found.instances, blocks((2, 8), (11, 17), shape=shape))
    assert found.class_of == {1: 1, 2: 1}
    assert set(found.maps) == {"approximation", "segmentation"}


@pytest.mark.parametrize("shape", [(9, 20), (5, 9, 20)])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_separator_splits_touching_objects_and_is_filled_at_the_end(shape, width):
    proposal = blocks((2, 18), shape=shape) > 0
    line = np.zeros(shape, int)
    line[..., 9 : 9 + width] = 1
    found = method(ndim=len(shape), separation="on").interpret(
        outputs(proposal, proposal, line)
    )
    assert np.array_equal(found.classes, proposal)
    assert found.class_of == {1: 1, 2: 1}
    assert set(np.unique(found.instances[..., :9])) == {0, 1}
    assert set(np.unique(found.instances[..., 9 + width :])) == {0, 2}
    assert np.array_equal(found.maps["separator"], line)


def test_the_separator_is_in_the_maps_of_every_image_or_none():
    nothing = np.zeros(SHAPE, int)
    found = method(separation="on").interpret(outputs(nothing, nothing, nothing))
    assert not found.maps["separator"].any()


def test_touching_objects_with_seeds_of_their_own_leave_no_gap():
    proposal = blocks((2, 18)) > 0
    seeds = blocks((4, 7), (13, 16)) > 0
    found = method().interpret(outputs(proposal, seeds))
    assert np.array_equal(found.classes, proposal)
    assert len(found.class_of) == 2


def test_objects_keep_the_class_of_their_seed():
    proposal = np.where(blocks((2, 8), (8, 14)) > 0, 1, 0)
    seeds = blocks((3, 6), (10, 13))
    found = method(n_classes=2).interpret(outputs(proposal, seeds, n_classes=2))
    assert found.class_of == {1: 1, 2: 2}
    expected = blocks((2, 8), (8, 14))
    assert np.array_equal(found.classes, expected)


def test_what_is_not_approximated_is_no_object():
    proposal = blocks((2, 5), (9, 17)) > 0
    found = method().interpret(outputs(proposal, blocks((3, 4)) > 0))
    assert not found.classes[:, 9:].any()


def test_an_approximation_outside_the_segmentation_stays_as_it_is():
    seeds = blocks((3, 6)) > 0
    found = method().interpret(outputs(np.zeros(SHAPE, int), seeds))
    assert np.array_equal(found.classes, seeds)


def test_small_objects_are_dropped():
    seeds = blocks((2, 3), (9, 14)) > 0
    found = method(min_size=10).interpret(outputs(seeds, seeds))
    assert found.class_of == {2: 1}
    assert np.array_equal(found.classes, blocks((9, 14)) > 0)


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (1, 1)])
def test_an_empty_prediction_has_no_objects(shape):
    nothing = np.zeros(shape, int)
    found = method(ndim=len(shape)).interpret(outputs(nothing, nothing))
    assert not found.classes.any()
    assert found.class_of == {}
    assert found.probabilities.dtype == np.float16
