"""Contours are learned only where no unseen edge may reach."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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
from napari_mtseg.targets.contour_map import (
    contour_map,
    contour_radius,
    contour_target,
)

WHOLE = CompleteRegion(whole=True)
X = IGNORE


def masks(objects) -> ObjectMasks:
    objects = np.asarray(objects, np.uint32)
    return ObjectMasks(
        objects=objects, class_of={int(i): 1 for i in np.unique(objects) if i}
    )


def painted(*, partial=None, full=None, scribbles=None, **rest) -> Annotation:
    shape = next(np.shape(x) for x in (partial, full, scribbles) if x is not None)
    drawn = replace(empty_annotation(shape), **rest)
    if partial is not None:
        drawn = replace(drawn, partial=masks(partial))
    if full is not None:
        drawn = replace(drawn, full=masks(full))
    if scribbles is not None:
        drawn = replace(drawn, scribbles=np.asarray(scribbles, np.uint8))
    return drawn


def row(n: int, **runs: int) -> np.ndarray:
    """Return one row; ``a3_6=7`` writes 7 from 3 up to, not including, 6."""
    found = np.zeros((1, n), np.uint32)
    for run, value in runs.items():
        start, stop = map(int, run[1:].split("_"))
        found[0, start:stop] = value
    return found


@pytest.mark.parametrize(
    ("shape", "radius"),
    [((256, 256), 5), ((512, 700), 10), ((40, 256, 300), 5), ((8, 8), 1)],
)
def test_the_radius_grows_with_the_shorter_side_of_a_plane(shape, radius):
    assert contour_radius(shape) == radius
    assert isinstance(contour_radius(shape), int)


def test_a_contour_is_a_disk_around_each_boundary_pixel():
    point = np.zeros((21, 21), np.uint32)
    point[10, 10] = 3
    found = contour_map(point, radius=5)
    assert found.dtype == np.uint8
    assert found.sum() == 81


def test_contours_of_touching_objects_are_united():
    objects = row(12, a1_6=1, a6_11=2)
    assert contour_map(objects, radius=0).tolist() == [
        [0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0]
    ]
    assert contour_map(objects, radius=1).tolist() == [
        [1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1]
    ]


def test_empty_and_full_masks_have_no_contour():
    assert not contour_map(np.zeros((5, 5), bool), radius=2).any()
    full = np.ones((5, 5), bool)
    assert not contour_map(full, radius=1).any()
    framed = contour_map(full, radius=1, border_is_boundary=True)
    assert framed.sum() == 24, "all but the centre"


def test_the_radius_is_in_pixels_of_the_last_axis():
    point = np.zeros((3, 9, 9), bool)
    point[1, 4, 4] = True
    found = contour_map(point, radius=2, spacing=(6.0, 2.0, 2.0))
    assert found.sum() == found[1].sum() == 13


def test_a_complete_image_teaches_its_whole_contour_map():
    full = row(12, a0_5=1, a5_9=2)
    for border in (False, True):
        np.testing.assert_array_equal(
            contour_target(
                painted(full=full, complete=WHOLE), radius=1, border_is_boundary=border
            ),
            contour_map(full, radius=1, border_is_boundary=border),
        )


def test_near_the_edge_of_a_complete_region_an_unseen_object_may_lie():
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 8)),))
    drawn = painted(full=row(12, a1_4=1), complete=box)
    assert contour_target(drawn, radius=1).tolist() == [
        [1, 1, 1, 1, 1, 0, 0, X, X, X, X, X]
    ]


def test_an_object_cut_by_the_region_may_end_right_there():
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 8)),))
    drawn = painted(full=row(12, a2_10=1), complete=box)
    assert contour_target(drawn, radius=1).tolist() == [
        [0, 1, 1, 1, 0, 0, X, X, X, X, X, X]
    ]


def test_only_the_depth_of_a_partial_mask_is_known_to_hold_no_contour():
    drawn = painted(partial=row(11, a1_10=1))
    assert contour_target(drawn, radius=2).tolist() == [
        [X, X, X, X, 0, 0, 0, X, X, X, X]
    ]


def test_touching_partial_masks_have_no_depth_at_their_border():
    drawn = painted(partial=row(12, a0_6=1, a6_12=2))
    assert contour_target(drawn, radius=1).tolist() == [
        [0, 0, 0, 0, X, X, X, X, 0, 0, 0, 0]
    ]
    framed = contour_target(drawn, radius=1, border_is_boundary=True)
    assert framed.tolist() == [[X] * 12], "one row is all image edge"


@pytest.mark.parametrize("code", [SCRIBBLE_BACKGROUND, SCRIBBLE_SEPARATOR])
def test_a_scribble_that_contradicts_a_partial_mask_is_its_edge(code):
    drawn = painted(partial=row(9, a0_9=1), scribbles=row(9, a4_5=code))
    assert contour_target(drawn, radius=1).tolist() == [[0, 0, X, X, X, X, X, 0, 0]]


def test_a_scribble_that_agrees_takes_nothing_away():
    mask, strokes = row(9, a0_9=1), row(9, a4_5=SCRIBBLE_FIRST_CLASS)
    for drawn in (
        painted(partial=mask, scribbles=strokes),
        painted(full=mask, scribbles=strokes, complete=WHOLE),
    ):
        assert contour_target(drawn, radius=1).tolist() == [[0] * 9]


@pytest.mark.parametrize("code", [SCRIBBLE_BACKGROUND, SCRIBBLE_SEPARATOR])
def test_a_scribble_that_contradicts_a_full_mask_hides_what_it_may_change(code):
    drawn = painted(full=row(12, a0_12=1), scribbles=row(12, a6_7=code), complete=WHOLE)
    assert contour_target(drawn, radius=1).tolist() == [
        [0, 0, 0, 0, X, X, X, X, X, 0, 0, 0]
    ]


def test_scribbles_and_unpainted_pixels_teach_no_contour():
    scribbles = np.arange(12).reshape(3, 4) % 4
    assert (contour_target(painted(scribbles=scribbles), radius=1) == X).all()
    assert (contour_target(empty_annotation((2, 3, 3)), radius=1) == X).all()


@given(st.data())
def test_what_paint_teaches_is_true(data):
    """Partial masks inside of true objects, full masks in a part of the image."""
    shape = data.draw(st.sampled_from([(7, 8), (3, 5, 6)]))
    spacing = data.draw(st.sampled_from([(1.0,) * 3, (3.0, 1.0, 2.0)]))[: len(shape)]
    truth = np.kron(
        data.draw(
            arrays(np.uint32, (1, 2, 2)[-len(shape) :], elements=st.integers(0, 3))
        ),
        np.ones((3, 4, 4)[-len(shape) :], np.uint32),
    )[tuple(map(slice, shape))]
    drawn = painted(
        partial=truth * data.draw(arrays(np.bool_, shape, fill=st.just(True))),
        full=truth,
        scribbles=(truth > 0)
        * data.draw(arrays(np.bool_, shape, fill=st.just(False)))
        * np.uint8(SCRIBBLE_FIRST_CLASS),
        complete=CompleteRegion(
            boxes=(Box(start=(0,) * len(shape), stop=(3,) * len(shape)),)
        ),
    )
    settings = {
        "radius": data.draw(st.sampled_from([0, 1, 1.5, 2])),
        "spacing": spacing,
        "border_is_boundary": data.draw(st.booleans()),
    }
    found = contour_target(drawn, **settings)
    true = contour_map(truth, **settings)
    np.testing.assert_array_equal(found[found != X], true[found != X])
