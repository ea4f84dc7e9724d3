"""Overlap scores on masks small enough to count by eye."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.metrics.overlap import OverlapCounts, count_overlap, dice

HALVES = np.array([[True, True, False, False]])
MIDDLE = np.array([[False, True, True, False]])
NOTHING = np.zeros((1, 4), bool)


@st.composite
def two_masks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(array_shapes(min_dims=2, max_dims=3, max_side=5))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


def test_scores_of_two_half_overlapping_pairs():
    counts = count_overlap(HALVES, MIDDLE)
    assert counts == OverlapCounts(both=1, prediction=2, reference=2)
    assert counts.dice == 1 / 2
    assert counts.jaccard == 1 / 3
    assert counts.precision == 1 / 2
    assert counts.recall == 1 / 2
    assert counts.relative_volume_difference == 0


def test_volume_difference_is_relative_to_the_reference():
    whole = np.ones((1, 4), bool)
    assert count_overlap(whole, HALVES).relative_volume_difference == 1
    assert count_overlap(HALVES, whole).relative_volume_difference == 1 / 2


def test_pixel_dice_of_the_toy():
    reference, prediction = np.zeros((2, 40, 40), bool)
    reference[5:15, 5:15] = reference[25:33, 25:33] = True
    prediction[5:15, 7:17] = prediction[30:34, 5:9] = True
    assert dice(prediction, reference) == pytest.approx(0.57143, abs=5e-6)


def test_two_empty_masks_agree():
    counts = count_overlap(NOTHING, NOTHING)
    assert [counts.dice, counts.jaccard, counts.precision, counts.recall] == [1] * 4
    assert math.isnan(counts.relative_volume_difference)


@pytest.mark.parametrize(
    ("prediction", "reference"), [(NOTHING, HALVES), (HALVES, NOTHING)]
)
def test_one_empty_mask_scores_nothing(prediction, reference):
    counts = count_overlap(prediction, reference)
    assert [counts.dice, counts.jaccard, counts.precision, counts.recall] == [0] * 4


def test_volume_difference_to_nothing_is_undefined():
    assert math.isnan(count_overlap(HALVES, NOTHING).relative_volume_difference)
    assert count_overlap(NOTHING, HALVES).relative_volume_difference == 1


def test_unknown_pixels_do_not_count():
    known = np.array([[False, True, False, True]])
    assert dice(HALVES, MIDDLE, known=known) == 1
    assert dice(HALVES, MIDDLE, known=NOTHING) == 1


def test_counts_of_images_add_up():
    pooled = count_overlap(HALVES, MIDDLE) + count_overlap(HALVES, HALVES)
    assert pooled.dice == 3 / 4


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        dice(HALVES, HALVES.T)
    with pytest.raises(ValueError, match="differ in shape"):
        dice(HALVES, MIDDLE, known=HALVES[:, :2])


def test_label_maps_are_refused():
    with pytest.raises(ValueError, match="must be bool"):
        dice(HALVES.astype(np.uint8), MIDDLE)


@given(two_masks())
def test_dice_and_jaccard_are_symmetric_and_tied(masks):
    one, other = count_overlap(*masks), count_overlap(*masks[::-1])
    assert one.dice == other.dice
    assert one.jaccard == other.jaccard
    assert one.precision == other.recall
    assert one.jaccard == pytest.approx(one.dice / (2 - one.dice))


@given(two_masks())
def test_scores_equal_counting_sets_of_pixels(masks):
    ours, theirs = ({tuple(p) for p in np.argwhere(mask)} for mask in masks)
    counts = count_overlap(*masks)
    if ours and theirs:
        assert counts.dice == 2 * len(ours & theirs) / (len(ours) + len(theirs))
        assert counts.jaccard == len(ours & theirs) / len(ours | theirs)
        assert counts.precision == len(ours & theirs) / len(ours)
        assert counts.relative_volume_difference == pytest.approx(
            abs(len(ours) - len(theirs)) / len(theirs)
        )
