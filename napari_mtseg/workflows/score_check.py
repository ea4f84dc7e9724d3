"""How well the scores of doubt find failures: an evaluation, seen by score."""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.review import SCORES
from napari_mtseg.metrics.calibration import ReliabilityCounts, no_pixels
from napari_mtseg.metrics.failure import auroc, flag_worst
from napari_mtseg.metrics.rank_correlation import spearman
from napari_mtseg.metrics.risk_coverage import RiskCoverage, risk_coverage
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_index import reviewed_images
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.score_checks import (
    DOUBT,
    FAILURE_BELOW,
    HELD_OUT_SPLITS,
    SHARES,
    CheckedImage,
    ScoreCheck,
    save_score_check,
    score_label,
)
from napari_mtseg.storage.score_figures import (
    Reliability,
    ReliabilityBin,
    RiskCurve,
    ScoreFigures,
)
from napari_mtseg.workflows.scored_images import trained_images
from napari_mtseg.workflows.scores import Evaluation, ImageScores

Values = NDArray[np.float64]

_N_RESAMPLES = 1000
"""bootstrap samples of images for each interval"""

_N_LEVELS = 101
"""levels of coverage that are kept of a curve"""


def check_of_run(
    project: Project,
    evaluation: Evaluation,
    *,
    failure_below: float = FAILURE_BELOW,
) -> ScoreCheck:
    """Check the scores of an evaluation, and keep the result if it can be trusted.

    Scores are those that the review lists, with the outliers among all predicted
    images. The result is kept in ``predictions/RUN/score_check.json`` if the split is
    held out; there, images that the run was trained on, as they had another split
    then, are left out.

    Parameters
    ----------
    project : Project
        Where the run is.
    evaluation : Evaluation
        Of the run.
    failure_below : float
        Dice below which a result failed, 0..1.

    Returns
    -------
    ScoreCheck
        Of the images that count.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    held_out = evaluation.split in HELD_OUT_SPLITS
    run = RunFolder(project.path / "runs" / evaluation.run)
    ids = {image.image_id for image in evaluation.images} if held_out else ()
    check = score_check(
        evaluation,
        failure_below=failure_below,
        left_out=trained_images(project, run, ids),
        doubts={i.id: i.scores for i in reviewed_images(project, evaluation.run)},
    )
    if held_out:
        save_score_check(project.path / "predictions" / evaluation.run, check)
    return check


def score_check(
    evaluation: Evaluation,
    *,
    failure_below: float = FAILURE_BELOW,
    left_out: Collection[str] = (),
    doubts: Mapping[str, Mapping[str, float]] | None = None,
) -> ScoreCheck:
    """Return how well each score tells the results that failed.

    A score is checked if all images have it: else scores would be compared on
    different images. Intervals come from the bootstrap over images, with the seed of
    the evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Dice and scores of each image.
    failure_below : float
        Dice (mean over classes) below which a result failed, 0..1.
    left_out : collection of str
        Ids of images that do not count, since they were trained on.
    doubts : mapping, optional
        image id -> further scores, by name.
    """
    scored = [image for image in evaluation.images if image.image_id not in left_out]
    further = doubts or {}
    images = tuple(_checked(i, further.get(i.image_id, {})) for i in scored)
    dice = np.array([image.dice for image in images], np.float64)
    error, failed = 1 - dice, dice < failure_below
    names = [
        n for n in (*SCORES, DOUBT) if images and all(n in i.scores for i in images)
    ]
    flags = [flag_worst(error, failed, share=s) if images else None for s in SHARES]
    return ScoreCheck(
        run=evaluation.run,
        split=evaluation.split,
        truth=evaluation.truth,
        uncertainty_from=", ".join(dict.fromkeys(i.uncertainty_from for i in scored)),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        failure_below=failure_below,
        images=images,
        scores={
            name: _figures(
                np.array([image.scores[name] for image in images], np.float64),
                dice,
                failed,
                seed=evaluation.seed,
            )
            for name in names
        },
        found_best=tuple(None if f is None else _finite(f.best) for f in flags),
        found_chance=tuple(0.0 if f is None else f.chance for f in flags),
        best=_curve(risk_coverage(error, error)) if images else None,
        chance=float(error.mean()) if images else None,
        pixels=_reliability([image.pixels for image in scored]),
        object_pixels=_reliability([image.object_pixels for image in scored]),
        notices=_notices(evaluation, scored, images, names),
    )


def _checked(image: ImageScores, further: Mapping[str, float]) -> CheckedImage:
    scores = {**image.doubts, **further}
    return CheckedImage(
        id=image.image_id,
        name=image.name,
        dice=image.dice,
        scores={
            name: scores[name]
            for name in (*SCORES, DOUBT)
            if math.isfinite(scores.get(name, math.nan))
        },
    )


def _figures(
    scores: Values, dice: Values, failed: NDArray[np.bool_], *, seed: int
) -> ScoreFigures:
    first, second = np.random.default_rng(seed), np.random.default_rng(seed)
    ranks = spearman(scores, dice, rng=first, n_resamples=_N_RESAMPLES)
    area = auroc(scores, failed, rng=second, n_resamples=_N_RESAMPLES)
    return ScoreFigures(
        spearman=_finite(ranks.value),
        spearman_low=_finite(ranks.low),
        spearman_high=_finite(ranks.high),
        auroc=_finite(area.value),
        auroc_low=_finite(area.low),
        auroc_high=_finite(area.high),
        found=tuple(
            _finite(flag_worst(scores, failed, share=share).found) for share in SHARES
        ),
        curve=_curve(risk_coverage(scores, 1 - dice)),
    )


def _curve(found: RiskCoverage) -> RiskCurve:
    n = len(found.coverage)
    kept = np.unique(np.linspace(0, n - 1, min(n, _N_LEVELS)).round().astype(int))
    return RiskCurve(
        coverage=_shares(found.coverage[kept]),
        risk=_shares(found.risk[kept]),
        area=min(max(found.area, 0.0), 1.0),
    )


def _reliability(counts: Sequence[ReliabilityCounts]) -> Reliability | None:
    total = sum(counts, no_pixels())
    if not total.n.any():
        return None
    filled = total.n > 0
    confidence = _shares(total.mean_confidence[filled])
    right = _shares(total.share_right[filled])
    return Reliability(
        expected_error=total.expected_error,
        largest_error=total.largest_error,
        bins=tuple(
            ReliabilityBin(n=int(n), confidence=sure, right=share)
            for n, sure, share in zip(total.n[filled], confidence, right, strict=True)
        ),
    )


def _notices(
    evaluation: Evaluation,
    scored: Sequence[ImageScores],
    images: Sequence[CheckedImage],
    names: Sequence[str],
) -> tuple[str, ...]:
    n, n_left_out = len(images), len(evaluation.images) - len(images)
    notices = []
    if evaluation.split not in HELD_OUT_SPLITS:
        notices.append(
            "The network was trained on images of this split, on which scores look "
            "better than they are. The window shows what was measured with --split "
            "held-out."
        )
    if n_left_out:
        notices.append(
            f"{n_left_out} of {len(evaluation.images)} images were trained on when "
            "they had another split, and do not count for the scores of doubt."
        )
    if len({image.uncertainty_from for image in scored}) > 1:
        notices.append(
            "The uncertainty of some images comes from other answers than that of "
            "others, so that their scores cannot be compared. Predict all in one way."
        )
    n_parts = sum(not image.is_known_everywhere for image in scored)
    if n_parts:
        notices.append(
            f"On {n_parts} of {n} images the masks are complete in a part only: Dice "
            "is of that part, scores of doubt are of the whole image."
        )
    missing = {name for image in images for name in image.scores} - set(names)
    notices.extend(
        f"'{score_label(name)}' is missing on "
        f"{sum(name not in image.scores for image in images)} of {n} images and was "
        "not checked."
        for name in sorted(missing)
    )
    if images and not names and not missing:
        notices.append(
            "These predictions were made by an older version and hold no scores of "
            "doubt. Predict again with 'mtseg predict' to check them."
        )
    return tuple(notices)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _shares(values: Values) -> tuple[float, ...]:
    """Return shares, without what rounding leaves outside 0..1."""
    return tuple(np.clip(values, 0, 1).tolist())
