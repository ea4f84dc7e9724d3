"""The fully convolutional network FCN-8s, which HMEDN is compared with."""

from collections.abc import Mapping

from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import RELU, ConvNormAct, convolution, draw_weights
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows, pooling, upsampling
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radius_over_grid,
    read_by_layers,
    read_by_upsampling,
    windowed_layers,
)

DEPTHS = (2, 2, 3, 3, 3)
"""3x3 convolutions of each stage of VGG16"""

MULTIPLES = (1, 2, 4, 8, 8)
"""Channels of each stage of VGG16 over those of the first"""

DEEPEST_MULTIPLE = 32
"""Channels of the two layers after the stages over those of the first stage (ours;
64 in VGG16, whose 7x7 convolution alone has 103 million weights)"""


class FCN(PooledNetwork):
    """FCN-8s on a VGG16 with batch norm, for 2D and 3D images of any size.

    Every axis is pooled by 2 five times: a volume of few planes is padded to 32.

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
        Channels of the first stage; 64 in VGG16.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`. Its decoder is the scores of
        two stages, at a 16th of the resolution and last at an eighth: of each, the
        maps that are scored are dropped, not those that the next stage reads.

    Raises
    ------
    ValueError
        If there is no head, ``ndim`` is neither 2 nor 3, or ``dropout`` is out of
        range.

    References
    ----------
    .. [1] Long et al., "Fully convolutional networks for semantic segmentation",
       CVPR 2015. We pad each convolution instead of the image, upsample bilinearly
       instead of by convolutions that start so, normalise batches instead of dropping
       maps out (which is left to ``dropout``), train from random weights, and halve
       the two deepest layers.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        ndim: int = 2,
        base: int = 64,
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        self.pools = pool_rows(None, ndim=ndim, levels=len(DEPTHS) + 1)
        self.norm = "batch"
        widths = [in_channels, *(base * multiple for multiple in MULTIPLES)]
        self.stages = nn.ModuleList(
            _stage(widths[stage], widths[stage + 1], depth, ndim=ndim)
            for stage, depth in enumerate(DEPTHS)
        )
        deepest = base * DEEPEST_MULTIPLE
        self.deepest = nn.Sequential(
            ConvNormAct(
                widths[-1], deepest, ndim=ndim, norm="batch", slope=RELU, size=7
            ),
            ConvNormAct(deepest, deepest, ndim=ndim, norm="batch", slope=RELU, size=1),
        )
        self.drop = dropouts(3, rate=dropout, place=dropout_place, ndim=ndim)
        self.heads = nn.ModuleDict(
            {
                name: ScoreLayers((widths[3], widths[4], deepest), n, ndim=ndim)
                for name, n in heads.items()
            }
        )
        draw_weights(self, slope=RELU)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        return (radius_over_grid(self._read, self.size_multiple[0]),) * len(
            self.size_multiple
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
        third = self.padded(x)
        for stage in self.stages[:3]:
            third = stage(third)
        fourth = self.stages[3](third)
        fifth = self.deepest(self.stages[4](fourth))
        scored = tuple(
            drop(maps)
            for drop, maps in zip(self.drop, (fifth, fourth, third), strict=True)
        )
        return {
            name: cropped(scores(*reversed(scored)), size)
            for name, scores in self.heads.items()
        }

    def _read(self, position: int) -> Interval:
        """Return the pixels read for one pixel of an answer, along an axis."""
        third = read_by_upsampling((position, position), 8)
        fourth = read_by_upsampling(third, 2)
        fifth = read_by_upsampling(fourth, 2)
        wanted = read_by_layers(fifth, windowed_layers(self.deepest))
        scored = {4: fourth, 3: third}
        for number in reversed(range(len(self.stages))):
            wanted = read_by_layers(wanted, windowed_layers(self.stages[number]))
            wanted = hull([wanted, scored.get(number, wanted)])
        return wanted


class ScoreLayers(nn.Module):
    """Scores at an eighth, a 16th and a 32nd of the resolution, summed and upsampled.

    ``widths`` are the channels of the maps scored, finest first.
    """

    def __init__(
        self, widths: tuple[int, int, int], n_outputs: int, *, ndim: int
    ) -> None:
        super().__init__()
        self.third, self.fourth, self.fifth = (
            convolution(width, n_outputs, ndim=ndim, size=1, bias=True)
            for width in widths
        )
        self.up_2 = upsampling((2,) * ndim)
        self.up_8 = upsampling((8,) * ndim)

    def forward(self, third: Tensor, fourth: Tensor, fifth: Tensor) -> Tensor:
        """Return ``(N, n_outputs, [Z,] Y, X)``, eight times the size of ``third``."""
        scores = self.up_2(self.fifth(fifth)) + self.fourth(fourth)
        return self.up_8(self.up_2(scores) + self.third(third))


def _stage(n_in: int, n_out: int, depth: int, *, ndim: int) -> nn.Sequential:
    widths = [n_in, *[n_out] * depth]
    convolutions = (
        ConvNormAct(widths[i], widths[i + 1], ndim=ndim, norm="batch", slope=RELU)
        for i in range(depth)
    )
    return nn.Sequential(*convolutions, pooling((2,) * ndim))
