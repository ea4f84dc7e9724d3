"""The painted places of images that are too large to be held with all their labels.

Unpainted means unknown, so that of a large image nothing but the surroundings of its
paint has to be looked at. Places are boxes around paint that do not overlap, each with
a margin: nothing painted outside of a place is nearer to its pixels than the margin.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod
from typing import Protocol

import numpy as np

from napari_mtseg.domain.annotation import N_AXES_3D, Annotation, Box
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.storage.paint_extent import PaintExtent
from napari_mtseg.targets.paint_summary import PaintSummary, of_one_image, summary_of

LARGE = 2**26
"""pixels of an image above which its painted places alone are learned from (ours)"""

MARGIN = (16, 256, 256)
"""planes, rows and columns around paint that belong to a place, at least (ours): more
than any target reaches"""

_REACHES = 2.0
"""distance maps of weak labels tell of pixels as far as so many reaches"""


class PaintSource(Protocol):
    """Where annotations are read from: a project, or the snapshot of a run."""

    def annotation(self, entry: ImageEntry, *, box: Box | None = None) -> Annotation:
        """Return what is painted on an image, or in a box of it."""
        ...

    def extent(self, entry: ImageEntry) -> PaintExtent:
        """Return where an image is painted on."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """An image, or the surroundings of some paint of a large one."""

    entry: ImageEntry
    """the image"""
    box: Box | None = None
    """part of the image; None for all of it"""

    @property
    def key(self) -> str:
        """Name in files: the image's id, and of a part where it begins and ends."""
        if self.box is None:
            return self.entry.id
        axes = "zyx"[-len(self.box.start) :]
        sides = zip(axes, self.box.start, self.box.stop, strict=True)
        return self.entry.id + "." + "_".join(f"{x}{a}-{b}" for x, a, b in sides)

    @property
    def shape(self) -> tuple[int, ...]:
        """([Z,] Y, X) pixels."""
        return self.entry.spatial_shape if self.box is None else self.box.shape


def is_large(entry: ImageEntry) -> bool:
    """Return whether the painted places alone of an image are learned from."""
    return prod(entry.spatial_shape) > LARGE


def margin_for(settings: TrainingSettings, ndim: int) -> tuple[int, ...]:
    """Return the margin that a training needs, pixels along ([Z,] Y, X).

    A patch around paint lies in it, and so does what distance maps can reach, where
    the method has a setting for that.
    """
    side = max(settings.patch, ceil(_REACHES * getattr(settings, "reach", 0.0)))
    wanted = (settings.patch_depth, side, side)
    return tuple(map(max, MARGIN[-ndim:], wanted[-ndim:]))


def places_of(
    source: PaintSource, entry: ImageEntry, *, margin: tuple[int, ...] | None = None
) -> tuple[Place, ...]:
    """Return the places of an image that are to be looked at.

    Parameters
    ----------
    source : Project or Snapshot
        Where its paint is.
    entry : ImageEntry
        The image.
    margin : ([Z,] Y, X), optional
        Pixels around paint; MARGIN by default.

    Returns
    -------
    tuple of Place
        The image itself where it is not large, or nothing is painted on it, or where
        something is known of all its pixels: it is complete as a whole, or every
        object is marked.

    Raises
    ------
    MtsegError
        If the annotation is damaged.
    """
    if not is_large(entry):
        return (Place(entry=entry),)
    return places_in(entry, source.extent(entry), margin=margin)


def places_in(
    entry: ImageEntry, extent: PaintExtent, *, margin: tuple[int, ...] | None = None
) -> tuple[Place, ...]:
    """Return the places of a large image that is painted on in ``extent``."""
    if extent.is_everywhere or extent.is_empty:
        return (Place(entry=entry),)
    shape = entry.spatial_shape
    margin = MARGIN[-len(shape) :] if margin is None else margin
    whole = Box(start=(0,) * len(shape), stop=shape)
    boxes = [*extent.boxes, *extent.complete.boxes]
    if len(shape) == N_AXES_3D:
        boxes += [
            Box(start=(z, 0, 0), stop=(z + 1, *shape[1:]))
            for z in extent.complete.slices
        ]
    grown = (_grown(box, margin).clipped(whole) for box in boxes)
    return tuple(
        Place(entry=entry, box=box)
        for box in _disjoint([box for box in grown if box is not None])
    )


def painted_parts(source: PaintSource, entry: ImageEntry) -> tuple[Annotation, ...]:
    """Return what is painted on an image, at each of its places; at least one.

    Of a large image without labels it is the first pixel. Regions that are complete
    are told of as far as labels are painted near by.

    Raises
    ------
    MtsegError
        If the annotation is damaged.
    """
    if not is_large(entry):
        return (source.annotation(entry),)
    boxes = _disjoint(source.extent(entry).boxes) or [_corner(entry)]
    return tuple(source.annotation(entry, box=box) for box in boxes)


def paint_on(
    source: PaintSource, entry: ImageEntry, *, spacing: tuple[float, ...]
) -> PaintSummary:
    """Return what is painted on one image; of a large one place by place.

    Raises
    ------
    MtsegError
        If the annotation is damaged.
    """
    if is_large(entry) and source.extent(entry).is_empty:
        return summary_of(painted_parts(source, entry)[0], spacing=spacing)
    return of_one_image(
        summary_of(source.annotation(entry, box=place.box), spacing=spacing)
        for place in places_of(source, entry)
    )


def is_painted(source: PaintSource, entry: ImageEntry) -> bool:
    """Return whether anything is painted on an image that counts.

    Raises
    ------
    MtsegError
        If the annotation is damaged.
    """
    if is_large(entry) and not source.extent(entry).complete.is_empty:
        return True
    return not all(part.is_empty for part in painted_parts(source, entry))


def _corner(entry: ImageEntry) -> Box:
    """Return the first pixel of an image."""
    n_axes = len(entry.spatial_shape)
    return Box(start=(0,) * n_axes, stop=(1,) * n_axes)


def _grown(box: Box, margin: tuple[int, ...]) -> Box:
    return Box(
        start=tuple(a - m for a, m in zip(box.start, margin, strict=True)),
        stop=tuple(b + m for b, m in zip(box.stop, margin, strict=True)),
    )


def _disjoint(boxes: Iterable[Box]) -> list[Box]:
    """Return boxes that cover those given; any that would overlap become one."""
    given = list(boxes)
    starts = np.array([box.start for box in given])
    stops = np.array([box.stop for box in given])
    found: list[Box] = []
    while len(starts):
        start, stop = starts[:1], stops[:1]
        while True:
            meets = ((starts < stop) & (stops > start)).all(axis=1)
            before = start, stop
            start = starts[meets].min(axis=0, keepdims=True)
            stop = stops[meets].max(axis=0, keepdims=True)
            if (start == before[0]).all() and (stop == before[1]).all():
                break
        starts, stops = starts[~meets], stops[~meets]
        united = Box(start=tuple(start[0].tolist()), stop=tuple(stop[0].tolist()))
        clashing = [box for box in found if box.clipped(united)]
        if clashing:
            found = [box for box in found if box not in clashing]
            again = [*clashing, united]
            starts = np.concatenate([starts, [box.start for box in again]])
            stops = np.concatenate([stops, [box.stop for box in again]])
        else:
            found.append(united)
    return sorted(found, key=lambda box: box.start)
