"""Inner boundaries of labelled regions, and what lies within reach of a set."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.distances import Spacing, distance_to

Pixel = TypeVar("Pixel", bound=np.generic)


def inner_boundary(
    labels: NDArray[np.generic], *, border_is_boundary: bool = False
) -> NDArray[np.bool_]:
    """Labelled pixels that share a face with a pixel of another label.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Label of each pixel; 0 or False is outside of everything. Where two labels
        touch, each keeps its own boundary.
    border_is_boundary : bool
        If True, beyond the image edge is outside, so labelled pixels at the edge are
        boundary; if False, the edge is none.

    Returns
    -------
    ([Z,] Y, X) bool
        True on the boundary; a part of the labelled pixels.

    References
    ----------
    .. [1] METHODS.md section 2: m and not erode(m, cross), for each label.

    Examples
    --------
    >>> inner_boundary(np.array([[1, 1, 1, 2, 2, 0]])).astype(int).tolist()
    [[0, 0, 1, 1, 1, 0]]
    """
    boundary = np.zeros(labels.shape, np.bool_)
    for axis in range(labels.ndim):
        before, after = neighbours(labels, axis)
        differ = before != after
        for side in neighbours(boundary, axis):
            side |= differ
        if border_is_boundary:
            from_edge = np.moveaxis(boundary, axis, 0)
            from_edge[:1] = from_edge[-1:] = True
    boundary &= labels.astype(np.bool_, copy=False)
    return boundary


def within(
    members: NDArray[np.bool_],
    radius: float,
    *,
    spacing: Spacing | None = None,
    threads: int = 1,
) -> NDArray[np.bool_]:
    """Pixels no farther than ``radius`` from a member: dilation with a disk or ball.

    Parameters
    ----------
    members : ([Z,] Y, X) bool
        The set that is dilated.
    radius : float
        In the unit of ``spacing``, >= 0. A disk of radius 5 has 81 pixels.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    threads : int
        Threads to compute with, >= 1; the result is the same for any number.

    Returns
    -------
    ([Z,] Y, X) bool
        True on members and near them, False everywhere if there is none.

    Raises
    ------
    ValueError
        If ``radius`` is negative or ``spacing`` does not fit the array.

    Examples
    --------
    >>> row = np.array([[False, False, True, False, False, False]])
    >>> within(row, 1).astype(int).tolist()
    [[0, 1, 1, 1, 0, 0]]
    """
    if not radius >= 0:
        raise ValueError(f"radius is {radius} but must be at least 0")
    return distance_to(members, spacing=spacing, threads=threads) <= radius


def neighbours(
    values: NDArray[Pixel], axis: int
) -> tuple[NDArray[Pixel], NDArray[Pixel]]:
    """Return all pixels that have a next one along ``axis``, and that one, as views."""
    moved = np.moveaxis(values, axis, 0)
    return moved[:-1], moved[1:]
