"""How much was painted, counted over images: what a method needs to know to begin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_mtseg.domain.annotation import SCRIBBLE_SEPARATOR, Annotation
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.targets.class_map import (
    far_background,
    known_classes,
    n_conflicting_pixels,
)


@dataclass(frozen=True, kw_only=True)
class PaintSummary:
    """What the annotations of several images hold together."""

    n_images: int
    """images on which something is painted"""
    n_full: int
    """images with a complete region"""
    n_partial: int
    """images with partial masks"""
    n_partial_objects: int
    """partial masks on all images"""
    n_scribbled: int
    """images with scribbles"""
    n_separated: int
    """images with separator strokes"""
    classes: frozenset[int]
    """classes that are painted somewhere"""
    has_background: bool
    """True if some pixel is known to be background"""
    has_far_background: bool
    """True if background follows from 'every object is marked'"""
    n_conflicts: int
    """pixels on which two kinds of annotation disagree"""


def summarise(annotations: Sequence[Annotation]) -> PaintSummary:
    """Count what is painted."""
    painted = [a for a in annotations if not a.is_empty]
    classes: set[int] = set()
    for annotation in painted:
        classes.update(int(c) for c in np.unique(known_classes(annotation)))
    return PaintSummary(
        n_images=len(painted),
        n_full=sum(a.has_full for a in painted),
        n_partial=sum(a.has_partial for a in painted),
        n_partial_objects=sum(
            len(np.unique(a.partial.objects[a.partial.objects != 0])) for a in painted
        ),
        n_scribbled=sum(a.has_scribbles for a in painted),
        n_separated=sum(bool((a.scribbles == SCRIBBLE_SEPARATOR).any()) for a in painted),
        classes=frozenset(classes - {BACKGROUND, IGNORE}),
        has_background=BACKGROUND in classes,
        has_far_background=any(far_background(a).any() for a in painted),
        n_conflicts=sum(n_conflicting_pixels(a) for a in painted),
    )


def shared_problems(paint: PaintSummary, *, n_classes: int) -> tuple[str, ...]:
    """Return what keeps any method from learning, a sentence each."""
    if paint.n_images == 0:
        return (
            "Nothing is painted on the training images. Paint at least one object and "
            "some background.",
        )
    if not paint.classes:
        return (
            "Only background is painted. Paint at least one object of a class.",
        )
    if not paint.has_background and not paint.has_far_background and n_classes == 1:
        return (
            "Only one class is painted and no background. Paint one background stroke, "
            "or tick 'every object is marked'.",
        )
    if len(paint.classes) == 1 and not (paint.has_background or paint.has_far_background):
        return (
            "Labels of one class only and no background were found. Paint one "
            "background stroke or another class.",
        )
    return ()


def shared_notices(paint: PaintSummary, *, n_classes: int) -> tuple[str, ...]:
    """Return what the user should know about the paint, a sentence each."""
    notices = []
    missing = sorted(set(range(1, n_classes + 1)) - paint.classes)
    if missing:
        names = ", ".join(str(c) for c in missing)
        notices.append(f"No paint for class {names}: it cannot be learned.")
    if paint.n_conflicts:
        notices.append(
            f"Annotations disagree on {paint.n_conflicts} pixels; there a scribble wins "
            "over a full mask, and a full mask over a partial mask."
        )
    if not paint.has_background and paint.has_far_background:
        notices.append(
            "No background is painted: pixels far from every mark count as background "
            "at a low weight."
        )
    return tuple(notices)
