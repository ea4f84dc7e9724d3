"""DeepMedic, the network of two parallel pathways that HMEDN is compared with."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mtseg.networks.blocks import ConvNormAct, pointwise_heads
from napari_mtseg.networks.high_resolution_pathway import draw_xavier
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, upsampling

WIDTHS = (3, 3, 4, 4, 4, 4, 5, 5)
"""Channels of the convolutions of a pathway, in thirds of those of the first"""

JOINED_WIDTH = 5
"""Channels of the two layers after the pathways over those of the first convolution"""

COARSER = 3
"""Factor by which the second pathway's image is smaller (paper)"""

RESIDUAL_AT = (3, 5, 7)
"""Convolutions, from 0, to whose answer the maps of two before are added (paper)"""

SLOPE = 0.01
"""Negative slope of the LeakyReLU (ours; learned in the paper)"""

DROPOUT = 0.5
"""Share of values dropped before the second joined layer and the heads (paper)"""

_AVERAGES: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class DeepMedic(PooledNetwork):
    """Two pathways, at full and at a third of the resolution, for 2D and 3D images.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name: a 1x1 convolution each.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    ndim : int
        2 or 3.
    base : int
        Channels of the first convolutions; 30 in the paper.
    residual : bool
        Whether pairs of convolutions have a shortcut.
    dropout : float
        Share of values dropped before the last two layers while training.
    in_plane : bool
        Whether the second pathway's volume is smaller along Y and X only, as suits
        planes that lie far apart.

    Raises
    ------
    ValueError
        If there is no head, or ``ndim`` is neither 2 nor 3.

    References
    ----------
    .. [1] Kamnitsas et al., "Efficient multi-scale 3D CNN with fully connected CRF for
       accurate brain lesion segmentation", Medical Image Analysis 36, 2017, with the
       shortcuts of "DeepMedic for brain tumor segmentation", BrainLes 2016. Ours are
       padded convolutions, so that whole images are answered, averages as the smaller
       image, batch norm after instead of before a convolution, and Xavier weights.
       HMEDN counts 2.86 million parameters of widths that it does not state; with the
       widths of [1] they are 0.66.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        ndim: int = 3,
        base: int = 30,
        residual: bool = True,
        dropout: float = DROPOUT,
        in_plane: bool = False,
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        if ndim not in _AVERAGES:
            raise ValueError(f"ndim must be 2 or 3, not {ndim}")
        across = 1 if in_plane and ndim == 3 else COARSER
        factors = (across, *(COARSER,) * (ndim - 1))
        self.pools = (factors,)
        self.norm = "batch"
        widths = tuple(max(base * thirds // 3, 1) for thirds in WIDTHS)
        self.fine, coarse = (
            Pathway((in_channels, *widths), ndim=ndim, residual=residual)
            for _ in range(2)
        )
        self.coarse = nn.Sequential(
            _AVERAGES[ndim](factors), coarse, upsampling(factors, "nearest")
        )
        joined = JOINED_WIDTH * base
        self.joined = nn.Sequential(
            _joined_layer(2 * widths[-1], joined, ndim=ndim),
            nn.Dropout(dropout),
            _joined_layer(joined, joined, ndim=ndim),
            nn.Dropout(dropout),
        )
        self.heads = pointwise_heads(joined, heads, ndim=ndim)
        draw_xavier(self)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        reach = len(WIDTHS)
        return tuple(reach * factor + factor - 1 for factor in self.size_multiple)

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
        padded = self.padded(x)
        joined = self.joined(torch.cat([self.fine(padded), self.coarse(padded)], 1))
        return {name: cropped(head(joined), size) for name, head in self.heads.items()}


class Pathway(nn.Module):
    """Eight 3x3 (3x3x3) convolutions; ``widths`` starts with the input channels."""

    def __init__(self, widths: Sequence[int], *, ndim: int, residual: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ConvNormAct(n_in, n_out, ndim=ndim, norm="batch", slope=SLOPE)
            for n_in, n_out in pairwise(widths)
        )
        self.residual_at = RESIDUAL_AT if residual else ()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size of ``x``."""
        before = x
        for number, layer in enumerate(self.layers):
            if number + 1 in self.residual_at:
                before = x
            x = layer(x)
            if number in self.residual_at:
                x = x + _with_empty_channels(before, x.shape[1])
        return x


def _joined_layer(n_in: int, n_out: int, *, ndim: int) -> ConvNormAct:
    return ConvNormAct(n_in, n_out, ndim=ndim, norm="batch", slope=SLOPE, size=1)


def _with_empty_channels(x: Tensor, n_channels: int) -> Tensor:
    """Return ``x`` with channels of zeros at its end, ``n_channels`` in all."""
    missing = n_channels - x.shape[1]
    return F.pad(x, (*(0, 0) * (x.ndim - 2), 0, missing)) if missing else x
