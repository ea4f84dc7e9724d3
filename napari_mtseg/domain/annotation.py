"""What a person drew on one image: partial masks, scribbles, full masks and tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNPAINTED = 0
"""Value of an object or scribble map where nobody painted."""

SCRIBBLE_BACKGROUND = 1
"""Scribble value: this is background."""

SCRIBBLE_SEPARATOR = 2
"""Scribble value: this is the border between two touching objects."""

SCRIBBLE_FIRST_CLASS = 3
"""Scribble value of class 1; class ``k`` is painted as ``k + 2``."""

N_AXES_3D = 3
"""Axes of a 3D image without its channels: Z, Y, X."""

PAINTED = "painted"
"""origin of what a person painted"""

MAX_CLASSES = 250
"""Classes a project can hold: scribbles and class maps are uint8, with own codes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectMasks:
    """Objects drawn on one image, rough (partial) or exact (full)."""

    objects: NDArray[np.uint32]
    """([Z,] Y, X) object id; UNPAINTED where nobody painted"""
    class_of: Mapping[int, int]
    """object id -> class, 1..n_classes"""

    def class_map(self) -> NDArray[np.uint8]:
        """Class of each pixel.

        Returns
        -------
        ([Z,] Y, X) uint8
            Class 1..n_classes inside objects, 0 where unpainted.

        Raises
        ------
        ValueError
            If an object has no class.
        """
        ids, places = _numbered(self.objects)
        table = np.array([self.class_of.get(int(i), 0) for i in ids], np.uint8)
        table[ids == UNPAINTED] = 0
        classes = table[places].reshape(self.objects.shape)
        unknown = np.unique(self.objects[(classes == 0) & (self.objects != UNPAINTED)])
        if unknown.size:
            raise ValueError(f"objects {unknown.tolist()} have no class")
        return classes

    @property
    def is_empty(self) -> bool:
        """True where nothing is painted."""
        return not _is_painted(self.objects)


def _is_painted(labels: NDArray[np.unsignedinteger[Any]]) -> bool:
    """Return whether any pixel is not 0; a layer that repeats one is not gone over."""
    seen = tuple(slice(None) if step else slice(1) for step in labels.strides)
    return bool(labels[seen].any())


def _numbered(
    objects: NDArray[np.uint32],
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return ids, and for each pixel the place of its id among them."""
    top = int(objects.max(initial=0))
    if top <= objects.size:
        return np.arange(top + 1), objects
    ids, places = np.unique(objects, return_inverse=True)
    return ids, places


def no_objects(shape: tuple[int, ...]) -> ObjectMasks:
    """Return object masks on which nothing is painted."""
    return ObjectMasks(
        objects=np.zeros(shape, np.uint32), class_of=MappingProxyType({})
    )


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box in array indices; ``stop`` is exclusive."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """What cuts the box out of the array of the image."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """([Z,] Y, X) pixels along each side."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    def clipped(self, other: "Box") -> "Box | None":
        """Return what lies in both boxes; None if nothing does."""
        start = tuple(map(max, self.start, other.start))
        stop = tuple(map(min, self.stop, other.stop))
        is_empty = any(b <= a for a, b in zip(start, stop, strict=True))
        return None if is_empty else Box(start=start, stop=stop)

    def seen_from(self, origin: tuple[int, ...]) -> "Box":
        """Return the same box in an array that begins at ``origin`` of this one."""
        return Box(
            start=tuple(a - o for a, o in zip(self.start, origin, strict=True)),
            stop=tuple(b - o for b, o in zip(self.stop, origin, strict=True)),
        )


@dataclass(frozen=True, kw_only=True)
class CompleteRegion:
    """Where the full masks are complete: there, unpainted means background."""

    whole: bool = False
    boxes: tuple[Box, ...] = ()
    slices: tuple[int, ...] = ()
    """planes of a 3D image"""

    @property
    def is_empty(self) -> bool:
        """True if no region is marked complete."""
        return not (self.whole or self.boxes or self.slices)

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return ``shape`` bool, True inside the region.

        Boxes and slices count as far as they lie inside the image.

        Raises
        ------
        ValueError
            If a box has another number of axes than ``shape``.
        """
        inside = np.full(shape, self.whole)
        for box in self.boxes:
            if not len(box.start) == len(box.stop) == len(shape):
                raise ValueError(f"{box} has other axes than {shape}")
            part = zip(box.start, box.stop, strict=True)
            inside[tuple(slice(max(a, 0), max(b, 0)) for a, b in part)] = True
        if len(shape) == N_AXES_3D:
            inside[[plane for plane in self.slices if 0 <= plane < shape[0]]] = True
        return inside

    def inside(self, box: Box) -> "CompleteRegion":
        """Return what of the region lies in a box, in the indices of the box."""
        planes = range(box.start[0], box.stop[0])
        found = (other.clipped(box) for other in self.boxes)
        return CompleteRegion(
            whole=self.whole,
            boxes=tuple(part.seen_from(box.start) for part in found if part),
            slices=tuple(z - box.start[0] for z in self.slices if z in planes),
        )


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a person said about an image as a whole."""

    scene: int | None = None
    """index into the project's scenes; None if not given"""
    present: Mapping[int, bool] = field(default_factory=dict)
    """class -> whether it occurs; classes that are left out are unknown"""
    exhaustive: bool = False
    """True if every object of the image has at least one mark"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotation:
    """All that a person painted on one image. Unpainted means unknown."""

    partial: ObjectMasks
    """rough inner regions of objects, boundaries missing"""
    scribbles: NDArray[np.uint8]
    """([Z,] Y, X) SCRIBBLE_* codes; UNPAINTED where nobody painted"""
    full: ObjectMasks
    """exact objects; they count only inside ``complete``"""
    complete: CompleteRegion = CompleteRegion()
    tags: Tags = Tags()
    origin: str = PAINTED
    """'painted', 'simulated' or 'imported'; 'accepted RUN' or 'corrected RUN' where the
    full masks are a prediction that a person accepted or corrected, which trains but
    never validates or tests"""

    def __post_init__(self) -> None:
        shapes = {
            self.partial.objects.shape,
            self.scribbles.shape,
            self.full.objects.shape,
        }
        if len(shapes) != 1:
            raise ValueError(f"layers of one annotation differ in shape: {shapes}")

    @property
    def shape(self) -> tuple[int, ...]:
        """([Z,] Y, X) shape of the annotated image."""
        return self.scribbles.shape

    @property
    def has_full(self) -> bool:
        """True if full masks count somewhere."""
        return not self.complete.is_empty

    @property
    def has_partial(self) -> bool:
        """True if a partial mask is painted."""
        return not self.partial.is_empty

    @property
    def has_scribbles(self) -> bool:
        """True if a scribble is painted."""
        return _is_painted(self.scribbles)

    @property
    def is_empty(self) -> bool:
        """True if nothing can be learned from this image's paint."""
        return not (self.has_full or self.has_partial or self.has_scribbles)

    @property
    def is_accepted_prediction(self) -> bool:
        """True where the full masks come from the program, corrected or not."""
        return is_from_prediction(self.origin)

    def without_accepted_prediction(self) -> "Annotation":
        """Return the annotation with nothing but what a person drew from scratch.

        The same object is returned where the full masks are a person's.
        """
        if not self.is_accepted_prediction:
            return self
        return replace(
            self, full=no_objects(self.shape), complete=CompleteRegion(), origin=PAINTED
        )


def is_from_prediction(origin: str) -> bool:
    """Return whether an origin says that a prediction was accepted or corrected."""
    return origin.startswith(("accepted", "corrected"))


def empty_annotation(shape: tuple[int, ...]) -> Annotation:
    """Return the annotation of an image that nobody has painted on."""
    return Annotation(
        partial=no_objects(shape),
        scribbles=np.zeros(shape, np.uint8),
        full=no_objects(shape),
    )
