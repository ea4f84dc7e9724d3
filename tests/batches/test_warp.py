"""One warp: images and class maps are sampled at the same places."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.batches.warp import (
    Augmentation,
    magnifications,
    random_intensities,
    random_matrices,
    source_size,
    warp,
    with_intensities,
)

NOTHING = Augmentation(flip=False, rotate=0, rescale=1, intensity=0)


def places(size: tuple[int, ...]) -> torch.Tensor:
    """(1, d, ...) the place of each pixel along each axis."""
    return torch.from_numpy(np.indices(size)[None].astype(np.float32))


def crop(values: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Return the middle of (N, C, ...) values."""
    sides = zip(values.shape[2:], size, strict=True)
    middle = [slice((w - n) // 2, (w + n) // 2) for w, n in sides]
    return values[(slice(None), slice(None), *middle)]


def warped(matrix: np.ndarray, source: tuple[int, ...], size: tuple[int, ...]):
    values = places(source)
    one = torch.from_numpy(matrix.astype(np.float32))[None]
    image, labels = warp(values, values.to(torch.uint8), one, size)
    return image, labels


sizes = st.one_of(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7)),
)
augmentations = st.builds(
    Augmentation,
    flip=st.booleans(),
    rotate=st.floats(0, 180),
    rescale=st.floats(1, 2),
)


@given(sizes, st.integers(0, 4))
def test_identity_returns_the_crop(size, margin):
    source = tuple(n + 2 * margin for n in size)
    image, labels = warped(np.eye(len(size)), source, size)
    expected = crop(places(source), size)
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)
    assert torch.equal(labels, expected.long())


@given(sizes, st.data())
def test_mirroring_is_exact(size, data):
    signs = data.draw(st.tuples(*[st.sampled_from([-1.0, 1.0]) for _ in size]))
    source = tuple(n + 4 for n in size)
    image, labels = warped(np.diag(signs), source, size)
    axes = [axis for axis, sign in enumerate(signs, start=2) if sign < 0]
    expected = crop(places(source), size).flip(axes)
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)
    assert torch.equal(labels, expected.long())


@pytest.mark.parametrize("side", [5, 6])
def test_a_quarter_turn_is_exact(side):
    quarter = np.array([[0, -1], [1, 0]])
    image, labels = warped(quarter, (side + 4,) * 2, (side,) * 2)
    expected = torch.rot90(crop(places((side + 4,) * 2), (side,) * 2), -1, (2, 3))
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)
    assert torch.equal(labels, expected.long())


@given(sizes, augmentations, st.integers(0, 2**32))
def test_images_and_class_maps_are_sampled_at_the_place_the_matrix_says(
    size, augmentation, seed
):
    source = source_size(augmentation, size)
    matrix = random_matrices(augmentation, 1, len(size), np.random.default_rng(seed))
    image, labels = warped(matrix[0], source, size)
    offsets = np.indices(size) - (np.array(size).reshape(-1, *[1] * len(size)) - 1) / 2
    middle = (np.array(source) - 1) / 2
    expected = np.einsum("ij,j...->i...", matrix[0], offsets)
    expected += middle.reshape(-1, *[1] * len(size))
    np.testing.assert_allclose(image[0], expected, atol=1e-4)
    is_tie = np.abs(expected % 1 - 0.5) < 1e-3
    assert (is_tie | (labels[0].numpy() == np.rint(expected))).all()


@given(sizes, augmentations)
def test_source_region_has_the_centre_of_the_patch(size, augmentation):
    source = source_size(augmentation, size)
    assert all((w - n) % 2 == 0 and w >= n for w, n in zip(source, size, strict=True))


def test_nothing_to_do_needs_no_more_than_the_patch():
    assert not NOTHING.moves
    assert source_size(NOTHING, (7, 8)) == (7, 8)


def test_source_of_an_oblong_patch_is_wide_enough_for_a_quarter_turn():
    height, width = source_size(Augmentation(rescale=1), (10, 100))
    assert min(height, width) >= 100


def test_rotation_stays_in_the_plane():
    matrices = random_matrices(
        Augmentation(flip=False, rescale=1), 5, 3, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(matrices[:, 0], [[1, 0, 0]] * 5)
    np.testing.assert_array_equal(matrices[:, :, 0], [[1, 0, 0]] * 5)


def test_magnification_is_in_range_both_ways():
    matrices = random_matrices(
        Augmentation(flip=False, rotate=0, rescale=1.25),
        500,
        2,
        np.random.default_rng(0),
    )
    magnified = 1 / matrices[:, 0, 0]
    assert 0.8 <= magnified.min() < 0.82
    assert 1.23 < magnified.max() <= 1.2501


@given(augmentation=augmentations, ndim=st.integers(2, 3))
def test_the_magnification_is_that_of_lengths_however_patches_are_turned(
    augmentation, ndim
):
    matrices = random_matrices(augmentation, 4, ndim, np.random.default_rng(0))
    lengths = np.linalg.norm(matrices[:, :, -1], axis=1)
    np.testing.assert_allclose(magnifications(matrices), 1 / lengths, rtol=1e-5)


def test_intensities_change_contrast_and_brightness_per_channel():
    changes = torch.tensor([[[0.5, 0.0]], [[0.0, -1.0]]])
    image = torch.full((1, 2, 1, 2), 2.0)
    assert with_intensities(image, changes).tolist() == [[[[3.0, 3.0]], [[1.0, 1.0]]]]


def test_intensities_stay_in_range():
    drawn = random_intensities(
        Augmentation(intensity=0.2), 50, 3, np.random.default_rng(0)
    )
    assert drawn.shape == (2, 50, 3)
    assert 0.19 < np.abs(drawn).max() <= 0.2
