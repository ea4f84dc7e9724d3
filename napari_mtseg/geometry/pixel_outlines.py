"""Outlines that run along the edges of pixels, so that they hold exactly these."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import bounding_boxes

_RIGHT, _DOWN, _LEFT, _UP = range(4)
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


@dataclass(frozen=True, eq=False, kw_only=True)
class FlatObject:
    """An object of a 2D image, or what a plane of a volume shows of one."""

    number: int
    """object id"""
    plane: int | None
    """plane of the volume, from 0; None of a 2D image"""
    corner: tuple[int, int]
    """place (y, x) of the first pixel of ``mask``"""
    mask: NDArray[np.bool_]
    """(height, width) True inside, in the smallest box around it"""

    def outlines(self) -> list[NDArray[np.int64]]:
        """Return :func:`pixel_outlines` of the mask, in the image's own places."""
        return [outline + self.corner for outline in pixel_outlines(self.mask)]


def flat_objects(instances: NDArray[np.integer[Any]]) -> Iterator[FlatObject]:
    """Yield each object of an image, by plane and id.

    Parameters
    ----------
    instances : ([Z,] Y, X) integer
        Object id, 0 background.
    """
    planes = enumerate(instances) if instances.ndim == 3 else [(None, instances)]
    for plane, flat in planes:
        for number, box in bounding_boxes(flat).items():
            rows, columns = box
            yield FlatObject(
                number=number,
                plane=plane,
                corner=(rows.start, columns.start),
                mask=flat[box] == number,
            )


def pixel_outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the closed outlines of a mask along the edges of its pixels.

    Parameters
    ----------
    mask : (Y, X) bool
        Pixel ``[y, x]`` covers y to y + 1 and x to x + 1. Pixels that meet at a corner
        only are apart, so that a piece has one outline and one more per hole.

    Returns
    -------
    list of (n, 2) int
        Corners (y, x) of each outline, the first one not repeated at the end. Around
        pieces it turns from right to down (clockwise as pictures are shown), around
        holes the other way round. In the order of their first row.

    Examples
    --------
    >>> [outline.tolist() for outline in pixel_outlines(np.array([[True, True]]))]
    [[[0, 0], [0, 2], [1, 2], [1, 0]]]
    """
    width = mask.shape[1] + 1
    leaving = _edges(mask)
    outlines = []
    for start in sorted(leaving):
        while leaving[start]:
            corners = list(_followed(leaving, start, width))
            outlines.append(np.stack(np.divmod(corners, width), axis=1))
    return outlines


def signed_area(outline: NDArray[np.int64]) -> int:
    """Return the pixels inside an outline; negative if it goes around a hole."""
    y, x = outline.T
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) // 2


def _edges(mask: NDArray[np.bool_]) -> dict[int, set[int]]:
    """Return corner -> directions of the edges that leave it, pixels on their right.

    Corners are numbered row by row.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    width = mask.shape[1] + 1
    across = np.diff(padded, axis=0)[:, 1:-1]
    down = np.diff(padded, axis=1)[1:-1]
    leaving: dict[int, set[int]] = {}
    for changes, sign, direction, offset in (
        (across, 1, _RIGHT, 0),
        (down, -1, _DOWN, 0),
        (across, -1, _LEFT, 1),
        (down, 1, _UP, width),
    ):
        rows, columns = np.nonzero(changes == sign)
        for corner in (rows * width + columns + offset).tolist():
            leaving.setdefault(corner, set()).add(direction)
    return leaving


def _followed(leaving: dict[int, set[int]], start: int, width: int) -> Iterator[int]:
    """Yield the corners of one outline, and take its edges away."""
    corner, direction = start, min(leaving[start])
    yield start
    while True:
        leaving[corner].discard(direction)
        rows, columns = _STEPS[direction]
        corner += rows * width + columns
        # Where two pieces meet at a corner, a turn to the right stays with the piece.
        turns = ((direction + turn) % 4 for turn in (1, 0, 3))
        following = next((d for d in turns if d in leaving[corner]), None)
        if following is None:
            return
        if following != direction:
            yield corner
        direction = following
