"""What is known about each pixel, from all three kinds of annotation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    UNPAINTED,
    Annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE, ImageTargets
from napari_mtseg.geometry.components import compact_labels, connected_components
from napari_mtseg.geometry.distances import distance_to, relative_spacing
from napari_mtseg.geometry.sizes import mean_diameter


def scribbled_classes(scribbles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what scribbles say: class, BACKGROUND, or IGNORE.

    A separator is the border between touching objects; it belongs to either, so it
    says nothing about the class.
    """
    known = np.full(scribbles.shape, IGNORE, np.uint8)
    known[scribbles == SCRIBBLE_BACKGROUND] = BACKGROUND
    strokes = scribbles >= SCRIBBLE_FIRST_CLASS
    known[strokes] = scribbles[strokes] - (SCRIBBLE_FIRST_CLASS - 1)
    return known


def full_classes(annotation: Annotation) -> NDArray[np.uint8]:
    """Return what full masks say in complete regions, and IGNORE elsewhere.

    Inside, it is the class of the object, or BACKGROUND where none is painted.
    """
    inside = annotation.complete.mask(annotation.shape)
    return np.where(inside, annotation.full.class_map(), np.uint8(IGNORE))


def partial_classes(annotation: Annotation) -> NDArray[np.uint8]:
    """Return what partial masks say: class inside, IGNORE elsewhere."""
    classes = annotation.partial.class_map()
    classes[annotation.partial.objects == UNPAINTED] = IGNORE
    return classes


def known_classes(annotation: Annotation) -> NDArray[np.uint8]:
    """Class of every pixel that is known from any kind of paint.

    Scribble wins over full mask over partial mask.

    Returns
    -------
    ([Z,] Y, X) uint8
        Class, BACKGROUND, or IGNORE where nobody painted.
    """
    known = partial_classes(annotation)
    for stronger in (full_classes(annotation), scribbled_classes(annotation.scribbles)):
        np.copyto(known, stronger, where=stronger != IGNORE)
    return known


def undisputed_partial(annotation: Annotation) -> NDArray[np.uint32]:
    """Partial masks without the pixels that stronger paint decides.

    Full masks replace them wherever these count, whatever they say. A scribble that
    agrees takes nothing away; one that contradicts, and a separator, does.

    Returns
    -------
    ([Z,] Y, X) uint32
        Object id; UNPAINTED where a partial mask tells nothing.
    """
    lost = _is_disputed(partial_classes(annotation), annotation.scribbles)
    lost |= annotation.complete.mask(annotation.shape)
    return np.where(lost, np.uint32(UNPAINTED), annotation.partial.objects)


def undisputed_complete(annotation: Annotation) -> NDArray[np.bool_]:
    """Where full masks tell all about objects, so that unpainted is background.

    Returns
    -------
    ([Z,] Y, X) bool
        True in complete regions but where a scribble contradicts the full masks, or
        a separator says that a border is there. A scribble that agrees takes nothing
        away.
    """
    complete = annotation.complete.mask(annotation.shape)
    if annotation.has_scribbles and complete.any():
        complete &= ~_is_disputed(full_classes(annotation), annotation.scribbles)
    return complete


def n_conflicting_pixels(annotation: Annotation) -> int:
    """Count the pixels on which two kinds of annotation say different things."""
    layers = (
        partial_classes(annotation),
        full_classes(annotation),
        scribbled_classes(annotation.scribbles),
    )
    conflict = np.zeros(annotation.shape, bool)
    for i, first in enumerate(layers):
        for second in layers[i + 1 :]:
            conflict |= (first != second) & (first != IGNORE) & (second != IGNORE)
    return int(conflict.sum())


def known_objects(annotation: Annotation) -> NDArray[np.uint32]:
    """Object or stroke number of each painted pixel, unique across the three layers.

    As in :func:`known_classes`, scribble wins over full mask over partial mask. A
    stroke belongs to the objects of its class where it lies on them, and is an object
    of its own elsewhere.

    Returns
    -------
    ([Z,] Y, X) uint32
        0 where no object is painted; the numbers may have gaps.
    """
    strokes = connected_components(annotation.scribbles >= SCRIBBLE_FIRST_CLASS)
    if strokes.any():
        strokes[_agrees_with_masks(annotation)] = 0
    full = annotation.full.objects * annotation.complete.mask(annotation.shape)
    _, objects = compact_labels(annotation.partial.objects)
    for layer in (full, strokes):
        _, numbers = compact_labels(layer)
        objects = np.where(numbers != 0, numbers + objects.max(initial=0), objects)
    return objects


def far_background(
    annotation: Annotation,
    *,
    at_least: float = 32.0,
    diameters: float = 2.0,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.bool_]:
    """Pixels that are background because every object of the image bears a mark.

    Parameters
    ----------
    annotation : Annotation
        Its tag ``exhaustive`` must be set, else nothing is returned.
    at_least : float
        Smallest distance from any mark, pixels (ours).
    diameters : float
        Smallest distance in mean diameters of the marked objects (ours).
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); distances are measured in units of the last axis.

    Returns
    -------
    ([Z,] Y, X) bool
        True where no paint is near (METHODS.md section 6).
    """
    marked = annotation.partial.objects != UNPAINTED
    marked |= annotation.scribbles >= SCRIBBLE_SEPARATOR
    marked |= annotation.full.objects != UNPAINTED
    if not annotation.tags.exhaustive or not marked.any():
        return np.zeros(annotation.shape, bool)
    in_pixels = relative_spacing(spacing, marked.ndim)
    typical = mean_diameter(known_objects(annotation), spacing=in_pixels)
    reach = max(at_least, diameters * typical)
    return distance_to(marked, spacing=in_pixels) > reach


def with_far_background(
    known: NDArray[np.uint8], far: NDArray[np.bool_], *, weight: float = 0.3
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Add far background to a class map where nothing is known.

    Returns
    -------
    ([Z,] Y, X) uint8 and ([Z,] Y, X) float32
        The class map, and the weight of each pixel: ``weight`` where background was
        inferred, 1 where it was painted.
    """
    inferred = far & (known == IGNORE)
    weights = np.where(inferred, np.float32(weight), np.float32(1))
    return np.where(inferred, np.uint8(BACKGROUND), known), weights


def _agrees_with_masks(annotation: Annotation) -> NDArray[np.bool_]:
    """Return where scribbles say what the strongest mask says."""
    classes = full_classes(annotation)
    np.copyto(classes, partial_classes(annotation), where=classes == IGNORE)
    return classes == scribbled_classes(annotation.scribbles)


def _is_disputed(
    classes: NDArray[np.uint8], scribbles: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return where scribbles keep a mask of these classes from being trusted."""
    said = scribbled_classes(scribbles)
    differs = (said != IGNORE) & (said != classes)
    return differs | (scribbles == SCRIBBLE_SEPARATOR)


def taught_classes(
    annotation: Annotation, *, spacing: tuple[float, ...] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return all that is known of an image, far background included, with weights.

    Returns
    -------
    ([Z,] Y, X) uint8 and ([Z,] Y, X) float32
        As :func:`with_far_background`.
    """
    far = far_background(annotation, spacing=spacing)
    return with_far_background(known_classes(annotation), far)


def image_targets(
    annotation: Annotation,
    maps: Mapping[str, NDArray[Any]],
    *,
    known: NDArray[np.uint8],
    facts: Mapping[str, NDArray[Any]] = MappingProxyType({}),
) -> ImageTargets:
    """Return the maps to learn with what patches are drawn by.

    Parameters
    ----------
    annotation : Annotation
        What is learned from.
    maps : mapping of str to ([Z,] Y, X)
        Maps to learn by name.
    known : ([Z,] Y, X) uint8
        Class where something is known, IGNORE elsewhere.
    facts : mapping of str to array
        Numbers about the image as a whole by name.
    """
    painted = "full" if annotation.has_full else "weak"
    return ImageTargets(
        maps=maps,
        known=known,
        objects=known_objects(annotation),
        stratum="none" if annotation.is_empty else painted,
        facts=facts,
    )
