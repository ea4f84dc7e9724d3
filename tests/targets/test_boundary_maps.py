"""Boundaries peak at 1, and between close ones pixels weigh most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.geometry.boundaries import inner_boundary
from napari_mtseg.targets.boundary_maps import boundary_map, difficulty_map

CLASS_OF = {1: 1, 2: 2, 3: 1}


def disk(shape, centre, radius):
    squares = [(i - c) ** 2 for i, c in zip(np.indices(shape), centre, strict=True)]
    return sum(squares) <= radius**2


def two_disks():
    objects = np.zeros((80, 140), np.uint32)
    objects[disk(objects.shape, (40, 36), 33)] = 1
    objects[disk(objects.shape, (40, 103), 33)] = 3
    return objects


def square(key=1, shape=(40, 40)):
    objects = np.zeros(shape, np.uint32)
    objects[..., 10:30, 10:30] = key
    return objects


labels = arrays(np.uint32, (6, 7), elements=st.sampled_from([0, 1, 2, 3]))


def test_the_normalisation_is_the_response_to_a_straight_line():
    line = np.zeros((3, 101), np.float32)
    line[:, 50] = 1
    half = np.zeros((3, 101), np.uint32)
    half[:, 50:] = 1
    for delta, response in ((2, 0.1995), (8, 0.0499)):
        raw = ndimage.gaussian_filter(line, delta, mode="nearest")
        assert raw.max() == pytest.approx(response, abs=1e-4)
        assert np.allclose(boundary_map(half, delta=delta), raw / raw.max(), atol=1e-5)
    assert 1 + 25 * raw.max() == pytest.approx(2.25, abs=0.01), "unnormalised weight"


def test_difficulty_is_1_far_26_at_an_edge_and_most_where_disks_touch():
    half = np.zeros((5, 101), np.uint32)
    half[:, 50:] = 1
    weight = difficulty_map(half, {1: 1}, weights={1: 25})
    assert weight.max() == pytest.approx(26, abs=1e-3)
    assert weight[0, 0] == weight[0, -1] == 1

    weight = difficulty_map(two_disks(), {1: 1, 3: 1}, weights={1: 25})
    assert weight[40, 2:8].max() == pytest.approx(26, abs=1)
    assert weight[40, 69] == weight.max() == pytest.approx(48, abs=2)
    assert weight[0, 69] < weight[40, 69] / 2


def test_each_class_weighs_its_own_boundary():
    objects = np.zeros((1, 200), np.uint32)
    objects[:, 60:], objects[:, 130:] = 1, 0
    objects[:, 190:] = 2
    weight = difficulty_map(objects, CLASS_OF, weights={1: 10, 2: 4}, base=0.5)
    assert weight[0, [60, 129, 190]] == pytest.approx([10.5, 10.5, 4.5], abs=1e-3)
    assert weight[0, 0] == np.float32(0.5)


@given(labels)
def test_a_sum_over_classes_is_one_gaussian_of_the_weighted_boundaries(objects):
    weights = {1: 25.0, 2: 3.0}
    classes = ObjectMasks(objects=objects, class_of=CLASS_OF).class_map()
    expected = np.ones(objects.shape)
    for k, weight in weights.items():
        edge = (inner_boundary(objects) & (classes == k)).astype(np.float64)
        smooth = ndimage.gaussian_filter(edge, 3, mode="nearest")
        expected += weight * smooth * np.sqrt(2 * np.pi) * 3
    found = difficulty_map(objects, CLASS_OF, weights=weights, delta=3)
    assert np.allclose(found, expected, rtol=1e-3)


@given(labels)
def test_boundary_maps_are_0_to_1_and_1_on_straight_boundaries(objects):
    found = boundary_map(objects)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.any() == inner_boundary(objects).any()


@pytest.mark.parametrize("edges", ["inner", "canny"])
@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_and_a_full_image_have_no_boundary(edges, value):
    for shape in ((12, 12), (3, 12, 12)):
        labels = np.full(shape, value, np.uint8)
        assert not boundary_map(labels, edges=edges).any()
        flat = difficulty_map(labels.astype(np.uint32), {1: 1}, weights={1: 25})
        assert (flat == 1).all()


def test_a_boundary_keeps_its_height_up_to_the_image_edge():
    half = np.zeros((20, 40), bool)
    half[:, 20:] = True
    found = boundary_map(half)
    assert np.allclose(found, found[10])
    assert found[0, 20] == pytest.approx(1)


def test_touching_objects_of_one_class_have_a_boundary_between_them():
    objects = np.ones((1, 20), np.uint32)
    objects[:, 10:] = 3
    assert boundary_map(objects)[0, 9:11] == pytest.approx([1, 1])
    assert not boundary_map(objects > 0).any()


@pytest.mark.parametrize("depth", [1.0, 5.0, 40.0])
def test_boundaries_count_alike_across_thin_and_thick_slices(depth):
    block = np.zeros((32, 60, 60), np.uint32)
    block[12:, 15:45, 15:45] = 1
    spacing = (depth, 1.0, 1.0)
    ridge = boundary_map(block, spacing=spacing)
    cap, wall = ridge[:, 30, 30], ridge[28, 30]
    assert cap[12] == pytest.approx(1, abs=1e-3)
    assert wall[15] == pytest.approx(1, abs=1e-3)
    assert cap[13] == pytest.approx(np.exp(-(depth**2) / 8), abs=2e-3)
    hard = difficulty_map(block, {1: 1}, weights={1: 25}, delta=4, spacing=spacing)
    assert hard[12, 30, 30] == pytest.approx(26, abs=0.2)


def test_distances_are_in_pixels_of_the_last_axis():
    volume = square(shape=(3, 40, 40))
    assert np.array_equal(
        boundary_map(volume, spacing=(4, 2, 2)), boundary_map(volume, spacing=(2, 1, 1))
    )


def test_canny_finds_a_ridge_along_the_same_boundary_only_thicker():
    objects = two_disks()
    inner, canny = boundary_map(objects), boundary_map(objects, edges="canny")
    assert canny.sum() > inner.sum()
    assert np.abs(np.argmax(canny[40, :20]) - np.argmax(inner[40, :20])) <= 1
    assert not canny[:, 30:42][38:42].any()


def test_canny_of_a_label_does_not_depend_on_the_box_around_it():
    mask = disk((40, 50), (20, 22), 9)
    wide = np.zeros((60, 80), bool)
    wide[10:50, 10:60] = mask
    found = boundary_map(wide, edges="canny")[10:50, 10:60]
    assert np.allclose(found, boundary_map(mask, edges="canny"))


def test_canny_works_plane_by_plane():
    volume = np.zeros((2, 40, 40), np.uint32)
    volume[1] = square()
    found = boundary_map(volume, edges="canny", spacing=(40, 1, 1))
    assert not found[0].any()
    assert np.allclose(found[1], boundary_map(square(), edges="canny"))


@pytest.mark.parametrize("edges", ["inner", "canny"])
def test_only_boundaries_with_both_sides_known_count(edges):
    known = np.ones((40, 40), bool)
    known[:, 20:] = False
    whole = boundary_map(square(), delta=1, edges=edges)
    found = boundary_map(square(), delta=1, edges=edges, known=known)
    assert np.allclose(found[:, :14], whole[:, :14])
    assert not found[17:23, 17:].any(), "neither the far side nor the cut"
    hard = difficulty_map(square(), CLASS_OF, weights={1: 25}, delta=1, known=known)
    assert hard[20, 10] == pytest.approx(26, abs=0.1)
    assert (hard[17:23, 17:] == 1).all()


def test_a_class_without_weight_and_a_width_of_0_are_refused():
    with pytest.raises(ValueError, match="no class or no weight is given for 2"):
        difficulty_map(square(2), CLASS_OF, weights={1: 25})
    with pytest.raises(ValueError, match="no class or no weight is given for 9"):
        difficulty_map(square(9), CLASS_OF, weights={1: 25})
    for delta in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="must be a positive number"):
            boundary_map(square(), delta=delta)
    with pytest.raises(ValueError, match="does not fit"):
        boundary_map(square(), spacing=(1, 1, 1))
