"""Blocks of the networks, for 2D and 3D alike."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from napari_mtseg.networks.pooling_grid import Upsampling, pooling, upsampling

Norm = Literal["batch", "instance", "none"]
"""Normalisation after each 3x3 convolution."""

RELU = 0.0
"""Negative slope of the LeakyReLU that makes it a plain ReLU"""

Convolution = nn.Conv2d | nn.Conv3d

_NORMS: dict[Norm, dict[int, type[nn.Module]]] = {
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "instance": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
}


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Make what is drawn inside repeatable, and leave the global generators be.

    Parameters
    ----------
    seed : int
        Two networks built under the same seed have equal weights.
    device : torch.device, optional
        GPU whose generator is seeded beside the CPU's.

    Examples
    --------
    >>> with seeded(3):
    ...     first = torch.rand(1)
    >>> with seeded(3):
    ...     bool(torch.rand(1) == first)
    True
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
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


def shrinking_convolution(
    n_in: int, n_out: int, factors: Sequence[int], *, bias: bool
) -> Convolution:
    """Return a convolution of ``factors`` taps per axis with a stride of its size."""
    kind = nn.Conv2d if len(factors) == 2 else nn.Conv3d
    taps: Any = tuple(factors)
    return kind(n_in, n_out, taps, stride=taps, bias=bias)


def pointwise_heads(n_in: int, heads: Mapping[str, int], *, ndim: int) -> nn.ModuleDict:
    """Return a 1x1 convolution of ``n_in`` maps per head, by name of the head."""
    return nn.ModuleDict(
        {
            name: convolution(n_in, n, ndim=ndim, size=1, bias=True)
            for name, n in heads.items()
        }
    )


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


class ConvNormAct(nn.Module):
    """A convolution, 3x3 (3x3x3) by default, normalisation and LeakyReLU.

    A slope of 0 is a plain ReLU. Normalisation would take a ``bias`` away again: it is
    for convolutions without one. With ``factors`` the maps shrink by them along each
    axis, by a stride as large as the convolution.
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
        bias: bool = False,
        factors: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if factors is None:
            self.conv = convolution(
                n_in, n_out, ndim=ndim, size=size, bias=bias, dilation=dilation
            )
        else:
            self.conv = shrinking_convolution(n_in, n_out, factors, bias=bias)
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


def draw_weights(*parts: nn.Module, slope: float) -> None:
    """Draw the weights of blocks for LeakyReLU (He et al., ICCV 2015).

    ``parts`` are the encoder and the decoders of a network. A high-resolution pathway
    is none of them: it keeps the draw of its paper, under which its residual blocks
    keep the scale of their maps without normalisation too. Heads of 1x1 or 3x3
    convolutions alone keep PyTorch's draw, so that first logits are small. Ours; the
    papers of the U-Nets do not state their initialisation. Biases start at 0.
    """
    gain = nn.init.calculate_gain("leaky_relu", slope)
    for module in (module for part in parts for module in part.modules()):
        if isinstance(module, ConcatenationConv):
            weights = [module.deep.weight, module.skip.weight]
        elif isinstance(module, ConvNormAct | ResidualUnit):
            weights = [module.conv.weight]
            if module.conv.bias is not None:
                nn.init.zeros_(module.conv.bias)
        else:
            continue
        fan_in = sum(weight[0].numel() for weight in weights)
        for weight in weights:
            nn.init.normal_(weight, std=gain / math.sqrt(fan_in))
