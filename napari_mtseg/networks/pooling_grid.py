"""The pooling grid of a network: factors, sizes that fit it, receptive radius."""

import math
from collections.abc import Sequence
from types import EllipsisType
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Upsampling = Literal["linear", "nearest"]
"""How coarse maps are enlarged: bilinear (trilinear), or each pixel repeated."""

_POOLS: dict[int, type[nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


def pooling(factors: Sequence[int]) -> nn.Module:
    """Return max-pooling by one factor per axis."""
    return _POOLS[len(factors)](tuple(factors))


def upsampling(factors: Sequence[int], up: Upsampling = "linear") -> nn.Module:
    """Return parameter-free upsampling by one factor per axis."""
    scale = tuple(float(factor) for factor in factors)
    if up == "nearest":
        return nn.Upsample(scale_factor=scale, mode="nearest")
    mode = {2: "bilinear", 3: "trilinear"}[len(factors)]
    return nn.Upsample(scale_factor=scale, mode=mode, align_corners=False)


def pool_rows(
    pools: Sequence[Sequence[int]] | None, *, ndim: int, levels: int
) -> tuple[tuple[int, ...], ...]:
    """Return the pooling factors per level and axis; 2 everywhere if not given.

    Raises
    ------
    ValueError
        If there is not one row per pooling and one factor per axis.
    """
    if ndim not in _POOLS or levels < 2:
        raise ValueError(
            f"ndim must be 2 or 3 and levels 2 or more, not {ndim}, {levels}"
        )
    rows = (
        tuple(map(tuple, pools)) if pools is not None else ((2,) * ndim,) * (levels - 1)
    )
    if len(rows) != levels - 1 or any(len(row) != ndim for row in rows):
        raise ValueError(
            f"{levels - 1} rows of {ndim} pooling factors needed, got {rows}"
        )
    return rows


def size_multiple(pools: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the product of the pooling factors of each axis."""
    return tuple(math.prod(factors) for factors in zip(*pools, strict=True))


def padded_to_multiple(x: Tensor, multiple: Sequence[int]) -> Tensor:
    """Return ``x`` with its last row, column, plane repeated to the next multiple."""
    missing = [-n % m for n, m in zip(x.shape[2:], multiple, strict=True)]
    if not any(missing):
        return x
    after = [amount for n in reversed(missing) for amount in (0, n)]
    return F.pad(x, after, mode="replicate")


def cropped(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return the first ``size`` rows, columns and planes of ``(N, C, [Z,] Y, X)``."""
    index: tuple[EllipsisType | slice, ...] = (..., *(slice(0, n) for n in size))
    return x[index]


def receptive_radius(
    pools: Sequence[Sequence[int]],
    *,
    after_decoder: Sequence[int],
    up: Upsampling = "linear",
    on_skips: Sequence[Sequence[int]] | None = None,
) -> tuple[int, ...]:
    """Return how far the support of an output pixel of a U-Net reaches, per axis.

    Intervals are followed from the output down to the bottleneck and back up the
    encoder, over every position of the pooling grid.

    Parameters
    ----------
    pools : sequence of sequence of int
        Pooling factors per level and axis.
    after_decoder : sequence of int
        Per decoder level, finest first: pixels of that level by which convolutions
        after the double convolution (residual units, heads) widen the support.
    up : {"linear", "nearest"}
        How the decoder enlarges; linear upsampling reads one coarse pixel more.
    on_skips : sequence of sequence of int, optional
        Per decoder level, finest first, and axis: pixels of that level by which
        layers between encoder and decoder widen the support; 0 if not given.

    Returns
    -------
    tuple of int
        Radius in pixels of the input, one per axis.
    """
    plain = ((0,) * len(pools[0]),) * len(pools)
    by_axis = zip(*(plain if on_skips is None else on_skips), strict=True)
    return tuple(
        _axis_radius(factors, after_decoder, reaches, up=up)
        for factors, reaches in zip(zip(*pools, strict=True), by_axis, strict=True)
    )


def _axis_radius(
    factors: Sequence[int],
    after_decoder: Sequence[int],
    on_skips: Sequence[int],
    *,
    up: Upsampling,
) -> int:
    double_conv = 2
    radius = 0
    for position in range(math.prod(factors)):
        low = high = position
        skips = []
        levels = zip(factors, after_decoder, on_skips, strict=True)
        for factor, further, reach in levels:
            low, high = low - double_conv - further, high + double_conv + further
            skips.append((low - reach, high + reach))
            if up == "nearest":
                low, high = low // factor, high // factor
            else:
                low = math.floor((low + 0.5) / factor - 0.5)
                high = math.ceil((high + 0.5) / factor - 0.5)
        low, high = low - double_conv, high + double_conv
        for factor in reversed(factors):
            skip_low, skip_high = skips.pop()
            low = min(low * factor, skip_low) - double_conv
            high = max((high + 1) * factor - 1, skip_high) + double_conv
        radius = max(radius, position - low, high - position)
    return radius
