"""A person's verdicts on predictions, and the scores that say where to look."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from napari_mtseg.domain.settings import Settings

Verdict = Literal["accepted", "rejected", "corrected", "skipped"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

MASK_VERDICTS: frozenset[Verdict] = frozenset({"accepted", "corrected"})
"""verdicts that leave a full mask, which later runs are trained on"""


@dataclass(frozen=True, kw_only=True)
class ScoreInfo:
    """What a score is called, and what it says."""

    label: str
    """as people read it"""
    tip: str
    """what it measures, one sentence"""


SCORES: Mapping[str, ScoreInfo] = {
    "boundary_entropy": ScoreInfo(
        label="doubt at outlines",
        tip="Mean entropy along the outlines of what was found, 0 to 1.",
    ),
    "inside_entropy": ScoreInfo(
        label="doubt inside",
        tip="Mean entropy inside the objects, away from their outlines, 0 to 1.",
    ),
    "low_confidence": ScoreInfo(
        label="low confidence",
        tip="How far the probability of the chosen class stays below 1, 0 to 1.",
    ),
    "sample_disagreement": ScoreInfo(
        label="answers differ",
        tip="1 minus the mean Dice between every two answers of the network, 0 to 1; "
        "needs dropout or an ensemble.",
    ),
    "volume_variation": ScoreInfo(
        label="sizes differ",
        tip="Standard deviation of the segmented size over the answers of the "
        "network, divided by its mean; needs dropout or an ensemble.",
    ),
    "disagreement": ScoreInfo(
        label="classes differ",
        tip="How far the classes that the image is said to hold are from those that "
        "were segmented, 0 to 1.",
    ),
    "size_outlier": ScoreInfo(
        label="unusual size",
        tip="How far the objects' size is from that on the other images, in standard "
        "deviations.",
    ),
    "shape_outlier": ScoreInfo(
        label="unusual shape",
        tip="How far the objects' shape is from that on the other images, in standard "
        "deviations.",
    ),
}
"""Scores of an image by name; higher is always more doubtful."""

DEFAULT_SCORE = "inside_entropy"
"""score that images are sorted by unless the user chooses another: of all that need one
pass alone it finds most failures on held-out images (docs/benchmarks/review.md)"""


class ReviewRecord(Settings):
    """One judgement of a person, or that it was taken back."""

    kind: Literal["verdict"] = "verdict"
    """what the line of the log is"""
    image_id: str
    """image"""
    run: str
    """run whose prediction was judged"""
    verdict: Verdict | None
    """None where the verdict before was taken back"""
    who: str
    """name of the user's account"""
    when: str
    """UTC, ISO 8601 with seconds"""
    before: str | None = None
    """snapshot of the annotation before it was changed, '/' between parts, relative to
    the project; None where it was not changed"""
    note: str = ""
    """what the person wrote"""


class FlagRule(Settings):
    """From which score on an image is flagged."""

    kind: Literal["flag rule"] = "flag rule"
    """what the line of the log is"""
    run: str
    """run whose predictions are flagged"""
    score: str
    """name, of SCORES"""
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    """images with this score or more are flagged"""
    who: str
    """name of the user's account"""
    when: str
    """UTC, ISO 8601 with seconds"""

    def flags(self, scores: Mapping[str, float]) -> bool:
        """Return whether an image with these scores is flagged."""
        value = scores.get(self.score, math.nan)
        return value >= self.threshold


def n_worst(n_images: int, share: float) -> int:
    """Return how many images are the worst ``share``, 0..1: one at least, rounded up.

    Examples
    --------
    >>> n_worst(100, 0.07), n_worst(21, 0.1), n_worst(3, 0.1)
    (7, 3, 1)
    """
    # Without rounding, 7 % of 100 images would be 8.
    return max(1, math.ceil(round(share * n_images, 9)))


def known_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """Return those of SCORES that are finite, in their order there."""
    return {
        name: scores[name]
        for name in SCORES
        if math.isfinite(scores.get(name, math.nan))
    }
