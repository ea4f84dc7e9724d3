"""DenseSeg, the densely connected network that HMEDN is compared with."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    Convolution,
    convolution,
    normalisation,
)
from napari_mtseg.networks.high_resolution_pathway import draw_xavier
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import (
    cropped,
    pool_rows,
    size_multiple,
    upsampling,
)
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radii_over_grid,
    read_by_upsampling,
    widened,
)

N_BLOCKS = 4
"""Dense blocks, each at half the resolution of the one before (paper)"""

N_LAYERS = 4
"""Layers of a dense block (paper)"""

N_FIRST = 3
"""3x3 convolutions at full resolution (paper)"""

BOTTLENECK = 4
"""Channels of a layer's 1x1 convolution over those that the layer adds (paper)"""

DROPOUT = 0.2
"""Share of values dropped at the end of each layer (paper)"""

LEAST_MAPS = 4
"""Fewest maps by which a block reaches a head: the paper's, one per class of four"""


class DenseSeg(PooledNetwork):
    """Dense blocks whose maps all reach the heads, for 2D and 3D images of any size.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name; each is fused from all blocks on its own.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    ndim : int
        2 or 3.
    base : int
        Channels of the first convolutions, 32 in the paper; a layer of a dense block
        adds half as many.
    dropout : float
        Share of values dropped at the end of each layer while training.
    pools : sequence of sequence of int, optional
        Strides per level and axis, four rows; 2 everywhere if not given.

    Raises
    ------
    ValueError
        If there is no head, or the strides do not fit.

    References
    ----------
    .. [1] Bui et al., "3D densely convolutional networks for volumetric segmentation",
       arXiv:1709.03199. We bring each block's maps to full resolution by a 1x1
       convolution and linear upsampling; the authors by transposed convolutions that
       start so, with 0.87 of their 1.55 million weights. HMEDN counts 1.26 million and
       does not say how; these are 0.68. The strides for thick axes and the Xavier
       weights are ours too.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        ndim: int = 3,
        base: int = 32,
        dropout: float = DROPOUT,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        self.pools = pool_rows(pools, ndim=ndim, levels=N_BLOCKS + 1)
        self.norm = "batch"
        growth = max(base // 2, 1)
        self.first = _first(in_channels, base, ndim=ndim)
        self.downs, self.blocks = nn.ModuleList(), nn.ModuleList()
        widths = [base]
        for number, stride in enumerate(self.pools):
            n_out = widths[-1] // 2 if number else base
            self.downs.append(_down(widths[-1], n_out, stride, narrows=number > 0))
            self.blocks.append(_block(n_out, growth, ndim=ndim, dropout=dropout))
            widths.append(n_out + N_LAYERS * growth)
        self.heads = nn.ModuleDict(
            {name: FusedScores(widths, n, self._grids) for name, n in heads.items()}
        )
        draw_xavier(self)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        return radii_over_grid(self._read, self.size_multiple)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, in_channels, [Z,] Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the answers cropped.

        Returns
        -------
        dict
            (N, channels, [Z,] Y, X) by head, in the order of the heads.
        """
        size = x.shape[2:]
        maps = [self.first(self.padded(x))]
        for down, block in zip(self.downs, self.blocks, strict=True):
            maps.append(block(down(maps[-1])))
        return {name: cropped(head(maps), size) for name, head in self.heads.items()}

    @property
    def _grids(self) -> tuple[tuple[int, ...], ...]:
        """Pixels per axis that a pixel of each block stands for."""
        return tuple(size_multiple(self.pools[: n + 1]) for n in range(N_BLOCKS))

    def _read(self, position: int, *, axis: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis."""
        shown = (position, position)
        fused = [shown, *(read_by_upsampling(shown, g[axis]) for g in self._grids)]
        wanted = fused.pop()
        for row in reversed(self.pools):
            low, high = widened(wanted, N_LAYERS)
            down = (low * row[axis], (high + 1) * row[axis] - 1)
            wanted = hull([down, fused.pop()])
        return widened(wanted, N_FIRST)


class DenseLayer(nn.Module):
    """norm-ReLU-1x1, norm-ReLU-3x3 and dropout, joined to what came in."""

    def __init__(self, n_in: int, growth: int, *, ndim: int, dropout: float) -> None:
        super().__init__()
        inside = BOTTLENECK * growth
        self.layers = nn.Sequential(
            *_norm_relu(n_in, ndim=ndim),
            ConvNormAct(n_in, inside, ndim=ndim, norm="batch", slope=RELU, size=1),
            convolution(inside, growth, ndim=ndim, size=3, bias=False),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with ``growth`` channels more."""
        return torch.cat([x, self.layers(x)], 1)


class FusedScores(nn.Module):
    """Few maps of each block, upsampled, joined to the finest ones and scored.

    ``widths`` are the channels of the finest maps and of each block; ``grids`` the
    pixels per axis that a pixel of each block stands for.
    """

    def __init__(
        self, widths: Sequence[int], n_outputs: int, grids: Sequence[Sequence[int]]
    ) -> None:
        super().__init__()
        ndim = len(grids[0])
        finest, *blocks = widths
        n_maps = max(n_outputs, LEAST_MAPS)
        self.ups = nn.ModuleList(
            nn.Sequential(
                convolution(width, n_maps, ndim=ndim, size=1, bias=False),
                upsampling(grid),
            )
            for width, grid in zip(blocks, grids, strict=True)
        )
        n_joined = finest + n_maps * len(blocks)
        self.score = nn.Sequential(
            *_norm_relu(n_joined, ndim=ndim),
            convolution(n_joined, n_outputs, ndim=ndim, size=1, bias=True),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return ``(N, n_outputs, [Z,] Y, X)``; ``maps`` are as in ``widths``."""
        finest, *coarse = maps
        shown = (up(x) for up, x in zip(self.ups, coarse, strict=True))
        return self.score(torch.cat([finest, *shown], 1))


def _first(n_in: int, n_out: int, *, ndim: int) -> nn.Sequential:
    """Return the convolutions at full resolution, the last without norm and ReLU."""
    block = partial(ConvNormAct, ndim=ndim, norm="batch", slope=RELU)
    return nn.Sequential(
        block(n_in, n_out),
        block(n_out, n_out),
        convolution(n_out, n_out, ndim=ndim, size=3, bias=False),
    )


def _down(
    n_in: int, n_out: int, stride: Sequence[int], *, narrows: bool
) -> nn.Sequential:
    """Return norm, ReLU, a 1x1 convolution if it ``narrows``, and one that shrinks."""
    ndim = len(stride)
    layers = _norm_relu(n_in, ndim=ndim)
    if narrows:
        layers.append(
            ConvNormAct(n_in, n_out, ndim=ndim, norm="batch", slope=RELU, size=1)
        )
    return nn.Sequential(*layers, _shrinking(n_out, stride))


def _shrinking(n_channels: int, stride: Sequence[int]) -> Convolution:
    """Return a convolution that sees each block of ``stride`` pixels once."""
    size: tuple[int, ...] = tuple(stride)
    kind = nn.Conv2d if len(size) == 2 else nn.Conv3d
    return kind(n_channels, n_channels, size, stride=size, bias=False)  # type: ignore[arg-type]


def _block(n_in: int, growth: int, *, ndim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *(
            DenseLayer(n_in + number * growth, growth, ndim=ndim, dropout=dropout)
            for number in range(N_LAYERS)
        )
    )


def _norm_relu(n_channels: int, *, ndim: int) -> list[nn.Module]:
    norm = normalisation(n_channels, ndim=ndim, norm="batch")
    return [norm, nn.ReLU(inplace=True)]
