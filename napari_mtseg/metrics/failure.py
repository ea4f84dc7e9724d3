"""How well a score tells results that failed from those that did not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, kw_only=True)
class Auroc:
    """Area under the receiver operating characteristic, with a bootstrap interval."""

    value: float
    """chance that a failed image has the higher score than one that did not, ties
    counting half: 0.5 is chance; NaN where all failed, or none"""
    low: float
    high: float
    n_failed: int
    n: int


def auroc(
    scores: ArrayLike,
    failed: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> Auroc:
    """Return how well high scores tell failed images.

    Parameters
    ----------
    scores : (n,) float
        Doubt about each image, higher is worse; finite.
    failed : (n,) bool
        True for images that failed.
    rng : numpy.random.Generator
        Draws the resamples of images; resamples without both kinds are left out.
    confidence : float
        Share of the resampled areas that the interval holds.
    n_resamples : int
        Number of resamples.

    Raises
    ------
    ValueError
        If a score is not finite, or the lengths differ.

    Examples
    --------
    >>> auroc([1, 2, 3], [False, False, True], rng=np.random.default_rng(0)).value
    1.0
    """
    values, bad = np.asarray(scores, np.float64), np.asarray(failed, bool)
    if values.shape != bad.shape or not np.isfinite(values).all():
        raise ValueError("one finite score is needed for each image")
    areas = [
        area
        for chosen in rng.integers(len(bad), size=(n_resamples, len(bad)))
        if not np.isnan(area := _area(values[chosen], bad[chosen]))
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(areas, (tail, 1 - tail)) if areas else (np.nan, np.nan)
    return Auroc(
        value=_area(values, bad),
        low=float(low),
        high=float(high),
        n_failed=int(bad.sum()),
        n=len(bad),
    )


def _area(values: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """Return the area by the ranks of the failed (Mann and Whitney, 1947)."""
    n_bad = int(bad.sum())
    n_good = len(bad) - n_bad
    if n_bad == 0 or n_good == 0:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[bad].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))
