"""Whether probabilities mean what they say: reliability of pixels, and its error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.slabs import slabs

N_BINS = 15
"""bins of the same width between confidence 0 and 1 [Guo et al., section 2]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ReliabilityCounts:
    """Pixels by how sure the network was, in bounded memory; add those of images.

    References
    ----------
    .. [1] Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2:
       the confidence is the probability of the class that was chosen. Their bins end
       at their upper edge, ours begin at their lower one.
    """

    n: NDArray[np.int64]
    """(N_BINS,) pixels of each bin"""
    confidence: NDArray[np.float64]
    """(N_BINS,) sum of their confidences"""
    n_right: NDArray[np.int64]
    """(N_BINS,) those whose class is right"""

    def __add__(self, other: "ReliabilityCounts") -> "ReliabilityCounts":
        """Return the counts of the pixels of both."""
        return ReliabilityCounts(
            n=self.n + other.n,
            confidence=self.confidence + other.confidence,
            n_right=self.n_right + other.n_right,
        )

    @property
    def mean_confidence(self) -> NDArray[np.float64]:
        """(N_BINS,) 0..1; NaN where a bin is empty."""
        return _share(self.confidence, self.n)

    @property
    def share_right(self) -> NDArray[np.float64]:
        """(N_BINS,) 0..1; NaN where a bin is empty."""
        return _share(self.n_right, self.n)

    @property
    def expected_error(self) -> float:
        """Expected calibration error, 0..1 [1, eq. 3]; NaN without a pixel.

        The mean over pixels of how far confidence and share of right pixels of their
        bin are apart.
        """
        if not self.n.any():
            return float("nan")
        return float(np.abs(self.n_right - self.confidence).sum() / self.n.sum())

    @property
    def largest_error(self) -> float:
        """Maximum calibration error, 0..1 [1, eq. 5]; NaN without a pixel."""
        if not self.n.any():
            return float("nan")
        return float(np.nanmax(np.abs(self.share_right - self.mean_confidence)))


def no_pixels() -> ReliabilityCounts:
    """Return the counts of no pixel at all."""
    return ReliabilityCounts(
        n=np.zeros(N_BINS, np.int64),
        confidence=np.zeros(N_BINS, np.float64),
        n_right=np.zeros(N_BINS, np.int64),
    )


def reliability_counts(
    confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> ReliabilityCounts:
    """Count right pixels by confidence.

    Parameters
    ----------
    confidence : array of float
        Of any shape: probability of the chosen class, 0..1. What rounding leaves
        outside is cut off.
    right : array of bool
        The same shape: True where the chosen class is the right one.

    Raises
    ------
    ValueError
        If the shapes differ, or a confidence is not finite.

    Examples
    --------
    >>> counts = reliability_counts(np.array([0.9, 0.9]), np.array([True, False]))
    >>> round(counts.expected_error, 3)
    0.4
    """
    if confidence.shape != right.shape:
        raise ValueError(f"confidence {confidence.shape} and right {right.shape}")
    sure = np.clip(confidence.ravel().astype(np.float64), 0, 1)
    if not np.isfinite(sure).all():
        raise ValueError("confidences must be finite")
    bins = np.minimum((sure * N_BINS).astype(np.intp), N_BINS - 1)
    return ReliabilityCounts(
        n=np.bincount(bins, minlength=N_BINS).astype(np.int64),
        confidence=np.bincount(bins, sure, minlength=N_BINS).astype(np.float64),
        n_right=np.bincount(bins[right.ravel()], minlength=N_BINS).astype(np.int64),
    )


def pixel_reliability(
    probabilities: NDArray[np.floating],
    chosen: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    *,
    counted: NDArray[np.bool_] | None = None,
) -> ReliabilityCounts:
    """Count the right pixels of one image by the probability of their chosen class.

    Parameters
    ----------
    probabilities : (n_classes + 1, [Z,] Y, X) float
        Of each class, background first.
    chosen : ([Z,] Y, X) uint8
        Class of each pixel as it was answered, 0 background.
    truth : ([Z,] Y, X) uint8
        The right class.
    counted : ([Z,] Y, X) bool, optional
        True where pixels count; by default all. Choose by what was answered or by
        what is known, never by the truth: where only true objects count, sure and
        right background would be left out and the network look too sure.

    Raises
    ------
    ValueError
        If the shapes differ, or a class has no probability.
    """
    if not probabilities.shape[1:] == chosen.shape == truth.shape:
        raise ValueError(
            f"shapes differ: {probabilities.shape[1:]}, {chosen.shape}, {truth.shape}"
        )
    if chosen.max(initial=0) >= len(probabilities):
        raise ValueError(f"class {chosen.max()} has no probability")
    total = no_pixels()
    for slab in slabs(chosen.shape):
        classes = chosen[slab]
        confidence = np.zeros(classes.shape, np.float32)
        for c, one in enumerate(probabilities):
            np.copyto(confidence, one[slab], where=classes == c)
        right = classes == truth[slab]
        if counted is not None:
            confidence, right = confidence[counted[slab]], right[counted[slab]]
        total += reliability_counts(confidence, right)
    return total


def _share(part: NDArray[np.number], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
