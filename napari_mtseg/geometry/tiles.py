"""Windows that cover an image, and the pooling grid they are aligned to.

The rule (METHODS.md section 0, "Tiles"): prediction is *exact*, equal to whole-image
output, where the halo is at most half a tile and the normalisation is local; else
windows are *blended* with Gaussian weights and the deviation is reported. A tile is
what a window writes; it reads its halo beside that. Which of them an image gets is
chosen in :mod:`napari_mtseg.geometry.window_choice`.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
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

    number: int
    """place among all windows of the image, from 0, rows of windows first"""
    read: Slices
    """of the image"""
    write: Slices
    """of the image; inside ``read``"""
    own: Slices
    """of the image; inside ``write``. Each pixel belongs to one window: where blended
    windows overlap, the overlap is cut in the middle"""
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


@dataclass(frozen=True, kw_only=True)
class WindowGrid:
    """How an image is covered; windows are made when they are asked for.

    Every pixel of an exact window's answer lies at least ``halo`` away from the edges
    of what it reads, edges of the image excepted. All edges inside the image lie on
    the pooling grid, so that max-pooling sees the same groups of pixels as on the
    whole image. A grid is small, however large the image; equal ones have equal
    windows.

    Raises
    ------
    ValueError
        On use, if an axis has no pixels, a tile is smaller than the pooling grid, or
        the overlap is out of range.
    """

    mode: Mode
    shape: tuple[int, ...]
    """([Z,] Y, X) pixels of the image"""
    tile: tuple[int, ...]
    """pixels per axis that a window writes, shrunk so that all are about equal; of
    blended windows what one reads"""
    halo: tuple[int, ...]
    """receptive radius per axis, pixels; not used by blended windows"""
    multiple: tuple[int, ...]
    """pooling grid per axis, pixels"""
    overlap: float = BLENDED_OVERLAP
    """share of a blended window that its neighbour reads too, 0 <= overlap < 1"""

    @property
    def n_windows(self) -> int:
        """Windows of the whole image."""
        return math.prod(len(spans) for spans in self._axes())

    @property
    def overhead(self) -> float:
        """Pixels computed per pixel of the image, 1 or more; padding counted."""
        computed = math.prod(
            sum(rounded_up(s.read[1] - s.read[0], grid) for s in spans)
            for spans, grid in zip(self._axes(), self.multiple, strict=True)
        )
        return computed / math.prod(self.shape)

    @property
    def steps(self) -> tuple[int, ...]:
        """Pixels per axis from the start of what a window writes to the next one's.

        The last blended window of an axis may begin earlier.
        """
        if self.mode == "blended":
            return tuple(
                _stride(min(rounded_up(length, grid), size), grid, self.overlap)
                for length, grid, size in zip(
                    self.tile, self.multiple, self.shape, strict=True
                )
            )
        return tuple(spans[0].write[1] for spans in self._axes())

    def windows(self, region: Slices | None = None) -> Iterator[Window]:
        """Yield the windows that write into a region, in the order of their numbers.

        Parameters
        ----------
        region : Slices, optional
            A slice of the image per axis; all of it by default.
        """
        axes = self._axes()
        chosen = [
            [
                (number, span)
                for number, span in enumerate(spans)
                if span.write[0] < part.stop and span.write[1] > part.start
            ]
            for spans, part in zip(axes, region or self._whole(), strict=True)
        ]
        counts = [len(spans) for spans in axes]
        for each in itertools.product(*chosen):
            number = int(np.ravel_multi_index([n for n, _ in each], counts))
            yield _window(number, [span for _, span in each])

    def _whole(self) -> Slices:
        return tuple(slice(0, size) for size in self.shape)

    def _axes(self) -> list[list["_Span"]]:
        if self.mode == "blended":
            return [
                _weighted_spans(size, length, grid, self.overlap)
                for size, length, grid in zip(
                    self.shape, self.tile, self.multiple, strict=True
                )
            ]
        return [
            _exact_spans(*axis)
            for axis in zip(
                self.shape, self.tile, self.halo, self.multiple, strict=True
            )
        ]


@dataclass(frozen=True, eq=False)
class _Span:
    """One axis of a window."""

    read: tuple[int, int]
    write: tuple[int, int]
    own: tuple[int, int]
    weight: NDArray[np.float32] | None = None


def within(part: Slices, whole: Slices) -> Slices:
    """Return a part of the image in coordinates of another part that holds it."""
    return tuple(
        slice(one.start - outer.start, one.stop - outer.start)
        for one, outer in zip(part, whole, strict=True)
    )


def shared(one: Slices, other: Slices) -> Slices | None:
    """Return what two parts of an image have in common, None if nothing."""
    both = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )
    return both if all(s.start < s.stop for s in both) else None


def widened(part: Slices, margin: Sequence[int], shape: Sequence[int]) -> Slices:
    """Return a part with so many more pixels on each side, inside the image."""
    return tuple(
        slice(max(s.start - m, 0), min(s.stop + m, size))
        for s, m, size in zip(part, margin, shape, strict=True)
    )


def rounded_up(n: int, multiple: int) -> int:
    """Return the smallest multiple that is not below a number."""
    return -(-n // multiple) * multiple


def exact_lengths(size: int, tile: int, halo: int, multiple: int) -> NDArray[np.int64]:
    """Return what each exact window of an axis reads, pixels, padding counted."""
    core, margin = _core_and_margin(size, tile, halo, multiple)
    starts = np.arange(0, size, core)
    read = np.minimum(starts + core + margin, size) - np.maximum(starts - margin, 0)
    lengths: NDArray[np.int64] = -(-read // multiple) * multiple
    return lengths


def _window(number: int, spans: Sequence[_Span]) -> Window:
    weights = tuple(span.weight for span in spans if span.weight is not None)
    return Window(
        number=number,
        read=tuple(slice(*span.read) for span in spans),
        write=tuple(slice(*span.write) for span in spans),
        own=tuple(slice(*span.own) for span in spans),
        weights=weights or None,
    )


def _core_and_margin(size: int, tile: int, halo: int, multiple: int) -> tuple[int, int]:
    if size < 1:
        raise ValueError("an image without pixels has no windows")
    if tile < min(multiple, size):
        raise ValueError(f"a tile of {tile} is below the pooling grid of {multiple}")
    wanted = max(tile // multiple, 1) * multiple if tile < size else size
    core = rounded_up(math.ceil(size / math.ceil(size / wanted)), multiple)
    return core, rounded_up(halo, multiple)


def _exact_spans(size: int, tile: int, halo: int, multiple: int) -> list[_Span]:
    core, margin = _core_and_margin(size, tile, halo, multiple)
    found = []
    for start in range(0, size, core):
        write = (start, min(start + core, size))
        read = (max(start - margin, 0), min(start + core + margin, size))
        found.append(_Span(read, write, write))
    return found


def _weighted_spans(size: int, tile: int, multiple: int, overlap: float) -> list[_Span]:
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}, not 0 <= overlap < 1")
    length = min(rounded_up(tile, multiple), size)
    stride = _stride(length, multiple, overlap)
    last = rounded_up(size - length, multiple)
    starts = sorted({*range(0, last, stride), last})
    stops = [start + length for start in starts[:-1]] + [size]
    weights = [_gaussian(b - a) for a, b in zip(starts, stops, strict=True)]
    total = np.zeros(size)
    for a, b, weight in zip(starts, stops, weights, strict=True):
        total[a:b] += weight
    cuts = [
        (following + stop) // 2
        for stop, following in zip(stops, starts[1:], strict=False)
    ]
    owns = itertools.pairwise([0, *cuts, size])
    return [
        _Span((a, b), (a, b), own, (weight / total[a:b]).astype(np.float32))
        for a, b, own, weight in zip(starts, stops, owns, weights, strict=True)
    ]


def _stride(length: int, multiple: int, overlap: float) -> int:
    return max(int(length * (1 - overlap)) // multiple, 1) * multiple


def _gaussian(length: int) -> NDArray[np.float64]:
    centred = np.arange(length) - (length - 1) / 2
    weight: NDArray[np.float64] = np.exp(
        -0.5 * np.square(centred / (GAUSSIAN_SIGMA * length))
    )
    return weight
