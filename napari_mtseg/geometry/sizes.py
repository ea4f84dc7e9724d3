"""Sizes of labelled objects."""

import numpy as np
from numpy.typing import NDArray


def mean_diameter(objects: NDArray[np.uint32]) -> float:
    """Mean diameter of discs (balls in 3D) as large as the objects, in pixels.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object ids; 0 is no object.

    Returns
    -------
    float
        0 where there is no object.
    """
    sizes = np.unique(objects[objects != 0], return_counts=True)[1]
    if len(sizes) == 0:
        return 0.0
    if objects.ndim == 2:  # noqa: PLR2004 - planes
        return float(np.mean(2 * np.sqrt(sizes / np.pi)))
    return float(np.mean(2 * np.cbrt(3 * sizes / (4 * np.pi))))
