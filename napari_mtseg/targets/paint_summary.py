"""How much was painted, counted over images: what a method needs to know to begin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Annotation,
)
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
    has_strokes: bool
    """True if a stroke of a class is painted"""
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


def summarise(
    annotations: Sequence[Annotation], *, spacing: tuple[float, ...] | None = None
) -> PaintSummary:
    """Count what is painted.

    Parameters
    ----------
    annotations : sequence of Annotation
        One per image.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    """
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
        has_strokes=any((a.scribbles >= SCRIBBLE_FIRST_CLASS).any() for a in painted),
        n_separated=sum(
            bool((a.scribbles == SCRIBBLE_SEPARATOR).any()) for a in painted
        ),
        classes=frozenset(classes - {BACKGROUND, IGNORE}),
        has_background=BACKGROUND in classes,
        has_far_background=any(
            far_background(a, spacing=spacing).any() for a in painted
        ),
        n_conflicts=sum(n_conflicting_pixels(a) for a in painted),
    )


def shared_problems(
    paint: PaintSummary, *, n_classes: int, needs_background: bool = True
) -> tuple[str, ...]:
    """Return what keeps any method from learning, a sentence each.

    Parameters
    ----------
    paint : PaintSummary
        Of the training images.
    n_classes : int
        Classes of the project, without background.
    needs_background : bool
        False where all that is unpainted will count as background.
    """
    if paint.n_images == 0:
        return (
            "Nothing is painted on the training images. Paint at least one object and "
            "some background.",
        )
    if not paint.classes:
        return ("Only background is painted. Paint at least one object of a class.",)
    if not needs_background or paint.has_background or paint.has_far_background:
        return ()
    if n_classes == 1:
        return (
            "Only one class is painted and no background. Paint one background stroke, "
            "or tick 'every object is marked'.",
        )
    if len(paint.classes) == 1:
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
        noun, pronoun = ("class", "it") if len(missing) == 1 else ("classes", "they")
        notices.append(f"No paint for {noun} {names}: {pronoun} cannot be learned.")
    if paint.n_conflicts:
        noun = "pixel" if paint.n_conflicts == 1 else "pixels"
        notices.append(
            f"Annotations disagree on {paint.n_conflicts} {noun}; there a scribble "
            "wins over a full mask, and a full mask over a partial mask."
        )
    if not paint.has_background and paint.has_far_background:
        notices.append(
            "No background is painted: pixels far from every mark count as background "
            "at a low weight."
        )
    return tuple(notices)
