"""The paint of one image while it is on the canvas, and a copy of what is saved."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mtseg.domain.annotation import (
    N_AXES_3D,
    UNPAINTED,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
)
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.object_ids import ObjectIds, ids_in
from napari_mtseg.gui.state import DrawAs

_BAND = 512
"""rows that are compared, copied and counted at once"""

_TOUCHING = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, kw_only=True)
class PaintCounts:
    """How much is painted on one image."""

    n_partial: int = 0
    """objects with a partial mask"""
    n_strokes: int = 0
    """connected scribbles of one kind, counted plane by plane"""
    n_full: int = 0
    """objects with a full mask"""
    is_of_part: bool = False
    """True if only a part of the image was counted"""


@dataclass(eq=False, kw_only=True)
class PaintedImage:
    """What is painted on the image on the canvas, as the layers hold it."""

    entry: ImageEntry
    """image"""
    arrays: dict[DrawAs, NDArray[Any]]
    """([Z,] Y, X) canvas ids or scribble codes; the layers paint on them in place"""
    ids: dict[DrawAs, ObjectIds]
    """ids of the partial and of the full masks"""
    tags: Tags
    """what was said about the image as a whole"""
    complete: CompleteRegion
    """where full masks are complete"""
    origin: str
    """where the annotation comes from, as in :class:`Annotation`"""
    n_classes: int
    """classes of the project"""
    area: Box | None = None
    """part of a large image that is painted on; None for all of an image"""
    touched: dict[DrawAs, set[int]] = field(default_factory=dict)
    """layer -> planes that may differ from the saved copy"""
    was_painted: dict[DrawAs, set[int]] = field(default_factory=dict)
    """layer -> planes that were painted on since the image is shown"""

    @classmethod
    def of(
        cls,
        entry: ImageEntry,
        annotation: Annotation,
        n_classes: int,
        *,
        area: Box | None = None,
    ) -> "PaintedImage":
        """Return an annotation as the layers hold it; its arrays are taken over.

        Of a part of the image where ``area`` is given: the layers of the annotation
        are those of the part, its complete region that of the image.
        """
        ids: dict[DrawAs, ObjectIds] = {
            "partial": ObjectIds(annotation.partial.class_of),
            "full": ObjectIds(annotation.full.class_of),
        }
        return cls(
            entry=entry,
            arrays={
                "partial": _own(ids["partial"].shown(annotation.partial.objects)),
                "scribble": _own(annotation.scribbles),
                "full": _own(ids["full"].shown(annotation.full.objects)),
            },
            ids=ids,
            tags=annotation.tags,
            complete=annotation.complete,
            origin=annotation.origin,
            n_classes=n_classes,
            area=area,
        )

    @property
    def n_planes(self) -> int:
        """Planes that are painted on; 1 in 2D."""
        shape = self.arrays["scribble"].shape
        return shape[0] if len(shape) == N_AXES_3D else 1

    def annotation(self) -> Annotation:
        """Return the annotation as it is now, without copying where possible.

        Its arrays are read-only and show later strokes, too. Objects that were
        erased are still in its tables.
        """
        return self.joined(
            self.arrays, {kind: ids.all_classes() for kind, ids in self.ids.items()}
        )

    def joined(
        self,
        arrays: Mapping[DrawAs, NDArray[Any]],
        classes: Mapping[DrawAs, Mapping[int, int]],
    ) -> Annotation:
        """Join layers, tags and regions.

        Parameters
        ----------
        arrays : mapping
            ([Z,] Y, X) canvas ids or codes per layer.
        classes : mapping
            Stored object id -> class, for partial and full masks.
        """
        masks = {
            kind: ObjectMasks(
                objects=_read_only(ids.stored(arrays[kind])), class_of=classes[kind]
            )
            for kind, ids in self.ids.items()
        }
        return Annotation(
            partial=masks["partial"],
            scribbles=_read_only(arrays["scribble"]),
            full=masks["full"],
            complete=self.complete,
            tags=self.tags,
            origin=self.origin,
        )


class PaintCopy:
    """The paint of an image as it was last compared, plane by plane, and its counts.

    Every method is for one thread at a time; the window may paint on meanwhile.

    Parameters
    ----------
    painted : PaintedImage
        Image on the canvas, as it is saved now.
    is_blank : bool
        True if it is known that nothing is painted, which saves reading a volume.
    """

    def __init__(self, painted: PaintedImage, *, is_blank: bool = False) -> None:
        self._painted = painted
        # Not zeros_like: it would take memory for planes that nobody paints on.
        self._copies = {
            kind: np.zeros(array.shape, array.dtype)
            for kind, array in painted.arrays.items()
        }
        self._ids: dict[DrawAs, dict[tuple[int, int], NDArray[np.integer]]] = {
            kind: {} for kind in painted.ids
        }
        self._n_strokes: dict[int, int] = {}
        planes = range(0 if is_blank else painted.n_planes)
        for kind in painted.arrays:
            self.update(kind, planes)

    def update(self, kind: DrawAs, planes: Iterable[int]) -> bool:
        """Copy the planes that differ; return whether any did."""
        now = _as_planes(self._painted.arrays[kind], self._painted.n_planes)
        copies = _as_planes(self._copies[kind], self._painted.n_planes)
        changed = False
        for plane in sorted(planes):
            bands = self._updated_bands(kind, plane, now[plane], copies[plane])
            if bands and kind == "scribble":
                self._n_strokes[plane] = n_strokes_in(copies[plane])
            changed |= bands > 0
        return changed

    def _updated_bands(
        self, kind: DrawAs, plane: int, now: NDArray[Any], copy: NDArray[Any]
    ) -> int:
        """Copy the rows of a plane that differ, a band at a time; count the bands."""
        n_updated = 0
        for first in range(0, len(now), _BAND):
            rows = slice(first, first + _BAND)
            if np.array_equal(now[rows], copy[rows]):
                continue
            copy[rows] = now[rows]
            if kind != "scribble":
                self._count(kind, (plane, first), copy[rows])
            n_updated += 1
        return n_updated

    @property
    def counts(self) -> PaintCounts:
        """What was painted when it was last compared."""
        return PaintCounts(
            n_partial=len(self._occurring("partial")),
            n_strokes=sum(self._n_strokes.values()),
            n_full=len(self._occurring("full")),
            is_of_part=self._painted.area is not None,
        )

    def annotation(self) -> Annotation:
        """Return the annotation of the copy; the table holds what is painted.

        Of a part of an image the table holds all objects of the image.
        """
        painted = self._painted
        classes = {
            kind: ids.stored_classes(self._occurring(kind))
            if painted.area is None
            else ids.all_classes()
            for kind, ids in painted.ids.items()
        }
        return painted.joined(self._copies, classes)

    def _count(self, kind: DrawAs, band: tuple[int, int], labels: NDArray[Any]) -> None:
        found = ids_in(labels)
        n_classes = self._painted.n_classes
        self._painted.ids[kind].register(found.tolist(), n_classes=n_classes)
        self._ids[kind][band] = found

    def _occurring(self, kind: DrawAs) -> set[int]:
        found: set[int] = set()
        for ids in self._ids[kind].values():
            found.update(ids.tolist())
        return found


def n_strokes_in(scribbles: NDArray[np.uint8]) -> int:
    """Count the connected scribbles of one kind in a plane.

    Examples
    --------
    >>> n_strokes_in(np.array([[1, 1, 0, 3], [0, 0, 0, 2]], np.uint8))
    3
    """
    rows, columns = (np.flatnonzero(scribbles.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return 0
    part = scribbles[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    codes = np.flatnonzero(np.bincount(part.ravel(), minlength=1))
    return sum(
        int(ndimage.label(part == code, _TOUCHING)[1])
        for code in codes
        if code != UNPAINTED
    )


def _as_planes(labels: NDArray[Any], n_planes: int) -> NDArray[Any]:
    """Return a view (Z, Y, X) of labels in 2D or 3D."""
    return labels.reshape(n_planes, *labels.shape[-2:])


def _own(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels that can be painted on and seen as planes; a copy if need be."""
    fits = labels.flags.writeable and labels.flags.c_contiguous
    return labels if fits else labels.copy(order="C")


def _read_only(labels: NDArray[Any]) -> NDArray[Any]:
    view = labels.view()
    view.flags.writeable = False
    return view
