"""Where labels end, and what lies within reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_mtseg.geometry.boundaries import inner_boundary, neighbours, within

LABELS = arrays(
    st.sampled_from([np.bool_, np.uint8, np.uint32, np.int64]),
    array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.integers(0, 1),
) | arrays(
    np.uint32,
    array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.sampled_from([0, 1, 7, 4_000_000_000]),
)


def test_touching_objects_each_keep_a_boundary():
    row = np.array([[5, 5, 5, 5, 9, 9, 9, 0]], np.uint32)
    assert inner_boundary(row).tolist() == [[0, 0, 0, 1, 1, 0, 1, 0]]


def test_the_image_edge_is_a_boundary_only_when_asked():
    full = np.ones((4, 4), bool)
    assert not inner_boundary(full).any()
    framed = inner_boundary(full, border_is_boundary=True)
    assert framed.sum() == 12
    assert not framed[1:3, 1:3].any()


def test_corners_do_not_count_as_touching():
    mask = np.ones((3, 3), bool)
    mask[0, 0] = False
    assert not inner_boundary(mask)[1, 1]


@given(LABELS, st.booleans())
def test_a_boundary_is_what_erosion_of_each_label_takes_away(labels, at_edge):
    cross = ndimage.generate_binary_structure(labels.ndim, 1)
    expected = np.zeros(labels.shape, bool)
    for label in np.unique(labels[labels != 0]):
        mask = labels == label
        inner = ndimage.binary_erosion(mask, cross, border_value=not at_edge)
        expected |= mask & ~inner
    found = inner_boundary(labels, border_is_boundary=at_edge)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)


def test_nothing_has_no_boundary():
    assert inner_boundary(np.zeros((0, 4), bool), border_is_boundary=True).size == 0
    assert not inner_boundary(np.zeros((3, 4), int), border_is_boundary=True).any()


def test_a_disk_of_radius_5_has_81_pixels():
    point = np.zeros((21, 21), bool)
    point[10, 10] = True
    disk = within(point, 5)
    assert disk.sum() == 81
    assert within(point, 0).sum() == 1
    np.testing.assert_array_equal(within(point, 5, threads=2), disk)


def test_a_ball_is_flat_where_planes_are_thick():
    point = np.zeros((5, 9, 9), bool)
    point[2, 4, 4] = True
    ball = within(point, 3, spacing=(3, 1, 1))
    assert ball[:, 4, 4].tolist() == [0, 1, 1, 1, 0]
    assert ball[1].sum() == 1
    assert ball[2, 4].sum() == 7


def test_nothing_lies_within_reach_of_nothing():
    assert not within(np.zeros((3, 3), bool), 100).any()


@pytest.mark.parametrize("radius", [-1, float("nan")])
def test_a_radius_below_0_is_refused(radius):
    with pytest.raises(ValueError, match="radius"):
        within(np.ones((2, 2), bool), radius)


def test_neighbours_are_views():
    values = np.zeros((2, 3), int)
    before, after = neighbours(values, 1)
    before[0, 0], after[1, 1] = 1, 2
    assert values.tolist() == [[1, 0, 0], [0, 0, 2]]
