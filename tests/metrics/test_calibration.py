import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.metrics.calibration import (
    N_BINS,
    no_pixels,
    pixel_reliability,
    reliability_counts,
)


@st.composite
def confidences_and_right(draw):
    n = draw(st.integers(1, 40))
    sure = draw(arrays(np.float64, n, elements=st.floats(0, 1)))
    return sure, draw(arrays(np.bool_, n))


def test_nine_of_ten_right_at_confidence_nine_tenths_is_calibrated():
    right = np.arange(10) != 3
    found = reliability_counts(np.full(10, 0.9), right)
    assert found.expected_error == pytest.approx(0)
    assert found.largest_error == pytest.approx(0)


def test_a_network_that_is_sure_and_always_wrong_has_the_largest_error():
    found = reliability_counts(np.ones(5), np.zeros(5, bool))
    assert (found.expected_error, found.largest_error) == (1, 1)
    assert found.n[-1] == 5


def test_the_expected_error_weighs_bins_by_their_pixels():
    # Three pixels at 0.5, all right: 0.5 off; one at 1, right: not off.
    found = reliability_counts(np.array([0.5, 0.5, 0.5, 1.0]), np.ones(4, bool))
    assert found.expected_error == pytest.approx(0.375)
    assert found.largest_error == pytest.approx(0.5)


def test_too_sure_and_too_unsure_in_different_bins_do_not_cancel():
    sure = np.array([0.3, 0.3, 0.7, 0.7])
    found = reliability_counts(sure, np.array([True, True, False, False]))
    assert found.expected_error == pytest.approx(0.7)


@given(confidences_and_right())
def test_the_errors_are_shares(pixels):
    found = reliability_counts(*pixels)
    assert 0 <= found.expected_error <= found.largest_error + 1e-12
    assert found.largest_error <= 1
    assert found.n.sum() == pixels[0].size


@given(confidences_and_right(), confidences_and_right())
def test_adding_the_counts_of_two_images_counts_both(first, second):
    both = reliability_counts(
        np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    )
    total = no_pixels() + reliability_counts(*first) + reliability_counts(*second)
    assert (total.n == both.n).all()
    assert (total.n_right == both.n_right).all()
    assert total.confidence == pytest.approx(both.confidence)
    assert total.expected_error == pytest.approx(both.expected_error)


def test_without_a_pixel_nothing_is_defined():
    assert np.isnan([no_pixels().expected_error, no_pixels().largest_error]).all()
    assert np.isnan(no_pixels().share_right).all()


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3)])
def test_the_confidence_is_the_probability_of_the_chosen_class(shape):
    background = np.full(shape, 0.25, np.float16)
    probabilities = np.stack([background, 1 - background])
    chosen = np.ones(shape, np.uint8)
    chosen[0] = 0
    found = pixel_reliability(probabilities, chosen, np.ones(shape, np.uint8))
    n, n_below = chosen.size, chosen[0].size
    assert found.n[int(0.25 * N_BINS)] == n_below
    assert found.n[int(0.75 * N_BINS)] == n - n_below
    assert found.n_right.sum() == n - n_below


def test_pixels_that_do_not_count_are_left_out():
    probabilities = np.full((2, 2, 2), 0.5, np.float16)
    classes, counted = np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool)
    counted[0, 0] = True
    found = pixel_reliability(probabilities, classes, classes, counted=counted)
    assert found.n.sum() == 1


def test_pieces_of_a_large_image_add_up():
    rng = np.random.default_rng(0)
    probabilities = np.stack([p := rng.random((600, 2000), np.float32), 1 - p])
    chosen = (p < 0.5).astype(np.uint8)
    truth = rng.integers(0, 2, chosen.shape, np.uint8)
    found = pixel_reliability(probabilities, chosen, truth)
    whole = reliability_counts(np.maximum(p, 1 - p), chosen == truth)
    assert (found.n == whole.n).all()
    assert (found.n_right == whole.n_right).all()


def test_a_class_without_a_probability_is_refused():
    probabilities = np.full((2, 2, 2), 0.5, np.float16)
    classes = np.full((2, 2), 2, np.uint8)
    with pytest.raises(ValueError, match="class 2 has no probability"):
        pixel_reliability(probabilities, classes, classes)


def test_a_confidence_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        reliability_counts(np.array([np.nan]), np.array([True]))
