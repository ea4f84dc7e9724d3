"""How an image is cut into blocks that are predicted one by one."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from napari_mtseg.batches.normalisation import Normalisation
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.geometry.tiles import Slices, WindowGrid, shared, widened

SEAM = 8
"""pixels on each side of a common face where two blocks with margins compare what they
found, at most (ours)"""

LARGEST_CHUNK = {2: (1024, 1024), 3: (64, 256, 256)}
"""pixels that are stored together, at most, by the number of axes (ours)"""

_LEAST_CHUNK_SHARE = 4
"""a chunk has at least the largest one's side divided by this, where it can (ours)"""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockPlan:
    """All that a worker needs to know of an image to do one of its blocks; small."""

    image_path: Path
    """absolute"""
    channels: tuple[int, ...] | None
    """channels of the file to use; all if None"""
    axes: str | None
    """axes of the file as the user gave them"""
    result: Path
    """final place of the OME-Zarr folder, absolute"""
    maps: tuple[str, ...]
    """what is written"""
    info: ImageInfo
    """of the image"""
    grid: WindowGrid
    """windows of the whole image"""
    block: tuple[int, ...]
    """pixels of a block per axis; the last one of an axis may be smaller"""
    margin: tuple[int, ...]
    """pixels per axis that a block is widened by to make objects; 0 if none"""
    normalisation: Normalisation
    """of the whole image"""

    @property
    def shape(self) -> tuple[int, ...]:
        """([Z,] Y, X) pixels of the image."""
        return self.info.spatial_shape

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks per axis."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.block, strict=True))

    @property
    def n_blocks(self) -> int:
        """Blocks of the image."""
        return math.prod(self.counts)

    @property
    def chunk(self) -> tuple[int, ...]:
        """Pixels that are stored together per axis; they divide a block."""
        largest = LARGEST_CHUNK[len(self.block)]
        return tuple(
            most if n <= block else _chunk_side(block, most)
            for n, block, most in zip(self.shape, self.block, largest, strict=True)
        )

    @property
    def seam(self) -> tuple[int, ...]:
        """Pixels per axis on each side of a face that neighbours compare; 0 if none."""
        return tuple(min(m, max(min(m // 2, SEAM), 1)) for m in self.margin)

    def inner(self, number: int) -> Slices:
        """Return the part of the image that a block writes."""
        place = self._place(number)
        return tuple(
            slice(i * side, min((i + 1) * side, size))
            for i, side, size in zip(place, self.block, self.shape, strict=True)
        )

    def seen(self, number: int) -> Slices:
        """Return the part of the image that a block makes objects of."""
        return widened(self.inner(number), self.margin, self.shape)

    def blocks_at(self, region: Slices) -> Iterator[tuple[int, Slices]]:
        """Yield the blocks that share pixels with a region, and these pixels."""
        ranges = [
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(region, self.block, strict=True)
        ]
        for place in itertools.product(*ranges):
            number = self._number(place)
            common = shared(self.inner(number), region)
            if common is not None:
                yield number, common

    def before(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield the blocks before one that share a face with it, and across which axis.

        Their numbers are lower.
        """
        place = self._place(number)
        for axis, i in enumerate(place):
            if i > 0:
                yield self._number((*place[:axis], i - 1, *place[axis + 1 :])), axis

    def face(self, number: int, axis: int, *, is_high: bool) -> Slices:
        """Return the pixels by which a block is compared with a neighbour.

        Without a margin the block's own layer of pixels at the face; else pixels on
        both sides of it, which both blocks see.

        Parameters
        ----------
        number : int
            The block.
        axis : int
            Across the face.
        is_high : bool
            True of the face to the block after it.
        """
        inner = self.inner(number)
        edge = inner[axis].stop if is_high else inner[axis].start
        if self.margin[axis] == 0:
            side = slice(edge - 1, edge) if is_high else slice(edge, edge + 1)
        else:
            reach = self.seam[axis]
            side = slice(max(edge - reach, 0), min(edge + reach, self.shape[axis]))
        return (*inner[:axis], side, *inner[axis + 1 :])

    def _place(self, number: int) -> tuple[int, ...]:
        place = []
        for count in reversed(self.counts):
            number, i = divmod(number, count)
            place.append(i)
        return tuple(reversed(place))

    def _number(self, place: Sequence[int]) -> int:
        pairs = zip(place, self.counts, strict=True)
        return reduce(lambda number, pair: number * pair[1] + pair[0], pairs, 0)


def block_sides(
    grid: WindowGrid, margin: Sequence[int], *, max_pixels: int
) -> tuple[int, ...]:
    """Return the pixels of a block per axis: whole steps of the windows.

    Blocks are as large as the memory allows, so that few windows are computed for two
    of them, and about as long as wide; at least one step.

    Parameters
    ----------
    grid : WindowGrid
        Windows of the image.
    margin : sequence of int
        Pixels per axis that a block is widened by on each side.
    max_pixels : int
        Of a block with its margin.
    """
    steps, counts = grid.steps, [1] * len(grid.steps)

    def sides() -> list[int]:
        return [
            min(n * step, size)
            for n, step, size in zip(counts, steps, grid.shape, strict=True)
        ]

    growing = True
    while growing:
        growing = False
        for axis in sorted(range(len(counts)), key=lambda a: sides()[a]):
            if sides()[axis] == grid.shape[axis]:
                continue
            counts[axis] += 1
            taken = math.prod(
                side + 2 * m for side, m in zip(sides(), margin, strict=True)
            )
            if taken <= max_pixels:
                growing = True
                break
            counts[axis] -= 1
    return tuple(n * step for n, step in zip(counts, steps, strict=True))


def _chunk_side(block: int, most: int) -> int:
    """Return the largest divisor of a block's side that is not above ``most``.

    Where that is tiny, the smallest one that is not.
    """
    divisors = [n for n in range(1, block + 1) if block % n == 0]
    largest = max(n for n in divisors if n <= most)
    least = most // _LEAST_CHUNK_SHARE
    if largest >= least:
        return largest
    return min(n for n in divisors if n >= min(least, block))
