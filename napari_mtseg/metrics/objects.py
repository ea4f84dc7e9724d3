"""Object Dice, object Hausdorff distance and detection F1 of two label images.

The definitions are those of the GlaS challenge [1]_. Each object is compared with its
partner, the object of the other image that overlaps it most.

.. [1] Sirinukunwattana et al., Gland segmentation in colon histology images: The GlaS
   challenge contest, Medical Image Analysis 35, 2017, section 4,
   https://doi.org/10.1016/j.media.2016.08.008. METHODS.md, section 0, "Metrics".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED

FOUND_SHARE = 0.5
"""Share of a reference object that its segment must cover to have found it [GlaS]."""

_LARGEST_ID = 2**32 - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectTable:
    """The objects of one label image, in ascending order of id, and their partners."""

    ids: NDArray[np.uint32]
    """(n,) object id"""
    sizes: NDArray[np.int64]
    """(n,) pixels of the object"""
    partners: NDArray[np.uint32]
    """(n,) id of the object of the other image that overlaps most, the lowest id of
    equals; UNPAINTED where none overlaps"""
    partner_sizes: NDArray[np.int64]
    """(n,) pixels of the partner; 0 where there is none"""
    overlaps: NDArray[np.int64]
    """(n,) pixels shared with the partner"""

    @property
    def dice(self) -> NDArray[np.float64]:
        """(n,) Dice of each object and its partner; 0 where there is none."""
        return 2 * self.overlaps / (self.sizes + self.partner_sizes)

    def weighted(self, values: NDArray[np.float64]) -> float:
        """Return the mean of a value per object, weighted by the objects' sizes."""
        return float(np.sum(self.sizes * values) / np.sum(self.sizes))


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectMatching:
    """Which object answers which, and the scores that follow from it.

    Scores are 1 where both images are empty, 0 where exactly one is.
    """

    predicted: ObjectTable
    """the objects of the prediction"""
    reference: ObjectTable
    """the objects of the reference"""

    @property
    def dice(self) -> float:
        """Object Dice, 0..1: size-weighted, half over each image's objects."""
        if self._is_empty:
            return self._empty_score
        ours, theirs = self.predicted, self.reference
        return (ours.weighted(ours.dice) + theirs.weighted(theirs.dice)) / 2

    @property
    def n_found(self) -> int:
        """Reference objects found: half or more covered by a segment they partner.

        A reference object counts once. Two segments that hold exactly half of it each
        are one find and one false alarm (ours; the challenge's code counts above half).
        """
        covered = self.predicted.overlaps >= FOUND_SHARE * self.predicted.partner_sizes
        partners = self.predicted.partners[covered]
        return int(np.unique(partners[partners != UNPAINTED]).size)

    @property
    def precision(self) -> float:
        """Share of the predicted objects that found one, 0..1."""
        if self._is_empty:
            return self._empty_score
        return self.n_found / self.predicted.ids.size

    @property
    def recall(self) -> float:
        """Share of the reference objects that were found, 0..1."""
        if self._is_empty:
            return self._empty_score
        return self.n_found / self.reference.ids.size

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1."""
        if self._is_empty:
            return self._empty_score
        return 2 * self.n_found / (self.predicted.ids.size + self.reference.ids.size)

    @property
    def _is_empty(self) -> bool:
        return not (self.predicted.ids.size and self.reference.ids.size)

    @property
    def _empty_score(self) -> float:
        return 0.0 if self.predicted.ids.size or self.reference.ids.size else 1.0


def match_objects(
    prediction: NDArray[np.integer], reference: NDArray[np.integer]
) -> ObjectMatching:
    """Find each object's partner in the other image.

    Parameters
    ----------
    prediction, reference : ([Z,] Y, X) integer
        Object ids, any up to 2**32 - 1; UNPAINTED outside objects.

    Returns
    -------
    ObjectMatching
        Its properties are object Dice, F1, precision and recall.

    Raises
    ------
    ValueError
        If the images differ in shape or do not hold object ids.
    """
    ours, theirs, counts = _contingency(prediction, reference)
    return ObjectMatching(
        predicted=_table(ours, theirs, counts), reference=_table(theirs, ours, counts)
    )


def _contingency(
    prediction: NDArray[np.integer], reference: NDArray[np.integer]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]:
    """Count each pair of ids that occurs: (k,) predicted, (k,) reference, (k,) pixels.

    Ids come in runs along rows, so runs are sorted, not pixels.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"labels differ: {prediction.shape} and {reference.shape}")
    ours, theirs = _checked(prediction), _checked(reference)
    keys, lengths = runs_of((ours.ravel() << np.uint64(32)) | theirs.ravel())
    pairs, rows = np.unique(keys, return_inverse=True)
    counts = np.bincount(rows, weights=lengths, minlength=pairs.size)
    return (
        (pairs >> np.uint64(32)).astype(np.uint32),
        pairs.astype(np.uint32),
        counts.astype(np.int64),
    )


def _table(
    own: NDArray[np.uint32], other: NDArray[np.uint32], counts: NDArray[np.int64]
) -> ObjectTable:
    ids, sizes = _sizes(own, counts)
    partners, partner_sizes, overlaps = np.zeros((3, ids.size), np.int64)
    shared = (own != UNPAINTED) & (other != UNPAINTED)
    order = np.lexsort((other[shared], -counts[shared], own[shared]))
    matched, firsts = np.unique(own[shared][order], return_index=True)
    best = order[firsts]
    rows = np.searchsorted(ids, matched)
    partners[rows] = other[shared][best]
    overlaps[rows] = counts[shared][best]
    other_ids, other_sizes = _sizes(other, counts)
    partner_sizes[rows] = other_sizes[np.searchsorted(other_ids, partners[rows])]
    return ObjectTable(
        ids=ids,
        sizes=sizes,
        partners=partners.astype(np.uint32),
        partner_sizes=partner_sizes,
        overlaps=overlaps,
    )


def _sizes(
    of_pairs: NDArray[np.uint32], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    ids, rows = np.unique(of_pairs, return_inverse=True)
    sizes = np.bincount(rows, weights=counts, minlength=ids.size).astype(np.int64)
    return ids[ids != UNPAINTED], sizes[ids != UNPAINTED]


def runs_of(
    values: NDArray[np.generic],
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Value and length of each run of equal values."""
    starts = np.flatnonzero(np.r_[values.size > 0, values[1:] != values[:-1]])
    return values[starts], np.diff(np.r_[starts, values.size])


def _checked(labels: NDArray[np.integer]) -> NDArray[np.uint64]:
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}, not object ids")
    if labels.size and not (labels.min() >= 0 and labels.max() <= _LARGEST_ID):
        raise ValueError("object ids must be 0 to 2**32 - 1")
    return labels.astype(np.uint64)
