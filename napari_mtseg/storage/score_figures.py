"""Parts of the check of the scores of doubt: a score, a curve, pixels."""

from typing import Annotated

from pydantic import Field

from napari_mtseg.domain.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class ReliabilityBin(Settings):
    """Pixels about which the network was alike sure."""

    n: Annotated[int, Field(ge=1)]
    """pixels"""
    confidence: Share
    """mean probability of the chosen class"""
    right: Share
    """share whose class is right"""


class Reliability(Settings):
    """Whether probabilities mean what they say."""

    expected_error: Share
    """ECE: mean over pixels of how far the two of their bin are apart"""
    largest_error: Share
    """the largest difference of a bin"""
    bins: tuple[ReliabilityBin, ...]
    """bins that hold a pixel, the least confident first"""


class RiskCurve(Settings):
    """Mean error (1 - Dice) of the results that are kept."""

    coverage: tuple[Share, ...]
    """share of the images kept, rising to 1"""
    risk: tuple[Share, ...]
    """mean error of those"""
    area: Share
    """mean risk over all numbers of kept images (AURC); lower is better"""


class ScoreFigures(Settings):
    """How well one score tells failures."""

    spearman: float | None
    """rank correlation with Dice, -1 is best; None where the score is the same for
    all images"""
    spearman_low: float | None
    """lower end of its 95 % interval over images"""
    spearman_high: float | None
    """upper end"""
    auroc: float | None
    """chance that a failed image has the higher score, 0.5 says nothing; None where
    all images failed, or none"""
    auroc_low: float | None
    """lower end of its 95 % interval over images"""
    auroc_high: float | None
    """upper end"""
    found: tuple[Share | None, ...]
    """share of the failures found by flagging the worst SHARES (of
    score_checks.py) of the images"""
    curve: RiskCurve
    """error of the images that are kept, the most doubtful given away first"""
