"""What an annotator would have painted: rough masks and strokes from exact objects.

Paint is simulated as a front that spreads from a short curved stroke, at a speed that
varies smoothly and is slow near the boundary. METHODS.md asks for 20-80 % of an
object's area; the other painting habits are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    UNPAINTED,
)
from napari_mtseg.geometry.boundaries import neighbours
from napari_mtseg.geometry.components import bounding_boxes, box_with_margin
from napari_mtseg.geometry.distances import Spacing, distance_to
from napari_mtseg.targets.simulated_blob import Room, blob, largest_piece

CLASS = "class"
BACKGROUND = "background"
SEPARATOR = "separator"
SCRIBBLE_KINDS = frozenset({CLASS, BACKGROUND, SEPARATOR})
"""Kinds of strokes that :func:`simulate_scribbles` can paint."""

OBJECT_STROKES = 2
"""At most so many strokes in an object and plane; ours."""

BACKGROUND_STROKES = 3
"""Background strokes in a plane; ours."""

BACKGROUND_WINDOW = 0.3
"""Side of the box that holds a background stroke, share of the plane's side; ours."""

PLANE_STEP = 5
"""In 3D, one plane in so many gets strokes; ours."""

Box = tuple[slice, ...]
Mask = NDArray[np.bool_]


def simulate_partial_masks(
    objects: NDArray[np.uint32],
    *,
    rng: np.random.Generator,
    area_share: tuple[float, float] = (0.2, 0.8),
    missed_share: float = 0.0,
    spacing: Spacing | None = None,
) -> NDArray[np.uint32]:
    """Paint a rough inner region of each object.

    Pixels that touch another object are left out, so that regions of different
    objects never touch, not even at a corner.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Exact objects by id, 0 elsewhere.
    rng : numpy.random.Generator
        Same state, same paint.
    area_share : (float, float)
        Lowest and highest share of an object's pixels that are painted, 0 < low <=
        high <= 1; each object draws its own. An object gets less where it touches
        others or is in several pieces.
    missed_share : float
        Share of the objects that get no paint, 0..1, rounded to whole objects.
    spacing : tuple of float, optional
        Size of a pixel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) uint32
        Ids as in ``objects``, UNPAINTED elsewhere: one (8- or 26-connected) piece of
        at least one pixel per object. Only an object all of whose pixels touch paint
        of others gets none.

    Raises
    ------
    ValueError
        If a share is out of range or ``spacing`` does not fit.
    """
    low, high = area_share
    if not 0 < low <= high <= 1:
        raise ValueError(f"area_share is {area_share} but needs 0 < low <= high <= 1")
    if not 0 <= missed_share <= 1:
        raise ValueError(f"missed_share is {missed_share} but must be in 0..1")
    size = _checked_spacing(spacing, objects.ndim)
    crops = list(bounding_boxes(objects).items())
    n_missed = round(missed_share * len(crops))
    missed = rng.permutation(len(crops))[:n_missed]
    painted = np.full(objects.shape, UNPAINTED, np.uint32)
    free = (objects != UNPAINTED) & ~_contacts(objects)
    crowded = []
    for i in sorted(set(range(len(crops))) - set(missed.tolist())):
        object_id, box = crops[i]
        whole = objects[box] == object_id
        inner = largest_piece(whole & free[box])
        if not inner.any():
            crowded.append((object_id, box))
            continue
        n_pixels = max(1, round(rng.uniform(low, high) * np.count_nonzero(whole)))
        painted[box][blob(inner, n_pixels, size, rng)] = object_id
    for object_id, box in crowded:
        _paint_one_pixel(painted, objects, object_id, box)
    return painted


def simulate_scribbles(  # noqa: PLR0913 - one argument per habit of the annotator
    objects: NDArray[np.uint32],
    class_of: Mapping[int, int],
    *,
    rng: np.random.Generator,
    kinds: frozenset[str] = SCRIBBLE_KINDS,
    objects_share: float = 1.0,
    thickness: int = 3,
    background_gap: float = 4.0,
    spacing: Spacing | None = None,
) -> NDArray[np.uint8]:
    """Paint curved strokes in objects, on background and between touching objects.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Exact objects by id, 0 elsewhere.
    class_of : Mapping[int, int]
        Object id -> class, 1 and up, of every object.
    rng : numpy.random.Generator
        Same state, same paint.
    kinds : frozenset of str
        Which of SCRIBBLE_KINDS to paint.
    objects_share : float
        Share of the objects of each class, and of the touching pairs, that get
        strokes, 0..1; if above 0, at least one of each.
    thickness : int
        Width of class and background strokes, pixels of the finer in-plane axis,
        >= 1. Separators are two pixels wide: one in each object.
    background_gap : float
        Background strokes keep at least this distance from objects, same pixels.
    spacing : tuple of float, optional
        Size of a pixel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) uint8
        SCRIBBLE_* codes, UNPAINTED elsewhere. In 3D the strokes lie in some of the
        planes of the first axis.

    Raises
    ------
    ValueError
        If an object has no class, or an argument is out of range.
    """
    if kinds - SCRIBBLE_KINDS:
        raise ValueError(f"kinds are {set(kinds)} but must be of {set(SCRIBBLE_KINDS)}")
    if not 0 <= objects_share <= 1 or thickness < 1:
        raise ValueError(
            f"objects_share is {objects_share} but must be in 0..1, "
            f"thickness is {thickness} but must be at least 1"
        )
    size = _checked_spacing(spacing, objects.ndim)
    strokes = np.full(objects.shape, UNPAINTED, np.uint8)
    canvas = _Canvas(
        strokes=strokes.reshape((-1, *strokes.shape[-2:])),
        objects=objects.reshape((-1, *objects.shape[-2:])),
        radius=thickness / 2 * min(size[-2:]),
        spacing=(1.0, *size)[-3:],
        rng=rng,
    )
    if CLASS in kinds:
        canvas.paint_classes(class_of, objects_share)
    if BACKGROUND in kinds:
        gap = background_gap * min(size[-2:])
        room = distance_to(objects != UNPAINTED, spacing=size) >= gap
        canvas.paint_background(room.reshape(canvas.objects.shape))
    if SEPARATOR in kinds:
        canvas.paint_separators(objects_share)
    return strokes


@dataclass(frozen=True, eq=False, kw_only=True)
class _Canvas:
    """An image under the brush; 2D images are one plane."""

    strokes: NDArray[np.uint8]
    """(Z, Y, X) SCRIBBLE_* codes painted so far"""
    objects: NDArray[np.uint32]
    """(Z, Y, X) exact object ids"""
    radius: float
    """of the brush, in units of the spacing"""
    spacing: Spacing
    """(Z, Y, X) size of a pixel"""
    rng: np.random.Generator

    def paint_classes(self, class_of: Mapping[int, int], share: float) -> None:
        """Stroke a share of the objects of each class."""
        free = ~_contacts(self.objects)
        boxes = bounding_boxes(self.objects)
        without = sorted(set(boxes) - set(class_of))
        if without:
            raise ValueError(f"objects {without} have no class")
        for k in sorted({class_of[i] for i in boxes}):
            for i in self._some([i for i in boxes if class_of[i] == k], share):
                inside = (self.objects[boxes[i]] == i) & free[boxes[i]]
                code = SCRIBBLE_FIRST_CLASS + k - 1
                for plane in self._planes(inside):
                    view = self.strokes[boxes[i]][plane]
                    for _ in range(self.rng.integers(1, OBJECT_STROKES + 1)):
                        view[self._mark(inside[plane])] = code

    def paint_background(self, room: Mask) -> None:
        """Stroke some planes inside ``room``."""
        half_window = [round(BACKGROUND_WINDOW / 2 * n) for n in room.shape[1:]]
        for plane in self._planes(room):
            places = np.argwhere(room[plane])
            for place in self.rng.choice(places, BACKGROUND_STROKES):
                window = tuple(
                    slice(max(0, p - n), p + n + 1)
                    for p, n in zip(place, half_window, strict=True)
                )
                mark = self._mark(room[plane][window])
                self.strokes[plane][window][mark] = SCRIBBLE_BACKGROUND

    def paint_separators(self, share: float) -> None:
        """Paint both sides of the border of a share of the touching pairs."""
        borders = []
        for axis in (1, 2):
            a, b = neighbours(self.objects, axis)
            touch = (a != b) & (a != UNPAINTED) & (b != UNPAINTED)
            pair = np.minimum(a, b).astype(np.uint64) << 32 | np.maximum(a, b)
            borders.append((axis, np.where(touch, pair, 0)))
        pairs = np.unique(np.concatenate([pair.ravel() for _, pair in borders]))
        chosen = self._some(pairs[pairs > 0].tolist(), share)
        in_plane = np.zeros((len(self.strokes), 1, 1), bool)
        touched = np.zeros(self.strokes.shape, bool)
        for axis, pair in borders:
            for side in neighbours(touched, axis):
                side |= np.isin(pair, np.array(chosen, np.uint64))
        in_plane[self._planes(touched)] = True
        self.strokes[touched & in_plane] = SCRIBBLE_SEPARATOR

    def _mark(self, free: Mask) -> Mask:
        """Where one stroke of the brush leaves paint in a plane, inside ``free``."""
        spacing = self.spacing[1:]
        room = Room.of(largest_piece(free), spacing, self.rng)
        line = np.zeros(free.shape, bool)
        line[tuple(room.curve(self.rng).T)] = True
        return free & (distance_to(line, spacing=spacing) < self.radius)

    def _planes(self, room: Mask) -> NDArray[np.intp]:
        """One in PLANE_STEP of the planes with room, at least one if there is any."""
        planes = np.flatnonzero(np.any(room, axis=(1, 2)))
        n = ceil(len(planes) / PLANE_STEP)
        return np.sort(self.rng.permutation(planes)[:n])

    def _some(self, values: list[int], share: float) -> list[int]:
        """Choose a share of the values, at least one if the share is not 0."""
        n = max(ceil(share), round(share * len(values)))
        return sorted(self.rng.permutation(np.array(values, np.uint64))[:n].tolist())


def _contacts(objects: NDArray[np.uint32]) -> Mask:
    """Pixels of an object that touch another, at corners too."""
    highest = ndimage.maximum_filter(objects, 3, mode="nearest")
    without_gaps = np.where(objects == UNPAINTED, np.iinfo(np.uint32).max, objects)
    lowest = ndimage.minimum_filter(without_gaps, 3, mode="nearest")
    return (objects != UNPAINTED) & ((highest != objects) | (lowest != objects))


def _paint_one_pixel(
    painted: NDArray[np.uint32], objects: NDArray[np.uint32], object_id: int, box: Box
) -> None:
    """Paint one pixel of an object that does not touch the paint of others."""
    around = box_with_margin(box, objects.shape)
    taken = ndimage.maximum_filter(painted[around], 3, mode="nearest") != UNPAINTED
    places = np.flatnonzero((objects[around] == object_id) & ~taken)
    if places.size:
        painted[around].flat[places[len(places) // 2]] = object_id


def _checked_spacing(spacing: tuple[float, ...] | None, ndim: int) -> tuple[float, ...]:
    size = (1.0,) * ndim if spacing is None else spacing
    if len(size) != ndim or min(size) <= 0:
        raise ValueError(f"spacing is {size} but must hold {ndim} sizes > 0")
    return size
