"""Which training images are held in memory, and what that takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.main_memory import free_main_memory
from napari_mtseg.storage.stored_array import size_text
from napari_mtseg.workflows.annotated_places import Place, is_large
from napari_mtseg.workflows.devices import gib

BYTES_PER_PIXEL = 24
"""annotation layers, targets and growth of one painted pixel, beside its channels"""

VALIDATED_BYTES_PER_PIXEL = 9
"""annotation layers of one pixel of a validation image"""

PREDICTED_BYTES_PER_PIXEL = 18
"""one pixel while it is predicted and scored, beside its annotation and classes"""

PREDICTED_BYTES_PER_CLASS = 6
"""one class of one pixel while it is predicted and scored"""

BYTES_PER_INTENSITY = 4
"""one channel of one pixel, as a network sees it"""

HELD_SHARE = 0.25
"""share of the free memory that pixels of training images may take (ours)"""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What decides how much memory one training image takes."""

    entry: ImageEntry
    is_painted: bool
    """whether it has labels beside its pixels"""
    box: Box | None = None
    """part of a large image that is learned from; None for all of it"""

    @property
    def place(self) -> Place:
        """The image, or the part of it."""
        return Place(entry=self.entry, box=self.box)

    @property
    def n_pixels(self) -> int:
        """Pixels (voxels) of one channel."""
        return prod(self.place.shape)


@dataclass(frozen=True, kw_only=True)
class DataMemory:
    """What the training images take of the main memory."""

    n_images: int
    """those that are learned from; parts of a large image count as images"""
    from_disk: frozenset[str]
    """names of the images and parts of which each patch is read from the file"""
    held: int
    """bytes of the pixels and labels that stay in memory"""
    free: int
    """bytes that were free before"""


def data_memory(images: Sequence[Footprint], *, n_channels: int) -> DataMemory:
    """Decide which training images are held in memory, and what that takes.

    All are, unless their pixels took more than HELD_SHARE of what is free: then the
    largest ones are read from disk, as many as it takes.

    Parameters
    ----------
    images : sequence of Footprint
        Those that are learned from.
    n_channels : int
        Channels of each, as the network sees it.

    Raises
    ------
    MemoryShortageError
        If the labels alone do not fit.
    """
    free = free_main_memory()
    per_pixel = BYTES_PER_INTENSITY * n_channels
    pixels = sum(image.n_pixels for image in images) * per_pixel
    from_disk = []
    largest_first = sorted(images, key=lambda image: image.n_pixels, reverse=True)
    for image in largest_first:
        if pixels <= HELD_SHARE * free:
            break
        pixels -= image.n_pixels * per_pixel
        from_disk.append(image.place.key)
    painted = [image for image in largest_first if image.is_painted]
    labels = sum(image.n_pixels for image in painted) * BYTES_PER_PIXEL
    if labels + pixels > free:
        raise MemoryShortageError(
            f"The {len(images)} training images need about {gib(labels + pixels)} of "
            f"memory but {gib(free)} are free. {_way_out(largest_first[0])}"
        )
    return DataMemory(
        n_images=len(images),
        from_disk=frozenset(from_disk),
        held=labels + pixels,
        free=free,
    )


def check_validation_memory(images: Sequence[Footprint], *, n_classes: int) -> None:
    """Refuse validation images that do not fit into memory, before they are read.

    The annotations of all are held, and each image or part is predicted whole.

    Parameters
    ----------
    images : sequence of Footprint
        Those that validate; unpainted ones take nothing.
    n_classes : int
        Classes that are predicted, without the background.

    Raises
    ------
    MemoryShortageError
        If they need more than is free.
    """
    painted = [image for image in images if image.is_painted]
    if not painted:
        return
    free = free_main_memory()
    largest = max(painted, key=lambda image: image.n_pixels)
    per_pixel = PREDICTED_BYTES_PER_PIXEL + PREDICTED_BYTES_PER_CLASS * n_classes
    labels = sum(image.n_pixels for image in painted) * VALIDATED_BYTES_PER_PIXEL
    needed = labels + largest.n_pixels * per_pixel
    if needed > free:
        raise MemoryShortageError(
            f"To validate needs about {gib(needed)} of memory but {gib(free)} are "
            f"free. {_way_out(largest)}"
        )


def _way_out(largest: Footprint) -> str:
    """Return what to do where the labels do not fit into memory."""
    name = largest.entry.name
    if largest.is_painted and is_large(largest.entry):
        if largest.box is None:
            return (
                f"Of '{name}' all pixels are used, since all of it is complete or "
                "every object marked: mark boxes as complete instead."
            )
        return (
            f"Paint on '{name}' that lies close together reaches over "
            f"{size_text(largest.box.shape)} pixels, all of which are used: erase "
            "parts of long strokes, so that what is left lies far apart."
        )
    return f"Cut the largest, '{name}', into tiles, or annotate fewer images."
