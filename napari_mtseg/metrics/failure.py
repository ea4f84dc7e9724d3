"""How well a score tells results that failed from those that did not."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mtseg.domain.review import n_worst
from napari_mtseg.metrics.resampling import ranks_in_samples, resampled_counts


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
    values, bad = _checked(scores, failed)
    drawn = resampled_counts(len(bad), rng=rng, n_resamples=n_resamples)
    areas = np.concatenate(
        [np.zeros(0), *(_areas(values, bad, counts) for counts in drawn)]
    )
    areas = areas[~np.isnan(areas)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(areas, (tail, 1 - tail)) if areas.size else (np.nan, np.nan)
    return Auroc(
        value=float(_areas(values, bad, np.ones((1, len(bad)), np.int64))[0]),
        low=float(low),
        high=float(high),
        n_failed=int(bad.sum()),
        n=len(bad),
    )


@dataclass(frozen=True, kw_only=True)
class Flagging:
    """What flagging the images with the highest scores finds."""

    n_flagged: int
    """images that are flagged"""
    found: float
    """share of the failed images that are among them, 0..1, expected where the order
    of images with the same score is drawn at random; NaN where none failed"""
    best: float
    """the largest share that so many flags can find; NaN where none failed"""
    chance: float
    """the share that as many flags at random find"""


def flag_worst(scores: ArrayLike, failed: ArrayLike, *, share: float) -> Flagging:
    """Return what flagging the worst share of the images finds.

    Parameters
    ----------
    scores : (n,) float
        Doubt about each image, higher is worse; finite.
    failed : (n,) bool
        True for images that failed.
    share : float
        Of the images, above 0 and at most 1; rounded up to whole images.

    Raises
    ------
    ValueError
        If a score is not finite, the lengths differ, there is no image, or the share
        is out of range.

    Examples
    --------
    >>> flag_worst([1, 2, 3, 4], [False, False, True, True], share=0.25)
    Flagging(n_flagged=1, found=0.5, best=0.5, chance=0.25)
    """
    values, bad = _checked(scores, failed)
    if not bad.size:
        raise ValueError("there is no image to flag")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, not above 0 and at most 1")
    n = len(bad)
    n_flagged = n_worst(n, share)
    last = np.sort(values)[n - n_flagged]
    above, tied = values > last, values == last
    hits = bad[above].sum() + bad[tied].mean() * (n_flagged - above.sum())
    n_bad = int(bad.sum())
    return Flagging(
        n_flagged=n_flagged,
        found=float(hits / n_bad) if n_bad else math.nan,
        best=min(1.0, n_flagged / n_bad) if n_bad else math.nan,
        chance=n_flagged / n,
    )


def _checked(
    scores: ArrayLike, failed: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, bad = np.asarray(scores, np.float64), np.asarray(failed, bool)
    if values.shape != bad.shape or not np.isfinite(values).all():
        raise ValueError("one finite score is needed for each image")
    return values, bad


def _areas(
    values: NDArray[np.float64], bad: NDArray[np.bool_], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(rows,) area in each sample by the ranks of the failed (Mann, Whitney, 1947)."""
    n_bad = counts[:, bad].sum(axis=1)
    n_pairs = n_bad * counts[:, ~bad].sum(axis=1)
    sums = (counts * ranks_in_samples(values, counts))[:, bad].sum(axis=1)
    areas = (sums - n_bad * (n_bad + 1) / 2) / np.maximum(n_pairs, 1)
    return np.where(n_pairs > 0, areas, np.nan)
