"""Border and marker of each object, from which touching objects are separated."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_SEPARATOR,
    UNPAINTED,
    Annotation,
)
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.geometry.boundaries import inner_boundary, within
from napari_mtseg.geometry.components import compact_labels, present_labels
from napari_mtseg.geometry.distances import (
    Spacing,
    distance_inside,
    relative_spacing,
    usable_cores,
)
from napari_mtseg.targets.class_map import undisputed_complete, undisputed_partial


def border_and_marker(
    objects: NDArray[np.uint32],
    *,
    width: float = 2.0,
    spacing: Spacing | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut each object into a border and a marker in its middle.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object ids, 0 background. The image edge is no border.
    width : float
        Pixels of an object that are no farther than this from anything that is not
        the same object are its border; pixels of the last axis, >= 0.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.

    Returns
    -------
    border, marker : ([Z,] Y, X) uint8
        0 or 1; together they are the objects. An object too thin for a marker keeps
        its deepest pixels as one.

    Raises
    ------
    ValueError
        If ``width`` is negative or ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 3, nuclei. Width and the rule for thin objects are ours.

    Examples
    --------
    >>> row = np.array([[0, 7, 7, 7, 7, 7, 8, 0]], np.uint32)
    >>> border, marker = border_and_marker(row, width=1)
    >>> border.tolist(), marker.tolist()
    ([[0, 1, 0, 0, 0, 1, 0, 0]], [[0, 0, 1, 1, 1, 0, 1, 0]])
    """
    depth, deepest = _depths(objects, width, spacing)
    inside = objects != UNPAINTED
    marker = inside & ((depth > width) | (depth == deepest))
    return (inside & ~marker).astype(np.uint8), marker.astype(np.uint8)


def nuclei_targets(
    annotation: Annotation, *, width: float = 2.0, spacing: Spacing | None = None
) -> dict[str, NDArray[np.uint8]]:
    """Border and marker maps to learn from paint.

    In complete regions they come from the full masks, unknown where an object may
    reach beyond the region. The depth of a partial mask is marker. Known background
    is neither, and a separator is border. A foreground stroke says nothing. Where a
    scribble contradicts a mask, or is a separator, the mask says nothing either.

    Parameters
    ----------
    annotation : Annotation
        Paint of all kinds. Scribble wins over full mask over partial mask.
    width, spacing
        As in :func:`border_and_marker`.

    Returns
    -------
    dict
        'border' and 'marker', each ([Z,] Y, X) uint8: 0, 1 or IGNORE.

    Raises
    ------
    ValueError
        As :func:`border_and_marker`.

    References
    ----------
    .. [1] METHODS.md sections 3 and 6; the paper knows full masks only.
    """
    border = np.full(annotation.shape, IGNORE, np.uint8)
    marker = border.copy()
    partial = undisputed_partial(annotation)
    if partial.any():
        depth, _ = _depths(partial, width, spacing)
        border[depth > width], marker[depth > width] = 0, 1
    complete = undisputed_complete(annotation)
    if complete.any():
        objects = np.where(complete, annotation.full.objects, np.uint32(UNPAINTED))
        sure = complete & ~_maybe_cut(objects, complete, width, spacing)
        full_border, full_marker = border_and_marker(
            objects, width=width, spacing=spacing
        )
        np.copyto(border, full_border, where=sure)
        np.copyto(marker, full_marker, where=sure)
    for target in (border, marker):
        target[annotation.scribbles == SCRIBBLE_BACKGROUND] = 0
    strokes = annotation.scribbles == SCRIBBLE_SEPARATOR
    border[strokes], marker[strokes] = 1, 0
    return {"border": border, "marker": marker}


def _maybe_cut(
    objects: NDArray[np.uint32],
    complete: NDArray[np.bool_],
    width: float,
    spacing: Spacing | None,
) -> NDArray[np.bool_]:
    """Object pixels whose border or marker the unseen rest of an object may change."""
    if complete.all():
        return np.zeros(objects.shape, np.bool_)
    in_pixels = relative_spacing(spacing, objects.ndim)
    near = within(~complete, width, spacing=in_pixels, threads=usable_cores())
    cut = near | inner_boundary(complete)
    _, deepest = _depths(objects, width, spacing)
    thin = (objects != UNPAINTED) & (deepest <= width)
    cut |= thin & np.isin(objects, present_labels(objects * (cut & thin)))
    return cut & (objects != UNPAINTED)


def _depths(
    objects: NDArray[np.uint32], width: float, spacing: Spacing | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth of each pixel in its object, and the largest depth in that object.

    Both in pixels of the last axis, 0 outside of objects.
    """
    if not width >= 0:
        raise ValueError(f"width is {width} but must be at least 0")
    in_pixels = relative_spacing(spacing, objects.ndim)
    depth = distance_inside(objects, spacing=in_pixels, threads=usable_cores())
    names, numbers = compact_labels(objects)
    deepest = np.zeros(len(names), np.float32)
    np.maximum.at(deepest, numbers.ravel(), depth.ravel())
    return depth, deepest[numbers]
