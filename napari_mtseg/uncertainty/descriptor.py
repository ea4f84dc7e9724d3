"""What an image looks like, in a few numbers, so that unlike ones can be chosen."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""of the intensities (ours)"""

GRID = (8, 64, 64)
"""planes, rows and columns of the coarse grid that is looked at, at most (ours)"""

LENGTH = len(QUANTILES) + 9
"""numbers of a descriptor"""


def coarse_grid(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return which pixels of an image are looked at.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Of the image.

    Returns
    -------
    tuple of slice
        One per axis, at even distances, GRID at most.

    Examples
    --------
    >>> coarse_grid((100, 64))
    (slice(0, None, 2), slice(0, None, 1))
    """
    most = GRID[-len(shape) :]
    strides = [-(-size // n) for size, n in zip(shape, most, strict=True)]
    return tuple(
        slice((size - 1) % stride // 2, None, stride)
        for size, stride in zip(shape, strides, strict=True)
    )


def image_descriptor(
    pixels: NDArray[np.floating[Any]],
    *,
    foreground: float,
    columns: Mapping[str, NDArray[Any]],
    mean_entropy: float,
    boundary_entropy: float,
) -> tuple[float, ...]:
    """Return what an image looks like and what was found on it (ours).

    Parameters
    ----------
    pixels : (C, [Z,] Y, X) float
        Normalised, on the coarse grid.
    foreground : float
        Share of the image's pixels that belong to objects.
    columns : mapping of str to (n,) array
        'size' and 'elongation' of each object.
    mean_entropy, boundary_entropy : float
        Of the whole image and near outlines, 0..1.

    Returns
    -------
    tuple of float
        LENGTH numbers, finite, about 0..1 (intensities -1..1): QUANTILES of the
        intensities' mean over the channels, their standard deviation, the mean
        difference of neighbours, how unlike the channels are, ``foreground``, the
        number of objects and their mean size (both logarithmic), their mean
        elongation, and both entropies.
    """
    grey = pixels.mean(axis=0, dtype=np.float64)
    unlike = float(np.std(pixels, axis=0, dtype=np.float64).mean())
    n = len(columns["size"])
    size = float(np.log(columns["size"]).mean()) if n else 0.0
    elongation = float(np.log(columns["elongation"]).mean()) if n else 0.0
    found = (
        *(_squashed(float(q)) for q in np.quantile(grey, QUANTILES)),
        _squashed(float(grey.std())),
        _squashed(_edge_energy(grey)),
        _squashed(unlike),
        foreground,
        math.log1p(n) / 8,
        size / 16,
        elongation,
        mean_entropy,
        boundary_entropy,
    )
    return tuple(float(value) for value in found)


def _edge_energy(grey: NDArray[np.float64]) -> float:
    """Return the mean difference of neighbours in the plane."""
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (-2, -1)]
    return sum(float(step.mean()) for step in steps if step.size) / len(steps)


def _squashed(value: float) -> float:
    """Bring a number to -1..1; small ones stay about as they are."""
    return value / (1 + abs(value))
