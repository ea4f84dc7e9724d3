"""Images of different channel counts, read alike."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.project import Colour

N_COLOUR_CHANNELS = 3


def in_colour_mode(pixels: NDArray[np.float32], colour: Colour) -> NDArray[np.float32]:
    """Return pixels with the channels of a colour mode.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X) float32
        1 or 3 channels unless ``colour`` is 'as_is'.
    colour : {'as_is', 'grey', 'rgb'}
        'grey' weighs red, green and blue by ITU-R BT.601; 'rgb' repeats a grey channel.
    """
    if colour == "grey" and pixels.shape[0] == N_COLOUR_CHANNELS:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return np.tensordot(weights, pixels, axes=1)[np.newaxis].astype(np.float32)
    if colour == "rgb" and pixels.shape[0] == 1:
        return np.repeat(pixels, N_COLOUR_CHANNELS, axis=0)
    return pixels
