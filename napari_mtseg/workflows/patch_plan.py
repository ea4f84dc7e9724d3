"""Patch and batch sizes that fit images and memory, and the sampler they give."""

import numpy as np

from napari_mtseg.batches.patches import PatchSampler, patch_size
from napari_mtseg.batches.warp import Augmentation
from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.methods.protocol import Method
from napari_mtseg.workflows.devices import StepMemory, free_memory
from napari_mtseg.workflows.learner import Learner
from napari_mtseg.workflows.memory_estimate import (
    memory_sentence,
    patches_in_words,
    smaller_batch,
    step_memory_of,
)
from napari_mtseg.workflows.process_group import all_say
from napari_mtseg.workflows.processes import n_processes, place, share_of_batch
from napari_mtseg.workflows.training_data import TrainingData


class PatchPlan:
    """How patches are drawn from the training images."""

    def __init__(self, method: Method, data: TrainingData, learner: Learner) -> None:
        s = method.settings
        self._method = method
        self._data = data
        self._learner = learner
        self._shapes = [image.pixels.shape[1:] for image in data.images]
        self.batch_size = s.batch_size
        self.size = patch_size(
            self._shapes,
            patch=s.patch,
            depth=s.patch_depth,
            multiple=learner.size_multiple,
        )
        self._step_memory = step_memory_of(method, learner.network, size=self.size)

    def fit_to_memory(self) -> str | None:
        """Halve the batch until a step fits; return what the user should know.

        Of several devices each holds its share, and the smallest decides.

        Raises
        ------
        MemoryShortageError
            If not even one patch fits, or one on each device.
        SettingsError
            If the devices cannot share the batch evenly.
        """
        before, n = self.batch_size, n_processes()
        shares = all_say(self._fitting_share(share_of_batch(before, n)))
        for share in shares:
            if isinstance(share, str):
                raise MemoryShortageError(share)
        self.batch_size = n * min(share for share in shares if isinstance(share, int))
        fits = self.batch_size == before
        return None if fits else smaller_batch(before, self.batch_size)

    def _fitting_share(self, share: int) -> int | str:
        """Return the patches of this process that fit, or why not even one does."""
        free = free_memory(self._learner.device)
        try:
            return self._memory_here().fitting(share, free=free)
        except MemoryShortageError as error:
            return str(error)

    def _n_sharing(self) -> int:
        """Return how many processes share the memory that this one uses."""
        return place().n_here if self._learner.device.type == "cpu" else 1

    def _memory_here(self) -> StepMemory:
        """Return what steps of all processes take that share a memory.

        Its batch size is that of one of them.
        """
        n, step = self._n_sharing(), self._step_memory
        return StepMemory(per_patch=n * step.per_patch, fixed=n * step.fixed)

    def memory_sentence(self) -> str:
        """Return what a step and the images take of the memory, as one sentence."""
        device = self._learner.device
        share = share_of_batch(self.batch_size, n_processes())
        return memory_sentence(
            self._memory_here().of(share),
            self._data.memory,
            batch_size=self._n_sharing() * share,
            free_on_gpu=None if device.type == "cpu" else free_memory(device),
        )

    def halve(self) -> str:
        """Halve the batch after the memory ran out; return what the user should know.

        Raises
        ------
        MemoryShortageError
            If there is one patch only, or several processes share the batch.
        """
        before = self.batch_size
        if before == 1 or n_processes() > 1:
            raise MemoryShortageError(
                f"The memory does not hold {patches_in_words(before)}. Set a smaller "
                "patch, batch_size or base_channels, and train again."
            )
        self.batch_size = before // 2
        return smaller_batch(before, self.batch_size)

    def shrunk(self) -> str | None:
        """Return a sentence if the images are smaller than the patches asked for."""
        s = self._method.settings
        wanted = (s.patch_depth, s.patch, s.patch)[-len(self.size) :]
        largest = tuple(int(n) for n in np.max(self._shapes, axis=0))
        if all(n >= w for n, w in zip(largest, wanted, strict=True)):
            return None
        found, asked = (" x ".join(str(n) for n in size) for size in (largest, wanted))
        return (
            f"The training images are {found} pixels at most but patches of {asked} "
            "were asked for: the patches are shrunk to the images."
        )

    def sampler(self, iteration: int) -> PatchSampler:
        """Return what draws batches with the labels of an iteration."""
        s = self._method.settings
        return PatchSampler(
            self._data.patches(iteration),
            size=self.size,
            batch_size=self.batch_size,
            known_share=s.known_share,
            augmentation=Augmentation(
                flip=s.flip, rotate=s.rotate, rescale=s.rescale, intensity=s.intensity
            ),
        )
