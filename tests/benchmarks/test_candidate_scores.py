"""Candidate scores on predictions of a few pixels."""

import numpy as np
import pytest

from benchmarks.candidate_scores import (
    CANDIDATES,
    expected_dice_loss,
    low_contrast,
    probable_entropy,
)
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.uncertainty.entropy import predictive_entropy


def prediction_of(objects):
    """Return what is answered where objects have these probabilities."""
    probability = np.asarray(objects, np.float16)
    both = np.stack([1 - probability, probability])
    found = (probability > 0.5).astype(np.uint8)
    return Prediction(
        classes=found,
        probabilities=both,
        instances=found.astype(np.uint32),
        class_of={1: 1} if found.any() else {},
        maps={"uncertainty": predictive_entropy(both)},
    )


def test_a_sure_prediction_has_no_doubt():
    sure = prediction_of([[0, 0, 0, 1, 1, 1, 0, 0, 0]])
    assert all(score(sure) == 0 for score in CANDIDATES.values())


def test_expected_dice_counts_what_was_nearly_found():
    found = prediction_of([[0.75, 0.25]])
    assert expected_dice_loss(found) == pytest.approx(1 - 2 * 0.75 / (1 + 1))
    more = prediction_of([[0.75, 0.25, 0.25]])
    assert expected_dice_loss(more) > expected_dice_loss(found)


def test_probable_objects_count_wherever_they_are():
    far = [[1, 0, 0, 0, 0, 0, 0.25]]
    assert probable_entropy(prediction_of(far)) > 0
    assert probable_entropy(prediction_of([[1, 0, 0, 0, 0, 0, 0.05]])) == 0


def test_contrast_is_of_inside_and_around_and_not_of_the_outline():
    row = [0.25] * 3 + [0, 0] + [0.75, 0.75] + [1] * 3
    sharp = prediction_of([row])
    assert low_contrast(sharp) == pytest.approx(0.25)
    blurred = prediction_of([[*row[:3], 0.25, 0.25, *row[5:]]])
    assert low_contrast(blurred) == pytest.approx(low_contrast(sharp))


@pytest.mark.parametrize("name", CANDIDATES)
def test_nothing_found_is_the_worst(name):
    assert CANDIDATES[name](prediction_of(np.zeros((4, 4)))) == 1
