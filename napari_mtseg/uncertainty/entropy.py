"""Doubt from one prediction: how evenly the probabilities are spread over classes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def predictive_entropy(
    probabilities: NDArray[np.floating[Any]],
) -> NDArray[np.float32]:
    """Return how undecided the network is about each pixel.

    This is the entropy of the network's own softmax output. It is not calibrated: a
    network can be sure and wrong, above all on images unlike those it learned from.
    It orders the pixels of an image by doubt; it is no probability of an error.

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
    n_outputs = len(probabilities)
    if n_outputs < 2:
        raise ValueError(f"{n_outputs} probabilities per pixel; 2 are the least")
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for one in probabilities:
        p = one.astype(np.float32)
        entropy -= p * np.log(np.maximum(p, np.float32(1e-12)))
    entropy /= np.float32(math.log(n_outputs))
    return entropy.clip(0, 1)
