"""How much the answers of a network share, counted window by window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.geometry.tiles import Slices

BACKGROUND = 0
"""class that is no part of the overlap"""

_NUMBERS_AT_ONCE = 2**22
"""answers times pixels that are compared at a time (ours)"""


@dataclass(frozen=True, eq=False, kw_only=True)
class SampleOverlap:
    """What several answers for one image have in common, class by class."""

    intersections: NDArray[np.int64]
    """(n_classes, T, T) pixels that two of the T answers both give a class,
    background left out; on the diagonal the size of the class in one answer"""

    def mean_pairwise_dice(self) -> float:
        """Return how alike the answers are.

        Returns
        -------
        float
            Dice of every two answers, mean over the pairs and then over the classes
            that occur in any answer: 1 where all are equal, or none finds anything; of
            an answer with a class and one without, the Dice of this class is 0.
        """
        sizes = self._sizes()
        found = sizes.any(axis=1)
        one, other = np.triu_indices(sizes.shape[1], k=1)
        if not found.any() or not one.size:
            return 1.0
        total = sizes[found][:, one] + sizes[found][:, other]
        shared = 2 * self.intersections[found][:, one, other]
        dice = np.where(total > 0, shared / np.maximum(total, 1), 1.0)
        return float(dice.mean())

    def volume_variation(self) -> float:
        """Return how far the answers differ in the size of the foreground.

        Returns
        -------
        float
            Coefficient of variation over the answers, of all classes together (ours):
            the standard deviation (of the population) by the mean; 0 where no answer
            finds anything.
        """
        volumes = self._sizes().sum(axis=0)
        mean = float(volumes.mean())
        return float(volumes.std()) / mean if mean else 0.0

    def _sizes(self) -> NDArray[np.int64]:
        """Return (n_classes, T) pixels."""
        return np.diagonal(self.intersections, axis1=1, axis2=2)


class OverlapCount:
    """Adds up what answers share, over windows whose owned parts cover an image."""

    def __init__(self) -> None:
        self._intersections: NDArray[np.int64] | None = None

    def add(self, answers: Sequence[Tensor], part: Slices, *, n_outputs: int) -> None:
        """Count a part of a window.

        Parameters
        ----------
        answers : sequence of ([Z,] Y, X) uint8
            Class that each answer gives each pixel of the window; the same number of
            answers for every window.
        part : tuple of slice
            Of the window: what it owns.
        n_outputs : int
            Classes with background.
        """
        found = intersections([one[part] for one in answers], n_outputs=n_outputs)
        if self._intersections is None:
            self._intersections = found
        else:
            self._intersections += found

    def total(self) -> SampleOverlap | None:
        """Return all that was counted; None if nothing was."""
        if self._intersections is None:
            return None
        return SampleOverlap(intersections=self._intersections)


def most_probable_class(output: Tensor) -> Tensor:
    """Return the class of each pixel that a segmentation finds most probable.

    Parameters
    ----------
    output : (n_classes + 1, [Z,] Y, X)
        Logits or probabilities, of 255 classes at most.

    Returns
    -------
    ([Z,] Y, X) uint8
        The first of equally probable ones. As ``argmax``, which takes ten times as
        long.
    """
    largest = output[0]
    classes = torch.zeros(largest.shape, dtype=torch.uint8, device=output.device)
    for k, one in enumerate(output[1:], start=1):
        classes.masked_fill_(one > largest, k)
        largest = torch.maximum(largest, one)
    return classes


def intersections(answers: Sequence[Tensor], *, n_outputs: int) -> NDArray[np.int64]:
    """Return how many pixels every two answers both give a class.

    Parameters
    ----------
    answers : sequence of ([Z,] Y, X) uint8
        Class of each pixel, 0 background.
    n_outputs : int
        Classes with background.

    Returns
    -------
    (n_outputs - 1, T, T) int64
        By class from 1.

    Examples
    --------
    >>> one, other = torch.tensor([[1, 1, 0]]), torch.tensor([[0, 1, 1]])
    >>> intersections([one, other], n_outputs=2).tolist()
    [[[2, 1], [1, 2]]]
    """
    n_answers = len(answers)
    found = np.zeros((n_outputs - 1, n_answers, n_answers), np.int64)
    flat = [one.reshape(-1) for one in answers]
    # at most 2**22 ones are added up, which float32 does exactly
    length = max(_NUMBERS_AT_ONCE // n_answers, 1)
    for start in range(0, flat[0].numel(), length):
        part = torch.stack([one[start : start + length] for one in flat])
        for k in range(BACKGROUND + 1, n_outputs):
            is_class = (part == k).float()
            shared = (is_class @ is_class.T).round()
            found[k - 1] += shared.cpu().numpy().astype(np.int64)
    return found
