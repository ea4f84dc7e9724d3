"""Which results a person should look at, and which images to annotate next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from napari_mtseg.domain.errors import ProjectError, RunError, SettingsError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import DEFAULT_SCORE, SCORES, FlagRule, n_worst
from napari_mtseg.storage.annotation_files import FACTS as ANNOTATED
from napari_mtseg.storage.annotation_files import (
    has_scribble_chunks,
    is_complete_somewhere,
)
from napari_mtseg.storage.prediction_files import FACTS as PREDICTED
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_index import ReviewedImage, reviewed_images
from napari_mtseg.storage.review_log import ReviewLog, time_now
from napari_mtseg.storage.run_folder import RunFolder, find_run, runs_of
from napari_mtseg.storage.write import read_json
from napari_mtseg.uncertainty.suggestion import How, suggest

Wanted = Literal[
    "all", "flagged", "unreviewed", "accepted", "rejected", "corrected", "skipped"
]
WANTED: tuple[Wanted, ...] = get_args(Wanted)


@dataclass(frozen=True, kw_only=True)
class Review:
    """What is known of the predictions of one run."""

    run: str
    """name of the run"""
    images: tuple[ReviewedImage, ...]
    """all images that it predicted, in the order of their ids"""
    rule: FlagRule | None
    """from which score on images are flagged; None if nobody said"""

    @property
    def scores(self) -> tuple[str, ...]:
        """Scores that an image has, those with a label first."""
        found = {name for image in self.images for name in image.scores}
        known = [name for name in SCORES if name in found]
        return (*known, *sorted(found - set(known)))

    @property
    def main_score(self) -> str:
        """Score that images are sorted by unless the user says otherwise."""
        scores = self.scores
        if self.rule is not None and self.rule.score in scores:
            return self.rule.score
        return DEFAULT_SCORE if DEFAULT_SCORE in scores or not scores else scores[0]

    def is_flagged(self, image: ReviewedImage) -> bool:
        """Return whether an image is doubtful enough to be looked at."""
        return self.rule is not None and self.rule.flags(image.scores)

    def chosen(self, wanted: Wanted) -> tuple[ReviewedImage, ...]:
        """Return the images in a state: flagged, unreviewed, or of that verdict."""
        if wanted == "all":
            return self.images
        if wanted == "flagged":
            return tuple(image for image in self.images if self.is_flagged(image))
        return tuple(i for i in self.images if verdict_of(i) == wanted)

    def by_doubt(
        self, images: Sequence[ReviewedImage], score: str | None = None
    ) -> tuple[ReviewedImage, ...]:
        """Return images, the most doubtful first; those without the score last.

        Raises
        ------
        SettingsError
            If no image has that score.
        """
        name = self.main_score if score is None else self.checked_score(score)
        return tuple(
            sorted(images, key=lambda i: (-i.scores.get(name, -math.inf), i.id))
        )

    def checked_score(self, score: str) -> str:
        """Return the name of a score that an image has.

        Raises
        ------
        SettingsError
            If none has it.
        """
        if score not in self.scores:
            known = ", ".join(self.scores) or "none"
            raise SettingsError(
                f"No prediction of run '{self.run}' has a score '{score}'. Scores that "
                f"are there: {known}."
            )
        return score

    def threshold_of_worst(self, share: float, score: str) -> float:
        """Return the threshold from which on the worst ``share`` is flagged.

        Parameters
        ----------
        share : float
            0..1 of the images with that score; at least one image is flagged, and of
            equal ones all.
        score : str
            Name of the score.

        Raises
        ------
        SettingsError
            If no image has that score, or the share is out of range.
        """
        if not 0 < share <= 1:
            raise SettingsError(
                f"The worst {100 * share:.3g} % of the images cannot be flagged: the "
                "share must be above 0 and at most 100 %."
            )
        name = self.checked_score(score)
        values = sorted(i.scores[name] for i in self.images if name in i.scores)
        return values[-n_worst(len(values), share)]


def review_of(project: Project, run: str | None = None) -> Review:
    """Return what is known of the predictions of a run.

    Parameters
    ----------
    project : Project
        The project.
    run : str, optional
        Name of the run; the newest that has predicted an image by default.

    Raises
    ------
    RunError
        If there is no such run.
    ProjectError
        If no image was predicted.
    """
    found = _predicting_run(project) if run is None else find_run(project.path, run)
    name = found.path.name
    images = reviewed_images(project, name)
    if not images:
        raise ProjectError(
            f"Run '{name}' has predicted no image of '{project.path.name}' yet. "
            f"Predict with 'mtseg predict {project.path.name} --run {name}'."
        )
    rule = ReviewLog(project.path).flag_rule(name)
    return Review(run=name, images=images, rule=rule)


def verdict_of(image: ReviewedImage) -> str:
    """Return 'accepted', 'rejected', 'corrected', 'skipped' or 'unreviewed'."""
    said = None if image.verdict is None else image.verdict.verdict
    return "unreviewed" if said is None else said


def new_flag_rule(
    project: Project, review: Review, *, score: str, threshold: float, who: str
) -> FlagRule:
    """Save from which score on images of a run are flagged.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock.
    review : Review
        Of the run.
    score : str
        Name of the score.
    threshold : float
        Images with this score or more are flagged.
    who : str
        Name of the user's account.

    Raises
    ------
    SettingsError
        If no image has that score, or the threshold is no number.
    StorageError
        If the project cannot be written.
    """
    values = {"score": review.checked_score(score), "threshold": threshold}
    said = {"run": review.run, "who": who, "when": time_now()}
    rule = FlagRule.checked({**values, **said})
    ReviewLog(project.path).set_flag_rule(rule)
    return rule


def suggested_images(
    project: Project, n: int, *, how: How, seed: int, run: str | None = None
) -> tuple[ImageEntry, ...]:
    """Return training images that a person should annotate next.

    Images that are annotated already, in whatever way, are not suggested.

    Parameters
    ----------
    project : Project
        The project.
    n : int
        Images wanted; fewer are returned if there are no more.
    how : {'doubt', 'random', 'interval'}
        How they are chosen.
    seed : int
        Of what is drawn.
    run : str, optional
        Run whose doubt counts; the newest that has predicted an image by default.
        Without any, only 'random' and 'interval' can choose.

    Raises
    ------
    RunError, ProjectError
        As :func:`review_of`, where doubt is needed.
    """
    review = _review_if_any(project, run, needed=how == "doubt")
    known = {} if review is None else {image.id: image for image in review.images}
    score = "" if review is None else review.main_score
    entries = [entry for entry in project.images if entry.split == "train"]
    doubts, looks = [], []
    for entry in entries:
        image = known.get(entry.id)
        doubts.append(math.nan if image is None else image.scores.get(score, math.nan))
        looks.append(() if image is None else image.descriptor)
    annotated = [i for i, entry in enumerate(entries) if _is_annotated(project, entry)]
    places = suggest(
        n,
        how=how,
        doubts=doubts,
        descriptors=looks,
        rng=np.random.default_rng(seed),
        annotated=annotated,
    )
    return tuple(entries[place] for place in places)


def _review_if_any(project: Project, run: str | None, *, needed: bool) -> Review | None:
    try:
        return review_of(project, run)
    except (ProjectError, RunError):
        if needed:
            raise
        return None


def _predicting_run(project: Project) -> RunFolder:
    """Return the newest run that has a prediction; the newest one if none has."""
    runs = runs_of(project.path)
    predictions = project.path / "predictions"
    for run in reversed(runs):
        if any((predictions / run.path.name).glob(f"*/{PREDICTED}")):
            return run
    return find_run(project.path, None)


def _is_annotated(project: Project, entry: ImageEntry) -> bool:
    """Return whether anything is painted; tags alone are no annotation."""
    folder = project.annotation_folder(entry)
    try:
        facts: Any = read_json(folder / ANNOTATED)
    except FileNotFoundError:
        return False
    tables = [facts.get(f"{kind}_classes") for kind in ("partial", "full")]
    has_strokes = has_scribble_chunks(folder)
    return any(tables) or has_strokes or is_complete_somewhere(facts)
