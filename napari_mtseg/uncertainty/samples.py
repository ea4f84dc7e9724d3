"""Doubt from several answers for one image: what is not known, and what is unclear."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mutual_information(
    entropy_of_mean: NDArray[np.float32], mean_entropy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how far the answers for a pixel contradict each other.

    The entropy of the mean answer counts all doubt. The mean entropy of the single
    answers counts what each of them is unsure of by itself, as at a blurred outline.
    What is left is doubt about the network, which more labels like this could end.

    Parameters
    ----------
    entropy_of_mean, mean_entropy : ([Z,] Y, X) float32
        In the same unit.

    Returns
    -------
    ([Z,] Y, X) float32
        Their difference, in that unit: 0 where all answers agree. Differences below 0
        come from rounding and are 0.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    Two sure answers that contradict each other, and two equal unsure ones:

    >>> entropy, mean = np.ones(2, np.float32), np.array([0, 1], np.float32)
    >>> mutual_information(entropy, mean).tolist()
    [1.0, 0.0]

    References
    ----------
    .. [1] Houlsby et al., Bayesian Active Learning for Classification and Preference
       Learning, 2011, eq. (2), arXiv:1112.5745.
    """
    if entropy_of_mean.shape != mean_entropy.shape:
        raise ValueError(f"{entropy_of_mean.shape} and {mean_entropy.shape} differ")
    difference = entropy_of_mean - mean_entropy
    return np.maximum(difference, 0, out=difference)


def image_doubt(
    uncertainty: NDArray[np.float32], objects: NDArray[np.integer[Any]]
) -> float:
    """Return how doubtful the segmentation of an image is, as one number.

    Parameters
    ----------
    uncertainty : ([Z,] Y, X) float32
        Of each pixel, >= 0.
    objects : ([Z,] Y, X) integer
        Object ids or classes, 0 background.

    Returns
    -------
    float
        Sum of the uncertainty over the pixels of objects, of which an image without
        any is said to have one (ours). Most doubt lies along outlines, so that it is
        the larger the smaller and the more ragged the objects are: compare images of
        one kind.

    References
    ----------
    .. [1] METHODS.md section 5, Inference.

    Examples
    --------
    >>> image_doubt(np.array([0.5, 0.25, 0], np.float32), np.array([0, 7, 7]))
    0.375
    """
    n_pixels = max(int(np.count_nonzero(objects)), 1)
    return float(uncertainty.sum(dtype=np.float64)) / n_pixels
