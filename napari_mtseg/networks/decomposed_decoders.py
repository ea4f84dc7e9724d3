"""Two ways back to full resolution for a network of decomposed tasks, in 2D."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    DecoderLevel,
    DoubleConv,
    Norm,
)
from napari_mtseg.networks.encoder_unet import LARGEST_WIDTH
from napari_mtseg.networks.pooling_grid import upsampling
from napari_mtseg.networks.receptive_field import (
    Interval,
    read_by_upsampling,
    widened,
)

LEVELS = 6
"""Resolutions of every encoder, the full one included"""

_PLAIN_FACTOR = 16
"""Upsampling of the plain decoder, from the size of the context"""


class PlainDecoder(nn.Module):
    """Upsampling by 16 and three 3x3 convolutions, one of them before it on request."""

    n_levels = 3
    """convolutions, each of which dropout may follow"""

    def __init__(
        self, n_in: int, widths: tuple[int, int], *, norm: Norm, low_memory: bool
    ) -> None:
        """``widths`` are the channels after the first and after the others."""
        super().__init__()
        self.low_memory = low_memory
        self.width = widths[-1]
        self.first, *others = (
            ConvNormAct(a, b, ndim=2, norm=norm, slope=RELU, bias=norm == "none")
            for a, b in pairwise((n_in, *widths, self.width))
        )
        self.others = nn.Sequential(*others)
        self.up = upsampling((_PLAIN_FACTOR,) * 2)

    def forward(
        self, deep: Tensor, _: Sequence[Tensor], between: Sequence[nn.Module]
    ) -> Tensor:
        """Return ``(N, width, 16Y, 16X)`` for ``(N, n_in, Y, X)``; reads no skips.

        ``between`` follow each convolution but the last.
        """
        if self.low_memory:
            deep = self.up(between[0](self.first(deep)))
        else:
            deep = between[0](self.first(self.up(deep)))
        second, third = self.others
        return third(between[1](second(deep)))

    def read(self, wanted: Interval) -> tuple[Interval, list[Interval]]:
        """Return the pixels of ``deep`` that are read, and those of each skip: none."""
        before, after = (1, 2) if self.low_memory else (0, 3)
        coarse = read_by_upsampling(widened(wanted, after), _PLAIN_FACTOR)
        return widened(coarse, before), []


class UNetDecoder(nn.Module):
    """Levels with the skips of an encoder, and one without where it has no map."""

    n_levels = LEVELS - 1
    """levels, each of which dropout may follow"""

    def __init__(
        self,
        n_deep: int,
        skips: Sequence[int],
        *,
        base: int,
        norm: Norm,
        first_factor: int,
    ) -> None:
        """``skips`` are the channels of the encoder's maps, finest first.

        The deepest level upsamples by ``first_factor``: 1 where the maps that it starts
        from are of the size of its skip, a 16th of the resolution.
        """
        super().__init__()
        self.width = base
        self.factors = (first_factor, *(2,) * (len(skips) - 1))
        levels = []
        for level, (n_skip, factor) in enumerate(
            zip(reversed(skips), self.factors, strict=True)
        ):
            n_out = min(base * 2 ** (LEVELS - 2 - level), LARGEST_WIDTH)
            levels.append(
                DecoderLevel(
                    n_deep,
                    n_skip,
                    n_out=n_out,
                    factors=(factor,) * 2,
                    norm=norm,
                    slope=RELU,
                )
            )
            n_deep = n_out
        self.levels = nn.ModuleList(levels)
        self.finest: nn.Sequential | None = None
        if len(skips) < LEVELS - 1:
            finest = DoubleConv(n_deep, base, ndim=2, norm=norm, slope=RELU)
            self.finest = nn.Sequential(upsampling((2, 2)), finest)

    def forward(
        self, deep: Tensor, skips: list[Tensor], between: Sequence[nn.Module]
    ) -> Tensor:
        """Return ``(N, width, Y, X)`` at full resolution; ``skips`` are emptied.

        ``between`` follow each level but the last.
        """
        for number, level in enumerate(self.levels):
            deep = level(deep, skips.pop())
            if number < len(between):
                deep = between[number](deep)
        return deep if self.finest is None else self.finest(deep)

    def read(self, wanted: Interval) -> tuple[Interval, list[Interval]]:
        """Return the pixels of ``deep`` that are read, and those of each skip."""
        double_conv = 2
        if self.finest is not None:
            wanted = read_by_upsampling(widened(wanted, double_conv), 2)
        skips = []
        for factor in reversed(self.factors):
            skips.append(widened(wanted, double_conv))
            wanted = read_by_upsampling(skips[-1], factor)
        return wanted, skips
