"""Maps that follow from a prediction, whatever the method: outlines and doubt."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.instances.components import contours_of, outline_distance
from napari_mtseg.networks.samples import EXPECTED_ENTROPY, VARIANCE
from napari_mtseg.uncertainty.entropy import predictive_entropy, relative_entropy
from napari_mtseg.uncertainty.samples import mutual_information

DERIVED_MAPS = ("contours", "distance", "uncertainty")
"""maps that are computed from the prediction itself, whatever the method"""

SAMPLED_MAPS = (EXPECTED_ENTROPY, "mutual_information", VARIANCE)
"""maps that several answers for an image have beside DERIVED_MAPS"""

Maps = Mapping[str, NDArray[Any]]


def sampled_maps(outputs: dict[str, NDArray[Any]]) -> Maps:
    """Take what several answers say of doubt out of the outputs of a network.

    Parameters
    ----------
    outputs : dict of str to array
        As a predictor returns them; loses EXPECTED_ENTROPY and VARIANCE, if it has
        them.

    Returns
    -------
    mapping of str to ([Z,] Y, X) float32
        'uncertainty' and 'expected_entropy', both 0..1, and 'variance'; none of a
        single answer.
    """
    if EXPECTED_ENTROPY not in outputs:
        return {}
    probabilities = outputs["segmentation"]
    mean_entropy = outputs.pop(EXPECTED_ENTROPY)
    return {
        # From the full precision: its difference to the mean entropy is small.
        "uncertainty": predictive_entropy(probabilities),
        EXPECTED_ENTROPY: relative_entropy(mean_entropy, n_outputs=len(probabilities)),
        VARIANCE: outputs.pop(VARIANCE),
    }


def doubt_maps(prediction: Prediction, sampled: Maps) -> Maps:
    """Return the maps of doubt of a prediction; 'uncertainty' is always among them.

    It is the entropy of the softmax output, or of its mean over several answers, which
    is not calibrated; see
    :func:`~napari_mtseg.uncertainty.entropy.predictive_entropy`.

    Parameters
    ----------
    prediction : Prediction
        What a method made of one answer, or of the mean of several.
    sampled : mapping of str to array
        From :func:`sampled_maps`.
    """
    if "uncertainty" in sampled:
        return sampled
    return {"uncertainty": predictive_entropy(prediction.probabilities)}


def with_derived_maps(
    prediction: Prediction,
    *,
    maps: Collection[str],
    spacing: tuple[float, ...],
    doubts: Maps,
) -> Prediction:
    """Return a prediction with some of the derived maps added; it keeps its own.

    Parameters
    ----------
    prediction : Prediction
        What a method made of one answer, or of the mean of several.
    maps : collection of str
        Of DERIVED_MAPS and, of several answers, SAMPLED_MAPS.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    doubts : mapping of str to array
        From :func:`doubt_maps`.

    Raises
    ------
    ValueError
        If a name is none of these and the prediction has no such map.
    """
    is_sampled = EXPECTED_ENTROPY in doubts
    known = (*DERIVED_MAPS, *(SAMPLED_MAPS if is_sampled else ()), *prediction.maps)
    if unknown := set(maps) - set(known):
        raise ValueError(f"{sorted(unknown)} are none of {known}")
    added: dict[str, NDArray[Any]] = {}
    if "contours" in maps:
        added["contours"] = contours_of(prediction.instances)
    if "distance" in maps:
        added["distance"] = outline_distance(prediction.instances, spacing=spacing)
    if "mutual_information" in maps:
        added["mutual_information"] = mutual_information(
            doubts["uncertainty"], doubts[EXPECTED_ENTROPY]
        )
    added |= {name: doubts[name] for name in doubts if name in maps}
    return replace(prediction, maps={**prediction.maps, **added})
