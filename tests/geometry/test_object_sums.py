"""Sums over objects, of whole images and of blocks."""

import itertools
import math

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from napari_mtseg.geometry.crofton import line_directions
from napari_mtseg.geometry.object_sums import ObjectSums, merged_sums, object_sums


def sums_by_block(labels, cuts, **values) -> list[ObjectSums]:
    """Return the sums of each block; blocks are read with one pixel around."""
    sides = [
        list(itertools.pairwise(sorted({0, *at, n})))
        for at, n in zip(cuts, labels.shape, strict=True)
    ]
    parts = []
    for block in itertools.product(*sides):
        read = tuple(
            slice(max(a - 1, 0), min(b + 1, n))
            for (a, b), n in zip(block, labels.shape, strict=True)
        )
        inner = tuple(
            slice(a - side.start, b - side.start)
            for (a, b), side in zip(block, read, strict=True)
        )
        origin = tuple(side.start for side in read)
        cut = {name: v[..., *read] for name, v in values.items()}
        parts.append(object_sums(labels[read], inner=inner, origin=origin, **cut))
    return parts


def assert_equal(found: ObjectSums, expected: ObjectSums) -> None:
    for name, values in vars(expected).items():
        same = np.allclose if name == "squared_deviation" else np.array_equal
        assert same(getattr(found, name), values), name


@st.composite
def cut_images(draw):
    n_axes = draw(st.sampled_from([2, 3]))
    shape = draw(hnp.array_shapes(min_dims=n_axes, max_dims=n_axes, max_side=7))
    labels = draw(hnp.arrays(np.uint32, shape, elements=st.integers(0, 3)))
    cuts = [draw(st.sets(st.integers(0, n), max_size=2)) for n in shape]
    return labels, cuts


@settings(max_examples=60)
@given(cut_images())
def test_blocks_add_up_to_the_whole_exactly(cut_image):
    labels, cuts = cut_image
    rng = np.random.default_rng(0)
    values = {
        "intensities": rng.integers(0, 1000, (2, *labels.shape)),
        "uncertainty": rng.integers(0, 8, labels.shape) / 8,
    }
    whole = object_sums(labels, **values)
    assert_equal(merged_sums(sums_by_block(labels, cuts, **values)), whole)


def test_an_object_across_the_corner_of_four_blocks_is_measured_as_one():
    rows, columns = np.ogrid[:20, :30]
    disk = ((rows - 9.5) ** 2 + (columns - 14.0) ** 2 < 64).astype(np.uint32) * 7
    parts = sums_by_block(disk, [{10}, {15}])
    assert [part.ids.tolist() for part in parts] == [[7]] * 4
    assert_equal(merged_sums(parts), object_sums(disk))


def test_a_long_image_is_summed_in_slabs_without_a_seam():
    labels = np.zeros((3000, 400), np.uint32)
    labels[1000:2900, 10:390] = 5
    found = object_sums(labels)
    assert found.pixels.tolist() == [1900 * 380]
    assert (found.first.tolist(), found.last.tolist()) == ([[1000, 10]], [[2899, 389]])
    assert line_directions(2) == ((0, 1), (1, -1), (1, 0), (1, 1))
    assert found.exits.tolist() == [[1900, 2279, 380, 2279]]


def test_sums_are_those_of_the_pixels():
    labels = np.array([[0, 4, 4], [9, 9, 0]])
    light = np.array([[[1.0, 2, 3], [5, 9, 7]]])
    found = object_sums(labels, intensities=light, uncertainty=light[0] / 10)
    assert found.ids.tolist() == [4, 9]
    assert found.pixels.tolist() == [2, 2]
    assert found.moments[0].tolist() == [0, 3, 0, 0, 5]
    assert found.intensity.tolist() == [[5], [14]]
    assert found.squared_deviation.tolist() == [[0.5], [8]]
    assert (found.lowest.tolist(), found.highest.tolist()) == ([[2], [5]], [[3], [9]])
    assert found.uncertainty == pytest.approx(np.array([[0.5], [1.4]]))


def test_an_object_ends_where_the_image_does():
    assert object_sums(np.ones((2, 3), int)).exits.tolist() == [[2, 4, 3, 4]]


def test_an_image_without_objects_has_columns_without_rows():
    found = object_sums(np.zeros((2, 3, 4), int), intensities=np.zeros((5, 2, 3, 4)))
    assert (found.exits.shape, found.intensity.shape) == ((0, 13), (0, 5))
    assert_equal(merged_sums([found, found]), found)


def test_ids_may_be_as_large_as_they_get():
    labels = np.array([[2**32 - 1, 0, 3]], np.uint32)
    assert object_sums(labels).ids.tolist() == [3, 2**32 - 1]


def test_a_large_offset_of_the_intensity_takes_nothing_from_how_much_it_varies():
    labels = np.ones((6, 5), np.uint8)
    light = np.random.default_rng(0).normal(0, 1, (1, 6, 5)) + 1e9
    expected = pytest.approx(np.sum((light - light.mean()) ** 2), rel=1e-5)
    assert object_sums(labels, intensities=light).squared_deviation[0, 0] == expected
    parts = sums_by_block(labels, [{2}, {3}], intensities=light)
    assert merged_sums(parts).squared_deviation[0, 0] == expected


def test_far_from_the_corner_sums_stay_exact():
    origin = (10**6, 10**6)
    found = object_sums(np.ones((2, 2), int), origin=origin)
    assert found.moments[0, -1] == 2 * (10**12) + 2 * (10**6 + 1) ** 2
    assert math.isclose(found.moments[0, 0] / 4, 10**6 + 0.5)


def test_nothing_cannot_be_merged():
    with pytest.raises(ValueError, match="nothing to merge"):
        merged_sums([])
