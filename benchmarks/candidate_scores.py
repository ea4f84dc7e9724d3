"""Scores of an image that the program does not have, tried beside those it has."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.ndimage import binary_dilation

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.uncertainty.quality import WORST, outline_band

PROBABLE = 0.1
"""an object is probable where its class has this probability or more (ours)"""

RING = 4
"""steps beyond the outline of what surrounds an object (ours)"""


def expected_dice_loss(prediction: Prediction) -> float:
    """Return 1 minus the Dice that the probabilities let expect, 0..1.

    With the probability p of an object and the mask m of what was found it is
    ``1 - 2 sum(p m) / (sum(p) + sum(m))``: what Dice would be if p were calibrated
    and images were large. 1 where nothing was found.
    """
    probability = 1 - prediction.probabilities[0].astype(np.float64)
    found = prediction.classes > 0
    if not found.any():
        return WORST
    total = float(probability.sum()) + int(found.sum())
    return 1 - 2 * float(probability[found].sum()) / total


def probable_entropy(prediction: Prediction) -> float:
    """Return the mean entropy of objects, outlines and wherever one is probable.

    Beside what was found, what was nearly found counts. 1 where nothing was found.
    """
    found = prediction.instances > 0
    if not found.any():
        return WORST
    spacing = (1.0,) * found.ndim
    near = outline_band(prediction.instances, spacing=spacing)
    probable = 1 - prediction.probabilities[0].astype(np.float32) >= PROBABLE
    counted = found | near | probable
    return float(prediction.maps["uncertainty"][counted].mean(dtype=np.float64))


def low_contrast(prediction: Prediction) -> float:
    """Return how little the probability falls from inside objects to around them.

    1 minus the mean probability of an object inside, away from outlines, plus that in
    a ring of RING pixels around; outlines between do not count, so that their blur
    does not matter. 1 where nothing was found, or the two are equal.
    """
    found = prediction.instances > 0
    if not found.any():
        return WORST
    near = outline_band(prediction.instances, spacing=(1.0,) * found.ndim)
    inside = found & ~near
    wide = binary_dilation(found | near, iterations=RING)
    around = wide & ~found & ~near
    probability = 1 - prediction.probabilities[0].astype(np.float64)
    high = probability[inside if inside.any() else found].mean()
    low = probability[around].mean() if around.any() else 0.0
    return float(np.clip(1 - high + low, 0, 1))


CANDIDATES: Mapping[str, Callable[[Prediction], float]] = {
    "expected_dice": expected_dice_loss,
    "probable_entropy": probable_entropy,
    "low_contrast": low_contrast,
}
"""score by name; higher is always more doubtful"""
