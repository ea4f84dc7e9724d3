"""Class maps without enclosed islands, without small pieces, of large objects alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.geometry.components import (
    bounding_boxes,
    component_sizes,
    connected_components,
    connected_pieces,
    without_small_components,
)


def without_islands(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give what a piece of one class encloses to that class, if it is smaller.

    An island is a hole of a connected piece, with all that lies in it: background,
    other classes, or both. It takes the class of the piece if it has fewer pixels.
    Pixels that touch at corners are connected, so a gap at a corner opens a hole. Not
    for classes that belong inside of others, as the cup in the disc does: those are
    islands too.

    Parameters
    ----------
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 background.

    Returns
    -------
    ([Z,] Y, X) uint8
        A new array. What touches the image edge is not enclosed.

    References
    ----------
    .. [1] METHODS.md section 3, inference; the rule of sizes is ours.

    Examples
    --------
    >>> ring = np.ones((4, 4), np.uint8)
    >>> ring[1, 1:3] = 2, 0
    >>> without_islands(ring)[1].tolist()
    [1, 1, 1, 1]
    """
    filled = classes.copy()
    pieces = connected_pieces(classes)
    sizes = component_sizes(pieces)
    boxes = bounding_boxes(pieces)
    # What lies in a hole that is filled is smaller than the piece around, which comes
    # later, so the outermost piece decides.
    for piece in sorted(boxes, key=lambda number: int(sizes[number])):
        box = boxes[piece]
        if min(side.stop - side.start for side in box) > 2:
            inside = pieces[box] == piece
            islands = _holes(inside, smaller_than=int(sizes[piece]))
            filled[box][islands] = classes[box][inside][0]
    return filled


def without_small_pieces(
    classes: NDArray[np.uint8], *, min_size: int
) -> NDArray[np.uint8]:
    """Turn isolated pieces of fewer than ``min_size`` pixels into background.

    Parameters
    ----------
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 background.
    min_size : int
        Pixels (voxels) of the smallest piece that stays, >= 0.

    Returns
    -------
    ([Z,] Y, X) uint8
        A new array. A piece is all that is connected, over corners too, of whatever
        class: a small one that touches a large one of another class stays.

    Raises
    ------
    ValueError
        If ``min_size`` is negative.

    References
    ----------
    .. [1] METHODS.md section 3, inference.

    Examples
    --------
    >>> without_small_pieces(np.array([[1, 2, 0, 1]], np.uint8), min_size=2).tolist()
    [[1, 2, 0, 0]]
    """
    if min_size < 0:
        raise ValueError(f"min_size is {min_size} but must be at least 0")
    large = without_small_components(classes != 0, min_size=min_size)
    return np.where(large, classes, np.uint8(0))


def largest_objects(found: Prediction) -> Prediction:
    """Return a prediction with the largest object of each class alone.

    Of objects of one size the one with the smallest id stays. What is dropped is
    background in the class map; probabilities stay.

    Examples
    --------
    >>> one_row = np.array([[1, 1, 0, 1]])
    >>> found = Prediction(
    ...     classes=one_row.astype(np.uint8),
    ...     probabilities=np.zeros((2, 1, 4), np.float16),
    ...     instances=np.array([[1, 1, 0, 2]], np.uint32),
    ...     class_of={1: 1, 2: 1},
    ... )
    >>> largest_objects(found).instances.tolist()
    [[1, 1, 0, 0]]
    """
    sizes = component_sizes(found.instances)
    largest: dict[int, int] = {}
    for number, n_class in sorted(found.class_of.items()):
        if n_class not in largest or sizes[number] > sizes[largest[n_class]]:
            largest[n_class] = number
    kept = np.zeros(len(sizes), bool)
    kept[list(largest.values())] = True
    stays = kept[found.instances]
    return replace(
        found,
        classes=np.where(stays, found.classes, np.uint8(0)),
        instances=np.where(stays, found.instances, np.uint32(0)),
        class_of={number: n_class for n_class, number in largest.items()},
    )


def _holes(inside: NDArray[np.bool_], *, smaller_than: int) -> NDArray[np.bool_]:
    """Small enough pieces of the rest of a box that do not reach its sides."""
    rest = connected_components(~inside)
    fill = component_sizes(rest) < smaller_than
    fill[0] = False
    for axis in range(rest.ndim):
        fill[np.unique(np.moveaxis(rest, axis, 0)[[0, -1]])] = False
    holes: NDArray[np.bool_] = fill[rest]
    return holes
