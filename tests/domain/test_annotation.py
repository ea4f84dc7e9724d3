from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
    no_objects,
)

LARGEST_ID = 2**32 - 1


def masks(rows, class_of):
    return ObjectMasks(objects=np.array(rows, np.uint32), class_of=class_of)


def test_class_map_gives_each_object_its_class_and_unpainted_zero():
    found = masks([[0, 1, 1], [2, 0, 3]], {1: 2, 2: 1, 3: 250}).class_map()
    assert found.tolist() == [[0, 2, 2], [1, 0, 250]]
    assert found.dtype == np.uint8


def test_class_map_takes_ids_as_large_as_they_come():
    found = masks([[0, LARGEST_ID], [7, 10**9]], {LARGEST_ID: 3, 7: 1, 10**9: 2})
    assert found.class_map().tolist() == [[0, 3], [1, 2]]


def test_class_map_refuses_an_object_without_class():
    with pytest.raises(ValueError, match=r"objects \[2, 5\] have no class"):
        masks([[1, 2], [5, 0]], {1: 1}).class_map()


def test_a_class_for_the_unpainted_id_is_passed_over():
    assert masks([[0, 1]], {0: 3, 1: 2}).class_map().tolist() == [[0, 2]]


@given(st.lists(st.integers(0, LARGEST_ID), min_size=1, max_size=12))
def test_class_map_of_any_ids_is_the_lookup_of_each_pixel(ids):
    class_of = {i: i % 250 + 1 for i in ids if i}
    found = masks([ids], class_of).class_map()
    assert found.tolist() == [[class_of.get(i, 0) for i in ids]]


def test_complete_region_is_nowhere_unless_marked():
    assert CompleteRegion().is_empty
    assert not CompleteRegion().mask((2, 3)).any()


def test_whole_region_is_everywhere():
    assert CompleteRegion(whole=True).mask((2, 2, 3)).all()


def test_boxes_and_slices_add_up():
    region = CompleteRegion(boxes=(Box(start=(0, 0, 0), stop=(1, 1, 2)),), slices=(2,))
    expected = np.zeros((3, 2, 2), bool)
    expected[0, 0, :2] = True
    expected[2] = True
    assert np.array_equal(region.mask((3, 2, 2)), expected)


def test_a_box_counts_as_far_as_it_lies_inside_the_image():
    region = CompleteRegion(boxes=(Box(start=(-3, 1), stop=(1, 99)),))
    assert region.mask((2, 3)).tolist() == [[False, True, True], [False] * 3]


def test_a_box_outside_the_image_marks_nothing():
    region = CompleteRegion(boxes=(Box(start=(-3, -3), stop=(-1, -1)),))
    assert not region.mask((4, 4)).any()


def test_slices_outside_the_image_mark_nothing():
    assert not CompleteRegion(slices=(-1, 3)).mask((3, 2, 2)).any()


def test_a_box_of_other_axes_is_refused():
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 1)),))
    with pytest.raises(ValueError, match="other axes"):
        region.mask((2, 2, 2))


def test_an_empty_annotation_has_nothing_to_learn_from():
    found = empty_annotation((2, 4, 5))
    assert found.shape == (2, 4, 5)
    assert found.is_empty
    assert not any([found.has_full, found.has_partial, found.has_scribbles])


def test_full_masks_count_only_where_a_region_is_complete():
    full = masks([[1, 1]], {1: 1})
    parts = {"partial": no_objects((1, 2)), "scribbles": np.zeros((1, 2), np.uint8)}
    unmarked = Annotation(**parts, full=full)
    marked = Annotation(**parts, full=full, complete=CompleteRegion(whole=True))
    assert unmarked.is_empty
    assert marked.has_full
    assert not marked.is_empty


def test_layers_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        Annotation(
            partial=no_objects((2, 2)),
            scribbles=np.zeros((2, 3), np.uint8),
            full=no_objects((2, 2)),
        )


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("painted", False),
        ("imported", False),
        ("accepted 2026-a", True),
        ("corrected 2026-a", True),
    ],
)
def test_masks_from_predictions_are_known_by_their_origin(origin, expected):
    shape = (1, 1)
    found = Annotation(
        partial=no_objects(shape),
        scribbles=np.zeros(shape, np.uint8),
        full=no_objects(shape),
        origin=origin,
    )
    assert found.is_accepted_prediction is expected


@pytest.mark.parametrize("origin", ["accepted 2026-a", "corrected 2026-a"])
def test_without_an_accepted_prediction_a_persons_own_paint_is_left(origin):
    ones = np.ones((1, 2), np.uint32)
    masks = ObjectMasks(objects=ones, class_of={1: 1})
    painted = Annotation(
        partial=masks,
        scribbles=np.zeros((1, 2), np.uint8),
        full=masks,
        complete=CompleteRegion(whole=True),
    )
    assert painted.without_accepted_prediction() is painted
    left = replace(painted, origin=origin).without_accepted_prediction()
    assert left.has_partial
    assert left.full.is_empty
    assert not left.has_full
    assert left.origin == "painted"
