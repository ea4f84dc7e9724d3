"""The anisotropic network of Wang et al., trunk of 3D task decomposition.

Planes of a thick volume are convolved on their own, and fused after every stage
(METHODS.md section 1, 3D).
"""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import Norm, normalisation
from napari_mtseg.networks.receptive_field import Interval, hull, widened

STAGES = ((1, 1), (1, 1), (1, 2, 3), (3, 2, 1))
"""Dilation of each residual block of each stage (Wang et al.)"""

HALVED = (False, True, True, False)
"""Whether each stage begins with half the rows and columns of the one before"""

POOLS = ((1, 2, 2), (1, 2, 2))
"""Strides of the trunk along Z, Y and X"""

WHOLE, HALF, LAST = 0, 1, 3
"""Stages at full and at half the resolution, and the last one, at a quarter"""

Wanted = dict[int, Interval]
"""First and last pixel that are needed along an axis, by stage of the trunk"""

Z = 0
"""The axis across planes"""


class ConvNormPReLU(nn.Module):
    """A convolution, normalisation and a LeakyReLU that learns a slope per channel.

    Slopes start at 0, as in the code of Wang et al.
    """

    def __init__(self, conv: nn.Conv3d | nn.ConvTranspose3d, *, norm: Norm) -> None:
        super().__init__()
        self.conv = conv
        self.norm = normalisation(conv.out_channels, ndim=3, norm=norm)
        self.act = nn.PReLU(conv.out_channels, init=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution returns, normalised and activated."""
        return self.act(self.norm(self.conv(x)))


class PlaneResidual(nn.Module):
    """norm-PReLU-conv-norm-PReLU-conv, added to the input; planes do not mix."""

    def __init__(self, n_channels: int, *, dilation: int, norm: Norm) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(2):
            parts += [
                normalisation(n_channels, ndim=3, norm=norm),
                nn.PReLU(n_channels, init=0.0),
                plane_convolution(
                    n_channels, n_channels, dilation=dilation, bias=norm == "none"
                ),
            ]
        self.branch = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        return self.branch(x).add_(x)


class PlaneStage(nn.Module):
    """Residual blocks inside planes, then one convolution across three planes.

    Parameters
    ----------
    n_channels : int
        Channels of all maps.
    dilations : sequence of int
        Pixels between the taps of each block's convolutions.
    halved : bool
        Whether a strided convolution first halves the rows and columns.
    norm : {"batch", "instance", "none"}
        Normalisation; without it convolutions have a bias.
    """

    def __init__(
        self, n_channels: int, dilations: Sequence[int], *, halved: bool, norm: Norm
    ) -> None:
        super().__init__()
        self.halved = halved
        self.enter: nn.Module = nn.Identity()
        if halved:
            halving = plane_convolution(
                n_channels, n_channels, stride=2, bias=norm == "none"
            )
            self.enter = ConvNormPReLU(halving, norm=norm)
        self.blocks = nn.Sequential(
            *(PlaneResidual(n_channels, dilation=d, norm=norm) for d in dilations)
        )
        across = nn.Conv3d(
            n_channels, n_channels, (3, 1, 1), padding=(1, 0, 0), bias=norm == "none"
        )
        self.fuse = ConvNormPReLU(across, norm=norm)
        self._in_plane = 2 * sum(dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, n_channels, Z, Y, X)``, or half of Y and X."""
        return self.fuse(self.blocks(self.enter(x)))

    def read(self, wanted: Interval, *, axis: int) -> Interval:
        """Return the pixels of the input that the pixels ``wanted`` need on an axis."""
        if axis == Z:
            return widened(wanted, 1)
        low, high = widened(wanted, self._in_plane)
        return (2 * low - 1, 2 * high + 1) if self.halved else (low, high)


class AnisotropicTrunk(nn.Module):
    """Four stages at full, half, a quarter and a quarter of the rows and columns.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_channels : int
        Channels of all maps; 32 in the paper.
    norm : {"batch", "instance", "none"}
        Normalisation; "batch" in the paper.

    References
    ----------
    .. [1] G. Wang, W. Li, S. Ourselin, T. Vercauteren, "Automatic brain tumor
       segmentation using cascaded anisotropic convolutional neural networks", BrainLes
       2017, and its code. Ours are the convolution that enters, for which the code
       fills up the image with empty channels and activates it at once, and zeros
       beyond the first and the last plane, where the code loses planes: so a volume of
       any depth is answered.
    """

    def __init__(self, in_channels: int, n_channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.enter = plane_convolution(in_channels, n_channels, bias=norm == "none")
        self.stages = nn.ModuleList(
            PlaneStage(n_channels, dilations, halved=halved, norm=norm)
            for dilations, halved in zip(STAGES, HALVED, strict=True)
        )

    def forward(self, x: Tensor, kept: Collection[int]) -> dict[int, Tensor]:
        """Return the maps of the stages that are ``kept``, by number from 0.

        ``x`` is ``(N, in_channels, Z, Y, X)``, Y and X multiples of 4.
        """
        maps = {}
        x = self.enter(x)
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in kept:
                maps[number] = x
        return maps

    def read(self, wanted: Wanted, *, axis: int) -> Interval:
        """Return the pixels of the image that are read along an axis.

        ``wanted`` are the pixels of the maps by stage, those of :data:`LAST` among
        them.
        """
        read = wanted[LAST]
        stages = cast("list[PlaneStage]", list(self.stages))
        for number, stage in reversed(list(enumerate(stages))):
            read = stage.read(hull([read, wanted.get(number, read)]), axis=axis)
        return widened(read, 0 if axis == Z else 1)


class ScoresDecoder(nn.Module):
    """The decoder of Wang et al.: scores of three stages, enlarged side by side.

    C scores of the second stage, 2C of the third and 4C of the last are enlarged by a
    transposed convolution per halving, and joined by a convolution inside planes.

    Parameters
    ----------
    n_channels : int
        Channels of the stages.
    n_classes_out : int
        C.
    norm : {"batch", "instance", "none"}
        Normalisation; "batch" in the paper.
    """

    stages = (HALF, LAST - 1, LAST)
    """numbers of the stages that are read"""

    def __init__(self, n_channels: int, n_classes_out: int, *, norm: Norm) -> None:
        super().__init__()
        one, two, four = (n_classes_out * multiple for multiple in (1, 2, 4))
        self.scores = nn.ModuleList(
            nn.Sequential(
                *(_doubling(a, b, norm=norm) for a, b in pairwise((n_channels, *each)))
            )
            for each in ((one,), (two, two), (four, four))
        )
        self.width = one + two + four

    def heads(self, channels: dict[str, int]) -> nn.ModuleDict:
        """Return a convolution inside planes per head, by name; the bias is ours."""
        return nn.ModuleDict(
            {
                name: plane_convolution(self.width, n, bias=True)
                for name, n in channels.items()
            }
        )

    def forward(self, maps: dict[int, Tensor]) -> Tensor:
        """Return ``(N, width, Z, Y, X)`` at full resolution; ``maps`` are emptied."""
        enlarged = [
            scores(maps.pop(stage))
            for stage, scores in zip(self.stages, self.scores, strict=True)
        ]
        return torch.cat(enlarged, 1)

    def read(self, wanted: Interval, *, axis: int) -> Wanted:
        """Return the voxels of each stage that the voxels ``wanted`` need."""
        if axis == Z:
            return dict.fromkeys(self.stages, wanted)
        half = _read_by_doubling(widened(wanted, 1))
        quarter = _read_by_doubling(half)
        return dict(zip(self.stages, (half, quarter, quarter), strict=True))


def plane_convolution(
    n_in: int, n_out: int, *, dilation: int = 1, stride: int = 1, bias: bool
) -> nn.Conv3d:
    """Return a convolution of 3x3 pixels of each plane by itself."""
    return nn.Conv3d(
        n_in,
        n_out,
        (1, 3, 3),
        stride=(1, stride, stride),
        padding=(0, dilation, dilation),
        dilation=(1, dilation, dilation),
        bias=bias,
    )


def _doubling(n_in: int, n_out: int, *, norm: Norm) -> ConvNormPReLU:
    """Return a transposed convolution that doubles rows and columns."""
    conv = nn.ConvTranspose3d(
        n_in,
        n_out,
        (1, 3, 3),
        stride=(1, 2, 2),
        padding=(0, 1, 1),
        output_padding=(0, 1, 1),
        bias=norm == "none",
    )
    return ConvNormPReLU(conv, norm=norm)


def _read_by_doubling(wanted: Interval) -> Interval:
    low, high = wanted
    return low // 2, (high + 1) // 2
