"""Augmentation as one batched warp on the device, for images and targets together."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How much patches are changed."""

    flip: bool = True
    """mirror along every axis, each with probability 1/2"""
    rotate: float = 180.0
    """largest rotation in the plane, degrees"""
    rescale: float = 1.25
    """largest magnification; its inverse is the smallest"""
    intensity: float = 0.1
    """largest change of brightness and contrast"""

    @property
    def reach(self) -> float:
        """How much wider than the patch the source region has to be in the plane."""
        radians = math.radians(min(self.rotate, 45.0))
        return self.rescale * (math.cos(radians) + math.sin(radians))

    @property
    def reach_in_depth(self) -> float:
        """How much deeper than the patch the source region has to be."""
        return self.rescale


def random_matrices(
    augmentation: Augmentation, n: int, ndim: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw what maps output offsets from the patch centre to source offsets, in pixels.

    Rotation is in the plane (Y, X) only, since the third axis of biomedical volumes
    is usually sampled differently.

    Parameters
    ----------
    augmentation : Augmentation
        How much to change.
    n : int
        Number of patches.
    ndim : int
        2 or 3.
    rng : Generator
        Source of randomness.

    Returns
    -------
    (n, ndim, ndim) float32
        Rows and columns in the order ([Z,] Y, X).
    """
    angle = np.radians(rng.uniform(-augmentation.rotate, augmentation.rotate, n))
    log = math.log(augmentation.rescale)
    scale = np.exp(rng.uniform(-log, log, n))
    signs = np.where(rng.random((n, ndim)) < 0.5, -1.0, 1.0)  # noqa: PLR2004
    if not augmentation.flip:
        signs[:] = 1.0
    matrices = np.zeros((n, ndim, ndim))
    matrices[:, 0, 0] = 1.0
    matrices[:, -2, -2] = matrices[:, -1, -1] = np.cos(angle)
    matrices[:, -2, -1], matrices[:, -1, -2] = -np.sin(angle), np.sin(angle)
    return (matrices * signs[:, np.newaxis, :] / scale[:, np.newaxis, np.newaxis]).astype(
        np.float32
    )


def warp(
    linear: Tensor, nearest: Tensor, matrices: Tensor, size: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Warp source regions to patches around their centres.

    Parameters
    ----------
    linear : (N, A, [Z,] Y, X) float32
        Images and continuous targets.
    nearest : (N, B, [Z,] Y, X) uint8
        Class maps.
    matrices : (N, d, d) float32
        From :func:`random_matrices`.
    size : tuple of int
        ([Z,] Y, X) of the patches.

    Returns
    -------
    (N, A, ...) float32 and (N, B, ...) int64
        The patches; each output value comes from one source place.
    """
    grid = _grid(matrices, tuple(linear.shape[2:]), size)
    patches = F.grid_sample(
        linear, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return patches, _nearest(nearest, grid)


def random_intensity(
    image: Tensor, augmentation: Augmentation, rng: np.random.Generator
) -> Tensor:
    """Change contrast and brightness of each patch and channel."""
    if augmentation.intensity == 0:
        return image
    shape = (*image.shape[:2],) + (1,) * (image.dim() - 2)
    change = rng.uniform(
        -augmentation.intensity, augmentation.intensity, (2, *shape)
    ).astype(np.float32)
    contrast, brightness = torch.from_numpy(change).to(image.device)
    return image * (1 + contrast) + brightness


def _grid(matrices: Tensor, source: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    axes = [
        torch.arange(n, device=matrices.device, dtype=torch.float32) - (n - 1) / 2
        for n in size
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    moved = torch.einsum("nij,...j->n...i", matrices, offsets)
    half = torch.tensor(source, device=matrices.device, dtype=torch.float32) / 2
    return (moved / half).flip(-1)


def _nearest(labels: Tensor, grid: Tensor) -> Tensor:
    size = torch.tensor(labels.shape[2:], device=grid.device)
    places = torch.floor((grid.flip(-1) + 1) * size / 2).long()
    places = torch.minimum(places.clamp_(min=0), size - 1)
    flat = places[..., 0]
    for axis in range(1, places.shape[-1]):
        flat = flat * size[axis] + places[..., axis]
    n, n_maps = labels.shape[:2]
    index = flat.reshape(n, 1, -1).expand(-1, n_maps, -1)
    return labels.flatten(2).gather(2, index).reshape(n, n_maps, *grid.shape[1:-1]).long()
