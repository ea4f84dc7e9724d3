"""Windows that cover an image, and the pooling grid they are aligned to.

The rule (METHODS.md section 0, "Tiles"): prediction is *exact*, equal to whole-image
output, where the halo is at most half a tile and the normalisation is local; else
windows are *blended* with Gaussian weights and the deviation is reported. A tile is
what a window writes; it reads its halo beside that.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Slices = tuple[slice, ...]
"""One slice per spatial axis."""

Mode = Literal["whole", "exact", "blended"]
"""How windows were chosen."""

GAUSSIAN_SIGMA = 0.125
"""Standard deviation of the blending weight, as a share of the window (ours)"""

BLENDED_OVERLAP = 0.5
"""Share of a blended window that its neighbour reads too (ours)"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Window:
    """What is read at once, and which part of the answer is kept."""

    read: Slices
    """of the image"""
    write: Slices
    """of the image; inside ``read``"""
    crop: Slices
    """``write`` in coordinates of the window"""
    weights: tuple[NDArray[np.float32], ...] | None = None
    """per axis, over ``read``: the factors of a blended window's weight; all windows'
    weights sum to 1 at every pixel. None where the answer is simply written"""

    @property
    def shape(self) -> tuple[int, ...]:
        """([Z,] Y, X) shape of what is read."""
        return tuple(s.stop - s.start for s in self.read)

    def weight(self) -> NDArray[np.float32]:
        """Return the ([Z,] Y, X) weight of each pixel read, 0..1."""
        if self.weights is None:
            return np.ones(self.shape, np.float32)
        product = np.ones((), np.float32)
        for axis in self.weights:
            product = np.multiply.outer(product, axis)
        return product.astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowPlan:
    """How an image is covered."""

    mode: Mode
    windows: tuple[Window, ...]
    overhead: float
    """pixels computed per pixel of the image, 1 or more; padding counted"""


@dataclass(frozen=True)
class _Span:
    """One axis of a window."""

    read: tuple[int, int]
    write: tuple[int, int]


def windows(
    shape: Sequence[int],
    *,
    tile: Sequence[int],
    halo: Sequence[int],
    multiple: Sequence[int],
) -> tuple[Window, ...]:
    """Return windows whose tiles cover the image, each pixel once.

    Every pixel written lies at least ``halo`` away from the edges of what is read,
    edges of the image excepted. All edges inside the image lie on the pooling grid,
    so that max-pooling sees the same groups of pixels as on the whole image.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Image size in pixels.
    tile : sequence of int
        Wanted size of a tile per axis, pixels; shrunk so that all are about equal.
    halo : sequence of int
        Receptive radius of the network per axis, pixels.
    multiple : sequence of int
        Pooling grid of the network per axis, pixels.

    Raises
    ------
    ValueError
        If an axis has no pixels, or a tile is smaller than the pooling grid.
    """
    axes = [
        _exact_spans(*axis) for axis in zip(shape, tile, halo, multiple, strict=True)
    ]
    return tuple(_window(spans) for spans in itertools.product(*axes))


def blended_windows(
    shape: Sequence[int],
    *,
    tile: Sequence[int],
    multiple: Sequence[int],
    overlap: float = BLENDED_OVERLAP,
) -> tuple[Window, ...]:
    """Return overlapping windows with Gaussian weights that sum to 1 at every pixel.

    Parameters
    ----------
    shape, multiple
        As in :func:`windows`.
    tile : sequence of int
        Size of what a window reads per axis, pixels; the last window of an axis may
        be shorter by less than one ``multiple``.
    overlap : float
        Share of a window that its neighbour reads too, 0 <= overlap < 1.
    """
    per_axis = [
        _weighted_spans(size, length, grid, overlap)
        for size, length, grid in zip(shape, tile, multiple, strict=True)
    ]
    found = []
    for choice in itertools.product(*per_axis):
        window = _window([span for span, _ in choice])
        found.append(
            Window(
                read=window.read,
                write=window.write,
                crop=window.crop,
                weights=tuple(weight for _, weight in choice),
            )
        )
    return tuple(found)


def window_plan(
    shape: Sequence[int],
    *,
    max_pixels: int,
    halo: Sequence[int],
    multiple: Sequence[int],
    norm_is_local: bool,
) -> WindowPlan | None:
    """Choose the fewest computed pixels with at most ``max_pixels`` at a time.

    The whole image if it fits, else exact windows by the rule above, else the largest
    blended windows.

    Parameters
    ----------
    shape, halo, multiple
        As in :func:`windows`.
    max_pixels : int
        Pixels that a window may read, padding up to ``multiple`` counted.
    norm_is_local : bool
        Whether the network's normalisation is the same for every window.

    Returns
    -------
    WindowPlan or None
        None if not even a window of one ``multiple`` fits.
    """
    if _n_pixels(shape, multiple) <= max_pixels:
        whole = windows(shape, tile=shape, halo=halo, multiple=multiple)
        return _plan("whole", whole, shape, multiple)
    if norm_is_local:
        tile = _best_tile(shape, max_pixels, halo, multiple)
        if tile is not None:
            exact = windows(shape, tile=tile, halo=halo, multiple=multiple)
            return _plan("exact", exact, shape, multiple)
    square = _largest_window(shape, max_pixels, multiple)
    if square is None:
        return None
    blended = blended_windows(shape, tile=square, multiple=multiple)
    return _plan("blended", blended, shape, multiple)


def _window(spans: Sequence[_Span]) -> Window:
    return Window(
        read=tuple(slice(*span.read) for span in spans),
        write=tuple(slice(*span.write) for span in spans),
        crop=tuple(
            slice(span.write[0] - span.read[0], span.write[1] - span.read[0])
            for span in spans
        ),
    )


def _exact_spans(size: int, tile: int, halo: int, multiple: int) -> list[_Span]:
    if size < 1:
        raise ValueError("an image without pixels has no windows")
    if tile < min(multiple, size):
        raise ValueError(f"a tile of {tile} is below the pooling grid of {multiple}")
    wanted = max(tile // multiple, 1) * multiple if tile < size else size
    core = _rounded_up(math.ceil(size / math.ceil(size / wanted)), multiple)
    margin = _rounded_up(halo, multiple)
    return [
        _Span(
            read=(max(start - margin, 0), min(start + core + margin, size)),
            write=(start, min(start + core, size)),
        )
        for start in range(0, size, core)
    ]


def _weighted_spans(
    size: int, tile: int, multiple: int, overlap: float
) -> list[tuple[_Span, NDArray[np.float32]]]:
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}, not 0 <= overlap < 1")
    length = min(_rounded_up(tile, multiple), size)
    stride = max(int(length * (1 - overlap)) // multiple, 1) * multiple
    last = _rounded_up(size - length, multiple)
    starts = sorted({*range(0, last, stride), last})
    stops = [start + length for start in starts[:-1]] + [size]
    weights = [_gaussian(b - a) for a, b in zip(starts, stops, strict=True)]
    total = np.zeros(size)
    for a, b, weight in zip(starts, stops, weights, strict=True):
        total[a:b] += weight
    return [
        (_Span((a, b), (a, b)), (weight / total[a:b]).astype(np.float32))
        for a, b, weight in zip(starts, stops, weights, strict=True)
    ]


def _gaussian(length: int) -> NDArray[np.float64]:
    centred = np.arange(length) - (length - 1) / 2
    weight: NDArray[np.float64] = np.exp(
        -0.5 * np.square(centred / (GAUSSIAN_SIGMA * length))
    )
    return weight


def _best_tile(
    shape: Sequence[int], max_pixels: int, halo: Sequence[int], multiple: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the tile that computes fewest pixels, None if the rule allows none."""
    tiles, longest, computed = [], [], []
    for size, radius, grid in zip(shape, halo, multiple, strict=True):
        smallest = _rounded_up(max(2 * radius, 1), grid)
        cores = {size} | {
            _rounded_up(math.ceil(size / n), grid)
            for n in range(2, max(size // smallest, 1) + 1)
        }
        allowed = sorted(c for c in cores if c == size or c >= smallest)
        lengths = [
            [
                _rounded_up(s.read[1] - s.read[0], grid)
                for s in _exact_spans(size, core, radius, grid)
            ]
            for core in allowed
        ]
        tiles.append(allowed)
        longest.append(np.array([max(row) for row in lengths], float))
        computed.append(np.array([sum(row) for row in lengths], float))
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
    most = [_rounded_up(size, grid) for size, grid in zip(shape, multiple, strict=True)]
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


def _plan(
    mode: Mode,
    chosen: tuple[Window, ...],
    shape: Sequence[int],
    multiple: Sequence[int],
) -> WindowPlan:
    computed = sum(_n_pixels(window.shape, multiple) for window in chosen)
    return WindowPlan(mode=mode, windows=chosen, overhead=computed / math.prod(shape))


def _n_pixels(shape: Sequence[int], multiple: Sequence[int]) -> int:
    return math.prod(_rounded_up(n, m) for n, m in zip(shape, multiple, strict=True))


def _outer(axes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    product = np.ones(())
    for axis in axes:
        product = np.multiply.outer(product, axis)
    return product


def _rounded_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
