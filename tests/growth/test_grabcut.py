"""GrabCut finds clear objects, keeps every seed and survives odd images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.growth.grabcut import grabcut_objects


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def disk(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> np.ndarray:
    away = np.indices(shape) - np.reshape(centre, (-1,) + (1,) * len(shape))
    return np.sqrt((away**2).sum(axis=0)) < radius


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_bright_disk_is_found_from_a_small_seed(n_channels):
    truth = disk((60, 60), (30, 28), 12)
    noise = rng().normal(0, 0.1, (n_channels, 60, 60))
    seeds = disk((60, 60), (28, 26), 5).astype(np.uint32) * 7
    grown = grabcut_objects(truth + noise, seeds, rng=rng())
    assert set(np.unique(grown)) == {0, 7}
    assert dice(grown == 7, truth) > 0.97


def test_a_bright_ball_is_found_in_3d_with_thick_planes():
    truth = disk((9, 28, 28), (4, 14, 14), 4)
    seeds = disk((9, 28, 28), (4, 14, 14), 2).astype(np.uint32)
    image = truth[None] + rng().normal(0, 0.1, (1, 9, 28, 28))
    grown = grabcut_objects(image, seeds, rng=rng(), min_margin=8, spacing=(2, 1, 1))
    assert dice(grown == 1, truth) > 0.95


def test_two_touching_objects_share_out_the_paint_by_nearness():
    truth = disk((40, 60), (20, 20), 10) | disk((40, 60), (20, 39), 10)
    seeds = np.zeros((40, 60), np.uint32)
    seeds[18:23, 16:22] = 1
    seeds[18:23, 37:43] = 2
    grown = grabcut_objects(truth[None].astype(float), seeds, rng=rng())
    assert dice(grown > 0, truth) > 0.95
    assert (grown[:, :28] != 2).all()
    assert (grown[:, 31:] != 1).all()


def test_an_alike_object_that_is_not_connected_stays_out():
    truth = disk((40, 60), (20, 18), 8)
    other = disk((40, 60), (20, 38), 8)
    seeds = disk((40, 60), (20, 18), 4).astype(np.uint32)
    image = (truth | other)[None].astype(float)
    grown = grabcut_objects(image, seeds, rng=rng(), background_beyond=1.0)
    assert not grown[other].any()


def test_the_same_state_gives_the_same_result():
    image = rng().normal(size=(2, 30, 30))
    seeds = disk((30, 30), (15, 15), 4).astype(np.uint32)
    first = grabcut_objects(image, seeds, rng=rng())
    assert np.array_equal(first, grabcut_objects(image, seeds, rng=rng()))


def test_a_seed_that_fills_the_image_is_returned():
    seeds = np.full((6, 6), 3, np.uint32)
    grown = grabcut_objects(np.ones((1, 6, 6)), seeds, rng=rng())
    assert np.array_equal(grown, seeds)


def test_no_seed_gives_no_object():
    assert not grabcut_objects(
        np.ones((1, 6, 6)), np.zeros((6, 6), np.uint32), rng=rng()
    ).any()


def test_an_image_smaller_than_the_margins_is_still_cut():
    truth = disk((24, 24), (12, 12), 8)
    seeds = disk((24, 24), (12, 12), 4).astype(np.uint32)
    image = truth[None] + rng().normal(0, 0.05, (1, 24, 24))
    grown = grabcut_objects(image, seeds, rng=rng(), min_margin=50)
    assert dice(grown == 1, truth) > 0.9


def test_on_a_constant_image_a_seed_keeps_itself():
    seeds = disk((50, 50), (25, 25), 4).astype(np.uint32)
    grown = grabcut_objects(np.full((1, 50, 50), 8.0), seeds, rng=rng())
    assert grown[seeds > 0].all()
    assert not grown[0].any()


@given(
    seeds=arrays(
        np.uint32,
        array_shapes(min_dims=2, max_dims=3, max_side=6),
        elements=st.sampled_from([0, 0, 0, 2, 4_000_000_000]),
    ),
    seed=st.integers(0, 99),
    constant=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_seeds_are_never_overwritten_and_ids_never_invented(seeds, seed, constant):
    image = np.random.default_rng(seed).normal(size=(1, *seeds.shape)) * (not constant)
    grown = grabcut_objects(image, seeds, rng=rng(), min_margin=2)
    assert np.array_equal(grown[seeds > 0], seeds[seeds > 0])
    assert set(np.unique(grown)) <= set(np.unique(seeds)) | {0}


def test_wrong_arguments_are_refused():
    seeds = np.zeros((4, 4), np.uint32)
    with pytest.raises(ValueError, match="image is"):
        grabcut_objects(np.ones((1, 4, 5)), seeds, rng=rng())
    with pytest.raises(ValueError, match="finite"):
        grabcut_objects(np.full((1, 4, 4), np.nan), seeds, rng=rng())
    with pytest.raises(ValueError, match="rounds"):
        grabcut_objects(np.ones((1, 4, 4)), seeds, rng=rng(), rounds=0)
