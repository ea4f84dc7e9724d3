"""Scores of predictions: of a class, an object, an image, and of a run as a whole."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import ONE_PASS
from napari_mtseg.metrics.calibration import ReliabilityCounts, no_pixels
from napari_mtseg.metrics.intervals import Interval, bootstrap_mean


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """Scores of one class on one image; distances in the unit of the spacing."""

    dice: float
    jaccard: float
    precision: float
    recall: float
    ravd: float
    """relative absolute volume difference; NaN where the reference is empty"""
    hausdorff: float
    """NaN, as all distances, where prediction or reference is empty"""
    hausdorff95: float
    asd: float
    """mean surface distance, prediction to reference"""
    assd: float
    """symmetric mean surface distance"""
    object_dice: float
    object_hausdorff: float
    object_f1: float
    n_predicted: int
    """objects predicted"""
    n_reference: int
    """objects in the reference"""
    one_empty: bool
    """True if exactly one of prediction and reference has no pixel of the class"""
    both_empty: bool
    """True if neither has a pixel of the class"""


METRICS = tuple(f.name for f in fields(ClassScores) if f.type in {float, "float"})
"""Names of the scores that are averaged over images."""

LOWER_IS_BETTER = frozenset(
    {"ravd", "hausdorff", "hausdorff95", "asd", "assd", "object_hausdorff"}
)


@dataclass(frozen=True, kw_only=True)
class ObjectScores:
    """One object of the reference, or one predicted where the reference has none."""

    class_id: int
    reference: int | None
    """id in the reference; None for a predicted object that overlaps none"""
    prediction: int | None
    """id of the predicted object that overlaps it most; None where none does"""
    size: int
    """pixels of the reference object, else of the predicted one"""
    partner_size: int
    """pixels of the predicted object; 0 where none overlaps"""
    dice: float
    """Dice of the two; 0 where there is no partner"""
    hausdorff: float
    """Hausdorff distance of the two; without a partner to the nearest object; NaN
    where the other image has no object"""
    found: bool
    """True if a predicted object overlaps this one most, and covers half of it"""


@dataclass(frozen=True, kw_only=True)
class ImageScores:
    """Scores of one image."""

    image_id: str
    name: str
    """file name"""
    classes: Mapping[int, ClassScores]
    """class -> scores"""
    objects: tuple[ObjectScores, ...]
    """a row per object, class by class"""
    class_accuracy: float = math.nan
    """share of the classes that are rightly told to occur, or not to; NaN where the
    method does not tell, or the reference"""
    scene_accuracy: float = math.nan
    """1 if the scene is told rightly, else 0; NaN where the method does not tell, or
    no tag"""
    disagreement: float = math.nan
    """how far the classes that are told and the class map differ, 0..1; NaN where the
    method does not tell"""
    doubts: Mapping[str, float] = field(default_factory=dict)
    """scores of doubt that the prediction came with, by name; NaN where undefined"""
    uncertainty_from: str = ONE_PASS
    """which answers they come from, in words"""
    is_known_everywhere: bool = True
    """False if the reference is known in a part of the image only"""
    pixels: ReliabilityCounts = field(default_factory=no_pixels, compare=False)
    """pixels whose class is known, by how sure the network was"""
    object_pixels: ReliabilityCounts = field(default_factory=no_pixels, compare=False)
    """those of them that were called an object"""

    @property
    def dice(self) -> float:
        """Mean Dice over the classes that occur in either mask, 0..1; 1 if none does.

        Classes that are rightly absent would hide a failure in a project of many.
        """
        shown = [each.dice for each in self.classes.values() if not each.both_empty]
        return float(np.mean(shown)) if shown else 1.0


ANSWERS = ("class_accuracy", "scene_accuracy", "disagreement")
"""Names of the scores of what a method says of an image as a whole."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of a run's predictions on several images."""

    run: str
    split: str
    truth: str
    """what was scored against, in words"""
    class_names: tuple[str, ...]
    unit: str
    """unit of distances"""
    seed: int
    """seed of the bootstrap"""
    images: tuple[ImageScores, ...]
    notices: tuple[str, ...] = field(default=())
    """what the user should know, a sentence each"""

    def summary(self) -> dict[str, dict[str, Interval]]:
        """Mean over images of each score with its 95 % bootstrap interval.

        Returns
        -------
        dict
            Class name -> score -> interval. With several classes, 'mean' holds the
            mean over the classes of each image first, of those that are defined.
        """
        names = list(self.class_names)
        table = {name: self._intervals([c]) for c, name in enumerate(names, start=1)}
        if len(names) > 1:
            table["mean"] = self._intervals(list(range(1, len(names) + 1)))
        return table

    def answers(self) -> dict[str, Interval]:
        """Mean over images of those of ANSWERS that are defined for some image."""
        return {
            name: bootstrap_mean(values, rng=np.random.default_rng(self.seed))
            for name, values in (
                (name, np.array([getattr(i, name) for i in self.images], np.float64))
                for name in ANSWERS
            )
            if not np.isnan(values).all()
        }

    def n_empty(self, class_id: int) -> tuple[int, int]:
        """Count the images where one, and where both, of the two masks are empty."""
        scores = [image.classes[class_id] for image in self.images]
        return sum(s.one_empty for s in scores), sum(s.both_empty for s in scores)

    def _intervals(self, classes: Sequence[int]) -> dict[str, Interval]:
        intervals = {}
        for metric in METRICS:
            values = np.array(
                [[getattr(i.classes[c], metric) for c in classes] for i in self.images],
                np.float64,
            )
            rng = np.random.default_rng(self.seed)
            intervals[metric] = bootstrap_mean(_mean_of_defined(values), rng=rng)
        return intervals


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(images,) mean over classes; NaN where none is defined."""
    defined = ~np.isnan(values)
    totals = np.where(defined, values, 0).sum(axis=1)
    n = defined.sum(axis=1)
    return np.where(n > 0, totals / np.maximum(n, 1), np.nan)
