"""Connected components of masks and labels, in 2D and 3D."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as label_equal_values

from napari_mtseg.geometry.distances import Spacing, nearest_label
from napari_mtseg.geometry.slabs import slabs

Connectivity = Literal["faces", "full"]
"""'faces': 4 neighbours in 2D, 6 in 3D; 'full': 8 and 26"""

_LARGEST_TABLE = 1 << 20
"""Highest label for which a table of all labels up to it is worth its memory."""


def connected_components(
    mask: NDArray[np.bool_], *, connectivity: Connectivity = "full"
) -> NDArray[np.int32]:
    """Return the number of the connected component of each pixel.

    Parameters
    ----------
    mask : ([Z,] Y, X) bool
        What is to be taken apart.
    connectivity : 'faces' or 'full'
        Which neighbours belong together.

    Returns
    -------
    ([Z,] Y, X) int32
        1, 2, ... in the order of their first pixel, 0 outside the mask.

    Examples
    --------
    >>> diagonal = np.eye(2, dtype=bool)
    >>> connected_components(diagonal, connectivity="full").tolist()
    [[1, 0], [0, 1]]
    >>> connected_components(diagonal, connectivity="faces").tolist()
    [[1, 0], [0, 2]]
    """
    numbers = np.empty(mask.shape, np.int32)
    ndimage.label(mask, _neighbours(mask.ndim, connectivity), output=numbers)
    return numbers


def connected_pieces(
    labels: NDArray[np.integer], *, connectivity: Connectivity = "full"
) -> NDArray[np.int64]:
    """Return the number of the connected piece of a label that each pixel is in.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer
        Label of each pixel, 0 where there is none.
    connectivity : 'faces' or 'full'
        Which neighbours belong together.

    Returns
    -------
    ([Z,] Y, X) int64
        1, 2, ... over all labels together, 0 where the label is 0. Labels that
        touch stay apart.

    Examples
    --------
    >>> connected_pieces(np.array([[7, 7, 9, 0, 7]])).tolist()
    [[1, 1, 2, 0, 3]]
    """
    reach = 1 if connectivity == "faces" else labels.ndim
    pieces: NDArray[np.int64] = label_equal_values(
        labels, background=0, connectivity=reach
    )
    return pieces


def component_sizes(components: NDArray[np.integer]) -> NDArray[np.int64]:
    """Pixels of each component.

    Parameters
    ----------
    components : ([Z,] Y, X) integer
        Component of each pixel, numbered from 1 without large gaps.

    Returns
    -------
    (n + 1,) int64
        Number of pixels by component number; 0 at index 0, which is no component.

    Examples
    --------
    >>> component_sizes(np.array([[0, 1, 1, 3]])).tolist()
    [0, 2, 0, 1]
    """
    sizes = np.zeros(int(components.max(initial=0)) + 1, np.int64)
    for slab in slabs(components.shape):
        counts = np.bincount(components[slab].ravel())
        sizes[: len(counts)] += counts
    sizes[0] = 0
    return sizes


def without_small_components(
    mask: NDArray[np.bool_], *, min_size: int, connectivity: Connectivity = "full"
) -> NDArray[np.bool_]:
    """Mask without its components of fewer than ``min_size`` pixels.

    Parameters
    ----------
    mask : ([Z,] Y, X) bool
        What is to be cleaned.
    min_size : int
        Pixels of the smallest component that stays.
    connectivity : 'faces' or 'full'
        Which neighbours belong together.

    Returns
    -------
    ([Z,] Y, X) bool
        A new array.
    """
    components = connected_components(mask, connectivity=connectivity)
    stays = component_sizes(components) >= min_size
    stays[0] = False
    large: NDArray[np.bool_] = stays[components]
    return large


def present_labels(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Labels that occur, ascending, without 0.

    Faster than ``np.unique`` on an image, whose rows hold long runs of one label.
    """
    values = labels[labels != 0]
    return np.unique(values[run_starts(values)])


def run_starts(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return (n,) bool, True where an element differs from the one before it."""
    starts = np.ones(values.shape, np.bool_)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return starts


def bounding_boxes(labels: NDArray[np.integer]) -> Mapping[int, tuple[slice, ...]]:
    """Smallest box around the pixels of each label.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer
        Any labels, 0 where there is none; they need not be consecutive.

    Returns
    -------
    mapping of int to tuple of slice
        Label -> one slice per axis, in ascending order of labels.

    Examples
    --------
    >>> bounding_boxes(np.array([[0, 5, 5], [0, 0, 5]]))
    {5: (slice(0, 2, None), slice(1, 3, None))}
    """
    names, ranks = compact_labels(labels)
    if len(names) == 1:
        return {}
    boxes = ndimage.find_objects(ranks.view(np.int32), max_label=len(names) - 1)
    found = zip(names[1:].tolist(), boxes, strict=True)
    return {name: box for name, box in found if box is not None}


def compact_labels(
    labels: NDArray[np.integer],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Labels that are small enough to index a table with.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer
        Any labels up to 2**32 - 1, 0 where there is none.

    Returns
    -------
    names : (n + 1,) uint32
        Label by number; ``names[0]`` is 0. Some may not occur.
    numbers : ([Z,] Y, X) uint32
        ``names[numbers]`` equals ``labels``.
    """
    largest = int(labels.max(initial=0))
    if largest <= _LARGEST_TABLE:
        return np.arange(largest + 1, dtype=np.uint32), labels.astype(
            np.uint32, copy=False
        )
    names = np.unique(np.append(present_labels(labels), 0)).astype(np.uint32)
    numbers = np.zeros(labels.shape, np.uint32)
    inside = labels != 0
    numbers[inside] = np.searchsorted(names, labels[inside])
    return names, numbers


def box_with_margin(
    box: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Box that is one pixel larger on each side, inside an image of ``shape``."""
    return tuple(
        slice(max(side.start - 1, 0), min(side.stop + 1, length))
        for side, length in zip(box, shape, strict=True)
    )


def split_between_seeds(
    objects: NDArray[np.uint32],
    region: NDArray[np.bool_],
    *,
    spacing: Spacing | None = None,
) -> NDArray[np.uint32]:
    """Cut a region midway between its seeds and keep the pieces that hold one.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object ids; those inside the region are the seeds.
    region : ([Z,] Y, X) bool
        What is to be shared out, for example a component that meets several seeds.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) uint32
        Id of the nearest seed; 0 outside the region, on the cut (pixels that are no
        seed and have two nearest ids among their 3 x 3 or 3 x 3 x 3 neighbours), and
        in pieces without a seed. Pieces of different objects touch, over faces or
        corners, only where their seeds do.

    References
    ----------
    .. [1] METHODS.md, section 4, step 3.
    """
    seeds = np.where(region, objects, np.uint32(0))
    near = nearest_label(seeds, spacing=spacing)
    is_cut = _is_near_two(near) & (seeds == 0)
    kept = np.where(region & ~is_cut, near, np.uint32(0))
    pieces = connected_pieces(kept, connectivity="full")
    holds_seed = np.zeros(int(pieces.max(initial=0)) + 1, np.bool_)
    holds_seed[pieces[seeds != 0]] = True
    holds_seed[0] = False
    return np.where(holds_seed[pieces], kept, np.uint32(0))


def _neighbours(ndim: int, connectivity: Connectivity) -> NDArray[np.bool_]:
    structure: NDArray[np.bool_] = ndimage.generate_binary_structure(
        ndim, 1 if connectivity == "faces" else ndim
    )
    return structure


def _is_near_two(near: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether the full neighbourhood of a pixel, inside the image, holds two ids."""
    lowest, highest = near, near
    for axis in range(near.ndim):
        lowest = _over_neighbours(np.minimum, lowest, axis)
        highest = _over_neighbours(np.maximum, highest, axis)
    return np.not_equal(lowest, highest)


def _over_neighbours(
    extreme: np.ufunc, values: NDArray[np.uint32], axis: int
) -> NDArray[np.uint32]:
    rest = (slice(None),) * axis
    upper, lower = (*rest, slice(1, None)), (*rest, slice(None, -1))
    result = values.copy()
    extreme(result[upper], values[lower], out=result[upper])
    extreme(result[lower], values[upper], out=result[lower])
    return result
