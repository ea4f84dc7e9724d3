"""A generated OME-Zarr image that is larger than memory should be, with its pyramid."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

CHUNK = 1024
"""rows and columns of a chunk"""
SMALLEST = 1024
"""longest side of the coarsest level, pixels, at most"""
GROUND, BRIGHT, NOISE = 60, 120, 12
EVERY = 4
"""one chunk of so many along each axis holds discs and noise; the others are flat"""


def write_large_image(path: Path, *, side: int) -> Path:
    """Write ``side`` x ``side`` uint8 pixels: discs in some chunks, ground elsewhere.

    Parameters
    ----------
    path : Path
        Folder of the OME-Zarr image; made if it does not exist.
    side : int
        Rows and columns, a multiple of CHUNK.

    Returns
    -------
    Path
        The folder.
    """
    group = zarr.open_group(path, mode="w", zarr_format=3)
    tile = _tile()
    factors = [1]
    while side // factors[-1] > SMALLEST:
        factors.append(2 * factors[-1])
    for level, factor in enumerate(factors):
        size = side // factor
        chunk = min(CHUNK, size)
        array = group.create_array(
            str(level), shape=(size, size), chunks=(chunk, chunk), dtype="uint8"
        )
        for y in range(0, size, chunk):
            for x in range(0, size, chunk):
                array[y : y + chunk, x : x + chunk] = _part(
                    tile, y, x, chunk=chunk, factor=factor
                )
    group.attrs["ome"] = {"version": "0.5", "multiscales": [_multiscale(factors)]}
    return path


def _part(
    tile: NDArray[np.uint8], y: int, x: int, *, chunk: int, factor: int
) -> NDArray[np.uint8]:
    """Return a chunk of the level that has every ``factor``-th pixel."""
    found = np.full((chunk, chunk), GROUND, np.uint8)
    step = max(1, CHUNK // factor)
    thin = tile[::factor, ::factor]
    for top in range(0, chunk, step):
        for left in range(0, chunk, step):
            row, column = ((n * factor) // CHUNK for n in (y + top, x + left))
            if row % EVERY == 0 and column % EVERY == 0:
                found[top : top + step, left : left + step] = thin[:step, :step]
    return found


def _tile() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:CHUNK, :CHUNK]
    disc = (y % 128 - 64) ** 2 + (x % 128 - 64) ** 2 < 40**2
    pixels = GROUND + BRIGHT * disc + rng.normal(0, NOISE, disc.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _multiscale(factors: list[int]) -> dict[str, Any]:
    axis = {"type": "space", "unit": "micrometer"}
    return {
        "axes": [{"name": name, **axis} for name in "yx"],
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [0.5 * factor] * 2}
                ],
            }
            for level, factor in enumerate(factors)
        ],
    }
