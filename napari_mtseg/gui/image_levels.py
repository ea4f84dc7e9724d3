"""Coarser copies of a large image, so that all of it can be seen without reading it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.image_files import open_coarser
from napari_mtseg.storage.lazy_pixels import CroppedPixels, ThinnedPixels
from napari_mtseg.storage.project import Project

OVERVIEW_SIDE = 4096
"""longest side of the coarsest copy, pixels, at most"""
_STEP = 4
"""pixels of a copy that become one of the next"""
_BLOCK = 4096
"""rows and columns that are read at once"""


def levels_of(project: Project, entry: ImageEntry, image: Image) -> tuple[Any, ...]:
    """Return an image and its coarser copies; slow where the file holds none.

    Parameters
    ----------
    project : Project
        Knows where the file is.
    entry : ImageEntry
        The image in the project.
    image : Image
        The image, opened.

    Returns
    -------
    tuple of (C, [Z,] Y, X)
        The pixels, then ever fewer of them, the last of at most OVERVIEW_SIDE rows and
        columns. Those that the file holds are used first. Of the last copy of a plane
        that has to be made every n-th pixel is held in memory, which reads the file
        once, block by block; the others are thinned as they are shown.

    Raises
    ------
    ImageError
        If the file is gone or damaged.
    """
    path = project.source_path(entry)
    stored = open_coarser(path, channels=entry.channels, axes=entry.file_axes)
    levels: list[Any] = [image.pixels, *stored]
    while max(levels[-1].shape[-2:]) > OVERVIEW_SIDE:
        levels.append(_thinned(levels[-1]))
    is_made = len(levels) > 1 + len(stored)
    if is_made and len(image.info.spatial_shape) == 2:
        levels[-1] = _read(levels[-1])
    return tuple(levels)


def _thinned(pixels: Any) -> ThinnedPixels:
    n_before = len(pixels.shape) - 2
    return ThinnedPixels(pixels, (1,) * n_before + (_STEP,) * 2)


def _read(pixels: ThinnedPixels) -> NDArray[Any]:
    """Read thinned pixels (C, Y, X), so that only a block of the file is in memory."""
    found = np.empty(pixels.shape, pixels.dtype)
    side = _BLOCK // _STEP
    for box in _blocks(pixels.shape[1:], side):
        found[(slice(None), *box.slices)] = CroppedPixels(pixels, box)[...]
    return found


def _blocks(shape: tuple[int, ...], side: int) -> Iterator[Box]:
    height, width = shape
    for y in range(0, height, side):
        for x in range(0, width, side):
            stop = (min(y + side, height), min(x + side, width))
            yield Box(start=(y, x), stop=stop)
