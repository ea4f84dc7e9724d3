"""The adversary of SASSNet and MTCTL (METHODS.md section 5)."""

from itertools import pairwise

from torch import Tensor, nn

from napari_mtseg.networks.blocks import level_widths
from napari_mtseg.networks.dropout import map_dropout
from napari_mtseg.networks.pooling_grid import padded_to_multiple

SLOPE = 0.2
"""Negative slope of the LeakyReLU"""

DROPOUT = 0.5
"""Share of maps dropped while training"""

_CONVOLUTIONS: dict[int, type[nn.Conv2d | nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}


class Discriminator(nn.Module):
    """Tells whether a map of distances answers for a labelled or an unlabelled image.

    Four convolutions that each halve the image, and a mean over what is left, so that
    images of any size are judged. An axis that is down to one pixel is repeated before
    it is halved, and so stays one pixel (ours).

    Parameters
    ----------
    n_maps : int
        Channels of the maps: classes without background.
    n_channels : int
        Channels of the image.
    ndim : int
        2 or 3.
    base : int
        Channels after the first convolution; each one after it has twice as many.

    References
    ----------
    .. [1] Li et al., "Shape-aware semi-supervised 3D semantic segmentation for medical
       images" (SASSNet), MICCAI 2020; sizes of its public code. One answer instead of
       two, and a mean that adapts to the size, are ours; so is 2D as in 3D.
    """

    def __init__(
        self, n_maps: int, n_channels: int, *, ndim: int, base: int = 64
    ) -> None:
        super().__init__()
        widths = level_widths(base, 4)
        self.from_maps = _halving(n_maps, base, ndim=ndim)
        self.from_image = _halving(n_channels, base, ndim=ndim)
        self.convs = nn.ModuleList(
            _halving(n_in, n_out, ndim=ndim) for n_in, n_out in pairwise(widths)
        )
        self.act = nn.LeakyReLU(SLOPE, inplace=True)
        self.drop = map_dropout(DROPOUT, ndim=ndim)
        self.answer = nn.Linear(widths[-1], 1)

    def forward(self, maps: Tensor, image: Tensor) -> Tensor:
        """Return the answer for each image, before a sigmoid.

        Parameters
        ----------
        maps : (N, n_maps, [Z,] Y, X) float
            Signed distances, -1..1.
        image : (N, n_channels, [Z,] Y, X) float
            Normalised image.

        Returns
        -------
        (N,) float
        """
        x = self.from_maps(_halvable(maps)) + self.from_image(_halvable(image))
        for conv in self.convs:
            x = conv(_halvable(self.drop(self.act(x))))
        means = self.act(x).flatten(2).mean(dim=2)
        return self.answer(means).squeeze(1)


def _halving(n_in: int, n_out: int, *, ndim: int) -> nn.Module:
    return _CONVOLUTIONS[ndim](n_in, n_out, 4, stride=2, padding=1)


def _halvable(x: Tensor) -> Tensor:
    """Return ``x`` with axes of one pixel repeated."""
    return padded_to_multiple(x, [2 if n == 1 else 1 for n in x.shape[2:]])
