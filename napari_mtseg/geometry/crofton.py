"""Length of outlines and area of surfaces from how often lines of pixels leave objects.

By the formula of Cauchy and Crofton, the length of a curve is pi / 2, and the area of
a surface twice, what parallel lines cross of it per unit of their density, averaged
over the directions of the lines. Here the lines run through the centres of pixels in
the 4 directions to the neighbours of a pixel (13 of a voxel), each of which speaks for
the part of the circle (sphere) that is nearest to it under the voxel size. Smooth
objects of more than some ten pixels across are met to 2 % where voxels are cubic, and
to 6 % where they are not.

References
----------
.. [1] D. Legland, K. Kiêu, M.-F. Devaux, Computation of Minkowski measures on 2D and
   3D binary images, Image Analysis and Stereology 26, 2007, 83-92.
.. [2] G. Lehmann, D. Legland, Efficient N-dimensional surface estimation using Crofton
   formula and run-length encoding, Insight Journal, 2012.
"""

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_LARGEST_RATIO = 1e4
"""between voxel sizes; beyond it directions could not be told apart (ours)"""


def line_directions(n_axes: int) -> tuple[tuple[int, ...], ...]:
    """Return the steps to neighbours, one of each opposite pair: 4 in 2D, 13 in 3D.

    Examples
    --------
    >>> line_directions(2)
    ((0, 1), (1, -1), (1, 0), (1, 1))
    """
    steps = itertools.product((-1, 0, 1), repeat=n_axes)
    return tuple(step for step in steps if step > (0,) * n_axes)


@lru_cache
def extent_per_exit(spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Return how much outline (surface) a line that leaves an object stands for.

    Parameters
    ----------
    spacing : tuple of float
        Voxel size along ([Z,] Y, X), > 0.

    Returns
    -------
    tuple of float
        By direction of :func:`line_directions`: a length in 2D, an area in 3D, in units
        of ``spacing``. Lines enter an object as often as they leave it, which is
        counted in here.

    Examples
    --------
    >>> [round(part, 3) for part in extent_per_exit((1.0, 1.0))]
    [0.785, 0.555, 0.785, 0.555]
    """
    sizes = np.maximum(spacing, max(spacing) / _LARGEST_RATIO)
    steps = np.array(line_directions(len(spacing))) * sizes
    lengths = np.linalg.norm(steps, axis=1)
    towards = steps / lengths[:, np.newaxis]
    shares = _shares_of_circle(towards) if len(spacing) == 2 else _of_sphere(towards)
    per_crossing = math.pi / 2 if len(spacing) == 2 else 2.0
    extents = 2 * per_crossing * shares * math.prod(spacing) / lengths
    return tuple(extents.tolist())


def _shares_of_circle(towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of all directions that is nearest to each of ``towards``."""
    angles = np.arctan2(towards[:, 0], towards[:, 1]) % math.pi
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + math.pi)
    shares = np.empty(len(angles))
    shares[order] = (gaps + np.roll(gaps, 1)) / (2 * math.pi)
    return shares


def _of_sphere(towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of all directions that is nearest to each of ``towards``."""
    from scipy.spatial import SphericalVoronoi

    areas = SphericalVoronoi(np.concatenate([towards, -towards])).calculate_areas()
    both_ways = areas[: len(towards)] + areas[len(towards) :]
    return np.asarray(both_ways / (4 * math.pi))
