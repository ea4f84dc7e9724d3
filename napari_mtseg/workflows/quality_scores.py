"""What a prediction says of its own quality, whatever the method and its doubt."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.geometry.outliers import object_statistics
from napari_mtseg.networks.sample_overlap import SampleOverlap
from napari_mtseg.uncertainty.descriptor import coarse_grid, image_descriptor
from napari_mtseg.uncertainty.object_quality import object_scores
from napari_mtseg.uncertainty.quality import (
    WORST,
    image_scores,
    outline_band,
    region_sums,
    slice_scores,
)
from napari_mtseg.uncertainty.samples import image_doubt
from napari_mtseg.workflows.network_input import NormalisedPixels


def with_scores(
    prediction: Prediction,
    *,
    uncertainty: NDArray[np.float32],
    spacing: tuple[float, ...],
    overlap: SampleOverlap | None = None,
    expected: bool = True,
) -> Prediction:
    """Return a prediction with scores of the image, its objects and its slices.

    Parameters
    ----------
    prediction : Prediction
        What a method made; its own scores stay as they are.
    uncertainty : ([Z,] Y, X) float32
        Entropy of the (mean) answer, 0..1.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    overlap : SampleOverlap, optional
        What several answers have in common.
    expected : bool
        False if the image is known to hold no object, so that finding none is right.

    Returns
    -------
    Prediction
        With ``scores``, ``object_scores``, ``statistics`` and, of a volume,
        ``slice_scores``; no number is NaN or infinite.
    """
    objects, probabilities = prediction.instances, prediction.probabilities
    band = outline_band(objects, spacing=spacing)
    sums = region_sums(probabilities, uncertainty, objects, band)
    scores = image_scores(sums, probabilities, uncertainty, expected=expected)
    scores |= scores_of_answers(
        overlap, is_missing=expected and not sums.n_objects.any()
    )
    columns = object_scores(
        objects, prediction.class_of, uncertainty, band, spacing=spacing
    )
    is_volume = objects.ndim == 3
    return replace(
        prediction,
        scores={
            "doubt": image_doubt(uncertainty, objects),
            **scores,
            **prediction.scores,
        },
        object_scores=columns,
        slice_scores=slice_scores(sums, probabilities, uncertainty)
        if is_volume
        else {},
        statistics=object_statistics(columns),
    )


def with_descriptor(
    prediction: Prediction, pixels: NormalisedPixels, uncertainty: NDArray[np.float32]
) -> Prediction:
    """Return a prediction that also knows what its image looks like.

    Parameters
    ----------
    prediction : Prediction
        Of :func:`with_scores`.
    pixels : (C, [Z,] Y, X)
        Of the image; read on a coarse grid.
    uncertainty : ([Z,] Y, X) float32
        Entropy, 0..1.
    """
    grid = coarse_grid(prediction.instances.shape)
    columns = prediction.object_scores
    descriptor = image_descriptor(
        pixels[(slice(None), *grid)],
        foreground=float(columns["size"].sum()) / max(prediction.instances.size, 1),
        columns=columns,
        mean_entropy=float(uncertainty.mean(dtype=np.float64)),
        boundary_entropy=prediction.scores["boundary_entropy"],
    )
    return replace(prediction, descriptor=descriptor)


def scores_of_answers(
    overlap: SampleOverlap | None, *, is_missing: bool
) -> dict[str, Any]:
    """Return how far several answers differ; nothing of one.

    Parameters
    ----------
    overlap : SampleOverlap or None
        What the answers have in common.
    is_missing : bool
        True where objects were expected and none was found.
    """
    if overlap is None:
        return {}
    least = WORST if is_missing else 0.0
    return {
        "sample_disagreement": max(1 - overlap.mean_pairwise_dice(), least),
        "volume_variation": max(overlap.volume_variation(), least),
    }
