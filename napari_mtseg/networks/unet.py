"""The plain U-Net: all answers read the same last maps (METHODS.md section 4)."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    DecoderLevel,
    Encoder,
    Norm,
    draw_weights,
    level_widths,
    pointwise_heads,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import SkipPathways
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows, receptive_radius


class UNet(PooledNetwork):
    """U-Net with 1x1 heads, for 2D and 3D images of any size.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : int or mapping of str to int
        Channels of each answer by name; a number alone for a segmentation alone, whose
        channels are the classes including background.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    ndim : int
        2 or 3.
    base : int
        Channels of the finest level; each level below has twice as many.
    levels : int
        Resolutions, 2 or more.
    norm : {"batch", "instance", "none"}
        Normalisation after each 3x3 convolution.
    slope : float
        Negative slope of the LeakyReLU.
    pools : sequence of sequence of int, optional
        Pooling factors per level and axis; 2 everywhere if not given.
    high_resolution : int
        Stage of the encoder, 1 for the finest, whose maps reach the decoder through a
        high-resolution pathway as well; 0 for none.
    high_resolution_width : int, optional
        Channels of the pathway; those of its stage if not given.
    dropout : float
        Share of whole maps dropped while training, 0 <= p < 1.
    dropout_place : {"deepest", "decoder", "last", "ends"}
        Where: after the deepest level, after each level of the decoder, after its last
        one, or after the deepest and the last.

    Raises
    ------
    ValueError
        If the pooling factors do not fit, there is no such stage, or ``dropout`` is
        out of range.

    References
    ----------
    .. [1] Ronneberger et al., MICCAI 2015, with normalisation, bilinear upsampling
       and padded convolutions as in METHODS.md section 4; the pathway is that of
       section 3.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: int | Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
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
        self.norm: Norm = norm
        named = {"segmentation": heads} if isinstance(heads, int) else dict(heads)
        self._name_heads(named, activations)
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
        self.decoder = nn.ModuleList(
            DecoderLevel(
                widths[level + 1],
                self.skips.widths[level],
                n_out=widths[level],
                factors=self.pools[level],
                norm=norm,
                slope=slope,
            )
            for level in reversed(range(levels - 1))
        )
        self.drop = dropouts(levels, rate=dropout, place=dropout_place, ndim=ndim)
        self.heads = pointwise_heads(base, named, ndim=ndim)
        draw_weights(self.encoder, self.decoder, slope=slope)
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]
            _with_heads_by_name
        )

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        return receptive_radius(
            self.pools,
            after_decoder=(0,) * len(self.pools),
            on_skips=self.skips.reach,
        )

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
        maps = self.skips(self.encoder(self.padded(x)))
        deepest, *further = self.drop
        deep = deepest(maps.pop())
        for level, drop in zip(self.decoder, further, strict=True):
            deep = drop(level(deep, maps.pop()))
        return {name: cropped(head(deep), size) for name, head in self.heads.items()}


def _with_heads_by_name(
    _: nn.Module, weights: dict[str, Tensor], prefix: str, *__: object
) -> None:
    """Take weights from before there were several heads: theirs was called 'head'."""
    for part in ("weight", "bias"):
        if (old := f"{prefix}head.{part}") in weights:
            weights[f"{prefix}heads.segmentation.{part}"] = weights.pop(old)
