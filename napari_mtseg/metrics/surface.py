"""Distances between a predicted mask and a reference, by surface."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.distances import distance_to, voxel_size


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


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)


def _mean(distances: NDArray[np.float32]) -> float:
    return float(distances.mean(dtype=np.float64)) if distances.size else float("nan")
