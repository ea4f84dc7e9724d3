"""The network that settings of HMEDN describe."""

from collections.abc import Mapping

from torch import nn

from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.methods.high_resolution.settings import HighResolutionSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.high_resolution_pathway import is_in_plane
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
    ndim, width = len(spacing), s.pathway_width or None
    near, far = (int(d) for d in s.dilation.split(","))
    pools = pool_factors(spacing, s.levels)
    if s.network == "dilated":
        return DilatedNetwork(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            width=width or DILATED_WIDTH,
            dilations=(near, far),
            n_blocks=s.dilated_blocks,
            ndim=ndim,
            norm=s.norm,
            in_plane=is_in_plane(pools[0]),
        )
    if s.network == "fcn":
        return FCN(
            n_channels, heads, activations=ACTIVATIONS, ndim=ndim, base=s.base_channels
        )
    if s.network == "unet":
        return UNet(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            ndim=ndim,
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            slope=0.0,
            pools=pools,
            high_resolution=s.pathway,
            high_resolution_width=width,
        )
    if s.network == "distilling":
        return DistillingNetwork(
            n_channels,
            heads,
            activations=ACTIVATIONS,
            high_resolution=s.pathway,
            high_resolution_width=width,
            dilations=(near, far),
            ndim=ndim,
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            dropout=s.dropout,
            pools=pools,
        )
    return EncoderUNet(
        n_channels,
        heads,
        activations=ACTIVATIONS,
        encoder=s.network,
        ndim=ndim,
        base=s.base_channels,
        high_resolution=s.pathway,
        high_resolution_width=width,
    )
