"""The convolutions of VGG16 as an encoder (METHODS.md section 1)."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import RELU, ConvNormAct, Norm
from napari_mtseg.networks.fcn import DEPTHS, MULTIPLES
from napari_mtseg.networks.pooling_grid import pooling

PUBLISHED_BASE = 64
"""Channels of the first stage of the published network"""

_PUBLISHED_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Numbers of the convolutions among torchvision's ``features``"""


class VGG16(nn.Module):
    """Five stages of 3x3 convolutions and ReLU, max-pooled by 2 after every stage; 2D.

    Parameters
    ----------
    in_channels : int
        Channels of the image. A single one is repeated to three, so that published
        weights fit.
    base : int
        Channels of the first stage.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution. Without it the convolutions have a bias
        and are those of the published network, which hardly learns from random
        weights.

    References
    ----------
    .. [1] Simonyan and Zisserman, "Very deep convolutional networks for large-scale
       image recognition", ICLR 2015, configuration D without its classifier.
    """

    def __init__(
        self, in_channels: int, *, base: int = PUBLISHED_BASE, norm: Norm
    ) -> None:
        super().__init__()
        self._is_repeated = in_channels == 1
        widths = [
            3 if self._is_repeated else in_channels,
            *(base * multiple for multiple in MULTIPLES),
        ]
        stages = [
            _convolutions(n_in, n_out, depth, norm=norm)
            for (n_in, n_out), depth in zip(pairwise(widths), DEPTHS, strict=True)
        ]
        first, *others = stages
        self.stages = nn.ModuleList(
            [
                nn.Sequential(*first),
                *(nn.Sequential(pooling((2, 2)), *stage) for stage in others),
                pooling((2, 2)),
            ]
        )
        self.widths = (*widths[1:], widths[-1])
        """channels of the maps handed on, finest first"""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the five stages and the last ones pooled, finest first.

        Parameters
        ----------
        x : (N, in_channels, Y, X) float
            Y and X multiples of 32.

        Returns
        -------
        list of Tensor
            At the full resolution down to a 16th, before pooling, and at a 32nd.
        """
        if self._is_repeated:
            x = x.expand(-1, 3, -1, -1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def from_torchvision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return published weights under the names of a :class:`VGG16` without norm.

    Parameters
    ----------
    weights : mapping of str to Tensor
        ``features.0.weight`` to ``features.28.bias`` as torchvision names them; the
        classifier's are passed over.

    Returns
    -------
    dict
        The ``state_dict`` of ``VGG16(3, norm="none")``.

    Raises
    ------
    ValueError
        If a weight is missing or of another shape.
    """
    with torch.device("meta"):
        expected = VGG16(3, norm="none").state_dict()
    published = [
        f"features.{number}.{part}"
        for number in _PUBLISHED_LAYERS
        for part in ("weight", "bias")
    ]
    taken = {}
    for (name, like), theirs in zip(expected.items(), published, strict=True):
        found = tuple(weights[theirs].shape) if theirs in weights else "nothing"
        if found != tuple(like.shape):
            raise ValueError(
                f"{theirs!r} must be of shape {tuple(like.shape)}, found {found}"
            )
        taken[name] = weights[theirs]
    return taken


def _convolutions(
    n_in: int, n_out: int, depth: int, *, norm: Norm
) -> list[ConvNormAct]:
    widths = [n_in, *[n_out] * depth]
    return [
        ConvNormAct(a, b, ndim=2, norm=norm, slope=RELU, bias=norm == "none")
        for a, b in pairwise(widths)
    ]
