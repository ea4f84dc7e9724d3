"""A network made ready to predict: faster, and without gradients."""

import copy
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_mtseg.networks.anisotropic_trunk import ConvNormPReLU
from napari_mtseg.networks.blocks import (
    ConcatenationConv,
    ConvNormAct,
    Convolution,
    ResidualUnit,
)
from napari_mtseg.networks.distilling_blocks import EnlargingConv
from napari_mtseg.networks.high_resolution_pathway import DenseLink

_BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)

NetworkT = TypeVar("NetworkT", bound=nn.Module)
FoldableT = TypeVar("FoldableT", bound=nn.Module)


def prepared_for_inference(network: NetworkT) -> NetworkT:
    """Return a copy that predicts faster: eval mode, batch norm folded, no gradient.

    Batch norm becomes part of the convolution before it, and 2D weights are laid out
    channels-last, which made convolutions of 16 and 32 channels 1.1 to 3.6 times
    faster on a CPU. 3D weights keep their layout.
    """
    prepared = copy.deepcopy(network).eval().requires_grad_(False)
    for module in prepared.modules():
        if isinstance(module, ConcatenationConv):
            module.skip = _folded_into_sum([module.deep, module.skip], module.norm)
        elif isinstance(module, DenseLink):
            parts = cast("list[Convolution]", list(module.parts))
            module.parts[-1] = _folded_into_sum(parts, module.norm)
        elif isinstance(
            module, ConvNormAct | ResidualUnit | EnlargingConv | ConvNormPReLU
        ):
            module.conv = _folded(module.conv, module.norm)
        else:
            continue
        module.norm = _without_batch_norm(module.norm)
    for module in prepared.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = module.weight.data
            module.weight.data = weight.contiguous(memory_format=torch.channels_last)
    return prepared


def _folded_into_sum(parts: Sequence[Convolution], norm: nn.Module) -> Convolution:
    """Fold the norm of a sum of convolutions into all of them.

    Returns the last part, which takes the shift; the others are changed.
    """
    *others, last = parts
    if not isinstance(norm, _BATCH_NORMS) or norm.running_var is None:
        return last
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.affine:
        scale = scale * norm.weight
    for part in others:
        part.weight.mul_(scale.view(-1, *[1] * (part.weight.ndim - 1)))
    return _folded(last, norm)


def _folded(conv: FoldableT, norm: nn.Module) -> FoldableT:
    if not isinstance(norm, _BATCH_NORMS):
        return conv
    is_transposed = isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
    folded = fuse_conv_bn_eval(cast("nn.Conv2d", conv), norm, transpose=is_transposed)
    return cast("FoldableT", folded)


def _without_batch_norm(norm: nn.Module) -> nn.Module:
    return nn.Identity() if isinstance(norm, _BATCH_NORMS) else norm
