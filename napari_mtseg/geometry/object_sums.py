"""Sums over the pixels of every object, from which all its measurements follow.

They add up over the blocks of an image: integers exactly, intensities to rounding.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import run_starts
from napari_mtseg.geometry.crofton import line_directions
from napari_mtseg.geometry.row_runs import coordinate_sums, row_run_starts
from napari_mtseg.geometry.slabs import slabs
from napari_mtseg.geometry.tiles import Slices


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectSums:
    """Sums over the pixels of each object of an image, or of a part of it."""

    ids: NDArray[np.int64]
    """(n,) object ids, ascending"""
    pixels: NDArray[np.int64]
    """(n,) pixels"""
    first: NDArray[np.int64]
    """(n, axes) lowest coordinates"""
    last: NDArray[np.int64]
    """(n, axes) highest coordinates"""
    moments: NDArray[np.int64]
    """(n, k) sums of coordinates and of their products, see
    :func:`~napari_mtseg.geometry.row_runs.coordinate_sums`; exact as long as the pixels
    of an object times the square of its largest coordinate are below 2**63"""
    exits: NDArray[np.int64]
    """(n, directions) how often lines leave the object, see
    :func:`~napari_mtseg.geometry.crofton.line_directions`"""
    intensity: NDArray[np.float64]
    """(n, channels) sum of the intensity; (n, 0) where it was not given"""
    squared_deviation: NDArray[np.float64]
    """(n, channels) sum of the square of what it differs by from the object's mean"""
    lowest: NDArray[np.float64]
    """(n, channels) lowest intensity"""
    highest: NDArray[np.float64]
    """(n, channels) highest intensity"""
    uncertainty: NDArray[np.float64]
    """(n, 1) sum of the uncertainty; (n, 0) where it was not given"""


_EXTREMES = {
    "ids": np.minimum,
    "first": np.minimum,
    "last": np.maximum,
    "lowest": np.minimum,
    "highest": np.maximum,
}


def object_sums(
    instances: NDArray[np.integer[Any]],
    *,
    inner: Slices | None = None,
    origin: tuple[int, ...] | None = None,
    intensities: Any = None,
    uncertainty: Any = None,
) -> ObjectSums:
    """Sum over the pixels of each object of an image, or of a block of it.

    Parameters
    ----------
    instances : ([Z,] Y, X) integer
        Object id, 0 background. Of a block: with one more pixel on each side where the
        image goes on, and with the ids that the objects have in the whole image.
    inner : tuple of slice, optional
        The block itself within ``instances``; all of it if not given. What lies around
        is looked at but not summed; beyond ``instances`` is background.
    origin : tuple of int, optional
        Place of the first pixel of ``instances`` in the image; 0 if not given.
    intensities : (C, [Z,] Y, X) array, optional
        Of the same pixels as ``instances``; may be anything that is read by slicing.
    uncertainty : ([Z,] Y, X) array, optional
        Of the same pixels.

    Returns
    -------
    ObjectSums
        Of the objects in the block, in coordinates of the image.
    """
    block = inner or (slice(None),) * instances.ndim
    start = origin or (0,) * instances.ndim
    return merged_sums(
        _grouped(_run_sums(instances, part, start, intensities, uncertainty))
        for part in _parts(block, instances.shape)
    )


def merged_sums(parts: Iterable[ObjectSums]) -> ObjectSums:
    """Add up the sums of blocks that share no pixel.

    Raises
    ------
    ValueError
        If there is no part.
    """
    columns = [vars(part) for part in parts]
    if not columns:
        raise ValueError("there is nothing to merge")
    together = {
        name: np.concatenate([part[name] for part in columns]) for name in columns[0]
    }
    return _grouped(together)


def _parts(inner: Slices, shape: tuple[int, ...]) -> Iterator[Slices]:
    """Cut a region into parts of its first axis; an empty one is its own only part."""
    sides = [slice(*side.indices(n)[:2]) for side, n in zip(inner, shape, strict=True)]
    lengths = [max(side.stop - side.start, 0) for side in sides]
    begin = sides[0].start
    for rows in list(slabs(lengths)) or [slice(0, 0)]:
        yield (slice(begin + rows.start, begin + rows.stop), *sides[1:])


def _rows_of_values(
    source: Any, index: Slices, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return (channels, pixels) of a part of ``shape``; no channel without a source.

    An index without channels gives one.
    """
    n_pixels = math.prod(shape)
    if source is None:
        return np.zeros((0, n_pixels))
    read = np.asarray(source[index], np.float64)
    n_channels = 1 if read.ndim == len(shape) else read.shape[0]
    return read.reshape(n_channels, n_pixels)


def _run_sums(
    instances: NDArray[np.integer[Any]],
    part: Slices,
    origin: tuple[int, ...],
    intensities: Any,
    uncertainty: Any,
) -> dict[str, NDArray[Any]]:
    """Return the columns of ObjectSums for each run of an object within a row."""
    labels = instances[part]
    where = np.flatnonzero(labels)
    starts = row_run_starts(labels, where)
    length = np.diff(starts, append=len(where)).astype(np.int64)
    offset = [side.start + n for side, n in zip(part, origin, strict=True)]
    first = np.stack(np.unravel_index(where[starts], labels.shape)).astype(np.int64)
    first += np.array(offset)[:, np.newaxis]
    last = first.copy()
    last[-1] += length - 1
    every = (slice(None), *part)
    light = _rows_of_values(intensities, every, labels.shape)[:, where]
    doubt = _rows_of_values(uncertainty, part, labels.shape)[:, where]
    intensity = np.add.reduceat(light, starts, axis=1)
    apart = light - np.repeat(intensity / length, length, axis=1)
    return {
        "ids": labels.ravel()[where[starts]].astype(np.int64),
        "pixels": length,
        "first": first.T,
        "last": last.T,
        "moments": np.stack(list(coordinate_sums(first, length)), axis=1),
        "exits": _exits(instances, part, where, starts),
        "intensity": intensity.T,
        "squared_deviation": np.add.reduceat(apart**2, starts, axis=1).T,
        "lowest": np.minimum.reduceat(light, starts, axis=1).T,
        "highest": np.maximum.reduceat(light, starts, axis=1).T,
        "uncertainty": np.add.reduceat(doubt, starts, axis=1).T,
    }


def _exits(
    instances: NDArray[np.integer[Any]],
    part: Slices,
    where: NDArray[np.intp],
    starts: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Return (runs, directions) how often lines leave the object at pixels of a run."""
    around = _with_margin(instances, part)
    inside = tuple(slice(1, n - 1) for n in around.shape)
    labels = around[inside]
    counts = []
    for step in line_directions(instances.ndim):
        ahead = tuple(
            slice(side.start + s, side.stop + s)
            for side, s in zip(inside, step, strict=True)
        )
        leaves = (labels != around[ahead]).ravel()[where]
        counts.append(np.add.reduceat(leaves, starts, dtype=np.int64))
    return np.stack(counts, axis=1)


def _with_margin(
    instances: NDArray[np.integer[Any]], part: Slices
) -> NDArray[np.integer[Any]]:
    """Return a part with one more pixel on each side, 0 beyond the array."""
    around = np.zeros([side.stop - side.start + 2 for side in part], instances.dtype)
    known = [
        slice(max(side.start - 1, 0), min(side.stop + 1, n))
        for side, n in zip(part, instances.shape, strict=True)
    ]
    place = tuple(
        slice(there.start - side.start + 1, there.stop - side.start + 1)
        for there, side in zip(known, part, strict=True)
    )
    around[place] = instances[tuple(known)]
    return around


def _grouped(columns: Mapping[str, NDArray[Any]]) -> ObjectSums:
    """Add up the rows of one id."""
    order = np.argsort(columns["ids"], kind="stable")
    rows = {name: values[order] for name, values in columns.items()}
    starts = np.flatnonzero(run_starts(rows["ids"]))
    sums = {
        name: _EXTREMES.get(name, np.add).reduceat(values, starts, axis=0)
        for name, values in rows.items()
    }
    # Sums of squares themselves would cancel where the intensity has a large offset.
    n_rows = np.diff(starts, append=len(order))
    means = np.repeat(sums["intensity"] / sums["pixels"][:, np.newaxis], n_rows, axis=0)
    pixels = rows["pixels"][:, np.newaxis]
    about_mean = pixels * (rows["intensity"] / pixels - means) ** 2
    deviation = rows["squared_deviation"] + about_mean
    sums["squared_deviation"] = np.add.reduceat(deviation, starts, axis=0)
    return ObjectSums(**sums)
