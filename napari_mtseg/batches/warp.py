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
    def moves(self) -> bool:
        """True if pixels change their place."""
        return self.flip or self.rotate > 0 or self.rescale > 1


def source_size(augmentation: Augmentation, size: tuple[int, ...]) -> tuple[int, ...]:
    """Size of the region around a patch that every warp of it stays within.

    Parameters
    ----------
    augmentation : Augmentation
        How much patches are changed.
    size : tuple of int
        ([Z,] Y, X) of the patches.

    Returns
    -------
    tuple of int
        ([Z,] Y, X), each of the parity of the patch: both have the same centre.
    """
    if not augmentation.moves:
        return size
    *depth, height, width = (float(n) for n in size)
    turn = math.radians(augmentation.rotate)
    turned = (*depth, _turned(height, width, turn), _turned(width, height, turn))
    wide = (math.ceil(n * augmentation.rescale) + 2 for n in turned)
    return tuple(w + (w - n) % 2 for w, n in zip(wide, size, strict=True))


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
    signs = np.where(rng.random((n, ndim)) < 0.5, -1.0, 1.0)
    if not augmentation.flip:
        signs[:] = 1.0
    matrices = np.zeros((n, ndim, ndim))
    matrices[:, 0, 0] = 1.0
    matrices[:, -2, -2] = matrices[:, -1, -1] = np.cos(angle)
    matrices[:, -2, -1], matrices[:, -1, -2] = -np.sin(angle), np.sin(angle)
    return (
        matrices * signs[:, np.newaxis, :] / scale[:, np.newaxis, np.newaxis]
    ).astype(np.float32)


def magnifications(matrices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return by how much each patch of :func:`random_matrices` is enlarged.

    Parameters
    ----------
    matrices : (n, ndim, ndim) float32
        Of output offsets to source offsets, alike along all axes but for turns.

    Returns
    -------
    (n,) float32
        2 where an object looks twice as long.
    """
    volumes = np.abs(np.linalg.det(matrices.astype(np.float64)))
    sizes: NDArray[np.float32] = (volumes ** (-1 / matrices.shape[-1])).astype("f4")
    return sizes


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
    patches = _sampled(linear, grid, "bilinear")
    # Codes up to 255 are exact in float32, and one sampler means one convention.
    return patches, _sampled(nearest.to(linear.dtype), grid, "nearest").long()


def random_intensities(
    augmentation: Augmentation, n: int, n_channels: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw a change of contrast and of brightness per patch and channel.

    Returns
    -------
    (2, n, n_channels) float32
        Contrast as a share, brightness on the normalised scale.
    """
    most = augmentation.intensity
    return rng.uniform(-most, most, (2, n, n_channels)).astype(np.float32)


def with_intensities(image: Tensor, changes: Tensor) -> Tensor:
    """Change contrast and brightness of (N, C, [Z,] Y, X) patches.

    ``changes`` is (2, N, C), from :func:`random_intensities`.
    """
    contrast, brightness = changes.reshape(*changes.shape, *(1,) * (image.dim() - 2))
    return image * (1 + contrast) + brightness


def _turned(along: float, across: float, turn: float) -> float:
    """Largest extent of a box along an axis, turned by up to ``turn`` radians."""
    angle = min(turn, math.atan2(across, along))
    return along * math.cos(angle) + across * math.sin(angle)


def _grid(matrices: Tensor, source: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    axes = [
        torch.arange(n, device=matrices.device, dtype=torch.float32) - (n - 1) / 2
        for n in size
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    moved = torch.einsum("nij,...j->n...i", matrices, offsets)
    half = torch.tensor(source, device=matrices.device, dtype=torch.float32) / 2
    return (moved / half).flip(-1)


def _sampled(maps: Tensor, grid: Tensor, mode: str) -> Tensor:
    return F.grid_sample(
        maps, grid, mode=mode, padding_mode="border", align_corners=False
    )
