"""The network that settings of task decomposition describe."""

from torch import nn

from napari_mtseg.methods.protocol import Task
from napari_mtseg.methods.task_decomposition.readiness import learns_scenes
from napari_mtseg.methods.task_decomposition.settings import TaskDecompositionSettings
from napari_mtseg.networks.anisotropic_network import AnisotropicNetwork
from napari_mtseg.networks.decomposed_network import DecomposedNetwork

PAPERS_BASE_TO_DECODER = 2
"""channels of the encoder's first stage over those of the U-Net decoder's last: 64 and
32 in the paper's networks"""


def network_of(s: TaskDecompositionSettings, task: Task) -> nn.Module:
    """Make the network with random weights: the paper's for 2D or for 3D images."""
    n_outputs = task.n_classes + 1
    n_scenes = task.n_scenes if learns_scenes(s, task) else 0
    if task.ndim == 3:
        return AnisotropicNetwork(
            task.n_channels,
            n_outputs,
            n_scenes,
            classes=s.classes,
            base=s.base_channels,
            width=s.width,
            hidden=s.hidden,
            context=s.context,
            separate_context=s.separate_context,
            decoder=s.decoder,
            low_memory=s.low_memory,
            norm=s.norm,
            # As many as the context has, as in the paper's size: 3D maps are costly.
            decoder_widths=(s.width, max(s.width // 2, 1)),
            dropout=s.dropout,
            dropout_place=s.dropout_place,
        )
    return DecomposedNetwork(
        task.n_channels,
        n_outputs,
        n_scenes,
        classes=s.classes,
        encoder=s.encoder,
        base=s.base_channels,
        width=s.width,
        hidden=s.hidden,
        context=s.context,
        separate_context=s.separate_context,
        decoder=s.decoder,
        low_memory=s.low_memory,
        norm=s.norm,
        decoder_base=max(s.base_channels // PAPERS_BASE_TO_DECODER, 1),
        dropout=s.dropout,
        dropout_place=s.dropout_place,
    )
