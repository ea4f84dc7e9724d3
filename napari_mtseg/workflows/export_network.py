"""The network of a model as other programs run it, and as PyTorch traces it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import Dim, ExportedProgram

from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.methods.protocol import Method, Task
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_trial import normalised_image
from napari_mtseg.workflows.quiet_libraries import quiet_libraries
from napari_mtseg.workflows.trained_model import trained_network

AXES = ("z", "y", "x")

TRACED_FACTOR, TRACED_BATCH = 3, 2
"""cells of the pooling grid per axis, and images, of the input that is traced"""

TRIED = ((1, (2, 2, 4)), (2, (4, 5, 2)))
"""images, and cells of the grid per axis, of the inputs on which a trace is checked"""


def architecture(
    *,
    method: str,
    settings: Mapping[str, Any],
    n_channels: int,
    n_classes: int,
    spacing: Sequence[float],
    n_scenes: int = 0,
) -> ExportedNetwork:
    """Make the network of a method with random weights, as it is exported.

    BioImage.IO models name this function as their architecture.

    Parameters
    ----------
    method : str
        Key of the method.
    settings : mapping
        The method's settings.
    n_channels : int
        Channels of the images.
    n_classes : int
        Classes without background.
    spacing : sequence of float
        Voxel size ([Z,] Y, X): as many as the images have dimensions.
    n_scenes : int
        Scenes an image can be of.

    Raises
    ------
    SettingsError
        If there is no such method, or a setting is not allowed.
    """
    task = Task(
        n_channels=n_channels,
        n_classes=n_classes,
        spacing=tuple(spacing),
        n_scenes=n_scenes,
    )
    made: Method = load_method(method)(settings_model(method).checked(settings), task)
    return ExportedNetwork(made.network())


def facts_of_architecture(info: ModelInfo) -> dict[str, Any]:
    """Return what :func:`architecture` is called with for a model."""
    return {
        "method": info.method,
        "settings": info.settings,
        "n_channels": info.n_channels,
        "n_classes": len(info.classes),
        "spacing": list(info.spacing),
        "n_scenes": len(info.scenes),
    }


def exported_network(info: ModelInfo, tensors: Mapping[str, Tensor]) -> ExportedNetwork:
    """Return a model's network with its weights, in eval mode, without gradients.

    Raises
    ------
    ModelError
        If the weights do not fit the model's settings, or are not finite.
    """
    network = ExportedNetwork(trained_network(info, tensors))
    return network.eval().requires_grad_(False)


def traced(network: ExportedNetwork, n_channels: int) -> ExportedProgram:
    """Return the network as a graph for any number of images of many sizes.

    Sizes are multiples of ``network.size_multiple``, from ``network.least_size`` on:
    what the network does for other sizes, padding, is no part of the graph.

    Parameters
    ----------
    network : ExportedNetwork
        In eval mode.
    n_channels : int
        Channels of the images.
    """
    size = network.sizes(*(TRACED_FACTOR,) * len(network.size_multiple))
    dims: dict[int, Any] = {0: Dim("batch", min=1)}
    names = AXES[-len(size) :]
    for axis, (name, cell, least) in enumerate(
        zip(names, network.size_multiple, network.least_size, strict=True), start=2
    ):
        cells = Dim(name if cell == 1 else f"{name}_cells", min=least // cell)
        dims[axis] = cells if cell == 1 else cell * cells
    example = torch.zeros(TRACED_BATCH, n_channels, *size)
    with torch.no_grad(), quiet_libraries():
        return torch.export.export(
            network, (example,), dynamic_shapes=(dims,), strict=False
        )


def tried_inputs(
    info: ModelInfo, network: ExportedNetwork
) -> tuple[NDArray[np.float32], ...]:
    """Return normalised images (N, C, [Z,] Y, X) of other sizes than the traced one."""
    found = []
    for n_images, factors in TRIED:
        size = network.sizes(*factors[-info.ndim :])
        image = normalised_image(info, size)
        mirrored = image[..., ::-1]
        found.append(np.stack([image, mirrored][:n_images]))
    return tuple(found)


def answers(
    network: ExportedNetwork, images: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Return what the network itself says, (N, channels, ...) per head."""
    with torch.inference_mode():
        said = network(torch.from_numpy(np.ascontiguousarray(images)))
    return tuple(answer.numpy() for answer in said)


def size_in_words(images: NDArray[np.float32]) -> str:
    """Return number and size of images for a sentence.

    Examples
    --------
    >>> size_in_words(np.zeros((1, 3, 64, 128), np.float32))
    '1 image of 64 x 128'
    """
    n = len(images)
    size = " x ".join(map(str, images.shape[2:]))
    return f"{n} image{'s' * (n != 1)} of {size}"
