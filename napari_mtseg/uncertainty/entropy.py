"""Doubt from one prediction: how evenly the probabilities are spread over classes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.slabs import SLAB_PIXELS, slabs


def predictive_entropy(
    probabilities: NDArray[np.floating[Any]],
) -> NDArray[np.float32]:
    """Return how undecided the network is about each pixel.

    This is the entropy of the network's own softmax output, or of its mean over
    several answers. It is not calibrated: a network can be sure and wrong, above all
    on images unlike those it learned from. It orders the pixels of an image by doubt;
    it is no probability of an error.

    Parameters
    ----------
    probabilities : (n_classes + 1, [Z,] Y, X) float
        Sum to 1 over the first axis, which background leads.

    Returns
    -------
    ([Z,] Y, X) float32
        0 where one class is certain, 1 where all are equally probable: the entropy
        in units of its largest value, log(n_classes + 1).

    Raises
    ------
    ValueError
        If there is one probability per pixel or none: then nothing is open to doubt.

    Examples
    --------
    >>> predictive_entropy(np.array([[1.0, 0.5], [0.0, 0.5]])).tolist()
    [0.0, 1.0]
    """
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    # In parts, so that no second map of an image is made.
    for slab in slabs(entropy.shape, n_pixels=SLAB_PIXELS):
        for one in probabilities:
            p = one[slab].astype(np.float32)
            entropy[slab] -= p * np.log(np.maximum(p, np.float32(1e-12)))
    return relative_entropy(entropy, n_outputs=len(probabilities))


def relative_entropy(
    entropy: NDArray[np.float32], *, n_outputs: int
) -> NDArray[np.float32]:
    """Bring entropies to 0..1, in place.

    Parameters
    ----------
    entropy : ([Z,] Y, X) float32
        In nats; overwritten.
    n_outputs : int
        Classes with background.

    Returns
    -------
    ([Z,] Y, X) float32
        The same array, in units of the largest entropy, log(n_outputs).

    Raises
    ------
    ValueError
        If there are fewer than two outputs: then nothing is open to doubt.
    """
    if n_outputs < 2:
        raise ValueError(f"{n_outputs} probabilities per pixel; 2 are the least")
    entropy /= np.float32(math.log(n_outputs))
    return np.clip(entropy, 0, 1, out=entropy)
