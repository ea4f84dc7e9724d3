"""A generated image on which exported models are tried: nobody's data."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.batches.normalisation import normalisation_of
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.trained_model import trained_method

DISCS = 12
"""bright discs of an image"""

GROUND, LIGHT, NOISE = 30.0, 160.0, 6.0
"""intensity of the ground, of a disc on top of it, and of the noise"""


def generated_image(n_channels: int, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return bright discs (balls in 3D) on a dark ground; always the same ones.

    Parameters
    ----------
    n_channels : int
        Each shows the same discs, further ones fainter.
    size : tuple of int
        ([Z,] Y, X).

    Returns
    -------
    (C, [Z,] Y, X) float32
        About 20..220.
    """
    rng = np.random.default_rng(0)
    grid = np.indices(size, np.float32)
    shown = np.zeros(size, np.float32)
    for _ in range(DISCS):
        centre = [rng.uniform(0, n) for n in size]
        radius = rng.uniform(0.05, 0.11) * min(size[-2:])
        offsets = [(g - c) / radius for g, c in zip(grid, centre, strict=True)]
        distance = np.sqrt(sum(o**2 for o in offsets))
        shown = np.maximum(shown, 0.5 - 0.5 * np.tanh(3 * (distance - 1)))
    brightness = LIGHT / np.arange(1, n_channels + 1)
    ideal = GROUND + brightness.reshape(-1, *(1,) * len(size)) * shown
    noise = rng.normal(0, NOISE, ideal.shape)
    return (ideal + noise).astype(np.float32)


def normalised_image(info: ModelInfo, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return :func:`generated_image` as the network of a model sees it, (C, ...)."""
    pixels = generated_image(info.n_channels, size)
    kind = trained_method(info).settings.normalisation
    return normalisation_of(pixels, kind)(pixels)
