"""Class maps become objects with ids, contours and an outline distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.instances.components import (
    contours_of,
    outline_distance,
    separate_objects,
)

small_class_maps = arrays(
    np.uint8,
    array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.integers(0, 2),
)


def test_pieces_of_one_class_get_their_own_ids_and_classes_are_kept_apart():
    classes = np.array([[1, 1, 0, 2], [0, 0, 0, 2], [1, 0, 1, 2]], np.uint8)
    ids, class_of = separate_objects(classes)
    assert ids.tolist() == [[1, 1, 0, 2], [0, 0, 0, 2], [3, 0, 4, 2]]
    assert class_of == {1: 1, 2: 2, 3: 1, 4: 1}
    assert ids.dtype == np.uint32


def test_corners_connect_only_when_asked():
    diagonal = np.eye(3, dtype=np.uint8)
    assert separate_objects(diagonal)[0].max() == 3
    assert separate_objects(diagonal, connectivity="full")[0].max() == 1


def test_small_pieces_are_dropped_and_ids_have_no_gap():
    classes = np.array([[1, 0, 2, 2, 0, 1, 1]], np.uint8)
    ids, class_of = separate_objects(classes, min_size=2)
    assert ids.tolist() == [[0, 0, 1, 1, 0, 2, 2]]
    assert class_of == {1: 2, 2: 1}


def test_holes_of_one_object_are_filled_but_not_those_at_the_image_edge():
    classes = np.array(
        [
            [1, 1, 1, 0, 1],
            [1, 0, 1, 0, 0],
            [1, 1, 1, 1, 1],
        ],
        np.uint8,
    )
    ids, _ = separate_objects(classes, fill_holes=True)
    assert ids[1, 1] == 1
    assert (ids[1, 3:] == 0).all()


def test_a_gap_between_two_objects_is_no_hole():
    classes = np.full((5, 5), 1, np.uint8)
    classes[1:4, 1:4] = 0
    classes[2, 2] = 2
    ids, class_of = separate_objects(classes, fill_holes=True)
    assert np.array_equal(ids > 0, classes > 0)
    assert class_of == {1: 1, 2: 2}


def test_a_cavity_in_3d_is_filled_though_each_plane_alone_is_open():
    classes = np.ones((3, 3, 3), np.uint8)
    classes[1, 1, 1] = 0
    assert separate_objects(classes, fill_holes=True)[0].all()
    classes[0, 1, 1] = 0
    assert not separate_objects(classes, fill_holes=True)[0].all()


def test_an_image_without_objects_has_no_ids():
    ids, class_of = separate_objects(np.zeros((4, 5), np.uint8), fill_holes=True)
    assert not ids.any()
    assert class_of == {}
    assert separate_objects(np.zeros((0, 5), np.uint8))[0].shape == (0, 5)


def test_negative_min_size_is_refused():
    with pytest.raises(ValueError, match="min_size is -1"):
        separate_objects(np.zeros((1, 1), np.uint8), min_size=-1)


@given(classes=small_class_maps, min_size=st.integers(0, 4))
def test_objects_never_leave_their_class_nor_mix_two(classes, min_size):
    ids, class_of = separate_objects(classes, min_size=min_size)
    assert sorted(class_of) == list(range(1, int(ids.max()) + 1))
    for i, c in class_of.items():
        assert (classes[ids == i] == c).all()
        assert (ids == i).sum() >= min_size
    if min_size <= 1:
        assert np.array_equal(ids > 0, classes > 0)


def test_touching_objects_each_have_a_contour_and_the_image_edge_has_none():
    instances = np.array([[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]], np.uint32)
    assert (
        contours_of(instances).tolist()
        == [[False, False, True, True, False, False]] * 2
    )


def test_contours_lie_inside_objects_on_both_ends_of_each_axis():
    instances = np.zeros((5, 5, 5), np.uint32)
    instances[1:4, 1:4, 1:4] = 9
    contour = contours_of(instances)
    assert contour.sum() == 26
    assert not contour[2, 2, 2]


def test_outline_distance_counts_in_units_of_the_spacing():
    row = np.array([[0, 0, 1, 1, 1, 2, 2]], np.uint32)
    expected = [[4, 2, -2, -4, -2, -2, -4]]
    assert outline_distance(row, spacing=(9.0, 2.0)).tolist() == expected
    assert outline_distance(row > 0).tolist() == [[2, 1, -1, -2, -3, -4, -5]]


def test_outline_distance_without_an_outline_is_infinite():
    assert (outline_distance(np.zeros((3, 3), np.uint8)) == np.inf).all()
    assert (outline_distance(np.full((3, 3), 4, np.uint8)) == -np.inf).all()


def test_outline_distance_needs_one_size_per_axis():
    with pytest.raises(ValueError, match="spacing"):
        outline_distance(np.zeros((3, 3), np.uint8), spacing=(1.0, 0.0))


@given(classes=small_class_maps)
def test_outline_distance_equals_brute_force(classes):
    distance = outline_distance(classes)
    points = np.argwhere(np.ones_like(classes))
    values = classes[tuple(points.T)]
    for point, value in zip(points, values, strict=True):
        other = values > 0 if value == 0 else values != value
        away = np.linalg.norm(points[other] - point, axis=1).min(initial=np.inf)
        expected = away if value == 0 else -away
        assert distance[tuple(point)] == pytest.approx(expected)
