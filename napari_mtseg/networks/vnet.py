"""The V-Net of UA-MT, SASSNet, DTC and MTCTL (METHODS.md section 5)."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    Norm,
    draw_weights,
    level_widths,
    pointwise_heads,
)
from napari_mtseg.networks.distilling_blocks import EnlargingConv
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radii_over_grid,
    widened,
)

CONVOLUTIONS = (1, 2, 3)
"""Convolutions of the blocks of a level, finest first; 3 in all deeper levels"""


class VNet(PooledNetwork):
    """V-Net without residuals, for 2D and 3D images of any size.

    Strided convolutions halve the maps, transposed ones double them, and skips are
    added instead of joined.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    ndim : int
        2 or 3.
    base : int
        Channels of the finest level; each level below has twice as many.
    levels : int
        Resolutions, 2 or more.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution but the heads'.
    pools : sequence of sequence of int, optional
        Factors per level and axis by which maps shrink; 2 everywhere if not given.
    separate_decoders : bool
        Whether a second decoder answers for all heads but the first.
    dropout : float
        Share of maps dropped while training, 0 <= p < 1.
    dropout_place : {"deepest", "decoder", "last", "ends"}
        Where, see :func:`~napari_mtseg.networks.dropout.dropouts`.
    binary : collection of str
        Heads of two channels that are computed as one: the logits are 0 and that one,
        whose softmax is the sigmoid of a network with a single output.

    Raises
    ------
    ValueError
        If the pooling factors do not fit, or a head in ``binary`` has no two channels.

    References
    ----------
    .. [1] Milletari et al., "V-Net", 3DV 2016, as in the public code of UA-MT, DTC and
       SASSNet; METHODS.md section 5. Separate decoders, 2D, other numbers of levels
       and thin axes are ours.
    """

    answered: tuple[tuple[str, ...], ...]
    """names of the heads of each decoder"""
    binary: frozenset[str]
    """names of the heads of two channels that are computed as one"""

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        ndim: int = 3,
        base: int = 16,
        levels: int = 5,
        norm: Norm = "batch",
        pools: Sequence[Sequence[int]] | None = None,
        separate_decoders: bool = False,
        dropout: float = 0.5,
        dropout_place: DropoutPlace = "ends",
        binary: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.pools = pool_rows(pools, ndim=ndim, levels=levels)
        self.norm: Norm = norm
        self._name_heads(heads, activations)
        if wrong := [name for name in binary if heads.get(name) != 2]:
            raise ValueError(f"no two channels to answer as one: {wrong} of {heads}")
        self.binary = frozenset(binary)
        widths = level_widths(base, levels)
        self.encoder = VNetEncoder(in_channels, widths, self.pools, norm=norm)
        first, *others = heads
        apart = separate_decoders and others
        self.answered = ((first,), tuple(others)) if apart else (tuple(heads),)
        drops = [
            list(dropouts(levels, rate=dropout, place=dropout_place, ndim=ndim))
            for _ in self.answered
        ]
        self.drop = drops[0][0]
        self.decoders = nn.ModuleList(
            VNetDecoder(widths, self.pools, norm=norm, drops=after_levels)
            for _, *after_levels in drops
        )
        outputs = {n: 1 if n in self.binary else heads[n] for n in heads}
        self.heads = pointwise_heads(base, outputs, ndim=ndim)
        if norm == "none":
            draw_weights(self.encoder, self.decoders, slope=RELU)

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
        size, maps = x.shape[2:], self.encoder(self.padded(x))
        maps.append(self.drop(maps.pop()))
        answers: dict[str, Tensor] = {}
        for names, decoder in zip(self.answered, self.decoders, strict=True):
            answers |= self._answers(names, decoder(maps), size)
        return answers

    def _answers(
        self, names: Sequence[str], finest: Tensor, size: Sequence[int]
    ) -> dict[str, Tensor]:
        answers = {name: cropped(self.heads[name](finest), size) for name in names}
        for name in self.binary & answers.keys():
            answers[name] = _as_two(answers[name])
        return answers

    def _read(self, position: int, *, axis: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis."""
        wanted: Interval = (position, position)
        skips = []
        for level, factors in enumerate(self.pools):
            wanted = widened(wanted, n_convolutions(level))
            skips.append(wanted)
            wanted = (wanted[0] // factors[axis], wanted[1] // factors[axis])
        wanted = widened(wanted, n_convolutions(len(self.pools)))
        for level, factors in reversed(list(enumerate(self.pools))):
            low, high = wanted
            shrunk = (low * factors[axis], (high + 1) * factors[axis] - 1)
            wanted = widened(hull([shrunk, skips.pop()]), n_convolutions(level))
        return wanted


class VNetEncoder(nn.Module):
    """The contracting path: blocks with strided convolutions between them."""

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        norm: Norm,
    ) -> None:
        """``widths`` are the channels of each level; ``pools`` has rows per level."""
        super().__init__()
        ndim = len(pools[0])
        self.blocks = nn.ModuleList(
            _block(level, width if level else in_channels, width, ndim=ndim, norm=norm)
            for level, width in enumerate(widths)
        )
        self.down = nn.ModuleList(
            ConvNormAct(
                widths[level],
                widths[level + 1],
                ndim=ndim,
                norm=norm,
                slope=RELU,
                bias=True,
                factors=factors,
            )
            for level, factors in enumerate(pools)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of all levels, finest first."""
        maps = [self.blocks[0](x)]
        for down, block in zip(self.down, list(self.blocks)[1:], strict=True):
            maps.append(block(down(maps[-1])))
        return maps


class VNetDecoder(nn.Module):
    """The expanding path, which adds the maps of the encoder."""

    def __init__(
        self,
        widths: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        norm: Norm,
        drops: Sequence[nn.Module],
    ) -> None:
        """Take in ``drops`` what follows each level, deepest first."""
        super().__init__()
        self.levels = nn.ModuleList(
            VNetDecoderLevel(widths, level, factors=pools[level], norm=norm)
            for level in reversed(range(len(pools)))
        )
        self.drops = nn.ModuleList(drops)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the finest maps for those of all levels, finest first."""
        *skips, deep = maps
        for level, drop, skip in zip(
            self.levels, self.drops, reversed(skips), strict=True
        ):
            deep = drop(level(deep, skip))
        return deep


class VNetDecoderLevel(nn.Module):
    """Enlarging, the sum with the skip, and a block."""

    def __init__(
        self, widths: Sequence[int], level: int, *, factors: Sequence[int], norm: Norm
    ) -> None:
        """``widths`` are the channels of all levels, finest first."""
        super().__init__()
        width = widths[level]
        self.up = EnlargingConv(
            widths[level + 1], width, factors=factors, norm=norm, bias=True
        )
        self.block = _block(level, width, width, ndim=len(factors), norm=norm)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Return maps of the size of ``skip``, which it leaves."""
        up = self.up(deep)
        # in place, the ReLU before the sum would lose what its gradient needs
        return self.block(up + skip if torch.is_grad_enabled() else up.add_(skip))


def n_convolutions(level: int) -> int:
    """Return the convolutions of a block at a level, 0 for the finest."""
    return CONVOLUTIONS[min(level, len(CONVOLUTIONS) - 1)]


def _block(
    level: int, n_in: int, n_out: int, *, ndim: int, norm: Norm
) -> nn.Sequential:
    convolutions = (
        ConvNormAct(before, after, ndim=ndim, norm=norm, slope=RELU, bias=True)
        for before, after in pairwise((n_in, *(n_out,) * n_convolutions(level)))
    )
    return nn.Sequential(*convolutions)


def _as_two(answer: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(answer), answer], dim=1)
