"""The high-resolution pathway of HMEDN, for any encoder-decoder (METHODS.md section 3).

Residual blocks of dilated convolutions that see far without pooling, so that what they
know of a boundary stays where it is.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    Norm,
    ResidualUnit,
    convolution,
    normalisation,
)

DILATIONS = (2, 4)
"""Dilations of a pathway (those of DilNet2; which ones HRDN has is not stated)"""

N_BLOCKS = 9
"""Residual blocks of a pathway (paper)"""

PLAIN_BLOCKS = 3
"""Blocks at the start of which both convolutions have the smaller dilation"""


class DenseLink(nn.Module):
    """A 1x1 :class:`ConvNormAct` of concatenated maps without the concatenation.

    A convolution of concatenated maps is the sum of a convolution of each: the
    parameters and the answer are the same, and in prediction no map needs to be kept.
    """

    norm: nn.Module

    def __init__(
        self, n_maps: int, n_in: int, n_out: int, *, ndim: int, norm: Norm
    ) -> None:
        """``n_in`` channels have each of the ``n_maps`` maps."""
        super().__init__()
        self.parts = nn.ModuleList(
            convolution(n_in, n_out, ndim=ndim, size=1, bias=False)
            for _ in range(n_maps)
        )
        self.norm = normalisation(n_out, ndim=ndim, norm=norm)
        self.act = nn.ReLU(inplace=True)

    def forward(self, maps: Iterable[Tensor]) -> Tensor:
        """Return ``(N, n_out, [Z,] Y, X)`` for maps ``(N, n_in, [Z,] Y, X)``."""
        sums = None
        for part, x in zip(self.parts, maps, strict=True):
            sums = part(x) if sums is None else sums.add_(part(x))
        return self.act(self.norm(sums))


class HighResolutionPathway(nn.Module):
    """Residual dilated blocks whose outputs are all linked to the pathway's end.

    A 1x1 convolution enters, another leaves; each block is two dilated 3x3 (3x3x3)
    convolutions and a shortcut. The first three blocks have dilations (d1, d1), the
    others (d1, d2).

    Parameters
    ----------
    n_in : int
        Channels of the maps that enter.
    width : int
        Channels of all maps inside and of those that leave; the paper's L.
    ndim : int
        2 or 3.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution.
    dilations : (int, int)
        d1 and d2, pixels.
    n_blocks : int
        Residual blocks.
    in_plane : bool
        Whether convolutions are dilated along Y and X only, as suits a volume whose
        planes lie far apart.

    References
    ----------
    .. [1] S. Zhou et al., "High-resolution encoder-decoder networks for low-contrast
       medical image segmentation", IEEE Transactions on Image Processing, 2020. The
       order of the dilations follows from its receptive fields.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the pathway
        self,
        n_in: int,
        width: int,
        *,
        ndim: int,
        norm: Norm = "batch",
        dilations: tuple[int, int] = DILATIONS,
        n_blocks: int = N_BLOCKS,
        in_plane: bool = False,
    ) -> None:
        super().__init__()
        small, large = (
            (1, d, d) if in_plane and ndim == 3 else (d,) * ndim for d in dilations
        )
        pairs = [
            (small, small if number < PLAIN_BLOCKS else large)
            for number in range(n_blocks)
        ]
        self.entry = ConvNormAct(n_in, width, ndim=ndim, norm=norm, slope=RELU, size=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                ResidualUnit(width, ndim=ndim, norm=norm, slope=RELU, dilations=pair),
                nn.ReLU(inplace=True),
            )
            for pair in pairs
        )
        self.exit = DenseLink(n_blocks + 1, width, width, ndim=ndim, norm=norm)
        self.reach = tuple(
            sum(first[axis] + second[axis] for first, second in pairs)
            for axis in range(ndim)
        )
        """receptive radius per axis, pixels of the maps that enter"""
        draw_xavier(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, width, [Z,] Y, X)`` for ``(N, n_in, [Z,] Y, X)``."""
        return self.exit(self._linked(self.entry(x)))

    def _linked(self, x: Tensor) -> Iterator[Tensor]:
        yield x
        for block in self.blocks:
            x = block(x)
            yield x


class SkipPathways(nn.Module):
    """The skips of an encoder-decoder, one of them with a high-resolution pathway.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's maps that become skips, finest first.
    pools : sequence of sequence of int
        Pooling factors per level and axis. Where Z is not pooled after the pathway's
        stage, its convolutions are not dilated along Z.
    stage : int
        Which of the skips has a pathway, 1 for the finest; 0 for none.
    width : int, optional
        Channels of the pathway; those of its stage if not given, as in the paper's
        3D network.
    norm : {"batch", "instance", "none"}
        Normalisation of the pathway.
    dilations : (int, int)
        As in :class:`HighResolutionPathway`.

    Raises
    ------
    ValueError
        If there is no such stage.
    """

    def __init__(
        self,
        widths: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        stage: int,
        width: int | None = None,
        norm: Norm = "batch",
        dilations: tuple[int, int] = DILATIONS,
    ) -> None:
        super().__init__()
        refuse_unknown_stage(stage, len(widths))
        ndim = len(pools[0])
        out, reach = list(widths), [(0,) * ndim] * len(widths)
        self.stage = stage
        self.pathway: nn.Module = nn.Identity()
        if stage:
            n_in = widths[stage - 1]
            n_out = n_in if width is None else width
            self.pathway = HighResolutionPathway(
                n_in,
                n_out,
                ndim=ndim,
                norm=norm,
                dilations=dilations,
                in_plane=is_in_plane(pools[stage - 1]),
            )
            out[stage - 1] += n_out
            reach[stage - 1] = self.pathway.reach
        self.widths = tuple(out)
        """channels of each skip, finest first"""
        self.reach = tuple(reach)
        """per skip and axis: pixels of its level by which the pathway reads farther"""

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the encoder's maps, finest first, with the pathway's joined to one."""
        skips = list(maps)
        if self.stage:
            skip = skips[self.stage - 1]
            skips[self.stage - 1] = torch.cat([skip, self.pathway(skip)], 1)
        return skips


def refuse_unknown_stage(stage: int, n_stages: int) -> None:
    """Raise ``ValueError`` unless ``stage`` is 0, for no pathway, or 1..n_stages."""
    if not 0 <= stage <= n_stages:
        raise ValueError(
            f"the high-resolution pathway is at stage {stage}, not 0..{n_stages}"
        )


def is_in_plane(factors: Sequence[int]) -> bool:
    """Tell whether a pooling leaves Z alone: planes lie far apart at its level.

    Examples
    --------
    >>> is_in_plane((1, 2, 2)), is_in_plane((2, 2, 2)), is_in_plane((2, 2))
    (True, False, False)
    """
    return len(factors) == 3 and factors[0] == 1 and max(factors) > 1


def draw_xavier(network: nn.Module) -> None:
    """Draw the weights of all convolutions as the paper does; biases start at 0.

    References
    ----------
    .. [1] Glorot and Bengio, "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS 2010.
    """
    kinds = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    for module in network.modules():
        if isinstance(module, kinds):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, DenseLink):
            weights = [cast("Tensor", part.weight) for part in module.parts]
            n_out, n_in = weights[0].shape[:2]
            bound = math.sqrt(6 / (len(weights) * n_in + n_out))
            for weight in weights:
                nn.init.uniform_(weight, -bound, bound)
