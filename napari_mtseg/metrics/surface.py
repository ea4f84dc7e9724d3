"""Distances between a predicted mask and a reference, by surface and by set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_mtseg.geometry.distances import distance_to

_ROUNDING = 1e-9
"""Relative slack of distance bounds, so that rounding never drops the answer."""

_PIECE = 32
"""Points of a shell that are judged together: large objects are searched faster."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceDistances:
    """Distances between two surfaces, both ways, in the unit of the spacing.

    Every score is NaN where a mask is empty: a distance to nothing is undefined, and
    0 would reward a failure. Callers average the rest and report how many there were
    of ``one_empty``.
    """

    to_reference: NDArray[np.float32]
    """(n,) from each surface pixel of the prediction to the reference's surface;
    no entries where a mask is empty"""
    to_prediction: NDArray[np.float32]
    """(m,) from each surface pixel of the reference to the prediction's surface;
    no entries where a mask is empty"""
    one_empty: bool
    """True if exactly one mask is empty: a failure to be counted"""
    both_empty: bool
    """True if both masks are empty: nothing to find, and nothing found"""

    @property
    def hausdorff(self) -> float:
        """HD: the larger of the two directed maxima."""
        if not self._defined:
            return float("nan")
        return float(max(self.to_reference.max(), self.to_prediction.max()))

    @property
    def hausdorff95(self) -> float:
        """HD95: 95th percentile of the distances of both directions, pooled."""
        if not self._defined:
            return float("nan")
        pooled = np.concatenate([self.to_reference, self.to_prediction])
        return float(np.percentile(pooled.astype(np.float64), 95))

    @property
    def mean_to_reference(self) -> float:
        """ASD: mean distance from the prediction's surface to the reference's."""
        return _mean(self.to_reference)

    @property
    def mean_to_prediction(self) -> float:
        """Mean distance from the reference's surface to the prediction's."""
        return _mean(self.to_prediction)

    @property
    def symmetric_mean(self) -> float:
        """ASSD: half the sum of the two directed means."""
        return (self.mean_to_reference + self.mean_to_prediction) / 2

    @property
    def _defined(self) -> bool:
        return not (self.one_empty or self.both_empty)


def surface_distances(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    spacing: Sequence[float] | None = None,
) -> SurfaceDistances:
    """Measure how far two surfaces lie apart.

    Parameters
    ----------
    prediction, reference : ([Z,] Y, X) bool
        True inside.
    spacing : sequence of float, optional
        Size of a voxel along each axis; 1 if not given.

    Returns
    -------
    SurfaceDistances
        In the unit of ``spacing``, exact to single precision.

    Raises
    ------
    ValueError
        If the masks differ in shape or are not boolean, or the spacing does not fit.

    Notes
    -----
    Surfaces are those of :func:`surface_of`. Directions and the pooling of HD95 are
    those of medpy's ``hd``, ``hd95``, ``asd`` (prediction to reference) and ``assd``.
    An axis of length 1 is passed over, so that one plane of a volume scores like the
    same image in 2D (ours; medpy would call the whole plane surface).

    References
    ----------
    METHODS.md, section 0, "Metrics".
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"masks differ: {prediction.shape} and {reference.shape}")
    if prediction.dtype != np.bool_ or reference.dtype != np.bool_:
        raise ValueError(f"masks are {prediction.dtype}, {reference.dtype}, not bool")
    voxel = voxel_size(spacing, prediction.ndim)
    found, wanted = bool(prediction.any()), bool(reference.any())
    if not (found and wanted):
        nothing = np.zeros(0, np.float32)
        return SurfaceDistances(
            to_reference=nothing,
            to_prediction=nothing,
            one_empty=found != wanted,
            both_empty=found == wanted,
        )
    box = _bounding_box(prediction | reference)
    axes = [axis for axis, length in enumerate(prediction.shape) if length > 1]
    ours = surface_of(prediction[box], axes=axes or None)
    theirs = surface_of(reference[box], axes=axes or None)
    return SurfaceDistances(
        to_reference=distance_to(theirs, spacing=voxel)[ours],
        to_prediction=distance_to(ours, spacing=voxel)[theirs],
        one_empty=False,
        both_empty=False,
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


def surface_of(
    mask: NDArray[np.bool_], *, axes: Sequence[int] | None = None
) -> NDArray[np.bool_]:
    """Inner boundary of a mask: its pixels that have a face neighbour outside it.

    Outside the image counts as outside the mask, as in medpy: where a mask is cut off
    by the image border, its pixels along that border are surface.

    Parameters
    ----------
    mask : ([Z,] Y, X) bool
        True inside.
    axes : sequence of int, optional
        Axes along which a neighbour counts; all if not given.

    Returns
    -------
    ([Z,] Y, X) bool
        True on the surface.

    Examples
    --------
    >>> surface_of(np.array([False, True, True, True, False])).astype(int).tolist()
    [0, 1, 0, 1, 0]
    """
    inside = mask.copy()
    for axis in range(mask.ndim) if axes is None else axes:
        along, kept = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)
        kept[1:] &= along[:-1]
        kept[:-1] &= along[1:]
        kept[0] = kept[-1] = False
    return mask & ~inside


def voxel_size(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return the checked spacing, 1 along each axis where none is given.

    Raises
    ------
    ValueError
        If there is not one positive number for each axis.
    """
    voxel = (1.0,) * ndim if spacing is None else tuple(float(s) for s in spacing)
    if len(voxel) != ndim or not all(0 < s < float("inf") for s in voxel):
        raise ValueError(f"spacing {voxel} does not fit an image of {ndim} axes")
    return voxel


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


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)


def _mean(distances: NDArray[np.float32]) -> float:
    return float(distances.mean(dtype=np.float64)) if distances.size else float("nan")
