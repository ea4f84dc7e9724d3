"""How well one number orders images as another does: Spearman's correlation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mtseg.metrics.resampling import ranks_in_samples, resampled_counts


@dataclass(frozen=True, kw_only=True)
class RankCorrelation:
    """Spearman's correlation with a bootstrap interval over images."""

    value: float
    """-1..1; NaN where one of the two is the same for all images, or for fewer than
    two images"""
    low: float
    """lower end; NaN where ``value`` is, or no resample has a correlation"""
    high: float
    """upper end; NaN where ``low`` is"""
    n: int
    """images"""


def spearman(
    first: ArrayLike,
    second: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> RankCorrelation:
    """Return how well one number orders images as the other does.

    Parameters
    ----------
    first, second : (n,) float
        Two numbers of each image, such as doubt and Dice; finite. Equal numbers
        share their mean rank.
    rng : numpy.random.Generator
        Draws the resamples of images; those in which one number is the same for all
        are left out.
    confidence : float
        Share of the resampled correlations that the interval holds.
    n_resamples : int
        Number of resamples.

    Raises
    ------
    ValueError
        If the lengths differ, or a number is not finite.

    References
    ----------
    .. [1] Spearman, The proof and measurement of association between two things, 1904.
    .. [2] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> found = spearman([1, 2, 3], [9, 5, 4], rng=np.random.default_rng(0))
    >>> found.value
    -1.0
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"two numbers are needed per image: {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("numbers to correlate must be finite")
    value = float(_in_samples(x, y, np.ones((1, len(x)), np.int64))[0])
    low = high = float("nan")
    drawn = resampled_counts(len(x), rng=rng, n_resamples=n_resamples)
    values = np.concatenate(
        [np.zeros(0), *(_in_samples(x, y, counts) for counts in drawn)]
    )
    values = values[~np.isnan(values)]
    if values.size:
        tail = (1 - confidence) / 2
        low, high = (float(end) for end in np.quantile(values, [tail, 1 - tail]))
    return RankCorrelation(value=value, low=low, high=high, n=len(x))


def _in_samples(
    x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(rows,) correlation of the ranks in each sample; NaN where one is constant."""
    a, b = (_centred(ranks_in_samples(values, counts), counts) for values in (x, y))
    scale = np.sqrt((counts * a**2).sum(axis=1) * (counts * b**2).sum(axis=1))
    products = (counts * a * b).sum(axis=1)
    found = np.where(scale > 0, products / np.where(scale > 0, scale, 1), np.nan)
    return np.clip(found, -1, 1)


def _centred(
    ranks: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(rows, n) ranks without their mean over each sample, (n + 1) / 2."""
    return ranks - (counts.sum(axis=1, keepdims=True) + 1) / 2
