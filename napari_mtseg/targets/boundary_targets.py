"""Boundaries to learn from paint, and weights that grow near the painted ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED, Annotation
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.geometry.boundaries import inner_boundary, neighbours, within
from napari_mtseg.geometry.distances import Spacing, relative_spacing, usable_cores
from napari_mtseg.targets.boundary_maps import (
    CANNY_REACH,
    REACH,
    Edges,
    boundary_map,
    difficulty_map,
)
from napari_mtseg.targets.class_map import (
    full_classes,
    partial_classes,
    undisputed_complete,
    undisputed_partial,
)

KNOWN = 0
"""value of a map of what is known where it is; elsewhere IGNORE"""


def boundary_target(
    annotation: Annotation,
    *,
    delta: float = 2.0,
    spacing: Spacing | None = None,
    edges: Edges = "inner",
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Boundary map to learn from paint, and where it is known.

    In complete regions it is the map of the full masks, except close to the region's
    edge, beyond which a boundary may hide. Elsewhere, the depth of a partial mask has
    no boundary, and there is one where two known classes touch; the mask's own edge
    is none. Scribbles say nothing about boundaries; where one contradicts a mask, or
    is a separator, the mask says nothing either.

    Parameters
    ----------
    annotation : Annotation
        Paint of all kinds.
    delta, spacing, edges
        As in :func:`~napari_mtseg.targets.boundary_maps.boundary_map`.

    Returns
    -------
    value : ([Z,] Y, X) float32
        0..1; 0 where unknown.
    known : ([Z,] Y, X) uint8
        KNOWN or IGNORE, codes like those of a class map.

    Raises
    ------
    ValueError
        As :func:`~napari_mtseg.targets.boundary_maps.boundary_map`.

    References
    ----------
    .. [1] METHODS.md section 6. The outermost pixels of what is known may be on an
       unseen boundary themselves, so depths are measured from them.
    """
    partial, complete = undisputed_partial(annotation), undisputed_complete(annotation)
    objects = np.where(complete, annotation.full.objects, np.uint32(UNPAINTED))
    drawn = boundary_map(
        objects, delta=delta, spacing=spacing, edges=edges, known=complete
    )
    if complete.all():
        return drawn, np.full(annotation.shape, KNOWN, np.uint8)
    touching = _touching_classes(annotation, partial != UNPAINTED, complete)
    value, known = touching.astype(np.float32), touching
    if partial.any():
        unsure = inner_boundary(partial) | (partial == UNPAINTED)
        known |= _beyond(unsure, REACH * delta, spacing)
    if complete.any():
        unsure = ~complete | (inner_boundary(complete) & (objects != UNPAINTED))
        reach = REACH * delta + (CANNY_REACH if edges == "canny" else 0)
        sure = _beyond(unsure, reach, spacing)
        np.copyto(value, drawn, where=sure)
        known |= sure
    return value, np.where(known, np.uint8(KNOWN), np.uint8(IGNORE))


def difficulty_target(
    annotation: Annotation,
    *,
    weights: Mapping[int, float],
    delta: float = 8.0,
    base: float = 1.0,
    spacing: Spacing | None = None,
) -> NDArray[np.float32]:
    """How much each pixel counts in training.

    Parameters
    ----------
    annotation : Annotation
        Paint of all kinds; only full masks in complete regions show boundaries.
    weights, delta, base, spacing
        As in :func:`~napari_mtseg.targets.boundary_maps.difficulty_map`.

    Returns
    -------
    ([Z,] Y, X) float32
        The difficulty map where full masks are complete and no scribble contradicts
        them, ``base`` elsewhere. An object that the edge of a region cuts has no
        boundary there.

    Raises
    ------
    ValueError
        As :func:`~napari_mtseg.targets.boundary_maps.difficulty_map`.

    References
    ----------
    .. [1] METHODS.md section 6.
    """
    complete = undisputed_complete(annotation)
    found = difficulty_map(
        np.where(complete, annotation.full.objects, np.uint32(UNPAINTED)),
        annotation.full.class_of,
        weights=weights,
        delta=delta,
        base=base,
        spacing=spacing,
        known=complete,
    )
    found[~complete] = base
    return found


def _touching_classes(
    annotation: Annotation, partial: NDArray[np.bool_], complete: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Foreground pixels with a face neighbour that masks know as another class."""
    classes = np.full(annotation.shape, IGNORE, np.uint8)
    np.copyto(classes, partial_classes(annotation), where=partial)
    np.copyto(classes, full_classes(annotation), where=complete)
    touching = np.zeros(annotation.shape, np.bool_)
    for axis in range(classes.ndim):
        before, after = neighbours(classes, axis)
        differ = (before != after) & (before != IGNORE) & (after != IGNORE)
        for side in neighbours(touching, axis):
            side |= differ
    return touching & (classes != BACKGROUND)


def _beyond(
    members: NDArray[np.bool_], radius: float, spacing: Spacing | None
) -> NDArray[np.bool_]:
    """Pixels farther than ``radius`` pixels of the last axis from all members."""
    in_pixels = relative_spacing(spacing, members.ndim)
    return ~within(members, radius, spacing=in_pixels, threads=usable_cores())
