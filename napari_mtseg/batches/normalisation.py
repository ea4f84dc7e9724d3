"""Intensities brought to a common scale, the same way for training and prediction."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOW, HIGH = 1.0, 99.8
"""percentiles that become -1 and 1 (ours: robust to a few hot pixels)"""

MAX_SAMPLES = 2_000_000
"""pixels looked at per image; a regular grid of them stands for the rest"""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Per channel: subtract ``offset``, then divide by ``scale``."""

    offset: NDArray[np.float32]
    """(C,)"""
    scale: NDArray[np.float32]
    """(C,), > 0"""

    def __call__(self, pixels: ArrayLike) -> NDArray[np.float32]:
        """Normalise (C, [Z,] Y, X) pixels."""
        values = np.asarray(pixels, np.float32)
        shape = (-1,) + (1,) * (values.ndim - 1)
        values = values - self.offset.reshape(shape)
        values /= self.scale.reshape(shape)
        return values


def normalisation_of(
    pixels: NDArray[np.generic], kind: Literal["percentile", "zscore", "none"]
) -> Normalisation:
    """Find the normalisation of one image.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X)
        The whole image, or a lazy array of it.
    kind : {'percentile', 'zscore', 'none'}
        'percentile' maps the 1st and 99.8th percentile of each channel to -1 and 1,
        'zscore' its mean and standard deviation to 0 and 1.
    """
    n_channels = pixels.shape[0]
    if kind == "none":
        return Normalisation(
            np.zeros(n_channels, np.float32), np.ones(n_channels, np.float32)
        )
    sample = _thinned(pixels)
    if kind == "zscore":
        offset, scale = sample.mean(axis=1), sample.std(axis=1)
    else:
        low, high = np.percentile(sample, (LOW, HIGH), axis=1)
        offset, scale = (low + high) / 2, (high - low) / 2
    flat = scale <= 0
    spread = np.maximum(sample.max(axis=1) - sample.min(axis=1), 1e-6)
    scale = np.where(flat, spread, scale)
    return Normalisation(offset.astype(np.float32), scale.astype(np.float32))


def _thinned(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    n_per_channel = int(np.prod(pixels.shape[1:]))
    n_axes = len(pixels.shape) - 1
    stride = max(1, int(np.ceil((n_per_channel / MAX_SAMPLES) ** (1 / n_axes))))
    part = pixels[(slice(None), *(slice(None, None, stride),) * n_axes)]
    return np.asarray(part, np.float32).reshape(pixels.shape[0], -1)
