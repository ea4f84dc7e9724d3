"""Maps that follow from a prediction, whatever the method: outlines and doubt."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.instances.components import contours_of, outline_distance

DERIVED_MAPS = ("contours", "distance", "uncertainty")
"""maps that are computed from the prediction itself, whatever the method"""


def with_derived_maps(
    prediction: Prediction, *, maps: Collection[str], spacing: tuple[float, ...]
) -> Prediction:
    """Return a prediction with some of DERIVED_MAPS added.

    Raises
    ------
    ValueError
        If a name is none of DERIVED_MAPS.
    """
    if unknown := set(maps) - set(DERIVED_MAPS):
        raise ValueError(f"{sorted(unknown)} are none of {DERIVED_MAPS}")
    added: dict[str, NDArray[Any]] = {}
    if "contours" in maps:
        added["contours"] = contours_of(prediction.instances)
    if "distance" in maps:
        added["distance"] = outline_distance(prediction.instances, spacing=spacing)
    if "uncertainty" in maps:
        added["uncertainty"] = normalised_entropy(prediction.probabilities)
    return replace(prediction, maps={**prediction.maps, **added})


def normalised_entropy(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return how undecided each pixel is.

    Parameters
    ----------
    probabilities : (classes, [Z,] Y, X) float
        Sum to 1 over the first axis; at least two classes.

    Returns
    -------
    ([Z,] Y, X) float32
        0 where one class is certain, 1 where all are equally probable.

    Examples
    --------
    >>> normalised_entropy(np.array([[1.0, 0.5], [0.0, 0.5]])).tolist()
    [0.0, 1.0]
    """
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for one in probabilities:
        p = one.astype(np.float32)
        entropy -= p * np.log(np.maximum(p, np.float32(1e-12)))
    entropy /= np.float32(math.log(len(probabilities)))
    return entropy.clip(0, 1)
