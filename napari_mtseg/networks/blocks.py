"""Blocks of the U-Nets, for 2D and 3D alike, and their receptive radius."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import EllipsisType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "instance", "none"]
"""Normalisation after each 3x3 convolution."""

Upsampling = Literal["linear", "nearest"]
"""How coarse maps are enlarged: bilinear (trilinear), or each pixel repeated."""

Convolution = nn.Conv2d | nn.Conv3d

_POOLS: dict[int, type[nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_NORMS: dict[Norm, dict[int, type[nn.Module]]] = {
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "instance": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make weights drawn inside repeatable, and leave the global generator as it was.

    Parameters
    ----------
    seed : int
        Two networks built under the same seed have equal weights.

    Examples
    --------
    >>> with seeded(3):
    ...     first = torch.rand(1)
    >>> with seeded(3):
    ...     bool(torch.rand(1) == first)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def convolution(
    n_in: int,
    n_out: int,
    *,
    ndim: int,
    size: int,
    bias: bool,
    dilation: int | Sequence[int] = 1,
) -> Convolution:
    """Return a convolution that keeps the image size.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    ndim : int
        2 or 3.
    size : int
        Taps along each axis, odd.
    bias : bool
        Whether a constant is added per channel.
    dilation : int or sequence of int
        Pixels between taps, of all axes or per axis ([Z,] Y, X).
    """
    apart: Any = (dilation,) * ndim if isinstance(dilation, int) else tuple(dilation)
    pads: Any = tuple(size // 2 * d for d in apart)
    kind = nn.Conv2d if ndim == 2 else nn.Conv3d
    return kind(n_in, n_out, size, padding=pads, dilation=apart, bias=bias)


def normalisation(
    n_channels: int, *, ndim: int, norm: Norm, affine: bool = True
) -> nn.Module:
    """Return the normalisation of ``n_channels`` maps.

    ``affine`` gives each map a learned scale and shift; without it a normalisation has
    no parameters.
    """
    if norm == "none":
        return nn.Identity()
    return _NORMS[norm][ndim](n_channels, affine=affine)


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


class ConvNormAct(nn.Module):
    """A bias-free convolution, 3x3 (3x3x3) by default, normalisation and LeakyReLU.

    A slope of 0 is a plain ReLU.
    """

    conv: Convolution
    norm: nn.Module

    def __init__(  # noqa: PLR0913 - one argument per property of the block
        self,
        n_in: int,
        n_out: int,
        *,
        ndim: int,
        norm: Norm,
        slope: float,
        size: int = 3,
        dilation: int | Sequence[int] = 1,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.conv = convolution(
            n_in, n_out, ndim=ndim, size=size, bias=False, dilation=dilation
        )
        self.norm = normalisation(n_out, ndim=ndim, norm=norm, affine=affine)
        self.act = nn.LeakyReLU(slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, n_out, [Z,] Y, X)`` for ``(N, n_in, [Z,] Y, X)``."""
        return self.act(self.norm(self.conv(x)))


class DoubleConv(nn.Sequential):
    """Two :class:`ConvNormAct`, the block of every level."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        ndim: int,
        norm: Norm,
        slope: float,
        affine: bool = True,
    ) -> None:
        super().__init__(
            ConvNormAct(n_in, n_out, ndim=ndim, norm=norm, slope=slope, affine=affine),
            ConvNormAct(n_out, n_out, ndim=ndim, norm=norm, slope=slope, affine=affine),
        )


class ResidualUnit(nn.Module):
    """conv-norm-LeakyReLU-conv-norm, added to the input; nothing after the sum."""

    conv: Convolution
    norm: nn.Module

    def __init__(
        self,
        n_channels: int,
        *,
        ndim: int,
        norm: Norm,
        slope: float,
        dilations: tuple[int | Sequence[int], int | Sequence[int]] = (1, 1),
    ) -> None:
        """``dilations`` are those of the first and of the second convolution."""
        super().__init__()
        before, after = dilations
        self.first = ConvNormAct(
            n_channels, n_channels, ndim=ndim, norm=norm, slope=slope, dilation=before
        )
        self.conv = convolution(
            n_channels, n_channels, ndim=ndim, size=3, bias=False, dilation=after
        )
        self.norm = normalisation(n_channels, ndim=ndim, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        return self.norm(self.conv(self.first(x))) + x


class Encoder(nn.Module):
    """The contracting path: double convolutions with max-pooling between them."""

    def __init__(
        self,
        widths: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        norm: Norm,
        slope: float,
        affine: bool = True,
    ) -> None:
        """``widths`` starts with the input channels; ``pools`` has rows per pooling."""
        super().__init__()
        ndim = len(pools[0])
        self.levels = nn.ModuleList(
            DoubleConv(n_in, n_out, ndim=ndim, norm=norm, slope=slope, affine=affine)
            for n_in, n_out in pairwise(widths)
        )
        self.pools = nn.ModuleList(pooling(factors) for factors in pools)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of all levels, finest first."""
        maps = [self.levels[0](x)]
        for pool, level in zip(self.pools, list(self.levels)[1:], strict=True):
            maps.append(level(pool(maps[-1])))
        return maps


class ConcatenationConv(nn.Module):
    """A :class:`ConvNormAct` of [deep, skip] without making the concatenation.

    A convolution of concatenated maps is the sum of a convolution of each part: the
    parameters and the answer are the same, the memory of the concatenation is saved,
    and two streams with one skip share its part.
    """

    deep: Convolution
    skip: Convolution
    norm: nn.Module

    def __init__(
        self,
        widths: tuple[int, int, int],
        *,
        ndim: int,
        norm: Norm,
        slope: float,
        affine: bool = True,
    ) -> None:
        """``widths`` are the channels of deep maps, skip and output."""
        super().__init__()
        n_deep, n_skip, n_out = widths
        self.deep = convolution(n_deep, n_out, ndim=ndim, size=3, bias=False)
        self.skip = convolution(n_skip, n_out, ndim=ndim, size=3, bias=False)
        self.norm = normalisation(n_out, ndim=ndim, norm=norm, affine=affine)
        self.act = nn.LeakyReLU(slope, inplace=True)

    def forward(self, deep: Tensor, from_skip: Tensor) -> Tensor:
        """Return maps for upsampled ``deep`` and ``from_skip = self.skip(skip)``."""
        return self.act(self.norm(self.deep(deep).add_(from_skip)))


class DecoderLevel(nn.Module):
    """Upsampling, concatenation with the skip, and a double convolution."""

    def __init__(  # noqa: PLR0913 - one argument per property of the block
        self,
        n_deep: int,
        n_skip: int,
        *,
        factors: Sequence[int],
        norm: Norm,
        slope: float,
        affine: bool = True,
        up: Upsampling = "linear",
        n_out: int | None = None,
    ) -> None:
        """``n_out`` channels are returned, as many as in the skip if not given."""
        super().__init__()
        ndim = len(factors)
        width = n_skip if n_out is None else n_out
        self.up = upsampling(factors, up)
        self.first = ConcatenationConv(
            (n_deep, n_skip, width), ndim=ndim, norm=norm, slope=slope, affine=affine
        )
        self.second = ConvNormAct(
            width, width, ndim=ndim, norm=norm, slope=slope, affine=affine
        )

    def merged(self, deep: Tensor, from_skip: Tensor) -> Tensor:
        """Return maps for ``from_skip = self.first.skip(skip)``, which it leaves."""
        return self.second(self.first(self.up(deep), from_skip))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Return maps of the size of ``skip``."""
        return self.merged(deep, self.first.skip(skip))


def level_widths(base: int, levels: int) -> tuple[int, ...]:
    """Return the channels of each level: ``base``, doubled from level to level."""
    return tuple(base * 2**level for level in range(levels))


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


def draw_weights(network: nn.Module, *, slope: float) -> None:
    """Draw the weights of all 3x3 convolutions for LeakyReLU (He et al., ICCV 2015).

    The heads keep PyTorch's draw, so that first logits are small. Ours; the
    papers do not state their initialisation.
    """
    gain = nn.init.calculate_gain("leaky_relu", slope)
    for module in network.modules():
        if isinstance(module, ConcatenationConv):
            parts = [module.deep.weight, module.skip.weight]
        elif isinstance(module, ConvNormAct | ResidualUnit):
            parts = [module.conv.weight]
        else:
            continue
        fan_in = sum(part[0].numel() for part in parts)
        for part in parts:
            nn.init.normal_(part, std=gain / math.sqrt(fan_in))
