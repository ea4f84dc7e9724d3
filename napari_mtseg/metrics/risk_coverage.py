"""How well doubt orders results by their error: risk and coverage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

_BITS_DROPPED = 13
"""of the 23 bits behind the point of a float32: bins are 2^-10 of their doubt wide"""
N_BINS = 2 ** (31 - _BITS_DROPPED)


@dataclass(frozen=True, eq=False, kw_only=True)
class RiskCoverage:
    """The error among the items that are kept, if the most doubtful are given away."""

    coverage: NDArray[np.float64]
    """(levels,) share of the items that are kept, rising to 1: a level per value of
    doubt, the least first"""
    risk: NDArray[np.float64]
    """(levels,) mean error of the kept items"""
    area: float
    """mean risk over all numbers of kept items 1..n (AURC), expected where the order
    among items of the same doubt is drawn at random; lower is better"""
    excess: float
    """``area`` minus that of the order by the errors themselves (E-AURC), at least 0"""


def risk_coverage(doubt: ArrayLike, error: ArrayLike) -> RiskCoverage:
    """Return how well doubt orders items, images or pixels, by their error.

    Parameters
    ----------
    doubt : (n,) float
        Higher is more doubtful; finite. Items of the same doubt are taken together.
    error : (n,) float or bool
        Error of each item, 0 for none: wrong or not, 1 - Dice; finite.

    Returns
    -------
    RiskCoverage
        Constant doubt gives an area of the mean error.

    Raises
    ------
    ValueError
        If there is no item, the lengths differ, or a value is not finite.

    References
    ----------
    .. [1] Geifman and El-Yaniv, Selective classification for deep neural networks,
       NeurIPS 2017 (risk and coverage).
    .. [2] Geifman, Uziel and El-Yaniv, Bias-reduced uncertainty estimation for deep
       neural classifiers, ICLR 2019 (AURC and E-AURC). They approximate the best
       area; here it is exact. The expectation over ties is ours.

    Examples
    --------
    >>> found = risk_coverage([0.1, 0.9, 0.5], [False, True, False])
    >>> found.risk.tolist(), found.excess
    ([0.0, 0.0, 0.3333333333333333], 0.0)
    """
    doubts, errors = np.asarray(doubt, np.float64), np.asarray(error, np.float64)
    if doubts.shape != errors.shape or doubts.ndim != 1 or not doubts.size:
        raise ValueError(
            f"one doubt and one error are needed per item, not {doubts.shape} and "
            f"{errors.shape}"
        )
    if not (np.isfinite(doubts).all() and np.isfinite(errors).all()):
        raise ValueError("doubts and errors must be finite")
    return _curve(_groups(doubts, errors), best=_groups(errors, errors))


@dataclass(frozen=True, eq=False, kw_only=True)
class DoubtCounts:
    """Right and wrong pixels by doubt, in bounded memory however many there are.

    Doubts are told apart if they differ by more than a thousandth of themselves (ours).
    """

    n: NDArray[np.int64]
    """(N_BINS,) pixels of each bin of doubt"""
    n_wrong: NDArray[np.int64]
    """(N_BINS,) those that are wrong"""

    def __add__(self, other: "DoubtCounts") -> "DoubtCounts":
        """Return the counts of the pixels of both."""
        return DoubtCounts(n=self.n + other.n, n_wrong=self.n_wrong + other.n_wrong)

    def risk_coverage(self) -> RiskCoverage:
        """Return how well doubt orders the pixels, as :func:`risk_coverage`.

        Raises
        ------
        ValueError
            If no pixel was counted.
        """
        filled = self.n > 0
        if not filled.any():
            raise ValueError("no pixel was counted")
        total, wrong = int(self.n.sum()), int(self.n_wrong.sum())
        best = np.array([[total - wrong, 0], [wrong, wrong]], np.float64)
        groups = np.stack([self.n, self.n_wrong], axis=1)[filled].astype(np.float64)
        return _curve(groups, best=best[best[:, 0] > 0])


def doubt_counts(doubt: NDArray[np.floating], wrong: NDArray[np.bool_]) -> DoubtCounts:
    """Count right and wrong pixels by doubt; add the counts of several images.

    Parameters
    ----------
    doubt : array of float
        Of any shape, finite and not negative.
    wrong : array of bool
        The same shape: True where the prediction is wrong.

    Raises
    ------
    ValueError
        If the shapes differ, or a doubt is negative or not finite.
    """
    values = np.ascontiguousarray(doubt, np.float32).ravel()
    if doubt.shape != wrong.shape:
        raise ValueError(f"doubt {doubt.shape} and wrong {wrong.shape} differ in shape")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("doubts must be finite and not negative")
    # The bits of positive floats are ordered as the floats are; + 0 turns -0 into 0.
    bins = (values + np.float32(0)).view(np.uint32) >> _BITS_DROPPED
    return DoubtCounts(
        n=np.bincount(bins, minlength=N_BINS).astype(np.int64),
        n_wrong=np.bincount(bins[wrong.ravel()], minlength=N_BINS).astype(np.int64),
    )


def _groups(
    doubts: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (groups, 2) items and sums of errors by doubt, the least doubt first."""
    _, places, sizes = np.unique(doubts, return_inverse=True, return_counts=True)
    return np.stack([sizes, np.bincount(places, weights=errors)], axis=1)


def _curve(groups: NDArray[np.float64], *, best: NDArray[np.float64]) -> RiskCoverage:
    kept, errors = np.cumsum(groups, axis=0).T
    area = _area(groups)
    return RiskCoverage(
        coverage=kept / kept[-1],
        risk=errors / kept,
        area=area,
        excess=max(0.0, area - _area(best)),
    )


def _area(groups: NDArray[np.float64]) -> float:
    """Return the mean over k of the expected risk of the first k items.

    After ``kept`` items with errors ``before``, the next j of a group of mean error e
    have the expected risk (before + j e) / (kept + j); its sum over the group is the
    group's errors + (before - kept e) (H(kept + size) - H(kept)), H harmonic numbers.
    """
    sizes, errors = groups.T
    ends = np.cumsum(sizes)
    kept, before = ends - sizes, np.cumsum(errors) - errors
    harmonic = digamma(ends + 1) - digamma(kept + 1)
    sums = errors + (before - kept * errors / sizes) * harmonic
    return float(sums.sum() / ends[-1])
