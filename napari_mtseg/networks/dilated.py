"""Networks without pooling, which HMEDN is compared with: DilNet1 to DilNet3."""

from collections.abc import Mapping

from torch import Tensor

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import Norm, pointwise_heads
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import (
    DILATIONS,
    N_BLOCKS,
    HighResolutionPathway,
    draw_xavier,
)
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork


class DilatedNetwork(PooledNetwork):
    """A high-resolution pathway from the image to 1x1 heads, 2D and 3D, any size.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name: a 1x1 convolution each.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    width : int
        Channels of all maps.
    dilations : (int, int)
        Pixels between taps: (3, 5) for DilNet1 and DilNet3, (2, 4) for DilNet2.
    n_blocks : int
        Residual blocks: 9, or 6 for DilNet3, which lacks the last three.
    ndim : int
        2 or 3.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution.
    in_plane : bool
        Whether a volume is dilated along Y and X only.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`. There is one level alone:
        wherever maps are dropped, it is those that the heads read.

    Raises
    ------
    ValueError
        If there is no head, or ``dropout`` is out of range.

    References
    ----------
    .. [1] METHODS.md section 3: receptive fields of 133, 97 and 85 pixels as in the
       paper; the width is ours.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        width: int = 32,
        dilations: tuple[int, int] = DILATIONS,
        n_blocks: int = N_BLOCKS,
        ndim: int = 2,
        norm: Norm = "batch",
        in_plane: bool = False,
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        self.pools = ((1,) * ndim,)
        self.norm: Norm = norm
        self.pathway = HighResolutionPathway(
            in_channels,
            width,
            ndim=ndim,
            norm=norm,
            dilations=dilations,
            n_blocks=n_blocks,
            in_plane=in_plane,
        )
        self.drop = dropouts(1, rate=dropout, place=dropout_place, ndim=ndim)
        self.heads = pointwise_heads(width, heads, ndim=ndim)
        draw_xavier(self)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        return self.pathway.reach

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, in_channels, [Z,] Y, X) float
            Normalised image.

        Returns
        -------
        dict
            (N, channels, [Z,] Y, X) by head, in the order of the heads.
        """
        maps = self.drop[0](self.pathway(x))
        return {name: head(maps) for name, head in self.heads.items()}
