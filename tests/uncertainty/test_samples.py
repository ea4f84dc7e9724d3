"""Doubt from several answers, checked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.uncertainty.entropy import predictive_entropy
from napari_mtseg.uncertainty.samples import image_doubt, mutual_information


def spread(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return entropy of the mean and mean entropy of (n, classes, pixels) answers."""
    entropies = [predictive_entropy(one) for one in answers]
    return predictive_entropy(answers.mean(axis=0)), np.mean(entropies, axis=0)


def test_answers_that_contradict_each_other_surely_leave_all_doubt_to_the_network():
    sure = np.array([[[1.0], [0.0]], [[0.0], [1.0]]])
    assert mutual_information(*spread(sure)).tolist() == [1]


def test_equal_answers_leave_no_doubt_about_the_network():
    unsure = np.full((3, 2, 4), 0.5)
    assert not mutual_information(*spread(unsure)).any()


def test_the_two_entropies_of_the_method_text_differ_by_what_they_say_there():
    answers = np.array([[[0.9], [0.1]], [[0.1], [0.9]]])
    entropy, mean = spread(answers)
    assert entropy * math.log(2) == pytest.approx(0.693, abs=1e-3)
    assert mean * math.log(2) == pytest.approx(0.325, abs=1e-3)
    assert mutual_information(entropy, mean) == pytest.approx(entropy - mean)


@given(arrays(np.float32, (4, 3, 6), elements=st.floats(0.125, 1, width=32)))
def test_what_is_left_is_never_below_nought_nor_above_all_doubt(shares):
    entropy, mean = spread(shares / shares.sum(axis=1, keepdims=True))
    left = mutual_information(entropy, mean)
    assert (left >= 0).all()
    assert (left <= entropy).all()
    np.testing.assert_allclose(left + mean, entropy, atol=1e-5)


def test_maps_of_different_images_are_an_error_of_the_caller():
    with pytest.raises(ValueError, match="differ"):
        mutual_information(np.zeros((2, 2), np.float32), np.zeros((1, 2), np.float32))


def test_the_doubt_of_an_image_is_per_pixel_of_its_objects():
    uncertainty = np.array([[0.5, 0.25], [0.25, 0.5]], np.float32)
    assert image_doubt(uncertainty, np.array([[0, 3], [3, 0]])) == 0.75
    assert image_doubt(uncertainty, np.zeros((2, 2), np.uint32)) == 1.5
    assert image_doubt(np.zeros((2, 2), np.float32), np.ones((2, 2), np.uint8)) == 0
