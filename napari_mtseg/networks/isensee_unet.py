"""The residual U-Net of Isensee et al., which HMEDN is compared with as E-UNet."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from napari_mtseg.networks.blocks import (
    ConcatenationConv,
    ConvNormAct,
    Convolution,
    Norm,
    convolution,
    level_widths,
    normalisation,
)
from napari_mtseg.networks.high_resolution_pathway import draw_xavier
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import (
    cropped,
    pool_rows,
    upsampling,
)
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radii_over_grid,
    widened,
)

LEVELS = 5
"""Resolutions of the network (paper)"""

SCORED = 3
"""Finest levels whose scores are summed (paper)"""

SLOPE = 0.01
"""Negative slope of the LeakyReLU (paper)"""

DROPOUT = 0.3
"""Share of values dropped between the convolutions of a context module (paper)"""


class IsenseeUNet(PooledNetwork):
    """U-Net with residual context modules, for 2D and 3D images of any size.

    Strided convolutions lead down; scores of the three finest levels are summed.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name; each has score layers of its own.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    ndim : int
        2 or 3.
    base : int
        Channels of the finest level, 16 in the paper; each level below has twice as
        many.
    norm : {"batch", "instance", "none"}
        Normalisation; "instance" in the paper.
    dropout : float
        Share of values dropped inside each context module while training.
    pools : sequence of sequence of int, optional
        Strides per level and axis, four rows; 2 everywhere if not given.

    Raises
    ------
    ValueError
        If there is no head, or the strides do not fit.

    References
    ----------
    .. [1] Isensee et al., "Brain tumor segmentation and radiomics survival prediction:
       contribution to the BRATS 2017 challenge", BrainLes 2017. The 3x3 convolution of
       a localisation module halves the channels, not the 1x1 after it: so the network
       has the 8.27 million parameters that HMEDN counts. The strides for thick axes
       and the Xavier weights are ours.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        ndim: int = 2,
        base: int = 16,
        norm: Norm = "instance",
        dropout: float = DROPOUT,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        self.pools = pool_rows(pools, ndim=ndim, levels=LEVELS)
        self.norm: Norm = norm
        widths = level_widths(base, LEVELS)
        strides = ((1,) * ndim, *self.pools)
        self.encoder = nn.ModuleList(
            ContextLevel(n_in, n_out, stride=stride, norm=norm, dropout=dropout)
            for (n_in, n_out), stride in zip(
                pairwise((in_channels, *widths)), strides, strict=True
            )
        )
        self.decoder = nn.ModuleList(
            LocalisationLevel(widths[level], factors=self.pools[level], norm=norm)
            for level in reversed(range(LEVELS - 1))
        )
        self.heads = nn.ModuleDict(
            {
                name: SummedScores(widths[:SCORED], n, self.pools)
                for name, n in heads.items()
            }
        )
        draw_xavier(self)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis, up to the normalisation."""
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
        deep = self.padded(x)
        skips: list[Tensor] = []
        for level in self.encoder:
            deep = level(deep)
            skips.append(deep)
        skips.pop()
        scored: list[Tensor] = []
        for level in self.decoder:
            deep = level(deep, skips.pop())
            scored = [deep, *scored[: SCORED - 1]]
        return {
            name: cropped(scores(scored), size) for name, scores in self.heads.items()
        }

    def _read(self, position: int, *, axis: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis.

        Scores of coarser levels read less than the maps that come from there.
        """
        conv, context = 1, 2
        strides = [row[axis] for row in self.pools]
        wanted = (position, position)
        skips = []
        for stride in strides:
            skip = widened(wanted, conv)
            skips.append(skip)
            low, high = widened(skip, conv)
            wanted = (low // stride, high // stride)
        for stride in reversed(strides):
            low, high = widened(wanted, context)
            down = widened((low * stride, high * stride), conv)
            wanted = hull([down, skips.pop()])
        return widened(wanted, context + conv)


class ContextLevel(nn.Module):
    """A 3x3 convolution with a stride, a residual context module, norm and LeakyReLU.

    The context module is two 3x3 (3x3x3) convolutions, each after normalisation and
    LeakyReLU, with dropout between them.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        stride: Sequence[int],
        norm: Norm,
        dropout: float,
    ) -> None:
        super().__init__()
        ndim = len(stride)
        same = partial(convolution, n_out, n_out, ndim=ndim, size=3, bias=False)
        self.enter = _strided(n_in, n_out, stride)
        self.context = nn.Sequential(
            _norm_act(n_out, ndim=ndim, norm=norm),
            same(),
            nn.Dropout(dropout),
            _norm_act(n_out, ndim=ndim, norm=norm),
            same(),
        )
        self.leave = _norm_act(n_out, ndim=ndim, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, n_out, [Z,] Y, X)``, smaller by the stride."""
        entered = self.enter(x)
        return self.leave(self.context(entered).add_(entered))


class LocalisationLevel(nn.Module):
    """Upsampling by repetition, a 3x3 convolution, the skip, a 3x3 and a 1x1 one.

    ``width`` channels come from the skip and are returned; twice as many come from
    the level below.
    """

    def __init__(self, width: int, *, factors: Sequence[int], norm: Norm) -> None:
        super().__init__()
        ndim = len(factors)
        block = partial(ConvNormAct, ndim=ndim, norm=norm, slope=SLOPE)
        self.up = nn.Sequential(
            upsampling(factors, "nearest"), block(2 * width, width, size=3)
        )
        self.join = ConcatenationConv(
            (width, width, width), ndim=ndim, norm=norm, slope=SLOPE
        )
        self.last = block(width, width, size=1)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Return maps of the size of ``skip``."""
        return self.last(self.join(self.up(deep), self.join.skip(skip)))


class SummedScores(nn.Module):
    """Scores of several levels, enlarged by repetition and summed.

    ``widths`` are the channels of the maps scored, finest first; ``pools`` has rows
    per level.
    """

    def __init__(
        self, widths: Sequence[int], n_outputs: int, pools: Sequence[Sequence[int]]
    ) -> None:
        super().__init__()
        self.scores = nn.ModuleList(
            convolution(width, n_outputs, ndim=len(pools[0]), size=1, bias=True)
            for width in widths
        )
        self.ups = nn.ModuleList(
            upsampling(factors, "nearest") for factors in pools[: len(widths) - 1]
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return ``(N, n_outputs, [Z,] Y, X)`` of the finest of ``maps``."""
        summed = self.scores[-1](maps[-1])
        for level in reversed(range(len(self.ups))):
            summed = self.scores[level](maps[level]).add_(self.ups[level](summed))
        return summed


def _strided(n_in: int, n_out: int, stride: Sequence[int]) -> Convolution:
    """Return a 3x3 convolution that shrinks the image by ``stride`` per axis."""
    conv = convolution(n_in, n_out, ndim=len(stride), size=3, bias=False)
    conv.stride = tuple(stride)
    return conv


def _norm_act(n_channels: int, *, ndim: int, norm: Norm) -> nn.Sequential:
    # In place would change what a residual connection still needs.
    act = nn.LeakyReLU(SLOPE, inplace=norm != "none")
    return nn.Sequential(normalisation(n_channels, ndim=ndim, norm=norm), act)
