"""What a training will take of the memory, told before it starts, from shapes alone."""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import nn

from napari_mtseg.batches.patches import patch_size
from napari_mtseg.methods.protocol import Method
from napari_mtseg.workflows.data_memory import DataMemory, Footprint, data_memory
from napari_mtseg.workflows.devices import StepMemory, free_memory, gib, step_memory


class MemoryEstimates:
    """Tells what trainings would take; asked the same again, it is quick."""

    def __init__(self) -> None:
        self._question: Hashable = None
        self._answer = StepMemory(per_patch=0, fixed=0)

    def sentences(
        self, method: Method, images: Sequence[Footprint], *, device: torch.device
    ) -> tuple[str, ...]:
        """Return what the user should know of the memory before a training.

        Parameters
        ----------
        method : Method
            With the settings of the training.
        images : sequence of Footprint
            At least one: those that it learns from.
        device : torch.device
            Where it would train.

        Raises
        ------
        MemoryShortageError
            If not even one patch, or not all labels fit.
        """
        data = data_memory(images, n_channels=method.task.n_channels)
        on_cpu = device.type == "cpu"
        free = max(data.free - data.held, 0) if on_cpu else free_memory(device)
        step = self._step(method, tuple(image.place.shape for image in images))
        wanted = method.settings.batch_size
        fitting = step.fitting(wanted, free=free)
        told = memory_sentence(
            step.of(fitting),
            data,
            batch_size=fitting,
            free_on_gpu=None if on_cpu else free,
        )
        return (told, smaller_batch(wanted, fitting)) if fitting < wanted else (told,)

    def _step(self, method: Method, shapes: tuple[tuple[int, ...], ...]) -> StepMemory:
        settings = method.settings
        question = (method.key, settings.model_dump_json(), method.task, shapes)
        if question != self._question:
            with torch.device("meta"):
                network: Any = method.network()
            size = patch_size(
                shapes,
                patch=settings.patch,
                depth=settings.patch_depth,
                multiple=network.size_multiple,
            )
            self._answer = step_memory_of(method, network, size=size)
            self._question = question
        return self._answer


def step_memory_of(
    method: Method, network: nn.Module, *, size: tuple[int, ...]
) -> StepMemory:
    """Return what a step with the network of a method needs, its adversary included.

    Parameters
    ----------
    method : Method
        With the settings of the training.
    network : Module
        What the method made, on any device.
    size : ([Z,] Y, X)
        Patch size in pixels.
    """
    with torch.device("meta"):
        adversary = method.adversary()
    return step_memory(
        network,
        n_channels=method.task.n_channels,
        size=size,
        adversary=None if adversary is None else adversary.network,
    )


def memory_sentence(
    step: int, data: DataMemory, *, batch_size: int, free_on_gpu: int | None = None
) -> str:
    """Return what a training takes of the memory, as one sentence with figures.

    Parameters
    ----------
    step : int
        Bytes of one training step.
    data : DataMemory
        Of the training images.
    batch_size : int
        Patches per step.
    free_on_gpu : int, optional
        Bytes that are free on the GPU that the step runs on; it runs in the main
        memory where this is left out.
    """
    taken = f"A step with {patches_in_words(batch_size)} takes about {gib(step)}"
    n = data.n_images
    images = f"{n} image{'s' * (n > 1)} with their labels {gib(data.held)}"
    free = f"{gib(data.free)} of memory that are free"
    if free_on_gpu is None:
        sentence = f"{taken} and {images}, of {free}"
    else:
        on_gpu = f"of {gib(free_on_gpu)} that are free on the GPU"
        sentence = f"{taken} {on_gpu}, and {images}, of {free}"
    n_lazy = len(data.from_disk)
    if n_lazy == 0:
        return f"{sentence}."
    those = "it" if n == 1 else "all" if n_lazy == n else f"{n_lazy} of them"
    are = "is" if those == "it" or n_lazy == 1 else "are"
    return f"{sentence}; {those} {are} read from disk, patch by patch."


def smaller_batch(before: int, now: int) -> str:
    """Return the sentence for a batch that the memory made smaller."""
    return (
        f"The memory does not hold {patches_in_words(before)} at once: training goes "
        f"on with {patches_in_words(now)} per step."
    )


def patches_in_words(n: int) -> str:
    """Return '1 patch' or '8 patches'."""
    return f"{n} patch" if n == 1 else f"{n} patches"
