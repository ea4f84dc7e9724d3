"""Context of several sizes, summed: convolutions of growing dilation in a row."""

import math
from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor, nn

from napari_mtseg.networks.blocks import RELU, ConvNormAct, Norm, normalisation
from napari_mtseg.networks.receptive_field import Interval, widened

DILATIONS = (1, 2, 4, 8, 16)
"""Pixels between the taps of each convolution of the cascade"""


class DilatedCascade(nn.Module):
    """3x3 (3x3x3) convolutions in a row; their outputs are added to the input.

    Parameters
    ----------
    width : int
        Channels of all maps.
    ndim : int
        2 or 3.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution; without it the convolution has a bias.
    dilations : sequence of int
        Pixels between the taps of each convolution.
    in_plane : bool
        Whether a volume is dilated along Y and X only.

    References
    ----------
    .. [1] METHODS.md section 1, item 2, and D-LinkNet (Zhou et al., CVPR Workshops
       2018). The paper's "dilated rates 63, 31, 15, 3, 1" are receptive fields of
       this cascade.

    Examples
    --------
    >>> DilatedCascade(1, ndim=2, norm="none").receptive_fields
    (3, 7, 15, 31, 63)
    """

    def __init__(
        self,
        width: int,
        *,
        ndim: int,
        norm: Norm,
        dilations: Sequence[int] = DILATIONS,
        in_plane: bool = False,
    ) -> None:
        super().__init__()
        along_z = [1 if in_plane else dilation for dilation in dilations]
        per_axis = [
            (z, *(dilation,) * (ndim - 1)) if ndim == 3 else (dilation,) * ndim
            for z, dilation in zip(along_z, dilations, strict=True)
        ]
        self.convolutions = nn.ModuleList(
            ConvNormAct(
                width,
                width,
                ndim=ndim,
                norm=norm,
                slope=RELU,
                dilation=apart,
                bias=norm == "none",
            )
            for apart in per_axis
        )
        self.reach = tuple(sum(axis) for axis in zip(*per_axis, strict=True))
        """pixels per axis by which the cascade widens the support"""
        self.receptive_fields = tuple(1 + 2 * n for n in accumulate(dilations))
        """pixels along Y and X that each output reads"""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``, ``(N, width, [Z,] Y, X)``."""
        total = x
        for convolution in self.convolutions:
            x = convolution(x)
            total = total + x
        return total


class ContextEnsemble(nn.Module):
    """The deepest maps of an encoder, enlarged by 2, and their context; 2D.

    Parameters
    ----------
    n_in : int
        Channels of the deepest maps.
    width : int
        Channels of all maps afterwards.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution; without it the convolution has a bias.
    n_latents : int
        Cascades side by side, all of the same enlarged maps.

    References
    ----------
    .. [1] METHODS.md section 1, items 2 and 3. The paper has "three parallel CE
       modules", its code one cascade; what several have in common is ours.
    """

    def __init__(
        self, n_in: int, width: int, *, norm: Norm, n_latents: int = 1
    ) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(
            n_in, width, 4, stride=2, padding=1, bias=norm == "none"
        )
        self.norm = normalisation(width, ndim=2, norm=norm)
        self.act = nn.ReLU(inplace=True)
        self.cascades = nn.ModuleList(
            DilatedCascade(width, ndim=2, norm=norm) for _ in range(n_latents)
        )
        self._reach = sum(DILATIONS)
        self._draw_enlarging_weights()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return each cascade's ``(N, width, 2Y, 2X)`` for ``(N, n_in, Y, X)``."""
        enlarged = self.act(self.norm(self.enlarge(x)))
        return [cascade(enlarged) for cascade in self.cascades]

    def read(self, wanted: Interval) -> Interval:
        """Return the pixels of the input that the latents' pixels ``wanted`` need."""
        low, high = widened(wanted, self._reach)
        return (low - 1) // 2, (high + 1) // 2

    def _draw_enlarging_weights(self) -> None:
        """Draw as :func:`~napari_mtseg.networks.blocks.draw_weights` draws blocks."""
        # of 4 taps along an axis, every second one meets an output pixel
        fan_in = self.enlarge.in_channels * 2**2
        nn.init.normal_(self.enlarge.weight, std=math.sqrt(2 / fan_in))
        if self.enlarge.bias is not None:
            nn.init.zeros_(self.enlarge.bias)
