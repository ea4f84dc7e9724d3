"""The multi-task U-Net of recursive approximation (METHODS.md section 4, Network)."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    ConvNormAct,
    DecoderLevel,
    Encoder,
    Norm,
    ResidualUnit,
    convolution,
    draw_weights,
    level_widths,
    pointwise_heads,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import SkipPathways
from napari_mtseg.networks.pooled_network import PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows, receptive_radius


class MultiTaskLevel(DecoderLevel):
    """A decoder level with two streams that share its weights.

    The segmentation stream alone then passes a residual unit.
    """

    def __init__(
        self,
        n_deep: int,
        n_skip: int,
        *,
        n_out: int,
        factors: Sequence[int],
        norm: Norm,
        slope: float,
    ) -> None:
        super().__init__(
            n_deep, n_skip, n_out=n_out, factors=factors, norm=norm, slope=slope
        )
        self.residual = ResidualUnit(n_out, ndim=len(factors), norm=norm, slope=slope)

    def streams(
        self, segmentation: Tensor, approximation: Tensor, skip: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return both streams one level up.

        Where both inputs are the same tensor, as in the first multi-task level, the
        shared block is computed once. In training, both streams pass it as one batch:
        batch norm then sees the mixture of the two in its batch statistics, which is
        what its running statistics describe when it predicts. One stream after the
        other would normalise each by itself in training, by the mixture in
        prediction. In evaluation the order makes no difference, and one after the
        other needs less memory.
        """
        from_skip = self.first.skip(skip)
        if segmentation is approximation:
            shared = self.merged(segmentation, from_skip)
            return self.residual(shared), shared
        if not self.training:
            first = self.residual(self.merged(segmentation, from_skip))
            return first, self.merged(approximation, from_skip)
        both = self.merged(
            torch.cat([segmentation, approximation]), torch.cat([from_skip, from_skip])
        )
        first, second = both.chunk(2)
        return self.residual(first), second


class RecursiveUNet(PooledNetwork):
    """U-Net that segments, approximates the growing labels, and separates objects.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_classes : int
        Classes including background.
    multi_task_blocks : int
        Decoder levels with two streams, counted from the finest.
    separator : bool
        Whether the third task, the border between touching objects, is learned.
    ndim, base, levels, norm, slope, pools, high_resolution, high_resolution_width
        As in :class:`~napari_mtseg.networks.unet.UNet`; both streams of a level read
        the skip with the pathway.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`; the two streams drop maps
        independently of each other.

    References
    ----------
    .. [1] METHODS.md section 4; the count of multi-task levels, widths and slope are
       ours, the paper's own are lost.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        n_classes: int,
        *,
        multi_task_blocks: int = 2,
        separator: bool = False,
        ndim: int = 2,
        base: int = 32,
        levels: int = 5,
        norm: Norm = "batch",
        slope: float = 0.01,
        pools: Sequence[Sequence[int]] | None = None,
        high_resolution: int = 0,
        high_resolution_width: int | None = None,
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self.pools = pool_rows(pools, ndim=ndim, levels=levels)
        if not 1 <= multi_task_blocks < levels:
            raise ValueError(
                f"multi_task_blocks is {multi_task_blocks}, not 1..{levels - 1}"
            )
        self.multi_task_blocks = multi_task_blocks
        self.norm: Norm = norm
        self.head_channels = {"segmentation": n_classes, "approximation": n_classes}
        widths = level_widths(base, levels)
        self.encoder = Encoder(
            (in_channels, *widths), self.pools, norm=norm, slope=slope
        )
        self.skips = SkipPathways(
            widths[:-1],
            self.pools,
            stage=high_resolution,
            width=high_resolution_width,
            norm=norm,
        )
        self.decoder = nn.ModuleList()
        self.multi_task_decoder = nn.ModuleList()
        for level in reversed(range(levels - 1)):
            shared = level < multi_task_blocks
            kind = MultiTaskLevel if shared else DecoderLevel
            path = self.multi_task_decoder if shared else self.decoder
            path.append(
                kind(
                    widths[level + 1],
                    self.skips.widths[level],
                    n_out=widths[level],
                    factors=self.pools[level],
                    norm=norm,
                    slope=slope,
                )
            )
        self.drop, every = (
            dropouts(levels, rate=dropout, place=dropout_place, ndim=ndim)
            for _ in ("segmentation", "approximation")
        )
        self.drop_approximation = every[-multi_task_blocks:]
        """after each multi-task level, of the stream that approximates"""
        self.heads = pointwise_heads(base, self.head_channels, ndim=ndim)
        if separator:
            self.head_channels["separator"] = 2
            self.heads["separator"] = nn.Sequential(
                ConvNormAct(base, base, ndim=ndim, norm=norm, slope=slope),
                convolution(base, 2, ndim=ndim, size=1, bias=True),
            )
        draw_weights(
            self.encoder, self.decoder, self.multi_task_decoder, self.heads, slope=slope
        )

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis, of the head that reaches farthest."""
        residual_unit = 2
        further = [
            residual_unit if level < self.multi_task_blocks else 0
            for level in range(len(self.pools))
        ]
        further[0] += "separator" in self.head_channels
        return receptive_radius(
            self.pools, after_decoder=further, on_skips=self.skips.reach
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return logits of all tasks.

        Parameters
        ----------
        x : (N, in_channels, [Z,] Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the answer cropped.

        Returns
        -------
        dict
            ``"segmentation"`` and ``"approximation"``: (N, n_classes, [Z,] Y, X)
            logits; with a separator, ``"separator"``: (N, 2, [Z,] Y, X) logits.
        """
        size = x.shape[2:]
        maps = self.skips(self.encoder(self.padded(x)))
        deepest, *further = self.drop
        deep = deepest(maps.pop())
        for level in self.decoder:
            deep = further.pop(0)(level(deep, maps.pop()))
        segmentation = approximation = deep
        for level, drop, drop_approximation in zip(
            self.multi_task_decoder, further, self.drop_approximation, strict=True
        ):
            streams = cast("MultiTaskLevel", level).streams
            segmentation, approximation = streams(
                segmentation, approximation, maps.pop()
            )
            segmentation = drop(segmentation)
            approximation = drop_approximation(approximation)
        stream_of = {"approximation": approximation}
        return {
            name: cropped(head(stream_of.get(name, segmentation)), size)
            for name, head in self.heads.items()
        }
