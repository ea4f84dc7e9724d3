"""Which windows an image gets, for so much memory."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import WindowGrid, exact_lengths, rounded_up


def window_grid(
    shape: Sequence[int],
    *,
    max_pixels: int,
    halo: Sequence[int],
    multiple: Sequence[int],
    norm_is_local: bool,
) -> WindowGrid | None:
    """Choose the fewest computed pixels with at most ``max_pixels`` at a time.

    The whole image if it fits, else exact windows by the rule of
    :mod:`napari_mtseg.geometry.tiles`, else the largest blended windows.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Image size in pixels.
    halo : sequence of int
        Receptive radius of the network per axis, pixels.
    multiple : sequence of int
        Pooling grid of the network per axis, pixels.
    max_pixels : int
        Pixels that a window may read, padding up to ``multiple`` counted.
    norm_is_local : bool
        Whether the network's normalisation is the same for every window.

    Returns
    -------
    WindowGrid or None
        None if not even a window of one ``multiple`` fits.
    """
    sides, radius, grid = tuple(shape), tuple(halo), tuple(multiple)
    whole = WindowGrid(
        mode="whole", shape=sides, tile=sides, halo=radius, multiple=grid
    )
    if _n_pixels(shape, multiple) <= max_pixels:
        return whole
    if norm_is_local:
        tile = _best_tile(shape, max_pixels, halo, multiple)
        if tile is not None:
            return replace(whole, mode="exact", tile=tile)
    square = _largest_window(shape, max_pixels, multiple)
    if square is None:
        return None
    return replace(whole, mode="blended", tile=square)


def _best_tile(
    shape: Sequence[int], max_pixels: int, halo: Sequence[int], multiple: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the tile that computes fewest pixels, None if the rule allows none."""
    tiles, longest, computed = [], [], []
    for size, radius, grid in zip(shape, halo, multiple, strict=True):
        smallest = rounded_up(max(2 * radius, 1), grid)
        cores = {size} | {
            rounded_up(math.ceil(size / n), grid)
            for n in range(2, max(size // smallest, 1) + 1)
        }
        allowed = sorted(c for c in cores if c == size or c >= smallest)
        lengths = [exact_lengths(size, core, radius, grid) for core in allowed]
        tiles.append(allowed)
        longest.append(np.array([row.max() for row in lengths], float))
        computed.append(np.array([row.sum() for row in lengths], float))
    cost = _outer(computed)
    cost[_outer(longest) > max_pixels] = np.inf
    if not np.isfinite(cost).any():
        return None
    best = np.unravel_index(int(cost.argmin()), cost.shape)
    return tuple(cores[i] for cores, i in zip(tiles, best, strict=True))


def _largest_window(
    shape: Sequence[int], max_pixels: int, multiple: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the largest window of about equal sides that fits, None if none does."""
    most = [rounded_up(size, grid) for size, grid in zip(shape, multiple, strict=True)]
    window = list(multiple)
    if math.prod(window) > max_pixels:
        return None
    growing = True
    while growing:
        growing = False
        for axis in sorted(range(len(window)), key=window.__getitem__):
            wider = [n + multiple[a] * (a == axis) for a, n in enumerate(window)]
            if wider[axis] <= most[axis] and math.prod(wider) <= max_pixels:
                window, growing = wider, True
                break
    return tuple(window)


def _n_pixels(shape: Sequence[int], multiple: Sequence[int]) -> int:
    return math.prod(rounded_up(n, m) for n, m in zip(shape, multiple, strict=True))


def _outer(axes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    product = np.ones(())
    for axis in axes:
        product = np.multiply.outer(product, axis)
    return product
