import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.geometry.tiles import (
    blended_windows,
    window_plan,
    windows,
)

sizes = st.lists(st.integers(1, 50), min_size=2, max_size=3)


@given(sizes, st.integers(1, 40), st.integers(0, 20), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=60, deadline=None)
def test_windows_write_every_pixel_once_with_halo_around(shape, tile, halo, multiple):
    tile = max(tile, multiple)
    times_written = np.zeros(shape, int)
    n = len(shape)
    for window in windows(
        shape, tile=[tile] * n, halo=[halo] * n, multiple=[multiple] * n
    ):
        times_written[window.write] += 1
        for size, read, write, crop in zip(
            shape, window.read, window.write, window.crop, strict=True
        ):
            assert read.start % multiple == 0
            assert read.stop % multiple == 0 or read.stop == size
            assert read.start == 0 or write.start - read.start >= halo
            assert read.stop == size or read.stop - write.stop >= halo
            assert crop.start == write.start - read.start
            assert crop.stop - crop.start == write.stop - write.start
            assert write.stop - write.start <= math.ceil(tile / multiple) * multiple
    assert (times_written == 1).all()


def test_windows_of_a_row_are_as_expected():
    row = windows((1, 20), tile=(1, 8), halo=(0, 3), multiple=(1, 4))
    assert [(w.read[1], w.write[1]) for w in row] == [
        (slice(0, 12), slice(0, 8)),
        (slice(4, 20), slice(8, 16)),
        (slice(12, 20), slice(16, 20)),
    ]


@given(
    sizes, st.integers(4, 40), st.sampled_from([1, 2, 4]), st.sampled_from([0.25, 0.5])
)
@settings(max_examples=60, deadline=None)
def test_blended_weights_sum_to_one(shape, tile, multiple, overlap):
    total = np.zeros(shape)
    n = len(shape)
    for window in blended_windows(
        shape, tile=[tile] * n, multiple=[multiple] * n, overlap=overlap
    ):
        weight = window.weight()
        assert (weight > 0).all()
        assert all(s.start % multiple == 0 for s in window.read)
        total[window.read] += weight
    np.testing.assert_allclose(total, 1, atol=1e-5)


@given(
    sizes,
    st.integers(2000, 40000),
    st.integers(0, 12),
    st.sampled_from([1, 4]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_planned_windows_respect_the_budget(shape, max_pixels, halo, multiple, local):
    n = len(shape)
    plan = window_plan(
        shape,
        max_pixels=max_pixels,
        halo=[halo] * n,
        multiple=[multiple] * n,
        norm_is_local=local,
    )
    if plan is None:
        assert multiple**n > max_pixels
        return
    largest = max(
        math.prod(math.ceil(s / multiple) * multiple for s in window.shape)
        for window in plan.windows
    )
    assert largest <= max_pixels
    assert plan.overhead >= 1
    assert local or plan.mode != "exact"


def plan_of(max_pixels, norm_is_local=True):
    return window_plan(
        (2048, 2048),
        max_pixels=max_pixels,
        halo=(128, 128),
        multiple=(16, 16),
        norm_is_local=norm_is_local,
    )


def test_an_image_that_fits_is_one_window_without_overlap():
    plan = plan_of(2048**2)
    assert (plan.mode, len(plan.windows), plan.overhead) == ("whole", 1, 1.0)


def test_a_smaller_budget_gives_exact_windows_and_a_tiny_one_blended():
    assert plan_of(1200**2).mode == "exact"
    assert plan_of(1200**2).overhead < 1.3
    assert plan_of(512**2).mode == "exact"
    assert plan_of(400**2).mode == "blended"


def test_a_norm_that_depends_on_the_tile_is_blended():
    assert plan_of(1200**2, norm_is_local=False).mode == "blended"
    assert plan_of(2048**2, norm_is_local=False).mode == "whole"


def test_thick_slices_are_pooled_later():
    assert pool_factors((5, 1, 1), 5) == ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert pool_factors((1, 1), 3) == ((2, 2), (2, 2))


def test_no_axis_is_pooled_below_one():
    for size in ((1, 64, 64), (3, 20, 64), (1, 1, 1)):
        product = np.prod(pool_factors((1, 1, 1), 5, size=size), axis=0)
        assert (product <= size).all()


def test_a_thin_axis_does_not_stop_the_pooling_of_the_others():
    assert pool_factors((0.1, 1, 1), 3, size=(1, 64, 64)) == ((1, 2, 2), (1, 2, 2))


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="spacing must be positive"):
        pool_factors((0, 1), 3)
    with pytest.raises(ValueError, match="without pixels"):
        windows((0, 4), tile=(4, 4), halo=(1, 1), multiple=(1, 1))
    with pytest.raises(ValueError, match="below the pooling grid"):
        windows((40, 40), tile=(4, 4), halo=(1, 1), multiple=(8, 8))
    with pytest.raises(ValueError, match="overlap"):
        blended_windows((4,), tile=(4,), multiple=(1,), overlap=1.0)
