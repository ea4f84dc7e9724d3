import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from napari_mtseg.uncertainty.descriptor import (
    GRID,
    LENGTH,
    coarse_grid,
    image_descriptor,
)

NOTHING = {"size": np.empty(0, np.int64), "elongation": np.empty(0)}


def described(pixels, **facts):
    known = {
        "foreground": 0.0,
        "columns": NOTHING,
        "mean_entropy": 0.0,
        "boundary_entropy": 0.0,
    }
    return np.array(image_descriptor(np.asarray(pixels), **{**known, **facts}))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=4, max_side=5),
        elements=st.floats(-(2**20), 2**20, width=32),
    )
)
def test_it_is_finite_and_of_one_length_whatever_the_image(pixels):
    found = described(pixels)
    assert found.shape == (LENGTH,)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 1).all()


def test_images_that_look_unlike_are_farther_apart():
    rng = np.random.default_rng(0)
    dark, again = (rng.normal(-0.5, 0.1, (1, 32, 32)) for _ in range(2))
    bright = rng.normal(0.5, 0.1, (1, 32, 32))
    alike = np.linalg.norm(described(dark) - described(again))
    assert 5 * alike < np.linalg.norm(described(dark) - described(bright))


def test_edges_colours_and_objects_are_seen():
    flat = np.zeros((3, 8, 8))
    stripes, colours = flat.copy(), flat.copy()
    stripes[:, ::2] = 1
    colours[0] = 1
    columns = {"size": np.array([5, 9]), "elongation": np.array([1.0, 2.0])}
    plain = described(flat)
    for other in (
        described(stripes),
        described(colours),
        described(flat, foreground=0.5),
        described(flat, columns=columns),
        described(flat, mean_entropy=0.5),
    ):
        assert np.abs(other - plain).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (63, 64), (65, 1000), (3, 40, 500)])
def test_the_grid_is_coarse_and_inside_the_image(shape):
    seen = np.zeros(shape)[coarse_grid(shape)].shape
    most = GRID[-len(shape) :]
    assert all(0 < n <= m for n, m in zip(seen, most, strict=True))
    assert all(
        2 * n >= min(m, size) for n, m, size in zip(seen, most, shape, strict=True)
    )
