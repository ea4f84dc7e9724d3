"""Chunks of a stored label array: where they lie, and what is painted in them.

A chunk that nobody painted on is not there, so that looking at the chunks that are
costs what was painted, however large the image.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Box

Chunk = tuple[int, ...]
"""number of a chunk along each axis"""

_FOLDER = "c"
"""what the keys of chunks begin with"""


def chunk_key(chunk: Chunk) -> str:
    """Return the key of a chunk in its store."""
    return "/".join((_FOLDER, *map(str, chunk)))


def chunks_of(keys: Iterable[str]) -> tuple[Chunk, ...]:
    """Return the chunks among the keys of a store, in order."""
    parts = (key.split("/") for key in keys)
    return tuple(
        sorted(
            tuple(map(int, numbers))
            for first, *numbers in parts
            if first == _FOLDER and all(number.isdigit() for number in numbers)
        )
    )


def chunks_in_folder(folder: Path) -> tuple[Chunk, ...]:
    """Return the chunks that the folder of a zarr array holds; they may be blank."""
    files = (file for file in (folder / _FOLDER).rglob("*") if file.is_file())
    return chunks_of(file.relative_to(folder).as_posix() for file in files)


def chunk_box(array: Any, chunk: Chunk) -> Box:
    """Return where a chunk lies in its zarr array."""
    start = tuple(n * size for n, size in zip(chunk, array.chunks, strict=True))
    ends = zip(start, array.chunks, array.shape, strict=True)
    return Box(start=start, stop=tuple(min(a + n, end) for a, n, end in ends))


def chunks_in(array: Any, box: Box) -> Iterator[Chunk]:
    """Iterate over the chunks of a zarr array that meet a box."""
    sides = zip(box.start, box.stop, array.chunks, strict=True)
    return itertools.product(*(range(a // n, -(-b // n)) for a, b, n in sides))


def read_chunks(
    array: Any, chunks: Iterable[Chunk], *, box: Box | None = None
) -> NDArray[Any]:
    """Read a box of a zarr array of which only some chunks are painted.

    Parameters
    ----------
    array : zarr array
        Of labels.
    chunks : iterable of tuple of int
        Those that may hold anything but 0; of the right number of axes.
    box : Box, optional
        What to read; all by default.

    Returns
    -------
    ([Z,] Y, X)
        New labels; where no chunk is painted they take no memory.
    """
    whole = Box(start=(0,) * len(array.shape), stop=array.shape)
    box = whole if box is None else box
    labels = np.zeros(box.shape, array.dtype)
    for chunk in chunks:
        part = chunk_box(array, chunk).clipped(box)
        if part is not None:
            labels[part.seen_from(box.start).slices] = array[part.slices]
    return labels


def painted_boxes(array: Any, chunks: Iterable[Chunk]) -> Iterator[Box]:
    """Iterate over the smallest box around the paint of each chunk that has any.

    Parameters
    ----------
    array : zarr array
        Of labels.
    chunks : iterable of tuple of int
        Those that may hold anything but 0.
    """
    for chunk in chunks:
        place = chunk_box(array, chunk)
        found = np.nonzero(np.asarray(array[place.slices]))
        if found[0].size:
            sides = tuple(zip(found, place.start, strict=True))
            yield Box(
                start=tuple(int(axis.min()) + first for axis, first in sides),
                stop=tuple(int(axis.max()) + first + 1 for axis, first in sides),
            )
