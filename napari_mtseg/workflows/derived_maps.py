"""Maps that follow from a prediction, whatever the method: outlines and doubt."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.instances.components import contours_of, outline_distance
from napari_mtseg.uncertainty.entropy import predictive_entropy

DERIVED_MAPS = ("contours", "distance", "uncertainty")
"""maps that are computed from the prediction itself, whatever the method"""


def with_derived_maps(
    prediction: Prediction, *, maps: Collection[str], spacing: tuple[float, ...]
) -> Prediction:
    """Return a prediction with some of DERIVED_MAPS added; it keeps its own.

    'uncertainty' is the entropy of the softmax output, which is not calibrated; see
    :func:`~napari_mtseg.uncertainty.entropy.predictive_entropy`.

    Raises
    ------
    ValueError
        If a name is none of DERIVED_MAPS and the prediction has no such map.
    """
    known = (*DERIVED_MAPS, *prediction.maps)
    if unknown := set(maps) - set(known):
        raise ValueError(f"{sorted(unknown)} are none of {known}")
    added: dict[str, NDArray[Any]] = {}
    if "contours" in maps:
        added["contours"] = contours_of(prediction.instances)
    if "distance" in maps:
        added["distance"] = outline_distance(prediction.instances, spacing=spacing)
    if "uncertainty" in maps:
        added["uncertainty"] = predictive_entropy(prediction.probabilities)
    return replace(prediction, maps={**prediction.maps, **added})
