"""Measurements of the objects that were found in an image."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.geometry.measurements import Columns, measurements
from napari_mtseg.geometry.object_sums import object_sums
from napari_mtseg.uncertainty.entropy import predictive_entropy


def measured_objects(
    found: Prediction, image: Image, *, class_names: Mapping[int, str]
) -> Columns:
    """Return size, outline, place, shape, intensity and doubt of each object.

    Parameters
    ----------
    found : Prediction
        What was found in the image.
    image : Image
        Intensities are those of its file, not normalised, by channel.
    class_names : mapping of int to str
        Class -> name.

    Returns
    -------
    dict of str to (n,) array
        As :func:`~napari_mtseg.geometry.measurements.measurements` tells them.

    Raises
    ------
    ImageError
        If the file is damaged.
    """
    sums = object_sums(
        found.instances,
        intensities=np.asarray(image.pixels[(slice(None),) * len(image.info.shape)]),
        uncertainty=uncertainty_of(found),
    )
    return measurements(
        sums,
        class_of=found.class_of,
        class_names=class_names,
        spacing=image.info.spacing,
        unit=image.info.unit,
    )


def uncertainty_of(
    found: Prediction, part: slice = slice(None)
) -> NDArray[np.floating]:
    """Return the map of doubt, or the entropy of the probabilities if it is not there.

    Parameters
    ----------
    found : Prediction
        What was found.
    part : slice
        Of the first axis, planes or rows.

    Returns
    -------
    ([Z,] Y, X) float
        0..1.
    """
    if "uncertainty" in found.maps:
        return found.maps["uncertainty"][part].astype(np.float32, copy=False)
    return predictive_entropy(found.probabilities[:, part])
