"""U-Nets whose encoder is a ResNet or a DenseNet (METHODS.md section 3, T7)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    RELU,
    DecoderLevel,
    DoubleConv,
    draw_weights,
    pointwise_heads,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import SkipPathways
from napari_mtseg.networks.named_encoders import SHORTCUT, EncoderName, NamedEncoder
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows, upsampling
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radius_over_grid,
    read_by_layers,
    read_by_upsampling,
    widened,
    windowed_layers,
)

LARGEST_WIDTH = 512
"""Most channels of a decoder level (ours)"""

PATHWAY_WIDTHS: Mapping[int, int] = MappingProxyType({2: 128, 3: 256, 4: 512})
"""Channels of a high-resolution pathway by stage (METHODS.md section 3, T7)"""


class EncoderUNet(PooledNetwork):
    """U-Net on a named encoder, for 2D and 3D images of any size.

    The encoder has no maps at full resolution: the last decoder level upsamples and
    convolves without a skip. Every axis is pooled by 2 five times, whatever the voxel
    size: a volume of few planes is padded to 32.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name: a 1x1 convolution each.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    encoder : {"resnet34", "resnet50", "resnet101", "densenet121"}
        The contracting path, from random weights.
    encoder_base : int
        Channels of the encoder's first stage; 64 as published.
    ndim : int
        2 or 3.
    base : int
        Channels of the decoder at full resolution; each level below has twice as
        many, up to :data:`LARGEST_WIDTH`.
    high_resolution : int
        Stage of the encoder, 2 to 4, whose maps reach the decoder through a
        high-resolution pathway as well; 0 for none. Stage 1 is full resolution, which
        the encoder lacks.
    high_resolution_width : int, optional
        Channels of the pathway; :data:`PATHWAY_WIDTHS` if not given.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`; the level without a skip is
        the last one.

    Raises
    ------
    ValueError
        If there is no head, no such encoder or no such stage, or ``dropout`` is out
        of range.

    References
    ----------
    .. [1] METHODS.md section 3, T7. The paper gives neither its decoder nor its
       channels; both are ours.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        encoder: EncoderName = "resnet34",
        encoder_base: int = 64,
        ndim: int = 2,
        base: int = 32,
        high_resolution: int = 0,
        high_resolution_width: int | None = None,
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        if high_resolution not in (0, *PATHWAY_WIDTHS):
            raise ValueError(f"high_resolution must be 0 or 2 to 4: {high_resolution}")
        self.norm = "batch"
        self.encoder = NamedEncoder(in_channels, encoder, ndim=ndim, base=encoder_base)
        self.pools = pool_rows(None, ndim=ndim, levels=len(self.encoder.stages) + 1)
        *skips, deepest = self.encoder.widths
        self.skips = SkipPathways(
            skips,
            self.pools[1:],
            stage=max(high_resolution - 1, 0),
            width=high_resolution_width or PATHWAY_WIDTHS.get(high_resolution),
        )
        widths = (*self.skips.widths, deepest)
        self.decoder, self.finest = _decoder(widths, base, ndim=ndim)
        n_levels = len(self.pools) + 1
        self.drop = dropouts(n_levels, rate=dropout, place=dropout_place, ndim=ndim)
        self.heads = pointwise_heads(base, heads, ndim=ndim)
        draw_weights(self.decoder, self.finest, slope=RELU)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        grid = self.size_multiple
        return (radius_over_grid(self._read, grid[0]),) * len(grid)

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
        *skips, deep = self.encoder(self.padded(x))
        if self.skips.stage:
            skips = self.skips(skips)
        deepest, *further, last = self.drop
        deep = deepest(deep)
        for level, drop in zip(self.decoder, further, strict=True):
            deep = drop(level(deep, skips.pop()))
        finest = last(self.finest(deep))
        return {name: cropped(head(finest), size) for name, head in self.heads.items()}

    def _read(self, position: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis."""
        double_conv = 2
        wanted = (position, position)
        skips: list[Interval] = []
        for further in (0, *(reach[0] for reach in self.skips.reach)):
            merged = widened(wanted, double_conv)
            skips.append(widened(merged, further))
            wanted = read_by_upsampling(merged, 2)
        for stage in reversed(self.encoder.stages):
            layers = windowed_layers(stage, without=SHORTCUT)
            wanted = hull([read_by_layers(wanted, layers), skips.pop()])
        return wanted


def _decoder(
    maps: Sequence[int], base: int, *, ndim: int
) -> tuple[nn.ModuleList, nn.Sequential]:
    """Return the levels with a skip, deepest first, and the one at full resolution.

    ``maps`` are the channels that each stage of the encoder hands on, finest first.
    """
    factors = (2,) * ndim
    levels = nn.ModuleList()
    *skips, deep = maps
    for level in reversed(range(len(skips))):
        skip, width = skips[level], min(base * 2 ** (level + 1), LARGEST_WIDTH)
        levels.append(
            DecoderLevel(
                deep, skip, n_out=width, factors=factors, norm="batch", slope=RELU
            )
        )
        deep = width
    finest = DoubleConv(deep, base, ndim=ndim, norm="batch", slope=RELU)
    return levels, nn.Sequential(upsampling(factors), finest)
