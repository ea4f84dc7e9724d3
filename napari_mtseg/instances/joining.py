"""Objects of the blocks of an image, joined as if the image had been labelled at once.

Each block numbers its objects from 1. Objects of neighbouring blocks that are one make
pairs; whatever pairs connect is one object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_mtseg.geometry.class_pieces import first_places
from napari_mtseg.geometry.components import component_sizes

Pairs = NDArray[np.int64]
"""(n, 2) numbers of objects that are one"""

_NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockObjects:
    """The objects of one block; row i is object i, row 0 is none."""

    sizes: NDArray[np.int64]
    """(n + 1,) pixels inside the block; may be 0 of one seen beyond it alone"""
    first_places: NDArray[np.int64]
    """(n + 1,) flat index in the image of the first pixel inside the block"""
    classes: NDArray[np.uint8]
    """(n + 1,) class"""


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinedObjects:
    """The objects of an image."""

    ids: tuple[NDArray[np.uint32], ...]
    """for each block, (n + 1,) id in the image of each of its objects; 0 of those that
    are dropped"""
    sizes: NDArray[np.int64]
    """(n + 1,) pixels by id; 0 of ids that do not occur"""
    classes: NDArray[np.uint8]
    """(n + 1,) class by id"""

    @property
    def class_of(self) -> dict[int, int]:
        """Object id -> class."""
        present = np.flatnonzero(self.sizes)
        classes = self.classes[present].tolist()
        return dict(zip(present.tolist(), classes, strict=True))


def block_objects(
    ids: NDArray[np.uint32],
    classes: NDArray[np.uint8],
    *,
    corner: Sequence[int],
    shape: Sequence[int],
) -> BlockObjects:
    """Describe the objects of a block.

    Parameters
    ----------
    ids : ([Z,] Y, X) uint32
        Inside the block, 0 background.
    classes : (n + 1,) uint8
        Class by id, 0 at index 0.
    corner : ([Z,] Y, X)
        First pixel of the block in the image.
    shape : ([Z,] Y, X)
        Pixels of the image.
    """
    n = len(classes) - 1
    counted = component_sizes(ids)
    sizes = np.zeros(n + 1, np.int64)
    sizes[: len(counted)] = counted
    inside = first_places(ids, n)
    places = np.unravel_index(np.maximum(inside, 0), ids.shape)
    moved = tuple(place + start for place, start in zip(places, corner, strict=True))
    firsts = np.ravel_multi_index(moved, tuple(shape)).astype(np.int64)
    firsts[inside < 0] = _NOWHERE
    return BlockObjects(sizes=sizes, first_places=firsts, classes=classes)


def touching_pairs(
    before: NDArray[np.uint32],
    after: NDArray[np.uint32],
    classes_before: NDArray[np.uint8],
    classes_after: NDArray[np.uint8],
) -> Pairs:
    """Return which objects of two blocks are connected pieces of one class.

    Parameters
    ----------
    before, after : arrays of equal shape, uint32
        Ids on the two sides of the common face, one layer of pixels each.
    classes_before, classes_after : (n + 1,) uint8
        Class by id.

    Returns
    -------
    (n, 2) int64
        Ids that share a pixel's face and a class, each pair once.

    Examples
    --------
    >>> one, other = (
    ...     np.array([1, 1, 2, 0], np.uint32),
    ...     np.array([3, 3, 3, 3], np.uint32),
    ... )
    >>> kinds = np.array([0, 1, 2, 1], np.uint8)
    >>> touching_pairs(one, other, kinds, kinds).tolist()
    [[1, 3]]
    """
    pairs, _ = _meetings(before, after)
    same = classes_before[pairs[:, 0]] == classes_after[pairs[:, 1]]
    return pairs[same]


def agreeing_pairs(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> Pairs:
    """Return which objects are the same in two labellings of the same pixels.

    Parameters
    ----------
    one, other : ([Z,] Y, X) uint32
        Ids, 0 background, by two blocks that both see these pixels.

    Returns
    -------
    (n, 2) int64
        Pairs of which each is the other's largest partner and that share most pixels
        of the smaller of them, by majority (ours).

    Examples
    --------
    >>> one = np.array([[1, 1, 1, 2, 2, 2]], np.uint32)
    >>> other = np.array([[5, 5, 5, 5, 7, 7]], np.uint32)
    >>> agreeing_pairs(one, other).tolist()
    [[1, 5], [2, 7]]
    """
    pairs, counts = _meetings(one, other)
    if not len(pairs):
        return pairs
    sizes = [component_sizes(labels) for labels in (one, other)]
    largest = [np.zeros(len(size), np.int64) for size in sizes]
    for side in (0, 1):
        np.maximum.at(largest[side], pairs[:, side], counts)
    mutual = np.logical_and(
        *(counts == largest[side][pairs[:, side]] for side in (0, 1))
    )
    smaller = np.minimum(*(sizes[side][pairs[:, side]] for side in (0, 1)))
    return pairs[mutual & (2 * counts > smaller)]


def joined_objects(
    blocks: Sequence[BlockObjects],
    pairs: Sequence[tuple[int, int, Pairs]],
    *,
    min_size: int = 0,
    only_largest: bool = False,
) -> JoinedObjects:
    """Join the objects of all blocks of an image.

    Parameters
    ----------
    blocks : sequence of BlockObjects
        Blocks that cover the image, each pixel once.
    pairs : sequence of (int, int, (n, 2))
        Places of two blocks in ``blocks``, and ids of the first and the second one
        that are one object.
    min_size : int
        Whole objects of fewer pixels are dropped.
    only_largest : bool
        If True, only the largest whole object of each class stays, with the smallest
        id of equals, and keeps its id.

    Returns
    -------
    JoinedObjects
        Ids from 1 in scan order of the first pixel, as
        :func:`~napari_mtseg.instances.components.separate_objects` of the whole image
        gives where blocks hold its pieces. An object has the class of its largest
        part.
    """
    counts = [len(block.sizes) for block in blocks]
    offsets = np.cumsum([0, *counts])
    joined = _joined(pairs, offsets)
    n_joined = int(joined.max(initial=-1)) + 1
    sizes, firsts, classes = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("sizes", "first_places", "classes")
    )
    whole_sizes = np.zeros(n_joined, np.int64)
    np.add.at(whole_sizes, joined, sizes)
    whole_firsts = np.full(n_joined, _NOWHERE)
    np.minimum.at(whole_firsts, joined, np.where(sizes > 0, firsts, _NOWHERE))
    whole_classes = np.zeros(n_joined, np.uint8)
    by_size = np.argsort(sizes, kind="stable")
    whole_classes[joined[by_size]] = classes[by_size]  # the largest part comes last
    stays = whole_sizes >= max(min_size, 1)
    in_order = np.argsort(whole_firsts, kind="stable")
    in_order = in_order[stays[in_order]]
    id_of = np.zeros(n_joined, np.uint32)
    id_of[in_order] = np.arange(1, len(in_order) + 1)
    sizes_by_id = np.concatenate([[0], whole_sizes[in_order]])
    classes_by_id = np.concatenate([np.zeros(1, np.uint8), whole_classes[in_order]])
    if only_largest:
        dropped = ~_is_largest(sizes_by_id, classes_by_id)
        sizes_by_id[dropped] = 0
        id_of[dropped[id_of]] = 0
    ids = id_of[joined]
    return JoinedObjects(
        ids=tuple(ids[a:b] for a, b in pairwise(offsets)),
        sizes=sizes_by_id,
        classes=classes_by_id,
    )


def _meetings(
    one: NDArray[np.uint32], other: NDArray[np.uint32]
) -> tuple[Pairs, NDArray[np.int64]]:
    """Return which ids lie on the same pixels, and on how many."""
    both = (one != 0) & (other != 0)
    width = int(other.max(initial=0)) + 1
    codes = one[both].astype(np.int64) * width + other[both]
    found, counts = np.unique(codes, return_counts=True)
    return np.stack([found // width, found % width], axis=1), counts


def _joined(
    pairs: Sequence[tuple[int, int, Pairs]], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of the joined object of each object of each block, from 0."""
    n = int(offsets[-1])
    moved = [
        found + offsets[[first, second]] for first, second, found in pairs if len(found)
    ]
    rows, columns = np.concatenate([np.zeros((0, 2), np.int64), *moved]).T
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(n, n))
    joined: NDArray[np.int64] = connected_components(graph, directed=False)[1]
    return joined


def _is_largest(
    sizes: NDArray[np.int64], classes: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return by id whether no object of its class is larger, or as large with less."""
    kept = np.zeros(len(sizes), np.bool_)
    for c in np.unique(classes[1:]).tolist():
        own = np.flatnonzero(classes == c)
        kept[own[sizes[own].argmax()]] = True
    return kept
