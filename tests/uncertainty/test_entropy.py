"""Doubt about single pixels, checked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.uncertainty import entropy
from napari_mtseg.uncertainty.entropy import predictive_entropy, relative_entropy


@pytest.mark.parametrize("n_outputs", [2, 3, 7])
def test_doubt_is_one_where_all_classes_are_equally_probable(n_outputs):
    even = np.full((n_outputs, 1, 1), 1 / n_outputs, np.float32)
    assert predictive_entropy(even) == pytest.approx(1)


def test_doubt_is_nought_where_one_class_is_certain():
    sure = np.zeros((3, 2, 2), np.float16)
    sure[1] = 1
    assert not predictive_entropy(sure).any()


def test_doubt_is_measured_in_units_of_the_largest_possible():
    found = predictive_entropy(np.array([[0.25], [0.75], [0.0]]))
    by_hand = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(3)
    assert found == pytest.approx(by_hand)


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5)])
def test_planes_and_volumes_keep_their_shape(shape):
    found = predictive_entropy(np.full((2, *shape), 0.5, np.float16))
    assert found.shape == shape
    assert found.dtype == np.float32


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(sum))
def test_doubt_lies_between_nought_and_one(shares):
    values = (np.array(shares) / sum(shares))[:, None].astype(np.float16)
    assert 0 <= predictive_entropy(values)[0] <= 1


def test_a_single_output_leaves_nothing_to_doubt():
    with pytest.raises(ValueError, match="1 probabilities per pixel"):
        predictive_entropy(np.ones((1, 2, 2)))


@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5), (5, 0)])
def test_slabs_give_the_entropy_of_the_whole_to_the_bit(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    shares = np.random.default_rng(0).random((3, *shape), np.float32)
    probabilities = (shares / shares.sum(axis=0)).astype(np.float16)
    p = probabilities.astype(np.float32)
    terms = p * np.log(np.maximum(p, np.float32(1e-12)))
    at_once = (-terms[0] - terms[1] - terms[2]) / np.float32(math.log(3))
    monkeypatch.setattr(entropy, "SLAB_PIXELS", 11)
    np.testing.assert_array_equal(predictive_entropy(probabilities), at_once)


def test_entropy_in_nats_is_brought_to_its_largest_value_in_place():
    nats = np.array([0, math.log(2), math.log(4), 2], np.float32)
    found = relative_entropy(nats, n_outputs=4)
    assert found is nats
    assert found == pytest.approx([0, 0.5, 1, 1])
    with pytest.raises(ValueError, match="1 probabilities per pixel"):
        relative_entropy(nats, n_outputs=1)
