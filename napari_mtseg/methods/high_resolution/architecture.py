"""The network that settings of HMEDN describe."""

from collections.abc import Mapping

from torch import nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.methods.high_resolution.settings import HighResolutionSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.deepmedic import DeepMedic
from napari_mtseg.networks.dense_seg import N_BLOCKS, DenseSeg
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.high_resolution_pathway import is_in_plane
from napari_mtseg.networks.isensee_unet import LEVELS, IsenseeUNet
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.pooled_network import Activation
from napari_mtseg.networks.slices import SlicesNetwork
from napari_mtseg.networks.unet import UNet

ACTIVATIONS: Mapping[str, Activation] = {"boundary": "none"}
"""a regression, as the paper's squared error wants it"""

DILATED_WIDTH = 32
"""channels of the dilated networks (ours: not stated)"""


def network_of(
    s: HighResolutionSettings, task: Task, heads: Mapping[str, int]
) -> nn.Module:
    """Make the network with random weights; of several slices, one for planes.

    Raises
    ------
    ValueError
        If it has no such stage.
    """
    if s.slices == 1 or task.ndim == 2:
        return _network(s, heads, task.n_channels, task.spacing)
    seen = _network(s, heads, task.n_channels * s.slices, task.spacing[1:])
    return SlicesNetwork(seen, s.slices)


def _network(
    s: HighResolutionSettings,
    heads: Mapping[str, int],
    n_channels: int,
    spacing: tuple[float, ...],
) -> nn.Module:
    match s.network:
        case "dilated":
            return _dilated(s, heads, n_channels, spacing)
        case "distilling":
            return _distilling(s, heads, n_channels, spacing)
        case "unet" | "dcan":
            return _plain(s, heads, n_channels, spacing)
        case "fcn" | "isensee" | "deepmedic" | "dense_seg":
            return _as_published(s, heads, n_channels, spacing)
        case encoder:
            return EncoderUNet(
                n_channels,
                heads,
                activations=ACTIVATIONS,
                encoder=encoder,
                ndim=len(spacing),
                base=s.base_channels,
                high_resolution=s.pathway,
                high_resolution_width=s.pathway_width or None,
                dropout=s.dropout,
                dropout_place=_place(s),
            )


def _dilated(
    s: HighResolutionSettings,
    heads: Mapping[str, int],
    n_channels: int,
    spacing: tuple[float, ...],
) -> nn.Module:
    return DilatedNetwork(
        n_channels,
        heads,
        activations=ACTIVATIONS,
        width=s.pathway_width or DILATED_WIDTH,
        dilations=_dilations(s),
        n_blocks=s.dilated_blocks,
        ndim=len(spacing),
        norm=s.norm,
        in_plane=_planes_lie_apart(spacing),
        dropout=s.dropout,
        dropout_place=_place(s),
    )


def _distilling(
    s: HighResolutionSettings,
    heads: Mapping[str, int],
    n_channels: int,
    spacing: tuple[float, ...],
) -> nn.Module:
    return DistillingNetwork(
        n_channels,
        heads,
        activations=ACTIVATIONS,
        high_resolution=s.pathway,
        high_resolution_width=s.pathway_width or None,
        dilations=_dilations(s),
        ndim=len(spacing),
        base=s.base_channels,
        levels=s.levels,
        norm=s.norm,
        dropout=s.dropout,
        dropout_place=s.dropout_place,
        pools=pool_factors(spacing, s.levels),
    )


def _plain(
    s: HighResolutionSettings,
    heads: Mapping[str, int],
    n_channels: int,
    spacing: tuple[float, ...],
) -> nn.Module:
    """Return the U-Net; as DCAN, with a second decoder for all heads but the first.

    DCAN itself scores and upsamples the maps of its encoder twice over, for objects
    and for contours. That its decoders are those of a U-Net is ours, and so are its
    channels, by which it has nearly as many parameters as in the paper (20.8 instead of
    21.06 million in 2D).
    """
    pools = pool_factors(spacing, s.levels)
    if s.network == "dcan":
        return JointUNet(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            two_decoders=True,
            ndim=len(spacing),
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            affine=True,
            pools=pools,
            dropout=s.dropout,
            dropout_place=_place(s),
        )
    return UNet(
        n_channels,
        heads,
        activations=ACTIVATIONS,
        ndim=len(spacing),
        base=s.base_channels,
        levels=s.levels,
        norm=s.norm,
        slope=0.0,
        pools=pools,
        high_resolution=s.pathway,
        high_resolution_width=s.pathway_width or None,
        dropout=s.dropout,
        dropout_place=_place(s),
    )


def _as_published(
    s: HighResolutionSettings,
    heads: Mapping[str, int],
    n_channels: int,
    spacing: tuple[float, ...],
) -> nn.Module:
    """Return a network whose levels are those of its own paper.

    So is dropout, but for FCN, whose normalisation stands in for it.
    """
    ndim, base = len(spacing), s.base_channels
    if s.network == "isensee":
        return IsenseeUNet(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            ndim=ndim,
            base=base,
            norm=s.norm,
            pools=pool_factors(spacing, LEVELS),
        )
    if s.network == "deepmedic":
        return DeepMedic(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            ndim=ndim,
            base=base,
            in_plane=_planes_lie_apart(spacing),
        )
    if s.network == "dense_seg":
        return DenseSeg(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            ndim=ndim,
            base=base,
            pools=pool_factors(spacing, N_BLOCKS + 1),
        )
    return FCN(
        n_channels,
        heads,
        activations=ACTIVATIONS,
        ndim=ndim,
        base=base,
        dropout=s.dropout,
        dropout_place=_place(s),
    )


def _place(s: HighResolutionSettings) -> DropoutPlace:
    """Return where networks drop maps that have no stages like the paper's."""
    return "decoder" if s.dropout_place == "stages" else s.dropout_place


def _dilations(s: HighResolutionSettings) -> tuple[int, int]:
    near, far = (int(d) for d in s.dilation.split(","))
    return near, far


def _planes_lie_apart(spacing: tuple[float, ...]) -> bool:
    first, *_ = pool_factors(spacing, 2)
    return is_in_plane(first)
