"""Connected pieces of the classes of large images, in little memory."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import Connectivity, connected_components
from napari_mtseg.geometry.slabs import slabs


def pieces_of_classes(
    classes: NDArray[np.uint8], *, connectivity: Connectivity = "full"
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the connected pieces of each class, in little memory.

    As :func:`~napari_mtseg.geometry.components.connected_pieces`, but for few labels,
    and numbered class by class.

    Parameters
    ----------
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 where there is none.
    connectivity : 'faces' or 'full'
        Which neighbours belong together.

    Returns
    -------
    pieces : ([Z,] Y, X) int32
        Number of each pixel's piece from 1, 0 where the class is 0: first those of
        class 1, in the order of their first pixel, then those of class 2.
    class_of : (n + 1,) uint8
        Class by number of the piece; ``class_of[0]`` is 0.

    Examples
    --------
    >>> pieces, class_of = pieces_of_classes(np.array([[2, 1, 0, 1]], np.uint8))
    >>> pieces.tolist(), class_of.tolist()
    ([[3, 1, 0, 2]], [0, 1, 1, 2])
    """
    pieces = np.zeros(classes.shape, np.int32)
    owners = [np.zeros(1, np.uint8)]
    n_before = 0
    for c in range(1, int(classes.max(initial=0)) + 1):
        mask = classes == c
        if mask.any():
            own = connected_components(mask, connectivity=connectivity)
            n_own = int(own.max())
            own += np.int32(n_before)
            np.copyto(pieces, own, where=mask)
            owners.append(np.full(n_own, c, np.uint8))
            n_before += n_own
    return pieces, np.concatenate(owners)


def first_places(components: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Flat index of the first pixel of each component.

    Parameters
    ----------
    components : ([Z,] Y, X) integer
        Component of each pixel, 0..n; each occurs.
    n : int
        Number of components without 0.

    Returns
    -------
    (n + 1,) int64
        By component number; -1 where it does not occur.

    Examples
    --------
    >>> first_places(np.array([[2, 2, 1, 0]]), 2).tolist()
    [3, 2, 0]
    """
    first = np.full(n + 1, -1, np.int64)
    per_line = int(np.prod(components.shape[1:], dtype=np.int64))
    for slab in reversed(list(slabs(components.shape))):
        numbers = components[slab].ravel()
        begin = slab.start * per_line
        # Of an index that occurs several times the last value stays: the first pixel.
        first[numbers[::-1]] = np.arange(begin + len(numbers) - 1, begin - 1, -1)
    return first
