"""Distance to the boundary of objects as a map to learn: the paper's D1, D2 and D3."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.boundaries import inner_boundary
from napari_mtseg.geometry.distances import (
    Spacing,
    distance_to,
    signed_outline_distance,
    usable_cores,
)

DistanceKind = Literal["D1", "D2", "D3"]
"""'D1': outside of objects, 0 inside; 'D2': both ways; 'D3': negative inside"""

DistanceRule = Literal["sym", "minmax", "trunc", "sides"]
"""how a distance map becomes 0..1, see :func:`normalised`"""

REACH = 64.0
"""distance at which rule 'trunc' saturates, pixels (ours)"""


def signed_boundary_distance(
    labels: NDArray[np.generic],
    *,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.float32]:
    """Distance to the nearest boundary pixel, negative inside objects: D3.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Object ids or a mask, 0 outside. Objects that touch have a boundary between
        them.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    border_is_boundary : bool
        Whether objects that reach the image edge have a boundary there.

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``; 0 on the boundary. +inf everywhere if nothing is
        labelled, -inf if one object fills the image and the edge is no boundary.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 2: D3 = EDT(B) (1 - 2m).

    Examples
    --------
    >>> signed_boundary_distance(np.array([[0, 0, 7, 7, 7, 0]])).tolist()
    [[2.0, 1.0, 0.0, -1.0, 0.0, 1.0]]
    """
    return distance_map(
        labels, "D3", spacing=spacing, border_is_boundary=border_is_boundary
    )


def distance_map(
    labels: NDArray[np.generic],
    kind: DistanceKind,
    *,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.float32]:
    """One of the paper's three distance maps.

    Parameters
    ----------
    labels, spacing, border_is_boundary
        As in :func:`signed_boundary_distance`.
    kind : 'D1', 'D2' or 'D3'
        D1 = max(D3, 0), D2 = abs(D3).

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``, with infinities as in
        :func:`signed_boundary_distance`.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 2.

    Examples
    --------
    >>> distance_map(np.array([[0, 0, 7, 7, 7]]), "D1").tolist()
    [[2.0, 1.0, 0.0, 0.0, 0.0]]
    """
    boundary = inner_boundary(labels, border_is_boundary=border_is_boundary)
    distance = distance_to(boundary, spacing=spacing, threads=usable_cores())
    if kind != "D2":
        interior = labels.astype(np.bool_, copy=False) ^ boundary
        if kind == "D3":
            np.negative(distance, out=distance, where=interior)
        else:
            np.copyto(distance, 0, where=interior)
    return distance


def two_sided_distance(
    labels: NDArray[np.generic],
    *,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.float32]:
    """Distance to the object outside, minus the distance to the outside inside.

    Unlike D3, both sides are measured to the other one, so that the pixels next to
    the boundary hold -2 where those of D3 hold -1.

    Parameters
    ----------
    labels, spacing, border_is_boundary
        As in :func:`signed_boundary_distance`.

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``; 0 on the boundary, which is inside of objects. +inf
        everywhere if nothing is labelled, -inf if one object fills the image and the
        edge is no boundary.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 5: po and -pi of the public code of SASSNet and DTC.

    Examples
    --------
    >>> two_sided_distance(np.array([[0, 0, 7, 7, 7, 0]])).tolist()
    [[2.0, 1.0, 0.0, -2.0, 0.0, 1.0]]
    """
    distance = gap_distance(
        labels, spacing=spacing, border_is_boundary=border_is_boundary
    )
    boundary = inner_boundary(labels, border_is_boundary=border_is_boundary)
    distance[boundary] = 0
    return distance


def gap_distance(
    labels: NDArray[np.generic],
    *,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.float32]:
    """Signed distance to outlines between pixels, of which one may be the image edge.

    Parameters
    ----------
    labels, spacing, border_is_boundary
        As in :func:`signed_boundary_distance`.

    Returns
    -------
    ([Z,] Y, X) float32
        :func:`~napari_mtseg.geometry.distances.signed_outline_distance`, nowhere 0.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    Examples
    --------
    >>> gap_distance(np.array([[7, 7, 7, 0]])).tolist()
    [[-3.0, -2.0, -1.0, 1.0]]
    >>> gap_distance(np.array([[7, 7, 7, 0]]), border_is_boundary=True).tolist()
    [[-1.0, -1.0, -1.0, 1.0]]
    """
    margin = 1 if border_is_boundary else 0
    within_edge = (slice(margin, -margin or None),) * labels.ndim
    distance = signed_outline_distance(
        np.pad(labels, margin), spacing=spacing, threads=usable_cores()
    )
    return distance[within_edge]


def normalised(
    distance: NDArray[np.float32],
    rule: DistanceRule,
    *,
    kind: DistanceKind,
    reach: float = REACH,
) -> NDArray[np.float32]:
    """Return a distance map as a sigmoid can answer it, 0..1.

    Parameters
    ----------
    distance : ([Z,] Y, X) float32
        A map of this ``kind``; infinities allowed.
    rule : 'sym', 'minmax', 'trunc' or 'sides'
        'sym': divided by the largest finite size; D3 so that 0.5 is the boundary.
        'minmax': from the smallest to the largest finite value; where the boundary
        of D3 comes to lie differs from image to image.
        'trunc': saturated at ``reach``; the same on a crop as on the whole image.
        'sides': as 'sym', but each side of D3 divided by its own largest finite size.
    kind : 'D1', 'D2' or 'D3'
        Whether the map is signed (D3).
    reach : float
        Where 'trunc' saturates, unit of ``distance``, > 0; not used by others.

    Returns
    -------
    ([Z,] Y, X) float32
        0..1. An empty mask is 1 everywhere; a full one without boundary is 0 as D1
        and D3 and 1 as D2.

    Raises
    ------
    ValueError
        If ``reach`` is not positive.

    References
    ----------
    .. [1] METHODS.md section 2, where the rules are ours, and section 5 for 'sides'.

    Examples
    --------
    >>> d3 = np.array([[-4, -2, 0, 2, 9]], np.float32)
    >>> normalised(d3, "trunc", kind="D3", reach=4).tolist()
    [[0.0, 0.25, 0.5, 0.75, 1.0]]
    """
    if not 0 < reach < np.inf:
        raise ValueError(f"reach is {reach} but must be a positive number")
    if rule == "sides" and kind == "D3":
        return _by_sides(distance)
    scale, offset = _scale_and_offset(distance, rule, kind, reach)
    values = distance * np.float32(scale)
    if offset != 0:
        values += np.float32(offset)
    np.clip(values, 0, 1, out=values)
    return values


def _by_sides(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 0..1 with 0.5 at 0, each side up to its own largest finite size."""
    low, high = _finite_range(distance)
    scale_inside, scale_outside = (
        np.float32(0.5 / size if size > 0 else 0.5) for size in (-low, high)
    )
    values = distance * np.where(distance < 0, scale_inside, scale_outside)
    values += np.float32(0.5)
    np.clip(values, 0, 1, out=values)
    return values


def _scale_and_offset(
    distance: NDArray[np.float32], rule: DistanceRule, kind: DistanceKind, reach: float
) -> tuple[float, float]:
    """Return factor and summand that bring a map to 0..1, but for what saturates."""
    low, high = (0.0, reach) if rule == "trunc" else _finite_range(distance)
    if rule == "minmax":
        span = high - low or 1.0
        return 1 / span, -low / span
    size = max(high, -low) or 1.0
    return (0.5 / size, 0.5) if kind == "D3" else (1 / size, 0.0)


def _finite_range(distance: NDArray[np.float32]) -> tuple[float, float]:
    """Return the smallest and the largest finite value, 0 and 0 where there is none."""
    if distance.size == 0:
        return 0.0, 0.0
    low, high = float(distance.min()), float(distance.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = distance[np.isfinite(distance)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
