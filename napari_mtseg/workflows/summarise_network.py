"""What the network of a method consists of, for given settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.methods.catalog import load_method
from napari_mtseg.methods.protocol import Method, Task
from napari_mtseg.networks.summary import LayerRow, layer_table, parameter_counts
from napari_mtseg.targets.paint_summary import PaintSummary


@dataclass(frozen=True, kw_only=True)
class NetworkSummary:
    """Layers and parameter counts of one network."""

    layers: tuple[LayerRow, ...]
    """in the order in which they run"""
    conv_weights: int
    """weights of convolutions without biases"""
    total: int
    """all trainable numbers"""
    size: tuple[int, ...]
    """([Z,] Y, X) of the image for which the layers' sizes are given: one patch"""
    receptive_field: tuple[int, ...]
    """([Z,] Y, X) pixels of the image that one pixel of the answer depends on"""
    parts: Mapping[str, int]
    """part in words -> its trainable numbers, where the paper counts by part"""
    context_receptive_fields: tuple[int, ...]
    """pixels in a row that each range of a context ensemble reads, of its own maps"""


def summarise_network(
    key: str, settings: TrainingSettings, task: Task
) -> NetworkSummary:
    """Describe the network that a method makes for a task.

    Shapes alone are computed, on torch's meta device: no memory is taken.

    Raises
    ------
    SettingsError
        If the settings do not make a network, or no training would accept them: in the
        sentences of a training, a line each.
    """
    method: Method = load_method(key)(settings, task)
    if problems := method.readiness(_enough_paint(task)).problems:
        raise SettingsError("\n".join(problems))
    depth = (settings.patch_depth,) if task.ndim == 3 else ()
    size = (*depth, settings.patch, settings.patch)
    try:
        with torch.device("meta"):
            network: Any = method.network()
    except ValueError as error:
        raise SettingsError(
            f"These settings make no network: {error}. Change levels, or what names "
            "one of them."
        ) from None
    return NetworkSummary(
        layers=tuple(layer_table(network, task.n_channels, size)),
        size=size,
        receptive_field=tuple(2 * radius + 1 for radius in network.halo),
        parts=getattr(network, "part_parameters", {}),
        context_receptive_fields=getattr(network, "context_receptive_fields", ()),
        **parameter_counts(network),
    )


def _enough_paint(task: Task) -> PaintSummary:
    """Return paint that lacks nothing: problems that remain are those of settings."""
    return PaintSummary(
        n_images=1,
        n_full=1,
        n_whole=1,
        n_object_pixels=1,
        n_background_pixels=1,
        n_partial=1,
        n_partial_objects=1,
        n_scribbled=1,
        has_strokes=True,
        n_separated=1,
        classes=frozenset(range(1, task.n_classes + 1)),
        has_background=True,
    )
