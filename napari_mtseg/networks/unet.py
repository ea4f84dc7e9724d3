"""The single-task U-Net: one image in, one segmentation out (METHODS.md section 4)."""

from collections.abc import Sequence

from torch import Tensor, nn

from napari_mtseg.networks.blocks import (
    DecoderLevel,
    Encoder,
    Norm,
    convolution,
    cropped,
    draw_weights,
    level_widths,
    padded_to_multiple,
    pool_rows,
    receptive_radius,
)
from napari_mtseg.networks.pooled_network import PooledNetwork


class UNet(PooledNetwork):
    """U-Net with one head, for 2D and 3D images of any size.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_outputs : int
        Channels of the answer: classes including background.
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

    References
    ----------
    .. [1] Ronneberger et al., MICCAI 2015, with normalisation, bilinear upsampling
       and padded convolutions as in METHODS.md section 4.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        n_outputs: int,
        *,
        ndim: int = 2,
        base: int = 32,
        levels: int = 5,
        norm: Norm = "batch",
        slope: float = 0.01,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.pools = pool_rows(pools, ndim=ndim, levels=levels)
        self.norm: Norm = norm
        self.head_channels = {"segmentation": n_outputs}
        widths = level_widths(base, levels)
        self.encoder = Encoder(
            (in_channels, *widths), self.pools, norm=norm, slope=slope
        )
        self.decoder = nn.ModuleList(
            DecoderLevel(
                widths[level + 1],
                widths[level],
                factors=self.pools[level],
                norm=norm,
                slope=slope,
            )
            for level in reversed(range(levels - 1))
        )
        self.head = convolution(base, n_outputs, ndim=ndim, size=1, bias=True)
        draw_weights(self, slope=slope)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        return receptive_radius(self.pools, after_decoder=(0,) * len(self.pools))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return logits.

        Parameters
        ----------
        x : (N, in_channels, [Z,] Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the answer cropped.

        Returns
        -------
        dict
            ``"segmentation"``: (N, n_outputs, [Z,] Y, X) logits.
        """
        size = x.shape[2:]
        maps = self.encoder(padded_to_multiple(x, self.size_multiple))
        deep = maps.pop()
        for level in self.decoder:
            deep = level(deep, maps.pop())
        return {"segmentation": cropped(self.head(deep), size)}
