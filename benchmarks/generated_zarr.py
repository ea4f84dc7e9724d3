"""A generated image of any size as OME-Zarr, written chunk by chunk."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

CHUNK = 1024
"""rows and columns that are stored together"""

CELL = 64
"""rows and columns of the cell in which a disc lies"""

BAND_PERIOD, BAND_WIDTH = 2048, 9
"""pixels between bands that cross the whole image, and their width"""


def pattern(rows: slice, columns: slice) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a part of the image and of its class map, the same for any parts.

    Discs of radius 3 to 30 in cells of 64 pixels, an oblique band every 2048 pixels,
    which joins the discs that it meets, and a slow wave of the background.
    """
    y, x = np.ogrid[rows, columns]
    cell_y, cell_x = y // CELL, x // CELL
    drawn = (cell_y * 7919 + cell_x * 104729 + cell_y * cell_x * 31) % 997
    radius = 3 + 27 * drawn / 996
    off_y, off_x = y % CELL - CELL // 2, x % CELL - CELL // 2
    disc = off_y**2 + off_x**2 < radius**2
    band = (y + x // 3) % BAND_PERIOD < BAND_WIDTH
    inside = disc | band
    wave = 20 * np.sin(y / 300) * np.cos(x / 410)
    grain = (y * 37 + x * 91 + (y * x) % 13) % 24
    grey = np.where(inside, 150, 80) + wave + grain
    return grey.astype(np.uint8), inside.astype(np.uint8)


def write_generated(path: Path, side: int) -> Path:
    """Write a square image unless it is there; a chunk is in memory at a time."""
    if (path / "done").is_file():
        return path
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array(
        "0", shape=(side, side), dtype="uint8", chunks=(CHUNK, CHUNK), fill_value=0
    )
    axes = [{"name": x, "type": "space", "unit": "micrometer"} for x in "yx"]
    scale = {"type": "scale", "scale": [0.5, 0.5]}
    levels: list[Any] = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    starts = range(0, side, CHUNK)
    for y, x in itertools.product(starts, starts):
        rows, columns = (slice(a, min(a + CHUNK, side)) for a in (y, x))
        array[rows, columns] = pattern(rows, columns)[0]
    (path / "done").touch()
    return path
