"""Class map -> separate objects, their contours and the distance to their outline."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.geometry.boundaries import inner_boundary, neighbours
from napari_mtseg.geometry.class_pieces import first_places, pieces_of_classes
from napari_mtseg.geometry.components import (
    Connectivity,
    component_sizes,
    connected_components,
)
from napari_mtseg.geometry.distances import Spacing, signed_outline_distance
from napari_mtseg.geometry.slabs import slabs


def most_probable(probabilities: NDArray[Any], *, min_size: int = 0) -> Prediction:
    """Return the most probable class of each pixel; connected pieces are objects.

    Parameters
    ----------
    probabilities : (n_classes + 1, [Z,] Y, X)
        Of each class, background first.
    min_size : int
        As in :func:`separate_objects`; what is dropped is background in the class map
        too.
    """
    classes = np.empty(probabilities.shape[1:], np.uint8)
    for slab in slabs(classes.shape):
        classes[slab] = probabilities[:, slab].argmax(axis=0)
    instances, class_of = separate_objects(classes, min_size=min_size)
    if min_size > 0:
        classes[instances == 0] = 0
    return Prediction(
        classes=classes,
        probabilities=probabilities.astype(np.float16),
        instances=instances,
        class_of=class_of,
    )


def separate_objects(
    classes: NDArray[np.uint8],
    *,
    min_size: int = 0,
    connectivity: Connectivity = "faces",
    fill_holes: bool = False,
) -> tuple[NDArray[np.uint32], dict[int, int]]:
    """Give each connected piece of a class an id, from 1 in scan order.

    Pieces of different classes are different objects even where they touch.

    Parameters
    ----------
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 background.
    min_size : int
        Pieces of fewer pixels (voxels) become background, >= 0; ours.
    connectivity : 'faces' or 'full'
        Which neighbours belong together: 4 or 8 in 2D, 6 or 26 in 3D.
    fill_holes : bool
        If True, background that a single object encloses becomes part of it, after
        small pieces were dropped. Background that reaches the image edge is no hole.

    Returns
    -------
    ids : ([Z,] Y, X) uint32
        Object id 1..n without gaps, 0 background.
    class_of : dict[int, int]
        Object id -> class.

    Raises
    ------
    ValueError
        If ``min_size`` is negative.

    Examples
    --------
    >>> ids, class_of = separate_objects(np.array([[1, 1, 0, 1, 2]], np.uint8))
    >>> ids.tolist(), class_of
    ([[1, 1, 0, 2, 3]], {1: 1, 2: 1, 3: 2})
    """
    if min_size < 0:
        raise ValueError(f"min_size is {min_size} but must be at least 0")
    if classes.size == 0:
        return np.zeros(classes.shape, np.uint32), {}
    pieces, class_of_piece = pieces_of_classes(classes, connectivity=connectivity)
    kept = component_sizes(pieces) >= max(min_size, 1)
    kept[0] = False
    order = np.argsort(first_places(pieces, len(kept) - 1))
    in_order = order[kept[order]]
    new_ids = np.zeros(len(kept), np.uint32)
    new_ids[in_order] = np.arange(1, len(in_order) + 1)
    ids = pieces.view(np.uint32)
    for slab in slabs(pieces.shape):
        ids[slab] = new_ids[pieces[slab]]
    if fill_holes:
        ids = _with_holes_filled(ids, connectivity)
    return ids, dict(enumerate(class_of_piece[in_order].tolist(), start=1))


def contours_of(instances: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Inner boundary of each object.

    Touching objects each keep their own contour; the image edge is not a contour.

    Parameters
    ----------
    instances : ([Z,] Y, X) uint32
        Object id, 0 background.

    Returns
    -------
    ([Z,] Y, X) bool
        True at object pixels that share a face with another object or background.
    """
    return inner_boundary(instances)


def outline_distance(
    labels: NDArray[np.integer] | NDArray[np.bool_],
    *,
    spacing: Spacing | None = None,
) -> NDArray[np.float32]:
    """Signed distance to the outline of the nearest object.

    This is ``d(x, object) - d(x, not object)`` of METHODS.md section 6. The outline
    runs between pixels, so no value is 0: the pixels on its two sides hold minus and
    plus one pixel. Where two objects touch, both sides are inside and negative.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer or bool
        Object ids or a class map, 0 background. Regions of different value have an
        outline between them.
    spacing : tuple of float, optional
        Size of a pixel along each axis, > 0; the unit of the result. 1 if left out.

    Returns
    -------
    ([Z,] Y, X) float32
        Negative inside objects, positive outside. The image edge is no outline: an
        image without any object is +inf everywhere, one filled by a single object
        -inf.

    Raises
    ------
    ValueError
        If ``spacing`` does not have one positive size per axis.

    Examples
    --------
    >>> outline_distance(np.array([[0, 7, 7, 7, 0, 0]])).tolist()
    [[1.0, -1.0, -2.0, -1.0, 1.0, 2.0]]
    """
    return signed_outline_distance(labels, spacing=spacing)


def _with_holes_filled(
    ids: NDArray[np.uint32], connectivity: Connectivity
) -> NDArray[np.uint32]:
    """Give each enclosed piece of background to the one object around it."""
    around: Connectivity = "full" if connectivity == "faces" else "faces"
    holes = connected_components(ids == 0, connectivity=around)
    n_holes = int(holes.max()) + 1
    lowest = np.full(n_holes, np.iinfo(np.uint32).max, np.uint32)
    highest = np.zeros(n_holes, np.uint32)
    for axis in range(ids.ndim):
        for hole, owner in _touching(holes, ids, axis):
            np.minimum.at(lowest, hole, owner)
            np.maximum.at(highest, hole, owner)
    enclosed = lowest == highest
    for axis in range(ids.ndim):
        moved = np.moveaxis(holes, axis, 0)
        enclosed[np.unique(moved[[0, -1]])] = False
    enclosed[0] = False
    owner_of = np.where(enclosed, highest, 0).astype(np.uint32)
    return np.where(ids > 0, ids, owner_of[holes])


def _touching(
    holes: NDArray[np.int32], ids: NDArray[np.uint32], axis: int
) -> list[tuple[NDArray[np.int32], NDArray[np.uint32]]]:
    """Pairs of hole and object that share a face along ``axis``, seen both ways."""
    hole_before, hole_after = neighbours(holes, axis)
    ids_before, ids_after = neighbours(ids, axis)
    pairs = []
    for hole, owner in ((hole_before, ids_after), (hole_after, ids_before)):
        both = (hole > 0) & (owner > 0)
        pairs.append((hole[both], owner[both]))
    return pairs
