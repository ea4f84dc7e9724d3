"""What recursive approximation learns: the growing masks and the separators."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import SCRIBBLE_SEPARATOR, UNPAINTED, Annotation
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.geometry.boundaries import neighbours, within
from napari_mtseg.geometry.components import bounding_boxes
from napari_mtseg.geometry.distances import relative_spacing
from napari_mtseg.geometry.sizes import diameters
from napari_mtseg.targets.class_map import full_classes, scribbled_classes

SEPARATOR = 1
"""value of a separator target on the border between touching objects"""


def approximation(
    annotation: Annotation, *, window: float = 16.0, spacing: tuple[float, ...]
) -> NDArray[np.uint8]:
    """Return the target of the approximation task.

    Where every object is marked (or the region is complete), each pixel outside the
    growing masks counts as this task's background: the one place where unpainted is
    not unknown (METHODS.md section 6). Elsewhere that holds only near a mask.

    Parameters
    ----------
    annotation : Annotation
        Its partial masks are the growing masks Y_i.
    window : float
        Smallest reach around a mask in which unpainted counts as background, pixels
        of the last axis; larger masks reach as far as their own diameter (ours).
    spacing : tuple of float
        Voxel size ([Z,] Y, X).

    Returns
    -------
    ([Z,] Y, X) uint8
        Class, BACKGROUND or IGNORE. All IGNORE where no mask is painted.
    """
    masks = annotation.partial
    inside = masks.objects != UNPAINTED
    if not inside.any():
        return np.full(annotation.shape, IGNORE, np.uint8)
    target = masks.class_map()
    if annotation.tags.exhaustive or annotation.complete.whole:
        return target
    known = scribbled_classes(annotation.scribbles) == BACKGROUND
    known |= full_classes(annotation) != IGNORE
    in_pixels = relative_spacing(spacing, target.ndim)
    known |= _near_masks(masks.objects, window, in_pixels)
    target[~known & ~inside] = IGNORE
    return target


def separators(
    annotation: Annotation, *, unknown_within: int = 3, spacing: tuple[float, ...]
) -> NDArray[np.uint8]:
    """Return the target of the separation task.

    Parameters
    ----------
    annotation : Annotation
        Separator strokes, and full masks whose touching objects show their borders.
    unknown_within : int
        Pixels around a stroke that count neither way (ours).
    spacing : tuple of float
        Voxel size ([Z,] Y, X).

    Returns
    -------
    ([Z,] Y, X) uint8
        SEPARATOR on borders, IGNORE close to them, else BACKGROUND: everywhere if a
        separator is drawn, in complete regions if none is. IGNORE elsewhere.
    """
    strokes = annotation.scribbles == SCRIBBLE_SEPARATOR
    complete = annotation.complete.mask(annotation.shape)
    borders = touching_borders(annotation.full.objects) & complete
    if not strokes.any() and not complete.any():
        return np.full(annotation.shape, IGNORE, np.uint8)
    marked = strokes | borders
    known = complete if not strokes.any() else np.ones(annotation.shape, bool)
    target = np.where(known, np.uint8(BACKGROUND), np.uint8(IGNORE))
    in_pixels = relative_spacing(spacing, target.ndim)
    target[within(marked, unknown_within, spacing=in_pixels)] = IGNORE
    target[marked] = SEPARATOR
    return target


def _near_masks(
    objects: NDArray[np.uint32], window: float, spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Whether a mask is no farther than ``window`` or its own diameter."""
    reach_of = diameters(objects, spacing=spacing)
    small = [key for key, reach in reach_of.items() if reach <= window]
    near = within(np.isin(objects, small), window, spacing=spacing)
    for key, box in bounding_boxes(objects).items():
        reach = reach_of[key]
        if reach > window:
            margins = (ceil(reach / size) for size in spacing)
            around = tuple(
                slice(max(0, side.start - margin), side.stop + margin)
                for side, margin in zip(box, margins, strict=True)
            )
            mask = objects[around] == key
            near[around] |= within(mask, reach, spacing=spacing)
    return near


def touching_borders(objects: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Pixels of objects that have a pixel of another object as a neighbour."""
    found = np.zeros(objects.shape, bool)
    for axis in range(objects.ndim):
        before, after = neighbours(objects, axis)
        meet = (before != after) & (before != UNPAINTED) & (after != UNPAINTED)
        for side in neighbours(found, axis):
            side |= meet
    return found
