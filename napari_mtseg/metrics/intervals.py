"""Bootstrap confidence intervals of a mean over images, and of a paired difference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 2**20
"""Values drawn at once: bounds the memory (8 MB), whatever the number of images."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over images and how far it can be trusted."""

    mean: float
    """over the images that count; NaN if there is none"""
    low: float
    """lower end; NaN if fewer than two images count"""
    high: float
    """upper end; NaN if fewer than two images count"""
    n: int
    """images that count"""
    n_undefined: int
    """images left out because a value of theirs is NaN"""

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
) -> Interval:
    """Percentile bootstrap interval of the mean over images.

    Parameters
    ----------
    values : ([seeds,] images) float
        One score per image, or per training seed and image. Seeds are averaged
        within each image first, and images are resampled: the interval says how much
        the mean depends on the choice of images, not on the choice of seeds.
        Infinite values are not allowed; NaN is undefined.
    rng : numpy.random.Generator
        Draws the resamples; the same state gives the same interval.
    confidence : float
        Share of the resampled means that the interval holds, 0..1 exclusive.
    n_resamples : int
        Number of resamples, at least 1.

    Returns
    -------
    Interval
        An image counts only if none of its values is NaN. One image has a mean but
        no interval.

    Raises
    ------
    ValueError
        If ``values`` has another number of axes or holds infinities, or if
        ``confidence`` or ``n_resamples`` is out of range.

    References
    ----------
    .. [1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
       Seeds averaged within images, and whole images left out: ours.

    Examples
    --------
    >>> interval = bootstrap_mean([0.5, 0.5, np.nan], rng=np.random.default_rng(0))
    >>> interval.low, interval.high, interval.n, interval.n_undefined
    (0.5, 0.5, 2, 1)
    """
    scores = np.atleast_2d(np.asarray(values, np.float64))
    _check(scores, confidence, n_resamples)
    per_image = scores.mean(axis=0) if len(scores) else np.zeros(0)
    counted = per_image[~np.isnan(per_image)]
    low = high = float("nan")
    if counted.size > 1:
        means = np.concatenate(list(_resampled_means(counted, rng, n_resamples)))
        tail = (1 - confidence) / 2
        low, high = (float(end) for end in np.quantile(means, [tail, 1 - tail]))
    return Interval(
        mean=float(counted.mean()) if counted.size else float("nan"),
        low=low,
        high=high,
        n=counted.size,
        n_undefined=per_image.size - counted.size,
    )


def bootstrap_paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
) -> Interval:
    """Percentile bootstrap interval of the mean of ``first - second``.

    Both were scored on the same images, so the difference is taken image by image
    (and seed by seed) before anything is averaged or resampled: how hard an image is
    cancels out.

    Parameters
    ----------
    first, second : ([seeds,] images) float
        Scores of two ways on the same images, in the same order.
    rng, confidence, n_resamples
        As for :func:`bootstrap_mean`.

    Returns
    -------
    Interval
        Above 0 where ``first`` is larger. An image counts only if it is defined in
        both, for every seed.

    Raises
    ------
    ValueError
        If the shapes differ, or for the reasons of :func:`bootstrap_mean`.
    """
    ours, theirs = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"scores are not paired: {ours.shape} and {theirs.shape}")
    if np.isinf(ours).any() or np.isinf(theirs).any():
        raise ValueError("scores hold infinities; undefined scores must be NaN")
    return bootstrap_mean(
        ours - theirs, rng=rng, confidence=confidence, n_resamples=n_resamples
    )


def _check(scores: NDArray[np.float64], confidence: float, n_resamples: int) -> None:
    if scores.ndim != 2:
        raise ValueError(f"scores must be ([seeds,] images), not {scores.shape}")
    if np.isinf(scores).any():
        raise ValueError("scores hold infinities; undefined scores must be NaN")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, not between 0 and 1")
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}, not at least 1")


def _resampled_means(
    values: NDArray[np.float64], rng: np.random.Generator, n_resamples: int
) -> Iterator[NDArray[np.float64]]:
    block = max(1, _BLOCK // values.size)
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        drawn = rng.integers(0, values.size, size=(rows, values.size))
        yield values[drawn].mean(axis=1)
