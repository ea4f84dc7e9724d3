"""How doubtful, how large and of what shape each object of an image is."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.row_runs import (
    coordinate_sums,
    ellipse_axes,
    row_run_starts,
)
from napari_mtseg.geometry.slabs import slabs

_LARGEST_TABLE = 2**20
"""highest id for which a table of all ids up to it is worth its memory"""


def object_scores(
    objects: NDArray[np.integer[Any]],
    class_of: Mapping[int, int],
    uncertainty: NDArray[np.float32],
    band: NDArray[np.bool_],
    *,
    spacing: tuple[float, ...],
) -> dict[str, NDArray[Any]]:
    """Return what is known of each object, as columns of a table.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object id, 0 background; ids may be large and have gaps.
    class_of : mapping of int to int
        Object id -> class, of all ids that occur.
    uncertainty : ([Z,] Y, X) float32
        Entropy, 0..1.
    band : ([Z,] Y, X) bool
        Of :func:`~napari_mtseg.uncertainty.quality.outline_band`.
    spacing : tuple of float
        Voxel size along each axis.

    Returns
    -------
    dict of str to (n,) array
        In ascending order of 'id': 'id' and 'class' (int64); 'size', pixels (int64);
        'physical_size' in units of ``spacing``; 'boundary_entropy' and
        'inside_entropy', mean entropy of the object's own pixels near outlines and
        farther from them, each of all its pixels where it has none of these;
        'elongation', the longest over the shortest axis of the ellipse (ellipsoid)
        that has the same second moments, 1 or more, 1 if round; 'fill', the size over
        that of this ellipse: about 1 if it is one, less if it is concave or has holes.
        Second moments are those of pixels with an extent, so that a single one has
        a shape.
    """
    ids = np.array(sorted(class_of), np.int64)
    totals = _totals(objects, ids, uncertainty, band)
    occurs = totals[0] > 0
    ids, totals = ids[occurs], totals[:, occurs]
    size, n_band, entropy, band_entropy = totals[:4]
    near = band_entropy / np.maximum(n_band, 1)
    inside = np.maximum(entropy - band_entropy, 0) / np.maximum(size - n_band, 1)
    return {
        "id": ids,
        "class": np.array([class_of[i] for i in ids.tolist()], np.int64),
        "size": size.astype(np.int64),
        "physical_size": size * math.prod(spacing),
        "boundary_entropy": np.where(n_band > 0, near, entropy / size),
        "inside_entropy": np.where(size > n_band, inside, entropy / size),
        **_shape(size, totals[4:], spacing),
    }


def _totals(
    objects: NDArray[np.integer[Any]],
    ids: NDArray[np.int64],
    uncertainty: NDArray[np.float32],
    band: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return sums over the pixels of each object, (k, n).

    Of 1, of being near an outline, of entropy, of both, of the coordinates, and of
    their products, each pair once.
    """
    n_axes = objects.ndim
    totals = np.zeros((4 + n_axes + n_axes * (n_axes + 1) // 2, len(ids)))
    table = _table(ids)
    for slab in slabs(objects.shape):
        part = objects[slab]
        where = np.flatnonzero(part)
        if not where.size:
            continue
        first = row_run_starts(part, where)
        found = part.ravel()[where[first]]
        places = np.searchsorted(ids, found) if table is None else table[found]
        entropy = uncertainty[slab].ravel()[where].astype(np.float64)
        near = band[slab].ravel()[where].astype(np.float64)
        length = np.diff(first, append=len(where)).astype(np.float64)
        corner = np.stack(np.unravel_index(where[first], part.shape)).astype(np.float64)
        corner[0] += slab.start
        summed = (np.add.reduceat(v, first) for v in (near, entropy, entropy * near))
        values = (length, *summed, *coordinate_sums(corner, length))
        for row, weights in zip(totals, values, strict=True):
            row += np.bincount(places, weights=weights, minlength=len(ids))
    return totals


def _table(ids: NDArray[np.int64]) -> NDArray[np.int32] | None:
    """Return the place of each id; None where such a table is too large."""
    if not len(ids) or ids[-1] > _LARGEST_TABLE:
        return None
    table = np.zeros(int(ids[-1]) + 1, np.int32)
    table[ids] = np.arange(len(ids))
    return table


def _shape(
    size: NDArray[np.float64],
    moments: NDArray[np.float64],
    spacing: tuple[float, ...],
) -> dict[str, NDArray[np.float64]]:
    """Return elongation and fill from the sums of coordinates and their products."""
    semi_axes = ellipse_axes(size, moments, spacing=spacing)
    ball = np.pi if len(spacing) == 2 else 4 / 3 * np.pi
    return {
        "elongation": semi_axes[:, -1] / semi_axes[:, 0],
        "fill": size * math.prod(spacing) / (ball * semi_axes.prod(axis=1)),
    }
