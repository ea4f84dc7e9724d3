"""How well scores of doubt find failures, with intervals over images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_mtseg.metrics.risk_coverage import risk_coverage

FAILED_SHARE = 0.2
"""a prediction fails if its Dice lies below this quantile, fixed beforehand"""
MIN_FAILURES = 10
"""fewer are too few to know"""
MAXIMUM_PROBABILITY = "low_confidence"
"""score that all others are compared with"""
SPEARMAN, AUROC, AREA = "spearman", "auroc", "area"
"""of all pairs of seed and image pooled; AREA is that under risk and coverage"""
SPEARMAN_WITHIN, AUROC_WITHIN = "spearman within", "auroc within"
"""mean over seeds, each taken by itself, with the failures of its own quantile"""
MEASURES = (SPEARMAN, AUROC, AREA, SPEARMAN_WITHIN, AUROC_WITHIN)
N_RESAMPLES = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """A measure, and what it is on bootstrap samples of the images."""

    value: float
    samples: Floats
    """(N_RESAMPLES,) in the same order of samples for all measures of the same
    images; NaN where it is undefined"""

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Return the difference, paired by image."""
        return Estimate(
            value=self.value - other.value, samples=self.samples - other.samples
        )

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the 95 % interval; NaN where it is undefined."""
        known = self.samples[~np.isnan(self.samples)]
        if not known.size or np.isnan(self.value):
            return float("nan"), float("nan")
        low, high = np.quantile(known, (0.025, 0.975))
        return float(low), float(high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """What one source answered for the images of one split, with every seed."""

    facts: Mapping[str, NDArray[Any]]
    """name -> (seeds, images): 'name', 'scene', 'dice', 'precision', 'recall',
    'seconds', 'n_objects'"""
    scores: Mapping[str, Floats]
    """score -> (seeds, images)"""

    @property
    def dice(self) -> Floats:
        """(seeds, images)."""
        return np.asarray(self.facts["dice"], np.float64)

    @cached_property
    def failure_below(self) -> float:
        """Dice below which a prediction failed: the quantile over seeds and images."""
        return float(np.quantile(self.dice, FAILED_SHARE))

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """(seeds, images) True for failures."""
        return self.dice < self.failure_below

    @cached_property
    def failed_within(self) -> NDArray[np.bool_]:
        """(seeds, images) True below the quantile of the same seed."""
        return self.dice < np.quantile(self.dice, FAILED_SHARE, axis=1, keepdims=True)

    @property
    def is_enough(self) -> bool:
        """Whether there are failures enough to know."""
        return int(self.failed.sum()) >= MIN_FAILURES

    def estimates(self, score: str) -> dict[str, Estimate]:
        """Return every measure of a score.

        Images are resampled, each with all of its seeds: predictions of one image by
        several networks are not independent.
        """
        doubts = self.scores[score]
        values = self._measured(doubts, np.arange(doubts.shape[1])[None])
        samples = self._measured(doubts, self._drawn())
        return {
            name: Estimate(value=float(values[name][0]), samples=samples[name])
            for name in MEASURES
        }

    def random_area(self) -> Estimate:
        """Return the area under risk and coverage of images in random order."""
        risk = 1 - self.dice.mean(axis=0)
        return Estimate(
            value=float(risk.mean()), samples=risk[self._drawn()].mean(axis=1)
        )

    def best_area(self) -> float:
        """Return the area of the order by Dice itself."""
        risk = (1 - self.dice).ravel()
        return risk_coverage(risk, risk).area

    def _drawn(self) -> NDArray[np.int64]:
        """(N_RESAMPLES, images) places of images, always the same."""
        n = self.dice.shape[1]
        return np.random.default_rng(0).integers(n, size=(N_RESAMPLES, n))

    def _measured(
        self, doubts: Floats, places: NDArray[np.integer]
    ) -> dict[str, Floats]:
        """Return each measure for every row of (rows, images) places."""
        d, dice = (_pooled(values, places) for values in (doubts, self.dice))
        failed = dice < self.failure_below
        areas = [risk_coverage(*pair).area for pair in zip(d, 1 - dice, strict=True)]
        return {
            SPEARMAN: spearman_rows(d, dice),
            AUROC: auroc_rows(d, failed),
            AREA: np.array(areas),
            **self._within(doubts, places),
        }

    def _within(self, doubts: Floats, places: NDArray[np.integer]) -> dict[str, Floats]:
        """Return the mean over seeds of what is measured of each seed by itself."""
        seeds = list(zip(doubts, self.dice, self.failed_within, strict=True))
        orders = [spearman_rows(d[places], dice[places]) for d, dice, _ in seeds]
        areas = [auroc_rows(d[places], failed[places]) for d, _, failed in seeds]
        return {
            SPEARMAN_WITHIN: np.mean(orders, axis=0),
            AUROC_WITHIN: np.mean(areas, axis=0),
        }


def spearman_rows(first: Floats, second: Floats) -> Floats:
    """(rows,) rank correlation of each row of two (rows, n) arrays; NaN if constant."""
    a, b = (
        ranks - ranks.mean(axis=1, keepdims=True)
        for ranks in (rankdata(first, axis=1), rankdata(second, axis=1))
    )
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    products = (a * b).sum(axis=1)
    return np.where(scale > 0, products / np.where(scale > 0, scale, 1), np.nan)


def auroc_rows(doubts: Floats, failed: NDArray[np.bool_]) -> Floats:
    """(rows,) chance that a failure has the higher doubt; NaN if all failed or none."""
    n_failed = failed.sum(axis=1)
    n_pairs = n_failed * (failed.shape[1] - n_failed)
    sums = np.where(failed, rankdata(doubts, axis=1), 0).sum(axis=1)
    areas = (sums - n_failed * (n_failed + 1) / 2) / np.maximum(n_pairs, 1)
    return np.where(n_pairs > 0, areas, np.nan)


def answers_of(
    results: Sequence[Mapping[str, Any]], *, source: str, split: str
) -> Answers:
    """Return what a source answered on a split, seeds in the order of ``results``.

    Parameters
    ----------
    results : sequence of mapping
        'source', 'seed' and 'splits': split -> name -> a value per image, of which
        'scores' are mappings.
    source, split : str
        Which of them. Scores that some image lacks are left out.
    """
    parts = [r["splits"][split] for r in results if r["source"] == source]
    tables = [row for part in parts for row in part["scores"]]
    common = [
        name
        for name in tables[0]
        if all(np.isfinite(t.get(name, np.nan)) for t in tables)
    ]
    return Answers(
        facts={
            name: np.array([part[name] for part in parts])
            for name in parts[0]
            if name != "scores"
        },
        scores={
            name: np.array([[row[name] for row in part["scores"]] for part in parts])
            for name in common
        },
    )


Sets = Mapping[str, Mapping[str, Answers]]
"""image set -> source -> answers on one split"""


def best(
    held_out: Sets, sources: Sequence[str], *, scores: Collection[str] | None = None
) -> tuple[str, str] | None:
    """Return the source and the score with the highest mean AUROC over the image sets.

    Fixed beforehand. A score competes if every image set has it with that source.
    Equal ones are decided by their order. None where nothing competes, or an image set
    has too few failures.

    Parameters
    ----------
    held_out : mapping
        Answers for the images that the choice is made on.
    sources : sequence of str
        That compete.
    scores : collection of str, optional
        That compete; all by default.
    """
    if not all(a.is_enough for of_set in held_out.values() for a in of_set.values()):
        return None
    means = {
        (source, score): float(
            np.mean([_auroc(of_set[source], score) for of_set in held_out.values()])
        )
        for source in sources
        for score in _common_scores(held_out, source)
        if scores is None or score in scores
    }
    return max(means, key=lambda pair: means[pair], default=None)


def mean_auroc(sets: Sets, source: str, score: str) -> float:
    """Return the mean of the AUROC of a score over the image sets."""
    return float(np.mean([_auroc(of_set[source], score) for of_set in sets.values()]))


def _pooled(values: Floats, places: NDArray[np.integer]) -> Floats:
    """(rows, seeds x images) of (seeds, images) at (rows, images) places."""
    return np.moveaxis(values[:, places], 1, 0).reshape(len(places), -1)


def _common_scores(sets: Sets, source: str) -> list[str]:
    if not all(source in of_set for of_set in sets.values()):
        return []
    tables = [of_set[source].scores for of_set in sets.values()]
    return [name for name in tables[0] if all(name in table for table in tables)]


def _auroc(answers: Answers, score: str) -> float:
    doubts, failed = answers.scores[score].ravel(), answers.failed.ravel()
    return float(auroc_rows(doubts[None], failed[None])[0])
