"""Where an image is painted on, found without reading what is not painted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_mtseg.domain.annotation import Box, CompleteRegion
from napari_mtseg.storage.annotation_files import (
    FACTS,
    LAYERS,
    complete_in,
    read_unchanged,
)
from napari_mtseg.storage.label_arrays import boxes_of_paint


@dataclass(frozen=True, kw_only=True)
class PaintExtent:
    """Where an image is painted on."""

    boxes: tuple[Box, ...] = ()
    """around the paint of each stored chunk that has any, layer by layer"""
    complete: CompleteRegion = field(default_factory=CompleteRegion)
    """where full masks are complete"""
    is_exhaustive: bool = False
    """True if every object of the image has a mark, which tells of all its pixels"""

    @property
    def is_everywhere(self) -> bool:
        """True if something is known of pixels far from any paint."""
        return self.complete.whole or (self.is_exhaustive and bool(self.boxes))

    @property
    def is_empty(self) -> bool:
        """True if nothing is painted, and no region complete."""
        return not self.boxes and self.complete.is_empty


def extent_in(folder: Path) -> PaintExtent:
    """Return where an image is painted on, from the folder of its annotation.

    Raises
    ------
    AnnotationError
        If the saved labels or facts are damaged.
    ProjectError
        If somebody paints faster than it can be read.
    """
    if not (folder / FACTS).exists():
        return PaintExtent()
    facts, boxes = read_unchanged(
        folder,
        lambda: [box for name in LAYERS for box in boxes_of_paint(folder / name)],
    )
    return extent_of(facts, boxes)


def extent_of(facts: Any, boxes: Iterable[Box]) -> PaintExtent:
    """Return the extent of an annotation from its facts and the boxes of its paint.

    Raises
    ------
    AnnotationError
        If the facts are not those of an annotation.
    """
    return PaintExtent(
        boxes=tuple(boxes),
        complete=complete_in(facts),
        is_exhaustive=bool(facts.get("exhaustive", False)),
    )
