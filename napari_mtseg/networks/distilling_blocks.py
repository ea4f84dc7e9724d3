"""Blocks of the distilling path of HMEDN (METHODS.md section 3)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import RELU, ConvNormAct, Norm, normalisation
from napari_mtseg.networks.dropout import map_dropout
from napari_mtseg.networks.pooling_grid import pooling

DENSE_REACH = 2
"""Pixels by which a dense block widens the support"""


class DenseBlock(nn.Module):
    """Two 3x3 (3x3x3) convolutions, all layers before it linked to a 1x1 convolution.

    A share ``dropout`` of the maps that leave is dropped while training.
    """

    def __init__(
        self, n_in: int, n_out: int, *, ndim: int, norm: Norm, dropout: float = 0.0
    ) -> None:
        super().__init__()
        half = max(n_out // 2, 1)
        self.first = ConvNormAct(n_in, half, ndim=ndim, norm=norm, slope=RELU)
        self.second = ConvNormAct(n_in + half, half, ndim=ndim, norm=norm, slope=RELU)
        self.last = ConvNormAct(
            n_in + 2 * half, n_out, ndim=ndim, norm=norm, slope=RELU, size=1
        )
        self.drop = map_dropout(dropout, ndim=ndim)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, n_out, [Z,] Y, X)`` for ``(N, n_in, [Z,] Y, X)``."""
        x = torch.cat([x, self.first(x)], 1)
        return self.drop(self.last(torch.cat([x, self.second(x)], 1)))


class EnlargingConv(nn.Module):
    """A transposed convolution whose stride is its size, normalisation and ReLU."""

    conv: nn.ConvTranspose2d | nn.ConvTranspose3d
    norm: nn.Module

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        factors: Sequence[int],
        norm: Norm,
        bias: bool = False,
    ) -> None:
        super().__init__()
        size: tuple[int, ...] = tuple(factors)
        kind = nn.ConvTranspose2d if len(size) == 2 else nn.ConvTranspose3d
        self.conv = kind(n_in, n_out, size, stride=size, bias=bias)  # type: ignore[arg-type]
        self.norm = normalisation(n_out, ndim=len(size), norm=norm)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps enlarged by the factors."""
        return self.act(self.norm(self.conv(x)))


class DistillingEncoder(nn.Module):
    """The contracting path: dense blocks with max-pooling between them.

    ``widths`` starts with the input channels; ``pools`` has rows per pooling.
    """

    def __init__(
        self,
        widths: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        norm: Norm,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        ndim = len(pools[0])
        self.stages = nn.ModuleList(
            DenseBlock(n_in, n_out, ndim=ndim, norm=norm, dropout=dropout)
            for n_in, n_out in pairwise(widths)
        )
        self.pools = nn.ModuleList(pooling(factors) for factors in pools)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of all stages, finest first."""
        maps = [self.stages[0](x)]
        for pool, stage in zip(self.pools, list(self.stages)[1:], strict=True):
            maps.append(stage(pool(maps[-1])))
        return maps


class DistillingStage(nn.Module):
    """A stage of the expanding path: enlarge, join the skips, dense block."""

    def __init__(
        self,
        n_deep: int,
        n_skips: int,
        n_out: int,
        *,
        factors: Sequence[int],
        norm: Norm,
        dropout: float = 0.0,
    ) -> None:
        """``n_skips`` channels are joined in all, the pathway's counted."""
        super().__init__()
        ndim = len(factors)
        self.up = EnlargingConv(n_deep, n_out, factors=factors, norm=norm)
        self.block = DenseBlock(
            n_out + n_skips, n_out, ndim=ndim, norm=norm, dropout=dropout
        )

    def forward(self, deep: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Return maps of the size of the skips."""
        return self.block(torch.cat([self.up(deep), *skips], 1))
