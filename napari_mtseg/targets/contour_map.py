"""Contours of objects as a map to learn, and where paint tells of them."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED, Annotation
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.geometry.boundaries import inner_boundary, within
from napari_mtseg.geometry.distances import Spacing, relative_spacing, usable_cores
from napari_mtseg.targets.class_map import undisputed_complete, undisputed_partial

CONTOUR = 1
"""value of a contour map on contours"""

NO_CONTOUR = 0
"""value of a contour map where there is no contour"""

PAPER_SIDE = 256
"""side of the images for which the paper states its contour width, pixels"""


def contour_radius(shape: tuple[int, ...], *, at_256: float = 5.0) -> int:
    """Half the width of a contour that suits an image of this size.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Size of the image, pixels. Only its planes count.
    at_256 : float
        Radius for a plane whose shorter side is 256, pixels; 5 in the paper.

    Returns
    -------
    int
        Pixels, at least 1.

    References
    ----------
    .. [1] METHODS.md section 2. Scaling with the shorter side is ours.

    Examples
    --------
    >>> contour_radius((256, 512)), contour_radius((20, 512, 600))
    (5, 10)
    """
    return max(1, round(at_256 * min(shape[-2:]) / PAPER_SIDE))


def contour_map(
    labels: NDArray[np.generic],
    *,
    radius: float,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.uint8]:
    """Return the dilated inner boundary of all labels together.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Object ids or a class map, 0 outside.
    radius : float
        Of the disk (ball in 3D) that dilates, pixels of the last axis, >= 0.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    border_is_boundary : bool
        Whether labels that reach the image edge have a contour there.

    Returns
    -------
    ([Z,] Y, X) uint8
        CONTOUR or NO_CONTOUR.

    Raises
    ------
    ValueError
        If ``radius`` is negative or ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 2.

    Examples
    --------
    >>> contour_map(np.array([[0, 0, 0, 4, 4, 4, 4]]), radius=1).tolist()
    [[0, 0, 1, 1, 1, 0, 0]]
    """
    boundary = inner_boundary(labels, border_is_boundary=border_is_boundary)
    return _reached(boundary, radius, spacing).astype(np.uint8)


def contour_target(
    annotation: Annotation,
    *,
    radius: float,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> NDArray[np.uint8]:
    """Contour map to learn from paint, unknown wherever an unseen edge may reach.

    A contour is learned only where both of its sides are known: in complete regions.
    A partial mask tells that its depth holds no contour; its own edge is none. A
    scribble tells nothing; where one contradicts a mask, or is a separator, the mask
    tells nothing either.

    Parameters
    ----------
    annotation : Annotation
        Paint of all kinds.
    radius : float
        Half the width of a contour, pixels of the last axis, >= 0.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    border_is_boundary : bool
        Whether objects that reach the image edge have a contour there.

    Returns
    -------
    ([Z,] Y, X) uint8
        CONTOUR, NO_CONTOUR or IGNORE.

    References
    ----------
    .. [1] METHODS.md section 6. A pixel at the edge of what is known may itself be
       on an unseen boundary, so "deeper than the radius" is measured from there.
    """
    target = np.full(annotation.shape, IGNORE, np.uint8)
    partial = undisputed_partial(annotation)
    if partial.any():
        edge = inner_boundary(partial, border_is_boundary=border_is_boundary)
        unsure = edge | (partial == UNPAINTED)
        target[~_reached(unsure, radius, spacing)] = NO_CONTOUR
    complete = undisputed_complete(annotation)
    if complete.any():
        objects = annotation.full.objects * complete
        unsure = ~complete | (inner_boundary(complete) & (objects != UNPAINTED))
        contour = contour_map(
            objects,
            radius=radius,
            spacing=spacing,
            border_is_boundary=border_is_boundary,
        )
        np.copyto(target, contour, where=~_reached(unsure, radius, spacing))
    return target


def _reached(
    members: NDArray[np.bool_], radius: float, spacing: Spacing | None
) -> NDArray[np.bool_]:
    """Pixels within ``radius`` pixels of the last axis from a member."""
    in_pixels = relative_spacing(spacing, members.ndim)
    return within(members, radius, spacing=in_pixels, threads=usable_cores())
