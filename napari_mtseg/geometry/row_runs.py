"""Runs of one label within a row: what objects are summed over quickly."""

import itertools
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import run_starts

Number = TypeVar("Number", bound=np.number)


def row_run_starts(
    labels: NDArray[np.integer[Any]], where: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return where in ``where`` the runs of a label within a row begin.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer
        Label of each pixel.
    where : (n,) int
        Flat places, ascending, such as those that are not background.

    Returns
    -------
    (n_runs,) int
        Ascending places in ``where``; a run ends where the next one begins.
    """
    starts = run_starts(labels.ravel()[where])
    starts[1:] |= np.diff(where) != 1
    starts |= where % labels.shape[-1] == 0
    return np.flatnonzero(starts)


def coordinate_sums(
    first: NDArray[Number], length: NDArray[Number]
) -> Iterator[NDArray[Number]]:
    """Return sums of coordinates, and of their products, over each run.

    Parameters
    ----------
    first : (axes, n) integer or float
        Coordinates of the first pixel of each run; runs lie along the last axis.
    length : (n,) of the same type
        Pixels of each run.

    Yields
    ------
    (n,) of the same type
        First the sum of each coordinate, then of the product of each pair of them, in
        the order of :func:`coordinate_pairs`.
    """
    *outer, start = first
    steps = length * (length - 1) // 2
    squares = steps * (2 * length - 1) // 3
    along = length * start + steps
    yield from (length * one for one in outer)
    yield along
    for i, one in enumerate(outer):
        yield from (length * one * other for other in outer[i:])
        yield one * along
    yield length * start**2 + 2 * start * steps + squares


def coordinate_pairs(n_axes: int) -> list[tuple[int, int]]:
    """Return each pair of axes once, in the order of :func:`coordinate_sums`."""
    return list(itertools.combinations_with_replacement(range(n_axes), 2))


def ellipse_axes(
    size: NDArray[Any], sums: NDArray[Any], *, spacing: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the semi-axes of the ellipse (ellipsoid) with an object's second moments.

    A pixel is no point: second moments are those of pixels with an extent, so that a
    single one has a shape.

    Parameters
    ----------
    size : (n,) integer or float
        Pixels of each object, > 0.
    sums : (k, n) integer or float
        Of :func:`coordinate_sums`, added up over the runs of each object.
    spacing : tuple of float
        Voxel size along each axis.

    Returns
    -------
    (n, axes) float64
        Ascending, in units of ``spacing``.
    """
    n_axes = len(spacing)
    centre, products = sums[:n_axes] / size, sums[n_axes:] / size
    covariance = np.empty((len(size), n_axes, n_axes))
    for (i, j), product in zip(coordinate_pairs(n_axes), products, strict=True):
        covariance[:, i, j] = covariance[:, j, i] = product - centre[i] * centre[j]
    # along an axis a pixel has the variance of a line of its length
    covariance += np.eye(n_axes) / 12
    covariance *= np.multiply.outer(spacing, spacing)
    # rounding must not make an object thinner than a pixel
    least = min(spacing) ** 2 / 12
    variances = np.maximum(np.linalg.eigvalsh(covariance), least)
    return np.asarray(np.sqrt((n_axes + 2) * variances))
