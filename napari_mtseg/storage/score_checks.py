"""How well the scores of doubt find failures: ``predictions/RUN/score_check.json``.

Written by ``mtseg evaluate`` on images that are held out and that a person annotated;
read by the window, ``mtseg review`` and its report. It can always be made again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.prediction import ONE_PASS
from napari_mtseg.domain.review import SCORES
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.prediction_files import FACTS
from napari_mtseg.storage.score_figures import (
    Reliability,
    RiskCurve,
    ScoreFigures,
    Share,
)
from napari_mtseg.storage.settings_files import read_settings
from napari_mtseg.storage.write import clear_write_errors, write_json

FILE = "score_check.json"

DOUBT = "doubt"
"""the score of every prediction, sum of the uncertainty by pixel of objects"""

FAILURE_BELOW = 0.8
"""Dice below which a result failed, unless the user says another (ours)"""

SHARES = (0.05, 0.1, 0.2, 0.5)
"""shares of the images that are flagged, in the table (ours)"""

MAIN_SHARE = 0.1
"""the one of them that sentences name"""

BEST, CHANCE = "best order", "random order"
"""what scores are compared with, in tables"""

LEAST_IMAGES = 20
"""images from which on anything is said of the scores (ours)"""

LEAST_OF_A_KIND = 10
"""images that failed, and that did not, from which on it is said how well scores find
failures (ours, as in the benchmark)"""

HELD_OUT = "held-out"
"""name of the splits 'validate' and 'test' together"""

HELD_OUT_SPLITS = frozenset({"validate", "test", HELD_OUT})


class CheckedImage(Settings):
    """One image that scores were checked on."""

    id: str
    """image"""
    name: str
    """file name"""
    dice: Share
    """mean over the classes"""
    scores: Mapping[str, float]
    """its scores"""


class ScoreCheck(Settings):
    """What is known of the scores of one run's predictions."""

    format_version: Literal[1] = 1
    """layout of the file"""
    run: str
    """whose predictions"""
    split: str
    """which images"""
    truth: str
    """what they were scored against, in words"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from, in words"""
    when: str
    """UTC, ISO 8601 with seconds"""
    failure_below: Annotated[float, Field(ge=0, le=1)]
    """Dice below which a result failed"""
    images: tuple[CheckedImage, ...]
    """the images"""
    scores: Mapping[str, ScoreFigures]
    """score -> how well it tells failures"""
    found_best: tuple[Share | None, ...]
    """as ``ScoreFigures.found``, by the best order there is"""
    found_chance: tuple[Share, ...]
    """as ``ScoreFigures.found``, by a random order"""
    best: RiskCurve | None
    """by the best order there is, that of the errors; None without images"""
    chance: Share | None
    """area under the curve of a random order: the mean error"""
    pixels: Reliability | None
    """of all pixels whose class is known"""
    object_pixels: Reliability | None
    """of those that were called an object"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""

    @property
    def n_images(self) -> int:
        """Images that the scores were checked on."""
        return len(self.images)

    @property
    def n_failed(self) -> int:
        """Those that failed."""
        return sum(image.dice < self.failure_below for image in self.images)

    @property
    def mean_dice(self) -> float | None:
        """Mean Dice of the images; None without one."""
        if not self.images:
            return None
        return sum(image.dice for image in self.images) / self.n_images

    @property
    def is_held_out(self) -> bool:
        """True if no image of the kinds that train was asked for."""
        return self.split in HELD_OUT_SPLITS

    @property
    def is_enough(self) -> bool:
        """True if there are enough images of both kinds to tell."""
        least = min(self.n_failed, self.n_images - self.n_failed)
        return self.n_images >= LEAST_IMAGES and least >= LEAST_OF_A_KIND

    def sentence(self, score: str) -> str:
        """Return what is known of a score, or why too little is, in words."""
        if self.n_images < LEAST_IMAGES:
            return self._too_few_images()
        if score not in self.scores:
            return (
                f"'{score_label(score)}' was not checked: not all predictions of the "
                f"{self.n_images} {self._kind()} have it. Predict them again in one "
                "way, then check again."
            )
        if not self.is_enough:
            return f"{self._too_few_of_a_kind()}{self._correlation(score)}"
        return self._finds(score)

    def _too_few_images(self) -> str:
        n = self.n_images
        kind = "held out and annotated" if self.is_held_out else "annotated"
        found = f"Only {n} images are {kind}"
        if n <= 1:
            found = f"Only 1 image is {kind}" if n else f"No image is {kind}"
        return (
            f"{found}: too few to tell how well doubt finds failures. {LEAST_IMAGES} "
            "are the least."
        )

    def _too_few_of_a_kind(self) -> str:
        n, failed, below = self.n_images, self.n_failed, f"{self.failure_below:g}"
        if failed < LEAST_OF_A_KIND:
            found = f"Only {failed}" if failed else "None"
            return (
                f"{found} of {n} {self._kind()} failed (Dice below {below}): too few "
                f"to tell how well doubt finds failures. {LEAST_OF_A_KIND} are the "
                "least."
            )
        return (
            f"{failed} of {n} {self._kind()} failed (Dice below {below}): with so many "
            "failures all results need a look, and it cannot be told how well doubt "
            f"finds failures. {LEAST_OF_A_KIND} that did not fail are the least."
        )

    def _correlation(self, score: str) -> str:
        value = self.scores[score].spearman
        if value is None:
            return ""
        return (
            f" Rank correlation of {score_label(score)} with Dice: {value:.2f} (-1 is "
            "best, 0 says nothing)."
        )

    def _finds(self, score: str) -> str:
        place = SHARES.index(MAIN_SHARE)
        figures = self.scores[score]
        sentence = (
            f"Flagging the worst {_percent(MAIN_SHARE)} by {score_label(score)} finds "
            f"{_percent(figures.found[place])} of the failures (Dice below "
            f"{self.failure_below:g}), measured on {self.n_images} {self._kind()}; "
            f"{_percent(self.found_chance[place])} by chance, "
            f"{_percent(self.found_best[place])} at best."
        )
        if figures.auroc_low is None or figures.auroc_low <= 0.5:
            sentence += " On these images it is not clearly better than chance."
        return sentence

    def _kind(self) -> str:
        return "held-out images" if self.is_held_out else "images"


def score_label(score: str) -> str:
    """Return what people call a score."""
    known = SCORES.get(score)
    return score.replace("_", " ") if known is None else known.label


def save_score_check(folder: Path, check: ScoreCheck) -> Path:
    """Write the check of a run beside its predictions, and return the file.

    Parameters
    ----------
    folder : Path
        ``predictions/RUN`` of the project.
    check : ScoreCheck
        What is known.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = check.model_dump(mode="json")
    write_json(folder / FILE, content)
    return folder / FILE


def load_score_check(folder: Path) -> ScoreCheck | None:
    """Return the check of a run's scores, or None where none holds.

    A check is passed over where it cannot be read, as after an update of the program,
    and where one of its images was predicted again since: it can be made again.

    Parameters
    ----------
    folder : Path
        ``predictions/RUN`` of the project.
    """
    try:
        checked = (folder / FILE).stat().st_mtime_ns
        found = read_settings(folder / FILE, ScoreCheck)
    except (OSError, ProjectError):
        return None
    newest = max((_predicted(folder / i.id / FACTS) for i in found.images), default=0)
    return None if newest > checked else found


def _predicted(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"
