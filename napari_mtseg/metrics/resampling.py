"""Bootstrap samples of images, and ranks inside them, in blocks of bounded memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2**18
"""numbers drawn at once: 2 MB, and as much for each array made from them"""


def resampled_counts(
    n: int, *, rng: np.random.Generator, n_resamples: int
) -> Iterator[NDArray[np.int64]]:
    """Draw samples of ``n`` images with replacement.

    Yields
    ------
    (rows, n) int64
        How often each image is in a sample, a sample per row; ``n_resamples`` rows in
        all. Nothing where there is no image.

    Examples
    --------
    >>> drawn = resampled_counts(3, rng=np.random.default_rng(0), n_resamples=5)
    >>> [block.sum(axis=1).tolist() for block in drawn]
    [[3, 3, 3, 3, 3]]
    """
    if not n:
        return
    block = max(1, _BLOCK // n)
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        places = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(places.ravel(), minlength=rows * n)
        yield counts.reshape(rows, n).astype(np.int64, copy=False)


def ranks_in_samples(
    values: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the rank of each image in each sample, without sorting every sample.

    Parameters
    ----------
    values : (n,) float
        What images are ordered by; finite.
    counts : (rows, n) int64
        How often each image is in a sample.

    Returns
    -------
    (rows, n) float64
        From 1, the smallest value; images of the same value, and copies of one, share
        their mean rank. Images that are not in a sample have a rank of no meaning.

    Examples
    --------
    >>> ranks_in_samples(np.array([5.0, 3.0]), np.array([[1, 1], [1, 3]])).tolist()
    [[2.0, 1.0], [4.0, 2.0]]
    """
    if not values.size:
        return np.zeros(counts.shape)
    order = np.argsort(values)
    _, first = np.unique(values[order], return_index=True)
    _, level = np.unique(values, return_inverse=True)
    n_of_level = np.add.reduceat(counts[:, order], first, axis=1)
    ranks = np.cumsum(n_of_level, axis=1) - (n_of_level - 1) / 2
    return ranks[:, level]
