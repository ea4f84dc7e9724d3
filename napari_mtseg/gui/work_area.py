"""Which part of a large image is painted on, chosen so that it covers the view.

A plane of 32768 x 32768 pixels takes 4 GiB as labels, and seconds to be drawn anew: of
such an image one part at a time is on the canvas to be painted on.
"""

from math import prod

from napari_mtseg.domain.annotation import N_AXES_3D, Box
from napari_mtseg.storage.label_arrays import CHUNK_2D, CHUNK_3D

PLANE_LIMIT = 2**26
"""Images whose planes have up to this many pixels are painted on as a whole (ours)."""
VOLUME_LIMIT = 2**31
"""Voxels of an image up to which it is painted on as a whole (ours)."""
SIDES_2D = (3584, 3584)
"""largest view, rows and columns, that a work area covers, which is a chunk more"""
SIDES_3D = (16, 1792, 1792)
"""the same in a volume: planes, rows and columns (both ours)"""


def needs_work_area(shape: tuple[int, ...]) -> bool:
    """Return whether an image is painted on part by part.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Of the image.
    """
    return prod(shape[-2:]) > PLANE_LIMIT or prod(shape) > VOLUME_LIMIT


def middle(shape: tuple[int, ...]) -> Box:
    """Return the middle pixel of an image, as a view to begin with."""
    centre = tuple(n // 2 for n in shape)
    return Box(start=centre, stop=tuple(n + 1 for n in centre))


def area_around(view: Box, shape: tuple[int, ...]) -> Box | None:
    """Return the work area in whose middle the view lies, in whole chunks.

    Parameters
    ----------
    view : Box
        What is on the canvas, in pixels; may reach beyond the image.
    shape : ([Z,] Y, X)
        Of the image.

    Returns
    -------
    Box or None
        None where the view is larger than any work area.
    """
    is_volume = len(shape) == N_AXES_3D
    sides = SIDES_3D if is_volume else SIDES_2D
    chunks = CHUNK_3D if is_volume else CHUNK_2D
    seen = view.clipped(Box(start=(0,) * len(shape), stop=shape))
    if seen is None:
        return None
    start, stop = [], []
    for a, b, side, chunk, n in zip(
        seen.start, seen.stop, sides, chunks, shape, strict=True
    ):
        first = max(0, min((a + b - side) // 2, n - side))
        first -= first % chunk
        last = min(first + side + chunk, n)
        if b - a > side:
            return None
        start.append(first)
        stop.append(last)
    return Box(start=tuple(start), stop=tuple(stop))


def holds(area: Box, view: Box, shape: tuple[int, ...]) -> bool:
    """Return whether all of an image that is in view lies in a work area."""
    seen = view.clipped(Box(start=(0,) * len(shape), stop=shape))
    return seen is None or area.clipped(seen) == seen
