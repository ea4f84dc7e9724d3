"""Smaller and smaller copies of a zarr array, made part by part in bounded memory."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import Slices

_HALVED_BELOW = 1.5
"""an axis is halved while its voxels are at most so many times the finest (ours)"""

_CHUNKS_AT_ONCE = 2
"""chunks along each axis that one part of a smaller copy takes (ours)"""


def pyramid_factors(
    shape: Sequence[int], spacing: Sequence[float], *, largest: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return how many pixels per axis become one in each copy, the full size first.

    Rows and columns are halved until a copy fits into ``largest``. Planes are halved
    as soon as the pixels of the copy are as large as the distance between planes.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Size in pixels.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    largest : ([Z,] Y, X)
        Rows and columns of the smallest copy, at most.

    Examples
    --------
    >>> pyramid_factors((2048, 1000), (1, 1), largest=(512, 512))
    ((1, 1), (2, 2), (4, 4))
    >>> pyramid_factors((40, 512, 512), (2, 1, 1), largest=(32, 128, 128))
    ((1, 1, 1), (1, 2, 2), (2, 4, 4))
    """
    factors = [1] * len(shape)
    found = [tuple(factors)]
    plane = (-2, -1)
    while any(-(-shape[a] // factors[a]) > largest[a] for a in plane):
        sizes = [f * s for f, s in zip(factors, spacing, strict=True)]
        finest = min(sizes[a] for a in plane)
        factors = [
            f * 2 if a >= len(shape) - 2 or sizes[a] <= _HALVED_BELOW * finest else f
            for a, f in enumerate(factors)
        ]
        found.append(tuple(factors))
    return tuple(found)


def smaller_shape(shape: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    """Return the size of a copy in which so many pixels per axis become one."""
    return tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))


def parts_of(shape: Sequence[int], chunks: Sequence[int]) -> tuple[Slices, ...]:
    """Cut an array into parts of a few whole chunks, to be made one by one."""
    axes = [
        [
            slice(start, min(start + _CHUNKS_AT_ONCE * chunk, size))
            for start in range(0, size, _CHUNKS_AT_ONCE * chunk)
        ]
        for size, chunk in zip(shape, chunks, strict=True)
    ]
    return tuple(itertools.product(*axes))


def write_smaller(
    larger: Any,
    smaller: Any,
    part: Slices,
    *,
    steps: Sequence[int],
    is_label: bool,
) -> None:
    """Write a part of a copy from the array that is one step larger.

    Parameters
    ----------
    larger, smaller : zarr arrays
        ([C,] [Z,] Y, X).
    part : Slices
        Of the smaller one's ([Z,] Y, X), in whole chunks.
    steps : sequence of int
        Pixels per axis that become one, 1 or 2 each.
    is_label : bool
        True takes the first of these pixels, False their mean.
    """
    read = tuple(
        slice(p.start * step, min(p.stop * step, size))
        for p, step, size in zip(part, steps, larger.shape[-len(part) :], strict=True)
    )
    for leading in np.ndindex(*larger.shape[: -len(part)]):
        pixels = np.asarray(larger[(*leading, *read)])
        made = _every(pixels, steps) if is_label else _means(pixels, steps)
        smaller[(*leading, *part)] = made.astype(smaller.dtype, copy=False)


def _every(pixels: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
    return pixels[tuple(slice(None, None, step) for step in steps)]


def _means(pixels: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
    """Mean of each group of pixels; at the far edge, of those that are there."""
    means = pixels.astype(np.float32)
    for axis, step in enumerate(steps):
        if step > 1:
            starts = np.arange(0, means.shape[axis], step)
            counts = np.minimum(starts + step, means.shape[axis]) - starts
            shape = [1] * means.ndim
            shape[axis] = len(starts)
            means = np.add.reduceat(means, starts, axis=axis)
            means /= counts.reshape(shape).astype(np.float32)
    return means
