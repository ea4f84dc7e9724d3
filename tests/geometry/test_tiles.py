import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.geometry.tiles import WindowGrid, shared
from napari_mtseg.geometry.window_choice import window_grid


def grid_of(mode, shape, **facts):
    return WindowGrid(mode=mode, shape=tuple(shape), **facts)


sizes = st.lists(st.integers(1, 50), min_size=2, max_size=3)


@given(sizes, st.integers(1, 40), st.integers(0, 20), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=60, deadline=None)
def test_windows_write_every_pixel_once_with_halo_around(shape, tile, halo, multiple):
    tile = max(tile, multiple)
    times_written = np.zeros(shape, int)
    n = len(shape)
    for window in grid_of(
        "exact",
        shape,
        tile=(tile,) * n,
        halo=(halo,) * n,
        multiple=(multiple,) * n,
    ).windows():
        times_written[window.write] += 1
        for size, read, write in zip(shape, window.read, window.write, strict=True):
            assert read.start % multiple == 0
            assert read.stop % multiple == 0 or read.stop == size
            assert read.start == 0 or write.start - read.start >= halo
            assert read.stop == size or read.stop - write.stop >= halo
            assert write.stop - write.start <= math.ceil(tile / multiple) * multiple
    assert (times_written == 1).all()


def test_windows_of_a_row_are_as_expected():
    row = grid_of("exact", (1, 20), tile=(1, 8), halo=(0, 3), multiple=(1, 4)).windows()
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
    for window in grid_of(
        "blended",
        shape,
        tile=(tile,) * n,
        halo=(0,) * n,
        multiple=(multiple,) * n,
        overlap=overlap,
    ).windows():
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
    plan = window_grid(
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
        for window in plan.windows()
    )
    assert largest <= max_pixels
    assert plan.overhead >= 1
    assert local or plan.mode != "exact"


def plan_of(max_pixels, norm_is_local=True):
    return window_grid(
        (2048, 2048),
        max_pixels=max_pixels,
        halo=(128, 128),
        multiple=(16, 16),
        norm_is_local=norm_is_local,
    )


def test_an_image_that_fits_is_one_window_without_overlap():
    plan = plan_of(2048**2)
    assert (plan.mode, plan.n_windows, plan.overhead) == ("whole", 1, 1.0)


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
    facts = {"tile": (4, 4), "halo": (1, 1)}
    with pytest.raises(ValueError, match="without pixels"):
        list(grid_of("exact", (0, 4), **facts, multiple=(1, 1)).windows())
    with pytest.raises(ValueError, match="below the pooling grid"):
        list(grid_of("exact", (40, 40), **facts, multiple=(8, 8)).windows())
    with pytest.raises(ValueError, match="overlap"):
        list(
            grid_of("blended", (4, 4), **facts, multiple=(1, 1), overlap=1.0).windows()
        )


@given(
    sizes,
    st.integers(4, 20),
    st.sampled_from(["exact", "blended"]),
    st.lists(st.tuples(st.integers(0, 49), st.integers(1, 30)), min_size=3, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_the_windows_of_a_region_are_those_of_the_whole_that_write_there(
    shape, tile, mode, sides
):
    n = len(shape)
    grid = grid_of(mode, shape, tile=(tile,) * n, halo=(2,) * n, multiple=(2,) * n)
    region = tuple(
        slice(min(start, size - 1), min(start + length, size))
        for (start, length), size in zip(sides, shape, strict=False)
    )
    every = list(grid.windows())
    assert [w.number for w in every] == list(range(grid.n_windows))
    wanted = [w.read for w in every if shared(w.write, region) is not None]
    assert [w.read for w in grid.windows(region)] == wanted


def test_a_grid_of_a_billion_pixels_is_small_and_quickly_chosen():
    grid = window_grid(
        (32768, 32768),
        max_pixels=300**2,
        halo=(20, 20),
        multiple=(4, 4),
        norm_is_local=True,
    )
    assert grid.mode == "exact"
    corner = list(grid.windows((slice(0, 9), slice(0, 9))))
    assert [w.number for w in corner] == [0]


def test_blocks_of_whole_steps_begin_where_windows_do():
    shared_by_two = grid_of(
        "blended", (64, 200), tile=(52, 52), halo=(0, 0), multiple=(4, 4)
    )
    assert shared_by_two.steps == (24, 24)
    starts = sorted({w.write[1].start for w in shared_by_two.windows()})
    assert starts == [0, 24, 48, 72, 96, 120, 144, 148]
    exact = grid_of("exact", (60, 20), tile=(16, 20), halo=(3, 3), multiple=(2, 2))
    assert exact.steps == (16, 20)
