"""How far blended output is from what a window sees that is not cut there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import Slices

SEAM_CHECKS = 4
"""Extra windows by which the deviation of blended output is estimated (ours)"""


def seam_deviation(
    answer: Callable[[Slices], Mapping[str, NDArray[np.float32]]],
    maps: Mapping[str, NDArray[Any]],
    windows: Sequence[Slices],
    *,
    grid: Sequence[int],
) -> float:
    """Compare with windows that are centred where blended windows meet.

    Parameters
    ----------
    answer : callable
        Returns the answers inside a part of the image, by map.
    maps : mapping of str to (channels, [Z,] Y, X)
        Blended output of the whole image.
    windows : sequence of Slices
        What the blended windows read; SEAM_CHECKS of them are checked.
    grid : sequence of int
        Pooling grid of the network per axis, pixels.

    Returns
    -------
    float
        Largest difference at the places checked.
    """
    step = max(len(windows) // SEAM_CHECKS, 1)
    shape = next(iter(maps.values())).shape[1:]
    largest = 0.0
    for window in windows[::step][:SEAM_CHECKS]:
        axes = [
            _centred_on_seam(*axis) for axis in zip(window, shape, grid, strict=True)
        ]
        read, centre, inside = zip(*axes, strict=True)
        answers = answer(read)
        for name, blended in maps.items():
            here = blended[(slice(None), *centre)].astype(np.float32)
            difference = np.abs(answers[name][(slice(None), *inside)] - here)
            largest = max(largest, float(difference.max()))
    return largest


def _centred_on_seam(part: slice, size: int, grid: int) -> tuple[slice, slice, slice]:
    """Return what to read, its middle half, and that in the window's own pixels."""
    length = part.stop - part.start
    # where windows overlap by half, their weights are equal a quarter from the centre
    start = part.start + max(length // 4 // grid, 1) * grid
    start = max(min(start, (size - length) // grid * grid), 0)
    length = min(length, size - start)
    quarter = length // 4
    return (
        slice(start, start + length),
        slice(start + quarter, start + length - quarter),
        slice(quarter, length - quarter),
    )
