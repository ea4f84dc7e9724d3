"""Intensities on a common scale, whatever the file holds."""

import numpy as np
import pytest

from napari_mtseg.batches import normalisation
from napari_mtseg.batches.normalisation import normalisation_of


def test_percentiles_become_minus_one_and_one():
    pixels = np.stack([np.arange(1001.0), np.arange(1001.0) * 7 + 3]).reshape(2, 7, 143)
    normalised = normalisation_of(pixels, "percentile")(pixels)
    low, high = np.percentile(normalised, (1, 99.8), axis=(1, 2))
    np.testing.assert_allclose(low, -1, atol=1e-5)
    np.testing.assert_allclose(high, 1, atol=1e-5)


def test_zscore_has_mean_0_and_deviation_1():
    pixels = np.random.default_rng(0).integers(0, 65535, (3, 4, 8, 8)).astype(np.uint16)
    normalised = normalisation_of(pixels, "zscore")(pixels)
    np.testing.assert_allclose(normalised.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(normalised.std(axis=(1, 2, 3)), 1, atol=1e-4)


def test_none_leaves_intensities_alone():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    np.testing.assert_array_equal(normalisation_of(pixels, "none")(pixels), pixels)


@pytest.mark.parametrize("kind", ["percentile", "zscore"])
@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_becomes_0(kind, value):
    pixels = np.full((1, 5, 5), value, np.uint8)
    np.testing.assert_array_equal(normalisation_of(pixels, kind)(pixels), 0)


def test_a_few_bright_pixels_on_black_stay_finite():
    pixels = np.zeros((1, 50, 50), np.uint8)
    pixels[0, 3, 3] = 255
    normalised = normalisation_of(pixels, "percentile")(pixels)
    assert normalised.max() == 1
    assert normalised.min() == 0


def test_large_images_are_judged_by_a_grid_of_their_pixels(monkeypatch):
    monkeypatch.setattr(normalisation, "MAX_SAMPLES", 100)
    pixels = np.random.default_rng(0).normal(5, 2, (1, 60, 60))
    found = normalisation_of(pixels, "zscore")
    assert found.offset[0] == pytest.approx(5, abs=1)
    assert found.scale[0] == pytest.approx(2, abs=1)


def test_parts_are_normalised_like_the_whole():
    pixels = np.random.default_rng(0).random((2, 6, 9, 9)).astype(np.float32)
    normalise = normalisation_of(pixels, "percentile")
    np.testing.assert_array_equal(
        normalise(pixels[:, 2:4, 3:]), normalise(pixels)[:, 2:4, 3:]
    )
