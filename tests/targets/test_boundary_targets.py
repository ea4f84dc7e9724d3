"""Boundaries are learned only where no unseen one may hide."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.targets.boundary_maps import boundary_map, difficulty_map
from napari_mtseg.targets.boundary_targets import (
    KNOWN,
    boundary_target,
    difficulty_target,
)

WHOLE = CompleteRegion(whole=True)
CLASS_OF = {1: 1, 2: 2, 3: 1}


def painted(*, partial=None, full=None, scribbles=None, complete=None) -> Annotation:
    shape = next(np.shape(x) for x in (partial, full, scribbles) if x is not None)
    blank = empty_annotation(shape)
    return Annotation(
        partial=blank.partial
        if partial is None
        else ObjectMasks(objects=partial, class_of=CLASS_OF),
        full=blank.full
        if full is None
        else ObjectMasks(objects=full, class_of=CLASS_OF),
        scribbles=blank.scribbles if scribbles is None else scribbles,
        complete=complete or (CompleteRegion() if full is None else WHOLE),
    )


def square(key=1, shape=(40, 40)):
    objects = np.zeros(shape, np.uint32)
    objects[..., 10:30, 10:30] = key
    return objects


def test_a_whole_full_mask_is_known_everywhere():
    value, known = boundary_target(painted(full=square()))
    assert (known == KNOWN).all()
    assert known.dtype == np.uint8
    assert np.array_equal(value, boundary_map(square()))


def test_near_the_edge_of_a_complete_region_nothing_is_known():
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(40, 25)),))
    value, known = boundary_target(painted(full=square(), complete=region), delta=1)
    edge = np.zeros((40, 40), bool)
    edge[[10, 29], 10:25], edge[10:30, 10] = True, True
    assert (known[:, 22:][~edge[:, 22:]] == IGNORE).all(), "close to the outside"
    assert (value[edge] > 0.99).all(), "both sides are inside the region"
    assert (known[edge] == KNOWN).all()
    assert (known[:8, :22] == KNOWN).all(), "background beside the object"
    assert (known[15:25, :21] == KNOWN).all()
    assert (known[15:25, 21] == IGNORE).all(), "the object's own edge is unseen"
    sure = known == KNOWN
    assert np.allclose(value[sure], boundary_map(square(), delta=1)[sure], atol=0.012)
    assert not value[~sure].any()


@given(st.integers(8, 32), st.integers(8, 32), st.sampled_from(["inner", "canny"]))
def test_what_is_known_is_the_same_however_much_is_complete(rows, columns, edges):
    objects = np.zeros((40, 40), np.uint32)
    objects[5:20, 8:25], objects[20:38, 8:25] = 1, 2
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(rows, columns)),))
    part = painted(full=objects, complete=region)
    value, known = boundary_target(part, delta=1.5, edges=edges)
    truth, _ = boundary_target(painted(full=objects), delta=1.5, edges=edges)
    sure = known == KNOWN
    assert np.allclose(value[sure], truth[sure], atol=0.01)


def test_the_own_edge_of_a_partial_mask_is_unknown_and_its_depth_is_no_boundary():
    value, known = boundary_target(painted(partial=square()), delta=1)
    expected = np.full((40, 40), IGNORE)
    expected[14:26, 14:26] = KNOWN
    assert np.array_equal(known, expected)
    assert not value.any()


def test_partial_masks_at_the_image_edge_are_deep_there():
    objects = np.zeros((20, 20), np.uint32)
    objects[:, :10] = 1
    _, known = boundary_target(painted(partial=objects), delta=1)
    assert (known[:, :6] == KNOWN).all()
    assert (known[:, 6:] == IGNORE).all()


def test_where_two_known_classes_touch_is_a_boundary():
    objects = square()
    objects[10:30, 20:30] = 2
    value, known = boundary_target(painted(partial=objects), delta=2)
    assert (value[10:30, 19:21] == 1).all()
    assert (known[10:30, 19:21] == KNOWN).all()
    assert value.sum() == 40
    assert ((known == KNOWN) == (value == 1)).all(), "nothing else is deep enough"


def test_partial_masks_of_one_class_that_touch_leave_their_border_unknown():
    objects = square()
    objects[10:30, 20:30] = 3
    value, known = boundary_target(painted(partial=objects), delta=1)
    assert not value.any()
    assert (known[:, 17:23] == IGNORE).all()
    assert (known[14:26, 14:16] == KNOWN).all()


def test_full_background_beside_a_partial_mask_is_a_boundary_of_the_mask():
    full, partial = np.zeros((1, 20), np.uint32), np.zeros((1, 20), np.uint32)
    partial[:, 10:] = 1
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 10)),))
    drawn = painted(full=full, partial=partial, complete=region)
    value, known = boundary_target(drawn, delta=1)
    assert value[0].nonzero()[0].tolist() == [10]
    codes = "".join("k" if code == KNOWN else "." for code in known[0])
    assert codes == "kkkkkkk...k...kkkkkk"


def test_scribbles_teach_no_boundary():
    strokes = np.full((40, 40), SCRIBBLE_FIRST_CLASS, np.uint8)
    strokes[:, 20:] = SCRIBBLE_BACKGROUND
    _, known = boundary_target(painted(scribbles=strokes))
    assert (known == IGNORE).all()


@pytest.mark.parametrize("code", [SCRIBBLE_BACKGROUND, SCRIBBLE_SEPARATOR])
def test_where_scribbles_contradict_masks_nothing_is_known(code):
    strokes = np.zeros((40, 40), np.uint8)
    strokes[20, 20] = code
    for drawn in (
        painted(partial=square(), scribbles=strokes),
        painted(full=square(), scribbles=strokes),
    ):
        value, known = boundary_target(drawn, delta=1)
        assert (known[17:24, 20] == IGNORE).all()
        assert known[15, 15] == KNOWN
        assert value[15, 15] < 0.01
    agreed = replace(drawn, scribbles=np.where(strokes > 0, SCRIBBLE_FIRST_CLASS, 0))
    assert (boundary_target(agreed)[1] == KNOWN).all()


def test_difficulty_is_even_where_nothing_is_complete():
    weak = painted(partial=square(), scribbles=np.full((40, 40), 3, np.uint8))
    assert (difficulty_target(weak, weights={1: 25}, base=2.0) == 2).all()


def test_difficulty_of_a_whole_full_mask_is_its_difficulty_map():
    weights = {1: 25.0, 2: 5.0}
    found = difficulty_target(painted(full=square(2)), weights=weights, delta=3)
    assert np.array_equal(
        found, difficulty_map(square(2), CLASS_OF, weights=weights, delta=3)
    )


def test_the_edge_of_a_complete_region_adds_no_difficulty():
    full = np.ones((30, 40), np.uint32)
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(30, 25)),))
    found = difficulty_target(painted(full=full, complete=region), weights={1: 25})
    assert (found == 1).all()


def test_a_width_of_0_is_refused_whatever_is_painted():
    for drawn in (empty_annotation((4, 4)), painted(full=square())):
        with pytest.raises(ValueError, match="must be a positive number"):
            boundary_target(drawn, delta=0)
        with pytest.raises(ValueError, match="must be a positive number"):
            difficulty_target(drawn, weights={1: 25}, delta=0)
