"""Overlap of a predicted mask with a reference: Dice, Jaccard and their kin."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class OverlapCounts:
    """Pixel counts of two masks, from which every overlap score follows.

    Where both masks are empty each score but the volume difference is 1; where
    exactly one is empty each is 0 (METHODS.md section 0 for Dice; the other scores
    do the same, ours). Counts of several images can be added to pool them.
    """

    both: int
    """pixels in prediction and reference"""
    prediction: int
    """pixels in the prediction"""
    reference: int
    """pixels in the reference"""

    def __add__(self, other: "OverlapCounts") -> "OverlapCounts":
        """Return the counts of two images taken as one."""
        return OverlapCounts(
            both=self.both + other.both,
            prediction=self.prediction + other.prediction,
            reference=self.reference + other.reference,
        )

    @property
    def dice(self) -> float:
        """2 |A and B| / (|A| + |B|), 0..1."""
        return self._share(2 * self.both, self.prediction + self.reference)

    @property
    def jaccard(self) -> float:
        """|A and B| / |A or B|, 0..1."""
        return self._share(self.both, self.prediction + self.reference - self.both)

    @property
    def precision(self) -> float:
        """Share of the prediction that is right, 0..1."""
        return self._share(self.both, self.prediction)

    @property
    def recall(self) -> float:
        """Share of the reference that was found, 0..1."""
        return self._share(self.both, self.reference)

    @property
    def relative_volume_difference(self) -> float:
        """RAVD: | |A| - |B| | / |B|, 0 or more; NaN where the reference is empty."""
        if self.reference == 0:
            return float("nan")
        return abs(self.prediction - self.reference) / self.reference

    def _share(self, part: int, whole: int) -> float:
        if self.prediction == 0 and self.reference == 0:
            return 1.0
        return part / whole if whole else 0.0


def count_overlap(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    known: NDArray[np.bool_] | None = None,
) -> OverlapCounts:
    """Count the pixels of two masks and of their overlap.

    Parameters
    ----------
    prediction, reference : ([Z,] Y, X) bool
        True inside.
    known : ([Z,] Y, X) bool, optional
        True where the reference is known; other pixels do not count. Needed where
        the annotation is partial: unpainted is unknown, not background.

    Returns
    -------
    OverlapCounts
        Its properties are the scores.

    Raises
    ------
    ValueError
        If the arrays differ in shape or are not boolean.

    References
    ----------
    METHODS.md, section 0, "Metrics".

    Examples
    --------
    >>> answer = np.array([[True, True, False]])
    >>> truth = np.array([[False, True, False]])
    >>> count_overlap(answer, truth).precision
    0.5
    """
    masks = [prediction, reference] if known is None else [prediction, reference, known]
    if len({mask.shape for mask in masks}) != 1:
        raise ValueError(f"masks differ in shape: {[mask.shape for mask in masks]}")
    if any(mask.dtype != np.bool_ for mask in masks):
        raise ValueError(f"masks must be bool, not {[str(m.dtype) for m in masks]}")
    if known is not None:
        prediction, reference = prediction & known, reference & known
    return OverlapCounts(
        both=int(np.count_nonzero(prediction & reference)),
        prediction=int(np.count_nonzero(prediction)),
        reference=int(np.count_nonzero(reference)),
    )


def dice(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    known: NDArray[np.bool_] | None = None,
) -> float:
    """Dice of two ([Z,] Y, X) masks, 0..1; see :func:`count_overlap`."""
    return count_overlap(prediction, reference, known=known).dice
