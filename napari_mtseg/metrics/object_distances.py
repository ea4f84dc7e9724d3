"""Hausdorff distances between objects, each measured once.

METHODS.md, section 0, "Metrics": object Hausdorff as in the GlaS challenge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_mtseg.domain.annotation import UNPAINTED
from napari_mtseg.geometry.distances import voxel_size
from napari_mtseg.metrics.objects import ObjectMatching, ObjectTable, runs_of
from napari_mtseg.metrics.surface import surface_of

_ROUNDING = 1e-9
"""Relative slack of distance bounds, so that rounding never drops the answer."""

_PIECE = 32
"""Points of a shell that are judged together: large objects are searched faster."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectDistances:
    """Hausdorff distance of each object to its counterpart, in the spacing's unit."""

    predicted: NDArray[np.float64]
    """(n,) per object of the prediction; NaN if the reference is empty"""
    reference: NDArray[np.float64]
    """(m,) per object of the reference; NaN if the prediction is empty"""
    hausdorff: float
    """object Hausdorff: size-weighted, half over each image's objects; NaN if either
    image is empty"""


def object_distances(
    prediction: NDArray[np.integer],
    reference: NDArray[np.integer],
    matching: ObjectMatching,
    *,
    spacing: Sequence[float] | None = None,
) -> ObjectDistances:
    """Hausdorff distance of each object to its partner.

    An object that nothing overlaps is compared with the object of the other image to
    which its Hausdorff distance is least. Distances are between the objects as sets
    of pixels, as in the challenge (not between their surfaces): 0 for equal objects.

    Parameters
    ----------
    prediction, reference : ([Z,] Y, X) integer
        Object ids; UNPAINTED outside objects.
    matching : ObjectMatching
        Of the same two images, by :func:`match_objects`.
    spacing : sequence of float, optional
        Size of a voxel along each axis; 1 if not given.

    Returns
    -------
    ObjectDistances
        In the order of the tables of ``matching``.

    Raises
    ------
    ValueError
        If the spacing or the matching does not fit the images.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"labels differ: {prediction.shape} and {reference.shape}")
    voxel = voxel_size(spacing, prediction.ndim)
    ours, theirs = matching.predicted, matching.reference
    if not (ours.ids.size and theirs.ids.size):
        return ObjectDistances(
            predicted=np.full(ours.ids.size, np.nan),
            reference=np.full(theirs.ids.size, np.nan),
            hausdorff=float("nan"),
        )
    cuts = _CutOuts(prediction, voxel), _CutOuts(reference, voxel)
    for table, cut in zip((ours, theirs), cuts, strict=True):
        if not np.array_equal(table.ids, cut.ids):
            raise ValueError("the matching is not of these two label images")
    pairs = _Pairs(*cuts)
    of_ours = np.array([pairs.distance(*row) for row in _partner_rows(ours, theirs)])
    pairs = pairs.swapped()
    of_theirs = np.array([pairs.distance(*row) for row in _partner_rows(theirs, ours)])
    return ObjectDistances(
        predicted=of_ours,
        reference=of_theirs,
        hausdorff=(ours.weighted(of_ours) + theirs.weighted(of_theirs)) / 2,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class CutOut:
    """One object cut out of its image."""

    mask: NDArray[np.bool_]
    """([Z,] Y, X) True inside; touches every side of its array"""
    start: NDArray[np.int64]
    """(ndim,) index in the image of the first element of ``mask``"""
    voxel: NDArray[np.float64]
    """(ndim,) size of a voxel along each axis"""

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree of the surface, in the unit of ``voxel``."""
        return cKDTree((np.argwhere(surface_of(self.mask)) + self.start) * self.voxel)

    @cached_property
    def shell(self) -> NDArray[np.float64]:
        """(n, ndim) positions of pixels that are first or last on a line of some axis.

        On lines along the axes, that is: what is seen of the object from outside.
        """
        seen = np.zeros_like(self.mask)
        for axis, length in enumerate(self.mask.shape):
            first = np.expand_dims(self.mask.argmax(axis), axis)
            last = (
                length - 1 - np.expand_dims(np.flip(self.mask, axis).argmax(axis), axis)
            )
            np.put_along_axis(seen, first, True, axis)
            np.put_along_axis(seen, last, True, axis)
        return (np.argwhere(seen & self.mask) + self.start) * self.voxel

    @cached_property
    def shell_boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest position in each piece of the shell, (pieces, ndim)."""
        starts = np.arange(0, len(self.shell), _PIECE)
        return (
            np.minimum.reduceat(self.shell, starts, axis=0),
            np.maximum.reduceat(self.shell, starts, axis=0),
        )

    @property
    def stop(self) -> NDArray[np.int64]:
        """(ndim,) index in the image just after the last element of ``mask``."""
        return self.start + self.mask.shape


def hausdorff_of_sets(first: CutOut, second: CutOut) -> float:
    """Hausdorff distance of two objects of one image, as sets of pixels.

    Unlike that of their surfaces, it is 0 from every pixel that both share.

    Returns
    -------
    float
        The larger of the two directed distances, in the unit of the voxels.
    """
    return max(_farthest(first, second), _farthest(second, first))


class _CutOuts:
    """The objects of one label image, cut out on demand."""

    def __init__(self, labels: NDArray[np.integer], voxel: tuple[float, ...]) -> None:
        values, lengths = runs_of(labels.ravel())
        ids, rows = np.unique(values, return_inverse=True)
        first_rank = 0 if UNPAINTED in ids else 1
        rank = (rows + first_rank).astype(np.int32)
        self._ranks = np.repeat(rank, lengths).reshape(labels.shape)
        self._boxes = ndimage.find_objects(self._ranks)
        self._voxel = np.array(voxel)
        self.ids = ids[ids != UNPAINTED]
        """(n,) object id, ascending"""
        self._cut: dict[int, CutOut] = {}
        spans = np.array([[(s.start, s.stop - 1) for s in box] for box in self._boxes])
        spans = spans.reshape(-1, labels.ndim, 2)
        self.first: NDArray[np.float64] = spans[..., 0] * self._voxel
        """(n, ndim) position of the first pixel of each bounding box"""
        self.last: NDArray[np.float64] = spans[..., 1] * self._voxel
        """(n, ndim) position of the last pixel of each bounding box"""

    def __getitem__(self, row: int) -> CutOut:
        if row not in self._cut:
            box = self._boxes[row]
            self._cut[row] = CutOut(
                mask=self._ranks[box] == row + 1,
                start=np.array([s.start for s in box]),
                voxel=self._voxel,
            )
        return self._cut[row]


class _Pairs:
    """Hausdorff distances between the objects of two images, each measured once."""

    def __init__(self, first: _CutOuts, second: _CutOuts) -> None:
        self._first, self._second = first, second
        self._known: dict[tuple[int, int], float] = {}

    def swapped(self) -> "_Pairs":
        other = _Pairs(self._second, self._first)
        other._known = {(j, i): d for (i, j), d in self._known.items()}
        return other

    def distance(self, row: int, partner: int | None) -> float:
        """To the partner, or without one to the object that is nearest."""
        return self._nearest(row) if partner is None else self._pair(row, partner)

    def _nearest(self, row: int) -> float:
        best = float("inf")
        bounds = self._lower_bounds(row)
        for candidate in np.argsort(bounds, kind="stable"):
            if bounds[candidate] >= best:
                break
            best = min(best, self._pair(row, int(candidate)))
        return best

    def _pair(self, row: int, other: int) -> float:
        if (row, other) not in self._known:
            self._known[row, other] = hausdorff_of_sets(
                self._first[row], self._second[other]
            )
        return self._known[row, other]

    def _lower_bounds(self, row: int) -> NDArray[np.float64]:
        """(n,) no object is nearer than the gap and the mismatch of the boxes.

        An object touches each side of its box, so where one box reaches farther than
        the other, a pixel of it is at least that far from the other object.
        """
        first, last = self._first.first[row], self._first.last[row]
        others = self._second
        mismatch = np.maximum(abs(others.first - first), abs(others.last - last))
        gap = np.maximum(others.first - last, first - others.last).clip(0)
        apart = np.sqrt((gap**2).sum(axis=1))
        bounds: NDArray[np.float64] = np.maximum(mismatch.max(axis=1), apart)
        return bounds


def _partner_rows(
    table: ObjectTable, other: ObjectTable
) -> list[tuple[int, int | None]]:
    rows = np.searchsorted(other.ids, table.partners)
    has_partner = table.partners != UNPAINTED
    return [
        (row, int(rows[row]) if has_partner[row] else None)
        for row in range(table.ids.size)
    ]


def _farthest(source: CutOut, target: CutOut) -> float:
    """Largest distance of a pixel of the source to the target.

    It is reached inside the target's bounding box or on the source's shell: from a
    pixel outside that box, a further pixel of the source on the same line, away from
    the box, is farther from every pixel of the target.
    """
    first, last = target.start * target.voxel, (target.stop - 1) * target.voxel
    shell = _far_part(source, target, first, last)
    outside = ((shell < first) | (shell > last)).any(axis=1)
    points = np.concatenate([shell[outside], _uncovered(source, target)])
    if not len(points):
        return 0.0
    distances, _ = target.tree.query(points)
    return float(distances.max())


def _far_part(
    source: CutOut,
    target: CutOut,
    first: NDArray[np.float64],
    last: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Leave out the pieces of the source's shell that cannot hold the farthest point.

    Some point is at least as far as from the target's box, ``first`` to ``last``; a
    piece is at most as far as its box reaches from one pixel of the target.
    """
    starts = source.shell[::_PIECE]
    at_least = np.maximum(first - starts, starts - last).clip(0)
    _, middle = target.tree.query((first + last) / 2)
    pixel: NDArray[np.float64] = target.tree.data[middle]
    low, high = source.shell_boxes
    at_most = np.maximum(abs(low - pixel), abs(high - pixel))
    least, most = (np.einsum("ij,ij->i", d, d) for d in (at_least, at_most))
    kept: NDArray[np.bool_] = most >= least.max() * (1 - _ROUNDING)
    return source.shell[np.repeat(kept, _PIECE)[: len(source.shell)]]


def _uncovered(source: CutOut, target: CutOut) -> NDArray[np.float64]:
    """(n, ndim) positions of source pixels in the target's box, less the target."""
    low = np.maximum(source.start, target.start)
    high = np.maximum(low, np.minimum(source.stop, target.stop))
    here, there = (
        tuple(map(slice, low - cut.start, high - cut.start)) for cut in (source, target)
    )
    missed = np.argwhere(source.mask[here] & ~target.mask[there])
    return (missed + low) * source.voxel
