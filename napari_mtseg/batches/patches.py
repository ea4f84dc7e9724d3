"""Patches of annotated images: where they are taken, and how they become a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.batches.batch import Batch
from napari_mtseg.batches.warp import (
    Augmentation,
    random_intensity,
    random_matrices,
    warp,
)
from napari_mtseg.domain.targets import IGNORE, ImageTargets

MAX_PLACES = 200_000
"""known pixels per image among which patch centres are drawn"""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingImage:
    """One image ready for training."""

    pixels: NDArray[np.float32]
    """(C, [Z,] Y, X) normalised"""
    targets: ImageTargets
    places: tuple[tuple[NDArray[np.int64], ...], ...]
    """class -> object -> flat indices of known pixels"""


def training_image(
    pixels: NDArray[np.float32], targets: ImageTargets, *, rng: np.random.Generator
) -> TrainingImage:
    """Prepare an image for drawing patches.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X) float32
        Normalised image.
    targets : ImageTargets
        Maps of the same spatial shape.
    rng : Generator
        Thins out the known pixels of large images.
    """
    return TrainingImage(pixels=pixels, targets=targets, places=_places(targets, rng))


class PatchSampler:
    """Draws batches from annotated images.

    Strata (fully and weakly annotated images) take turns within a batch. A share of
    the patches is centred on known pixels, evenly over classes, then over objects or
    strokes; the rest is spread evenly (METHODS.md section 6, ours).
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
        chosen = [self._choose(i, rng) for i in range(self.batch_size)]
        n_axes = len(self._size)
        matrices = random_matrices(self._augmentation, self.batch_size, n_axes, rng)
        source = self._source_size()
        cut = [_cut(image, centre, source) for image, centre in chosen[part]]
        linear = torch.from_numpy(np.stack([c[0] for c in cut])).to(device)
        nearest = torch.from_numpy(np.stack([c[1] for c in cut])).to(device)
        patches, labels = warp(
            linear, nearest, torch.from_numpy(matrices[part]).to(device), self._size
        )
        n_channels = chosen[0][0].pixels.shape[0]
        image = random_intensity(patches[:, :n_channels], self._augmentation, rng)
        image = image.contiguous(memory_format=layout)
        maps = chosen[0][0].targets.maps
        return Batch(image=image, targets=_named(maps, patches[:, n_channels:], labels))

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
        return image, tuple(_centre(n, p, rng) for n, p in zip(shape, self._size, strict=True))

    def _source_size(self) -> tuple[int, ...]:
        reach = [self._augmentation.reach] * len(self._size)
        if len(self._size) == 3:  # noqa: PLR2004
            reach[0] = self._augmentation.reach_in_depth
        wide = (int(np.ceil(n * r)) + 2 for n, r in zip(self._size, reach, strict=True))
        # Same parity as the patch: both centres are then the same point.
        return tuple(w + (w - n) % 2 for w, n in zip(wide, self._size, strict=True))


def patch_size(
    shapes: Sequence[tuple[int, ...]], *, patch: int, depth: int, multiple: tuple[int, ...]
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


def _cut(
    image: TrainingImage, centre: tuple[int, ...], size: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    shape = image.pixels.shape[1:]
    indices, inside = zip(
        *(_mirrored(c - n // 2, n, length) for c, n, length in zip(centre, size, shape, strict=True)),
        strict=True,
    )
    grid = np.ix_(*indices)
    maps = image.targets.maps.values()
    linear = [image.pixels[(slice(None), *grid)]]
    linear += [m[grid][np.newaxis] for m in maps if m.dtype != np.uint8]
    nearest = [m[grid] for m in maps if m.dtype == np.uint8]
    labels = np.stack(nearest) if nearest else np.zeros((0, *size), np.uint8)
    if not all(i.all() for i in inside):
        known = reduce(np.logical_and.outer, inside)
        labels = np.where(known, labels, np.uint8(IGNORE))
    return np.concatenate(linear, dtype=np.float32), labels


def _mirrored(
    start: int, n: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    places = np.arange(start, start + n)
    inside = (places >= 0) & (places < length)
    folded = np.mod(places, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded), inside


def _named(
    maps: Mapping[str, NDArray[np.generic]], linear: torch.Tensor, nearest: torch.Tensor
) -> dict[str, torch.Tensor]:
    continuous = iter(linear.unbind(1))
    classes = iter(nearest.unbind(1))
    return {
        name: next(classes) if target.dtype == np.uint8 else next(continuous)
        for name, target in maps.items()
    }


def _places(
    targets: ImageTargets, rng: np.random.Generator
) -> tuple[tuple[NDArray[np.int64], ...], ...]:
    flat = np.flatnonzero(targets.known != IGNORE)
    if len(flat) > MAX_PLACES:
        flat = np.sort(rng.choice(flat, MAX_PLACES, replace=False))
    if len(flat) == 0:
        return ()
    classes = targets.known.ravel()[flat]
    objects = np.where(classes == 0, 0, targets.objects.ravel()[flat])
    order = np.lexsort((objects, classes))
    flat, classes, objects = flat[order], classes[order], objects[order]
    found = []
    for group in np.split(np.arange(len(flat)), np.flatnonzero(np.diff(classes)) + 1):
        cuts = np.flatnonzero(np.diff(objects[group])) + 1
        found.append(tuple(np.split(flat[group], cuts)))
    return tuple(found)
