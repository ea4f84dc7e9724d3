"""Touching objects taken apart by a watershed from their markers."""

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from napari_mtseg.geometry.components import (
    component_sizes,
    connected_components,
    without_small_components,
)
from napari_mtseg.geometry.distances import Spacing, distance_inside, usable_cores


def watershed_objects(
    classes: NDArray[np.uint8],
    border: NDArray[np.bool_],
    marker: NDArray[np.bool_],
    *,
    min_marker: int = 5,
    min_size: int = 0,
    spacing: Spacing | None = None,
) -> tuple[NDArray[np.uint32], dict[int, int]]:
    """Separate objects: one for each marker, and one for each body without any.

    Parameters
    ----------
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 background; the rest is body.
    border, marker : ([Z,] Y, X) bool
        Where an object's border and its middle are believed to be. Markers are the
        pieces of ``marker`` in the body and off the border; neighbours at corners
        belong together.
    min_marker : int
        Markers of fewer pixels (voxels) are not believed, >= 0.
    min_size : int
        Objects of fewer pixels become background, >= 0; ours.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    ids : ([Z,] Y, X) uint32
        Object id 1..n without gaps, 0 background: those with a marker first, each in
        scan order. Unless ``min_size`` drops some, the objects are all of the body.
    class_of : dict[int, int]
        Object id -> the class of most of its pixels, the lower one of equals.

    Raises
    ------
    ValueError
        If the arrays differ in shape, a size is negative, or ``spacing`` does not
        fit.

    References
    ----------
    .. [1] METHODS.md section 3: watershed on the negative distance inside the body.
       Bodies without a marker as objects of their own are ours; nothing is lost.

    Examples
    --------
    >>> body, marker = np.ones((1, 7), np.uint8), np.zeros((1, 7), bool)
    >>> marker[0, [1, 5]] = True
    >>> ids, _ = watershed_objects(body, ~marker, marker, min_marker=1)
    >>> np.unique(ids).tolist(), int(ids[0, 0]), int(ids[0, 6])
    ([1, 2], 1, 2)
    """
    if not classes.shape == border.shape == marker.shape:
        shapes = f"{classes.shape}, {border.shape}, {marker.shape}"
        raise ValueError(f"classes, border and marker differ in shape: {shapes}")
    if min(min_marker, min_size) < 0:
        raise ValueError(f"sizes {min_marker}, {min_size} must be at least 0")
    if not classes.any():
        return np.zeros(classes.shape, np.uint32), {}
    body = classes != 0
    seeds = without_small_components(marker & ~border & body, min_size=min_marker)
    flooded = _flooded(body, connected_components(seeds), spacing)
    ids = _renumbered(flooded, min_size)
    return ids, _most_frequent(ids, classes)


def _flooded(
    body: NDArray[np.bool_], seeds: NDArray[np.int32], spacing: Spacing | None
) -> NDArray[np.int32]:
    """Seed that floods each body pixel; further numbers where none does."""
    depth = distance_inside(body, spacing=spacing, threads=usable_cores())
    # A body that fills the image has no depth: its seeds spread evenly.
    np.copyto(depth, 0, where=np.isinf(depth))
    ids: NDArray[np.int32] = watershed(
        np.negative(depth, out=depth),
        seeds,
        mask=body,
        connectivity=body.ndim,
    )
    rest = connected_components(body & (ids == 0))
    return np.where(rest > 0, rest + ids.max(), ids)


def _renumbered(ids: NDArray[np.int32], min_size: int) -> NDArray[np.uint32]:
    """Ids without gaps of the objects that are not smaller than ``min_size``."""
    stays = component_sizes(ids) >= max(min_size, 1)
    new_ids = np.where(stays, np.cumsum(stays), 0).astype(np.uint32)
    return new_ids[ids]


def _most_frequent(
    ids: NDArray[np.uint32], classes: NDArray[np.uint8]
) -> dict[int, int]:
    """Class of most pixels of each object."""
    inside = ids > 0
    n_ids, n_classes = int(ids.max()) + 1, int(classes.max()) + 1
    pairs = ids[inside].astype(np.int64) * n_classes + classes[inside]
    counts = np.bincount(pairs, minlength=n_ids * n_classes)
    best = counts.reshape(n_ids, n_classes).argmax(axis=1)
    return {i: int(best[i]) for i in range(1, n_ids)}
