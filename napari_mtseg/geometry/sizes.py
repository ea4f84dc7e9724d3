"""Sizes of labelled objects."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import compact_labels, component_sizes
from napari_mtseg.geometry.distances import Spacing


def diameters(
    objects: NDArray[np.uint32], *, spacing: Spacing | None = None
) -> Mapping[int, float]:
    """Diameter of the disc (ball in 3D) that is as large as each object.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object ids; 0 is no object.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    mapping of int to float
        Object id -> diameter, in the unit of ``spacing``.

    Examples
    --------
    >>> square = np.full((10, 10), 7, np.uint32)
    >>> {key: round(d, 2) for key, d in diameters(square).items()}
    {7: 11.28}
    """
    names, numbers = compact_labels(objects)
    counts = component_sizes(numbers)
    present = np.flatnonzero(counts)
    sizes = counts[present] * (1.0 if spacing is None else math.prod(spacing))
    if objects.ndim == 2:
        found = 2 * np.sqrt(sizes / np.pi)
    else:
        found = 2 * np.cbrt(3 * sizes / (4 * np.pi))
    return dict(zip(names[present].tolist(), found.tolist(), strict=True))


def mean_diameter(
    objects: NDArray[np.uint32], *, spacing: Spacing | None = None
) -> float:
    """Mean of :func:`diameters`, 0 where there is no object."""
    found = diameters(objects, spacing=spacing)
    return sum(found.values()) / len(found) if found else 0.0
