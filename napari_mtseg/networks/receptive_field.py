"""Which pixels of its input a chain of layers reads, along one axis."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from torch import nn

Interval = tuple[int, int]
"""First and last pixel"""

_WINDOWED = (
    nn.Conv2d,
    nn.Conv3d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool2d,
    nn.AvgPool3d,
)


def windowed_layers(
    module: nn.Module, *, without: str | None = None
) -> list[nn.Module]:
    """Return the convolutions and poolings inside ``module``, as registered.

    Parameters
    ----------
    module : torch.nn.Module
        A chain: its layers are registered in the order in which they run.
    without : str, optional
        Name of parts to pass over: shortcuts, which run beside the chain.

    Examples
    --------
    >>> len(windowed_layers(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())))
    1
    """
    return [
        layer
        for name, layer in module.named_modules()
        if isinstance(layer, _WINDOWED) and without not in name.split(".")
    ]


def read_by_layers(wanted: Interval, layers: Sequence[nn.Module]) -> Interval:
    """Return the pixels that a chain of layers reads for the output ``wanted``.

    Parameters
    ----------
    wanted : (int, int)
        First and last pixel of the output of the last layer.
    layers : sequence of torch.nn.Module
        Convolutions and poolings, alike along all axes, in the order in which they
        run.

    Returns
    -------
    (int, int)
        First and last pixel of the input; may lie outside of it, in the padding.

    Examples
    --------
    >>> read_by_layers((0, 0), [nn.Conv2d(1, 1, 7, stride=2, padding=3)])
    (-3, 3)
    >>> read_by_layers((0, 1), [nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2)])
    (-1, 4)
    """
    low, high = wanted
    for layer in reversed(layers):
        size, stride, padding, dilation = (
            _along_first_axis(getattr(layer, name, 1))
            for name in ("kernel_size", "stride", "padding", "dilation")
        )
        low = low * stride - padding
        high = high * stride - padding + (size - 1) * dilation
    return low, high


def read_by_upsampling(wanted: Interval, factor: int) -> Interval:
    """Return the coarse pixels that linear upsampling reads for the pixels ``wanted``.

    Examples
    --------
    >>> read_by_upsampling((0, 3), 2)
    (-1, 2)
    """
    low, high = wanted
    return (
        math.floor((low + 0.5) / factor - 0.5),
        math.ceil((high + 0.5) / factor - 0.5),
    )


def hull(intervals: Iterable[Interval]) -> Interval:
    """Return the smallest interval that holds all of ``intervals``."""
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def widened(interval: Interval, pixels: int) -> Interval:
    """Return ``interval`` with so many pixels more on each side."""
    return interval[0] - pixels, interval[1] + pixels


def radius_over_grid(read: Callable[[int], Interval], grid: int) -> int:
    """Return how far a network reads from a pixel, at most.

    Parameters
    ----------
    read : callable
        The interval that the network reads for one pixel.
    grid : int
        Pixels after which its poolings repeat themselves.
    """
    reached = ((position, read(position)) for position in range(grid))
    return max(max(at - low, high - at) for at, (low, high) in reached)


def radii_over_grid(
    read: Callable[..., Interval], grid: Sequence[int]
) -> tuple[int, ...]:
    """Return :func:`radius_over_grid` along each axis.

    ``read`` also takes the keyword ``axis``; ``grid`` has pixels per axis.
    """
    return tuple(
        radius_over_grid(partial(read, axis=axis), n) for axis, n in enumerate(grid)
    )


def _along_first_axis(value: int | Sequence[int]) -> int:
    return value if isinstance(value, int) else int(value[0])
