"""How much was painted, counted over images: what a method needs to know to begin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.targets.class_map import (
    far_background,
    full_classes,
    known_classes,
    n_conflicting_pixels,
    undisputed_complete,
)
from napari_mtseg.targets.presence import contradicted_tags, occurring_classes

_PER_IMAGE = (
    "n_images",
    "n_unpainted",
    "n_full",
    "n_whole",
    "n_full_open",
    "n_partial",
    "n_scribbled",
    "n_separated",
    "n_scene_tagged",
    "n_tagged_only",
    "n_tag_conflicts",
)
"""what counts images"""


@dataclass(frozen=True, kw_only=True)
class PaintSummary:
    """What the annotations of several images hold together."""

    n_images: int = 0
    """images on which something is painted that counts"""
    n_unpainted: int = 0
    """images without any paint that counts"""
    n_full: int = 0
    """images with a complete region"""
    n_whole: int = 0
    """images of which full masks tell all, and no scribble contradicts"""
    n_object_pixels: int = 0
    """pixels of objects in complete regions"""
    n_background_pixels: int = 0
    """pixels of background in complete regions"""
    n_full_open: int = 0
    """images with full masks but no complete region, so that they do not count"""
    n_partial: int = 0
    """images with partial masks"""
    n_partial_objects: int = 0
    """partial masks on all images"""
    n_scribbled: int = 0
    """images with scribbles"""
    has_strokes: bool = False
    """True if a stroke of a class is painted"""
    n_separated: int = 0
    """images with separator strokes"""
    classes: frozenset[int] = frozenset()
    """classes that are painted somewhere"""
    has_background: bool = False
    """True if some pixel is known to be background"""
    has_far_background: bool = False
    """True if background follows from 'every object is marked'"""
    scenes: frozenset[int] = frozenset()
    """scenes that images are tagged with, painted or not; indices into the project's"""
    n_scene_tagged: int = 0
    """images that are tagged with a scene, painted or not"""
    painted_scenes: frozenset[int] = frozenset()
    """those of them that are on images with paint that counts"""
    n_tagged_only: int = 0
    """images without paint that are tagged with a scene or with classes"""
    n_conflicts: int = 0
    """pixels on which two kinds of annotation disagree"""
    n_tag_conflicts: int = 0
    """images whose paint contradicts a class tag"""

    @property
    def is_exact(self) -> bool:
        """True if every image that counts is known in every pixel."""
        return self.n_whole == self.n_images

    def __add__(self, other: "PaintSummary") -> "PaintSummary":
        """Return what the images of both hold together."""
        sums = {
            field.name: _together(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        }
        return PaintSummary(**sums)


def summarise(
    annotations: Iterable[Annotation], *, spacing: tuple[float, ...] | None = None
) -> PaintSummary:
    """Count what is painted.

    Parameters
    ----------
    annotations : iterable of Annotation
        One per image.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    """
    return added_up(summary_of(a, spacing=spacing) for a in annotations)


def added_up(summaries: Iterable[PaintSummary]) -> PaintSummary:
    """Return what the images of all summaries hold together."""
    return sum(summaries, PaintSummary())


def of_one_image(parts: Iterable[PaintSummary]) -> PaintSummary:
    """Return what the parts of one image hold together, all of them painted or one.

    An object that lies in several parts counts once in each of them.
    """
    found = list(parts)
    together = added_up(found)
    most = {
        name: max(getattr(part, name) for part in found)
        for name in _PER_IMAGE
        if len(found) > 1
    }
    return replace(together, **most)


def summary_of(
    annotation: Annotation, *, spacing: tuple[float, ...] | None = None
) -> PaintSummary:
    """Count what is painted on one image; see :func:`summarise`."""
    told = _told_of_whole(annotation)
    if annotation.is_empty:
        return told
    counts = np.bincount(full_classes(annotation).reshape(-1), minlength=IGNORE + 1)
    scribbles, objects = annotation.scribbles, annotation.partial.objects
    classes = occurring_classes(known_classes(annotation))
    return told + PaintSummary(
        n_images=1,
        n_full=int(annotation.has_full),
        n_whole=int(not counts[IGNORE] and undisputed_complete(annotation).all()),
        n_object_pixels=int(counts[BACKGROUND + 1 : IGNORE].sum()),
        n_background_pixels=int(counts[BACKGROUND]),
        n_partial=int(annotation.has_partial),
        n_partial_objects=len(np.unique(objects[objects != 0])),
        n_scribbled=int(annotation.has_scribbles),
        has_strokes=bool((scribbles >= SCRIBBLE_FIRST_CLASS).any()),
        n_separated=int((scribbles == SCRIBBLE_SEPARATOR).any()),
        classes=classes - {BACKGROUND},
        has_background=BACKGROUND in classes,
        has_far_background=bool(far_background(annotation, spacing=spacing).any()),
        n_conflicts=n_conflicting_pixels(annotation)
        if _can_disagree(annotation)
        else 0,
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


def shared_notices(
    paint: PaintSummary, *, n_classes: int, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return what the user should know about the paint, a sentence each.

    Parameters
    ----------
    paint : PaintSummary
        Of the training images.
    n_classes : int
        Classes of the project, without background.
    names : sequence of str
        Names of classes 1, 2, ...; numbers stand for them if left out.
    """
    notices = []
    missing = sorted(set(range(1, n_classes + 1)) - paint.classes)
    if missing:
        said = ", ".join(names[c - 1] if names else str(c) for c in missing)
        noun, pronoun = ("class", "it") if len(missing) == 1 else ("classes", "they")
        notices.append(f"No paint for {noun} {said}: {pronoun} cannot be learned.")
    if paint.n_conflicts:
        noun = "pixel" if paint.n_conflicts == 1 else "pixels"
        notices.append(
            f"Annotations disagree on {paint.n_conflicts} {noun}; there a scribble "
            "wins over a full mask, and a full mask over a partial mask."
        )
    if paint.n_full_open:
        noun = "image" if paint.n_full_open == 1 else "images"
        notices.append(
            f"The full masks of {paint.n_full_open} {noun} do not count yet: mark the "
            "region in which every object is outlined as complete."
        )
    if not paint.has_background and paint.has_far_background:
        notices.append(
            "No background is painted: pixels far from every mark count as background "
            "at a low weight."
        )
    return tuple(notices)


def _told_of_whole(annotation: Annotation) -> PaintSummary:
    """Count what can hold of an image even if none of its paint counts."""
    tags = annotation.tags
    scenes = frozenset() if tags.scene is None else frozenset({tags.scene})
    is_tagged = bool(scenes or tags.present)
    return PaintSummary(
        n_unpainted=int(annotation.is_empty),
        n_full_open=int(not annotation.has_full and not annotation.full.is_empty),
        scenes=scenes,
        painted_scenes=frozenset() if annotation.is_empty else scenes,
        n_scene_tagged=len(scenes),
        n_tagged_only=int(is_tagged and annotation.is_empty),
        n_tag_conflicts=int(bool(contradicted_tags(annotation))),
    )


def _together(one: Any, other: Any) -> Any:
    """Join sets and claims with 'or', add numbers."""
    return one + other if type(one) is int else one | other


def _can_disagree(annotation: Annotation) -> bool:
    kinds = (annotation.has_partial, annotation.has_full, annotation.has_scribbles)
    return sum(kinds) > 1
