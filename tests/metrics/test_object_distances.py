"""Hausdorff distances of objects as sets of pixels, against brute force."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.metrics.object_distances import CutOut, hausdorff_of_sets


def brute_hausdorff(one: np.ndarray, other: np.ndarray, spacing) -> float:
    points, others = np.argwhere(one), np.argwhere(other)
    apart = np.linalg.norm((points[:, None] - others[None]) * spacing, axis=2)
    return float(max(apart.min(axis=1).max(), apart.min(axis=0).max()))


@st.composite
def masks_and_spacing(draw: st.DrawFn):
    shape = draw(array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=5))
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.0]) for _ in shape]))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape)), spacing


def cut_out(mask: np.ndarray, voxel: tuple[float, ...]) -> CutOut:
    points = np.argwhere(mask)
    start, stop = points.min(axis=0), points.max(axis=0) + 1
    return CutOut(
        mask=mask[tuple(map(slice, start, stop))], start=start, voxel=np.array(voxel)
    )


@given(masks_and_spacing())
def test_hausdorff_of_sets_equals_brute_force(case):
    one, other, spacing = case
    assume(one.any() and other.any())
    expected = brute_hausdorff(one, other, spacing)
    found = hausdorff_of_sets(cut_out(one, spacing), cut_out(other, spacing))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_hausdorff_of_large_sets_skips_nothing_that_counts(seed):
    rng = np.random.default_rng(seed)
    one = rng.random((40, 50)) < rng.uniform(0.05, 0.9)
    other = np.zeros((40, 50), bool)
    y, x = rng.integers(0, 30, 2)
    other[y : y + 8, x : x + 12] = rng.random((8, 12)) < 0.3
    spacing = (1.7, 0.6)
    expected = brute_hausdorff(one, other, spacing)
    found = hausdorff_of_sets(cut_out(one, spacing), cut_out(other, spacing))
    assert found == pytest.approx(expected)


def test_centre_of_a_disc_is_far_from_the_ring_around_it():
    y, x = np.mgrid[-12:13, -12:13]
    radius = np.hypot(y, x)
    disc, ring = radius <= 12, (radius <= 12) & (radius >= 10)
    found = hausdorff_of_sets(cut_out(disc, (1, 1)), cut_out(ring, (1, 1)))
    assert found == 10
