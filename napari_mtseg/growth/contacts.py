"""Where grown objects meet."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED


def with_contacts_closed(
    objects: NDArray[np.uint32], proposal: NDArray[np.bool_]
) -> NDArray[np.uint32]:
    """Give the cut between two objects back to them.

    Growth keeps a gap of a pixel or two between objects that share a component of the
    proposal, so that none merge (METHODS.md section 4, step 3). In a final result the
    gap would be a line of background through tissue; closing it is ours.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Grown objects by id, UNPAINTED elsewhere.
    proposal : ([Z,] Y, X) bool
        Where objects may be.

    Returns
    -------
    ([Z,] Y, X) uint32
        ``objects``, enlarged by pixels of the proposal that lie next to an object,
        corners included, and there meet another one. A pixel next to two objects
        goes to the higher id.

    Examples
    --------
    >>> grown = np.array([[0, 1, 1, 0, 0, 2, 2, 0]], np.uint32)
    >>> with_contacts_closed(grown, np.ones((1, 8), bool)).tolist()
    [[0, 1, 1, 1, 2, 2, 2, 0]]
    """
    free = np.flatnonzero(np.pad(proposal & (objects == UNPAINTED), 1))
    padded = np.pad(objects, 1)
    reached = padded.copy()
    _, reached.flat[free] = _neighbour_range(padded, free)
    free = free[reached.flat[free] != UNPAINTED]
    lowest, highest = _neighbour_range(reached, free)
    closed = free[lowest != highest]
    padded.flat[closed] = reached.flat[closed]
    return padded[(slice(1, -1),) * objects.ndim]


def _neighbour_range(
    padded: NDArray[np.uint32], places: NDArray[np.intp]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Lowest and highest id in the 3 x 3 (3 x 3 x 3) neighbourhood of flat indices.

    Both are UNPAINTED where it holds no id.
    """
    values = padded.ravel()
    highest = np.zeros(len(places), np.uint32)
    lowest = np.full(len(places), np.iinfo(np.uint32).max, np.uint32)
    strides = np.array(padded.strides) // padded.itemsize
    for offset in product((-1, 0, 1), repeat=padded.ndim):
        found = values[places + int(np.dot(offset, strides))]
        np.maximum(highest, found, out=highest)
        np.minimum(lowest, found, out=lowest, where=found != UNPAINTED)
    lowest[highest == UNPAINTED] = UNPAINTED
    return lowest, highest
