"""The networks of HMEDN: DstNet, HRDN and HMEDN itself (METHODS.md section 3)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    Norm,
    convolution,
    level_widths,
)
from napari_mtseg.networks.distilling_blocks import (
    DENSE_REACH,
    DistillingEncoder,
    DistillingStage,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import (
    DILATIONS,
    HighResolutionPathway,
    draw_xavier,
    is_in_plane,
    refuse_unknown_stage,
)
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

PATHWAY_WIDTHS = (32, 40, 56, 72)
"""Channels of the pathway at stages 1 to 4 in 2D (paper: L1 to L4)"""

SIDE_WIDTH = 16
"""Channels that each coarser decoder stage hands to the heads (derived)"""

AUXILIARY = "auxiliary"
"""Name of the segmentation at the pathway's end, answered while training"""

_BASES = {2: 24, 3: 16}


class DistillingNetwork(PooledNetwork):
    """DstNet, HRDN or HMEDN, for 2D and 3D images of any size.

    An encoder-decoder of dense blocks whose coarser decoder stages reach the heads by
    side channels too, and with a high-resolution pathway beside one of its skips.
    Without pathway it is DstNet1 (5 levels) or DstNet2 (4); with one, HRDN; with one
    at stage 3 and a head for boundaries, HMEDN.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name, ``"segmentation"`` among them.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    high_resolution : int
        Stage of the encoder with a high-resolution pathway, 1 for full resolution; 0
        for none.
    high_resolution_width : int, optional
        Channels of the pathway; :func:`pathway_width` if not given.
    dilations : (int, int)
        Of the pathway.
    ndim, levels, norm, pools
        As in :class:`~napari_mtseg.networks.unet.UNet`.
    base : int, optional
        Channels of the finest level; 24 in 2D and 16 in 3D if not given.
    dropout : float
        Share of whole maps dropped while training, 0 <= p < 1.
    dropout_place : {"stages", "deepest", "decoder", "last", "ends"}
        Where: at the end of each stage, of the encoder too; or as in
        :class:`~napari_mtseg.networks.unet.UNet`, with the last maps joined with those
        of the side channels before they are dropped.

    Raises
    ------
    ValueError
        If there is no segmentation head or no such stage, or ``dropout`` is out of
        range.

    References
    ----------
    .. [1] S. Zhou et al., "High-resolution encoder-decoder networks for low-contrast
       medical image segmentation", IEEE Transactions on Image Processing, 2020. 2D
       widths, fusion and dropout are not in the text; METHODS.md section 3 derives
       them from its counts of parameters.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        high_resolution: int = 0,
        high_resolution_width: int | None = None,
        dilations: tuple[int, int] = DILATIONS,
        ndim: int = 2,
        base: int | None = None,
        levels: int = 5,
        norm: Norm = "batch",
        dropout: float = 0.0,
        dropout_place: Literal["stages", DropoutPlace] = "stages",
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        if "segmentation" not in heads:
            raise ValueError(f"a segmentation head is needed, got {sorted(heads)}")
        self.pools = pool_rows(pools, ndim=ndim, levels=levels)
        refuse_unknown_stage(high_resolution, levels - 1)
        self.norm: Norm = norm
        self._name_heads(heads, activations)
        widths = level_widths(base or _BASES[ndim], levels)
        in_stages = dropout if dropout_place == "stages" else 0.0
        self.encoder = DistillingEncoder(
            (in_channels, *widths), self.pools, norm=norm, dropout=in_stages
        )
        self.pathway_at = high_resolution - 1
        self.pathway: HighResolutionPathway | None = None
        joined = list(widths[:-1])
        if high_resolution:
            n_in = widths[self.pathway_at]
            n_out = high_resolution_width or pathway_width(
                high_resolution, n_in, ndim=ndim
            )
            joined[self.pathway_at] += n_out
            self.pathway = HighResolutionPathway(
                n_in,
                n_out,
                ndim=ndim,
                norm=norm,
                dilations=dilations,
                in_plane=is_in_plane(self.pools[self.pathway_at]),
            )
            self.auxiliary = nn.Sequential(
                convolution(n_out, heads["segmentation"], ndim=ndim, size=1, bias=True),
                upsampling(self._grid_of(self.pathway_at)),
            )
        self.decoder = _decoder(
            widths, joined, self.pools, norm=norm, dropout=in_stages
        )
        place: DropoutPlace = "decoder" if dropout_place == "stages" else dropout_place
        elsewhere = dropout - in_stages
        self.drop = dropouts(levels, rate=elsewhere, place=place, ndim=ndim)
        self.sides = nn.ModuleList(
            _side_channel(widths[at], self._grid_of(at), norm=norm)
            for at in reversed(range(1, levels - 1))
        )
        self.heads = _heads(
            widths[0] + SIDE_WIDTH * len(self.sides),
            widths[0],
            heads,
            ndim=ndim,
            norm=norm,
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
            (N, channels, [Z,] Y, X) by head, in the order of the heads. While
            training, with a pathway, :data:`AUXILIARY` too: the segmentation at the
            pathway's end, to be taught like the segmentation.
        """
        size = x.shape[2:]
        maps = self.encoder(self.padded(x))
        end = None
        if self.pathway is not None:
            end = self.pathway(maps[self.pathway_at])
        fused = self._fused(maps, end)
        answers = {name: head(fused) for name, head in self.heads.items()}
        if end is not None and self.training:
            answers[AUXILIARY] = self.auxiliary(end)
        return {name: cropped(answer, size) for name, answer in answers.items()}

    def _fused(self, maps: list[Tensor], end: Tensor | None) -> Tensor:
        """Return the finest maps joined with those of the side channels.

        ``end`` is the pathway's output; ``maps`` is emptied, so that memory is freed.
        """
        *drops, last = self.drop
        deep = maps.pop()
        decoded = []
        for stage, drop in zip(self.decoder, drops, strict=True):
            deep = drop(deep)
            decoded.append(deep)
            skips = [maps.pop()]
            if end is not None and len(maps) == self.pathway_at:
                skips.append(end)
            deep = stage(deep, skips)
        sides = zip(self.sides, decoded[1:], strict=True)
        return last(torch.cat([deep, *(side(coarse) for side, coarse in sides)], 1))

    def _grid_of(self, at: int) -> tuple[int, ...]:
        """Return the pixels per axis that a pixel of a level stands for."""
        return size_multiple(((1,) * len(self.pools[0]), *self.pools[:at]))

    def _read(self, position: int, *, axis: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis."""
        head = widened((position, position), 1)
        wanted, skips = head, []
        for at, factors in enumerate(self.pools):
            if at:
                side = read_by_upsampling(head, self._grid_of(at)[axis])
                wanted = hull([wanted, side])
            wanted = widened(wanted, DENSE_REACH)
            skips.append(wanted)
            if self.pathway is not None and at == self.pathway_at:
                skips[at] = widened(wanted, self.pathway.reach[axis])
            wanted = (wanted[0] // factors[axis], wanted[1] // factors[axis])
        for factors in reversed(self.pools):
            low, high = widened(wanted, DENSE_REACH)
            pooled = (low * factors[axis], (high + 1) * factors[axis] - 1)
            wanted = hull([pooled, skips.pop()])
        return widened(wanted, DENSE_REACH)


def pathway_width(stage: int, n_channels: int, *, ndim: int) -> int:
    """Return the paper's channels of a pathway at a stage of ``n_channels``.

    In 2D those of :data:`PATHWAY_WIDTHS`; in 3D as many as the stage has, which are
    the paper's 32 and 64 at stages 2 and 3.
    """
    if ndim == 3:
        return n_channels
    return PATHWAY_WIDTHS[min(stage, len(PATHWAY_WIDTHS)) - 1]


def _decoder(
    widths: Sequence[int],
    joined: Sequence[int],
    pools: Sequence[Sequence[int]],
    *,
    norm: Norm,
    dropout: float,
) -> nn.ModuleList:
    """Return the stages, deepest first; ``joined`` channels come from each skip."""
    return nn.ModuleList(
        DistillingStage(
            widths[at + 1],
            joined[at],
            widths[at],
            factors=pools[at],
            norm=norm,
            dropout=dropout,
        )
        for at in reversed(range(len(pools)))
    )


def _side_channel(n_in: int, factors: Sequence[int], *, norm: Norm) -> nn.Sequential:
    ndim = len(factors)
    narrow = ConvNormAct(n_in, SIDE_WIDTH, ndim=ndim, norm=norm, slope=RELU, size=1)
    return nn.Sequential(narrow, upsampling(factors))


def _heads(
    n_in: int, width: int, channels: Mapping[str, int], *, ndim: int, norm: Norm
) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            name: nn.Sequential(
                ConvNormAct(n_in, width, ndim=ndim, norm=norm, slope=RELU),
                convolution(width, n, ndim=ndim, size=1, bias=True),
            )
            for name, n in channels.items()
        }
    )
