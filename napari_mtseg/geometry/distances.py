"""Euclidean distance transforms that are right on empty and full masks too.

All of them measure from pixel centre to pixel centre, respect the voxel size, treat
2D and 3D alike, and do not count what lies beyond the image border.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Spacing = tuple[float, ...]
"""size of a voxel along ([Z,] Y, X), > 0"""

LabelT = TypeVar("LabelT", bound=np.integer)


def distance_to(
    members: NDArray[np.bool_], *, spacing: Spacing | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Distance of each pixel to the nearest member.

    Parameters
    ----------
    members : ([Z,] Y, X) bool
        The set that is measured to.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    threads : int
        Threads to compute with, >= 1; the result is the same for any number.

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``; 0 on members, +inf everywhere if there is none.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md, section 0: the distance to an empty set is +inf.

    Examples
    --------
    >>> distance_to(np.array([[False, True, False, False]])).tolist()
    [[1.0, 0.0, 1.0, 2.0]]
    """
    squares = squared_distance_to(members, spacing=spacing, threads=threads)
    return np.sqrt(squares, out=squares)


def distance_inside(
    labels: NDArray[np.generic], *, spacing: Spacing | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Distance of each labelled pixel to the nearest pixel that has another label.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Label of each pixel; 0 or False is outside of everything. Labels that touch
        are each other's outside.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    threads : int
        Threads to compute with, >= 1; the result is the same for any number.

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``; 0 where the label is 0, +inf everywhere if one
        label fills the image. The image border is not outside.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    Examples
    --------
    >>> distance_inside(np.array([[1, 1, 2, 2, 2, 0]])).tolist()
    [[2.0, 1.0, 1.0, 2.0, 1.0, 0.0]]
    """
    squares = squared_distance_inside(labels, spacing=spacing, threads=threads)
    return np.sqrt(squares, out=squares)


def signed_outline_distance(
    labels: NDArray[np.generic], *, spacing: Spacing | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Distance to the labelled pixels minus the distance to what has another label.

    The outline runs between pixels, so no value is 0: the pixels on its two sides hold
    minus and plus one pixel. Where two labels touch, both sides are negative.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Label of each pixel; 0 or False is outside of everything.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    threads : int
        Threads to compute with, >= 1; the result is the same for any number.

    Returns
    -------
    ([Z,] Y, X) float32
        In the unit of ``spacing``, negative inside. The image edge is no outline: +inf
        everywhere if nothing is labelled, -inf if one label fills the image.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 6: d(x, m) - d(x, not m), for each label.

    Examples
    --------
    >>> signed_outline_distance(np.array([[0, 7, 7, 7, 0, 0]])).tolist()
    [[1.0, -1.0, -2.0, -1.0, 1.0, 2.0]]
    """
    inside = labels.astype(np.bool_, copy=False)
    distance = distance_to(inside, spacing=spacing, threads=threads)
    distance -= distance_inside(labels, spacing=spacing, threads=threads)
    return distance


def nearest_label(
    labels: NDArray[LabelT], *, spacing: Spacing | None = None
) -> NDArray[LabelT]:
    """Label of the nearest labelled pixel.

    Parameters
    ----------
    labels : ([Z,] Y, X) integer
        Label of each pixel, 0 where there is none.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) integer
        Labelled pixels keep their label. Where several labels are equally near, one
        of them, always the same for the same array. 0 everywhere if nothing is
        labelled.

    Raises
    ------
    ValueError
        If ``spacing`` does not fit the array.

    Examples
    --------
    >>> nearest_label(np.array([[0, 7, 0, 0, 9]])).tolist()
    [[7, 7, 7, 9, 9]]
    """
    sampling = voxel_size(spacing, labels.ndim)
    unlabelled = labels == 0
    if unlabelled.all():
        return labels.copy()
    indices = ndimage.distance_transform_edt(
        unlabelled, sampling=sampling, return_distances=False, return_indices=True
    )
    nearest: NDArray[LabelT] = labels[tuple(indices)]
    return nearest


def squared_distance_to(
    members: NDArray[np.bool_], *, spacing: Spacing | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Square of :func:`distance_to`; a whole number where the spacing is 1."""
    return squared_distance_inside(~members, spacing=spacing, threads=threads)


def squared_distance_inside(
    labels: NDArray[np.generic], *, spacing: Spacing | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Square of :func:`distance_inside`; a whole number where the spacing is 1."""
    size = voxel_size(spacing, labels.ndim)
    if labels.size == 0:
        return np.zeros(labels.shape, np.float32)
    squares: NDArray[np.float32] = edt.edtsq(
        np.ascontiguousarray(labels),
        anisotropy=size,
        black_border=False,
        parallel=threads,
    )
    return squares


def usable_cores() -> int:
    """Return how many cores this process may use, >= 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def relative_spacing(spacing: Sequence[float] | None, ndim: int) -> Spacing:
    """Voxel size in pixels of the last axis, 1 along each axis where none is given.

    Raises
    ------
    ValueError
        If there is not one positive number for each axis.

    Examples
    --------
    >>> relative_spacing((5.0, 0.5, 0.5), 3)
    (10.0, 1.0, 1.0)
    """
    voxel = voxel_size(spacing, ndim)
    return tuple(size / voxel[-1] for size in voxel)


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
