"""Patches of annotated images: where they are taken, and how they become a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.batches.batch import Batch
from napari_mtseg.batches.places import known_places
from napari_mtseg.batches.warp import (
    Augmentation,
    magnifications,
    random_intensities,
    random_matrices,
    source_size,
    warp,
    with_intensities,
)
from napari_mtseg.domain.targets import IGNORE, ImageTargets


class SliceablePixels(Protocol):
    """Normalised pixels ``(C, [Z,] Y, X)``; a NumPy array, or read when sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, [Z,] Y, X)."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the float32 pixels of a tuple of slices."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingImage:
    """One image ready for training."""

    pixels: SliceablePixels
    """(C, [Z,] Y, X) normalised"""
    targets: ImageTargets
    places: tuple[tuple[NDArray[np.int64], ...], ...]
    """class -> object -> flat indices of known pixels"""


def training_image(
    pixels: SliceablePixels, targets: ImageTargets, *, rng: np.random.Generator
) -> TrainingImage:
    """Prepare an image for drawing patches.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X) float32
        Normalised image; of a lazy one each patch reads its region alone.
    targets : ImageTargets
        Maps of the same spatial shape.
    rng : Generator
        Thins out the known pixels of large images.
    """
    return TrainingImage(
        pixels=pixels, targets=targets, places=known_places(targets, rng)
    )


class PatchSampler:
    """Draws batches from annotated images.

    Strata (fully and weakly annotated images) take turns within a batch, and which
    one begins is drawn, so that batches of one patch visit all. A share of the
    patches is centred on known pixels, evenly over classes, then over objects or
    strokes; the rest is spread evenly (METHODS.md section 6, ours).

    Parameters
    ----------
    images : sequence of TrainingImage
        At least one; all with the same channels and the same maps.
    size : tuple of int
        ([Z,] Y, X) of the patches. What lies beyond an image is mirrored, and IGNORE
        in class maps.
    batch_size : int
        Patches per batch.
    known_share : float
        Share of the patches that are centred on a known pixel, 0..1.
    augmentation : Augmentation
        How much patches are changed.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        *,
        size: tuple[int, ...],
        batch_size: int,
        known_share: float,
        augmentation: Augmentation,
    ) -> None:
        strata = sorted({image.targets.stratum for image in images})
        self._strata = [[i for i in images if i.targets.stratum == s] for s in strata]
        self._size = size
        self._known_share = known_share
        self._augmentation = augmentation
        self.batch_size = batch_size

    def draw(
        self,
        rng: np.random.Generator,
        *,
        device: torch.device,
        layout: torch.memory_format = torch.contiguous_format,
        part: slice = slice(None),
    ) -> Batch:
        """Draw the next batch.

        Parameters
        ----------
        rng : Generator
            All randomness of the batch.
        device : torch.device
            Where the warp runs and the batch ends up.
        layout : torch.memory_format
            Of the image patches.
        part : slice
            Patches of the batch that this process trains on, of several.
        """
        n, n_axes = self.batch_size, len(self._size)
        first = int(rng.integers(len(self._strata)))
        chosen = [self._choose(first + i, rng) for i in range(n)]
        n_channels = chosen[0][0].pixels.shape[0]
        # All is drawn for the whole batch: the parts of several processes fit together.
        matrices = random_matrices(self._augmentation, n, n_axes, rng)
        intensities = random_intensities(self._augmentation, n, n_channels, rng)
        linear, nearest = (t.to(device) for t in self._cut(chosen[part]))
        if self._augmentation.moves:
            moved = torch.from_numpy(matrices[part]).to(device)
            patches, labels = warp(linear, nearest, moved, self._size)
        else:
            patches, labels = linear, nearest.long()
        changes = torch.from_numpy(intensities[:, part]).to(device)
        image = with_intensities(patches[:, :n_channels], changes)
        image = image.contiguous(memory_format=layout)
        maps = chosen[0][0].targets.maps
        return Batch(
            image=image,
            targets=_named(maps, patches[:, n_channels:], labels),
            magnification=torch.from_numpy(magnifications(matrices[part])).to(device),
            facts=_stacked_facts([image.targets for image, _ in chosen[part]], device),
        )

    def _cut(
        self, chosen: Sequence[tuple[TrainingImage, tuple[int, ...]]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut the source region of each patch: what is warped linearly, and codes."""
        size = source_size(self._augmentation, self._size)
        first = chosen[0][0]
        n_codes = sum(m.dtype == np.uint8 for m in first.targets.maps.values())
        n_linear = first.pixels.shape[0] + len(first.targets.maps) - n_codes
        linear = np.empty((len(chosen), n_linear, *size), np.float32)
        codes = np.full((len(chosen), n_codes, *size), IGNORE, np.uint8)
        for (image, centre), values, labels in zip(chosen, linear, codes, strict=True):
            _fill_region(values, labels, image, centre)
        return torch.from_numpy(linear), torch.from_numpy(codes)

    def _choose(
        self, slot: int, rng: np.random.Generator
    ) -> tuple[TrainingImage, tuple[int, ...]]:
        stratum = self._strata[slot % len(self._strata)]
        image = stratum[rng.integers(len(stratum))]
        shape = image.pixels.shape[1:]
        if image.places and rng.random() < self._known_share:
            objects = image.places[rng.integers(len(image.places))]
            pixels = objects[rng.integers(len(objects))]
            flat = pixels[rng.integers(len(pixels))]
            return image, tuple(int(i) for i in np.unravel_index(flat, shape))
        return image, tuple(
            _centre(n, p, rng) for n, p in zip(shape, self._size, strict=True)
        )


def patch_size(
    shapes: Sequence[tuple[int, ...]],
    *,
    patch: int,
    depth: int,
    multiple: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the patch size that fits the images, in multiples the network can halve.

    Parameters
    ----------
    shapes : sequence of ([Z,] Y, X)
        Shapes of the training images.
    patch, depth : int
        Wanted height and width, and planes, in pixels.
    multiple : tuple of int
        What each axis must be a multiple of; images that are smaller are padded.
    """
    largest = np.max(shapes, axis=0)
    wanted = (depth, patch, patch)[-len(largest) :]
    fit = np.minimum(wanted, largest)
    return tuple(int(-(-n // m) * m) for n, m in zip(fit, multiple, strict=True))


def _centre(length: int, patch: int, rng: np.random.Generator) -> int:
    low, high = patch // 2, length - (patch + 1) // 2
    return length // 2 if high <= low else int(rng.integers(low, high + 1))


def _fill_region(
    values: NDArray[np.float32],
    codes: NDArray[np.uint8],
    image: TrainingImage,
    centre: tuple[int, ...],
) -> None:
    """Copy the region around ``centre``, mirrored where it leaves the image.

    ``codes`` holds IGNORE, and keeps it outside the image.
    """
    shape = image.pixels.shape[1:]
    start = [c - n // 2 for c, n in zip(centre, values.shape[1:], strict=True)]
    stop = [s + n for s, n in zip(start, values.shape[1:], strict=True)]
    inside = [slice(max(0, -s), n - s) for s, n in zip(start, shape, strict=True)]
    source = tuple(
        slice(max(0, s), min(e, n)) for s, e, n in zip(start, stop, shape, strict=True)
    )
    n_channels = image.pixels.shape[0]
    values[(slice(n_channels), *inside)] = image.pixels[(slice(None), *source)]
    maps = image.targets.maps.values()
    linear = (m for m in maps if m.dtype != np.uint8)
    for value, target in zip(values[n_channels:], linear, strict=True):
        value[tuple(inside)] = target[source]
    nearest = (m for m in maps if m.dtype == np.uint8)
    for code, target in zip(codes, nearest, strict=True):
        code[tuple(inside)] = target[source]
    for axis, (low, length) in enumerate(zip(start, shape, strict=True), start=1):
        _mirror_beyond(np.moveaxis(values, axis, 0), low, length)


def _mirror_beyond(lines: NDArray[np.float32], start: int, length: int) -> None:
    """Fill the lines outside an image of ``length`` from those inside, in place.

    Line ``i`` shows place ``start + i``. The region is centred on a place of the
    image, so that it shows the mirror image of every place that it shows outside.
    """
    places = np.arange(start, start + len(lines))
    outside = np.flatnonzero((places < 0) | (places >= length))
    if len(outside):
        folded = np.mod(places[outside], 2 * length)
        lines[outside] = lines[np.minimum(folded, 2 * length - 1 - folded) - start]


def _named(
    maps: Mapping[str, NDArray[np.generic]], linear: torch.Tensor, nearest: torch.Tensor
) -> dict[str, torch.Tensor]:
    continuous = iter(linear.unbind(1))
    classes = iter(nearest.unbind(1))
    return {
        name: next(classes) if target.dtype == np.uint8 else next(continuous)
        for name, target in maps.items()
    }


def _stacked_facts(
    targets: Sequence[ImageTargets], device: torch.device
) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(np.stack([t.facts[name] for t in targets])).to(device)
        for name in targets[0].facts
    }
