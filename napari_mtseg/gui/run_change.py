"""What changed from one run to another: on one image, and in how good they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.geometry.slabs import slabs
from napari_mtseg.gui.held_out import validation_images
from napari_mtseg.gui.run_records import read_record
from napari_mtseg.metrics.overlap import OverlapCounts
from napari_mtseg.storage.prediction_files import load_answer, load_map
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.score_checks import load_score_check
from napari_mtseg.storage.stored_array import size_text

_CODES = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageChange:
    """Two predictions of one image."""

    objects: NDArray[np.uint32]
    """([Z,] Y, X) objects of the earlier one, 0 background"""
    dice: float
    """Dice between both, 0..1: the mean over the classes that occur in either"""
    n_more: int
    """objects that the later one has more; below 0 for fewer"""

    def sentence(self) -> str:
        """Return such as 'Dice between both 0.93 · 3 objects more'."""
        n = abs(self.n_more)
        more = "more" if self.n_more > 0 else "fewer"
        objects = f"{n:,} object{'s' * (n != 1)} {more}" if n else "as many objects"
        # Not 1.00 where a pixel differs.
        dice = self.dice if self.dice == 1 else min(self.dice, 0.99)
        return f"Dice between both {dice:.2f} · {objects}"


@dataclass(frozen=True, kw_only=True)
class QualityChange:
    """How good two runs are on images that neither of them was trained on."""

    score: str
    """what was measured, such as 'Validation Dice'"""
    before: float
    """of the earlier run, 0..1"""
    now: float
    """of the later run, 0..1"""
    n_images: int
    """images that the later run was scored on; 0 if that is not known"""
    is_same_images: bool = True
    """True if both were scored on the same images"""

    def sentence(self) -> str:
        """Return such as 'Validation Dice 0.81 → 0.86 (12 images)'."""
        text = f"{self.score} {self.before:.2f} → {self.now:.2f}"
        if self.n_images:
            text += f" ({self.n_images:,} image{'s' * (self.n_images != 1)})"
        if not self.is_same_images:
            text += "; they were scored on different images, so do not compare"
        return text


def image_change(before: Path, now: Path) -> ImageChange:
    """Compare two saved predictions of one image.

    Parameters
    ----------
    before, now : Path
        Folders of the earlier and of the later prediction.

    Raises
    ------
    ProjectError
        If one is missing or damaged, or they differ in size.
    """
    classes = [load_map(folder, "classes") for folder in (before, now)]
    if classes[0].shape != classes[1].shape:
        raise ProjectError(
            f"The earlier prediction has {size_text(classes[0].shape)} pixels, this "
            f"one has {size_text(classes[1].shape)}: the image was replaced meanwhile. "
            "Predict it again with the earlier run."
        )
    n = [sum(load_answer(folder).n_objects.values()) for folder in (before, now)]
    return ImageChange(
        objects=load_map(before, "instances").astype(np.uint32, copy=False),
        dice=mean_dice(*classes),
        n_more=n[1] - n[0],
    )


def mean_dice(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> float:
    """Return the mean Dice over the classes that occur in either class map.

    Parameters
    ----------
    before, now : ([Z,] Y, X) uint8
        Classes, 0 background.

    Returns
    -------
    float
        0..1; 1 where neither has a class.

    Examples
    --------
    >>> mean_dice(np.array([[1, 1, 0]], np.uint8), np.array([[0, 1, 0]], np.uint8))
    0.6666666666666666
    """
    counts = np.zeros(_CODES * _CODES, np.int64)
    for part in slabs(before.shape):
        codes = before[part].astype(np.uint16) * _CODES + now[part]
        counts += np.bincount(codes.ravel(), minlength=counts.size)
    pairs = counts.reshape(_CODES, _CODES)
    scores = [
        OverlapCounts(
            both=int(pairs[c, c]),
            prediction=int(pairs[:, c].sum()),
            reference=int(pairs[c].sum()),
        ).dice
        for c in range(1, _CODES)
        if pairs[c].any() or pairs[:, c].any()
    ]
    return float(np.mean(scores)) if scores else 1.0


def quality_change(project: Path, before: str, now: str) -> QualityChange | None:
    """Return how good two runs are on held-out images; None if that is not known.

    Parameters
    ----------
    project : Path
        Project folder.
    before, now : str
        Names of the earlier and of the later run.

    Returns
    -------
    QualityChange or None
        On the held-out images on which the scores of both were checked, else of the
        validation of both while they were trained.
    """
    return _checked_change(project, before, now) or _validation_change(
        project, before, now
    )


def _checked_change(project: Path, before: str, now: str) -> QualityChange | None:
    dice = []
    for name in (before, now):
        check = load_score_check(project / "predictions" / name)
        if check is None or not check.is_held_out:
            return None
        dice.append({image.id: image.dice for image in check.images})
    common = sorted(dice[0].keys() & dice[1].keys())
    if not common:
        return None
    return QualityChange(
        score="Held-out Dice",
        before=float(np.mean([dice[0][key] for key in common])),
        now=float(np.mean([dice[1][key] for key in common])),
        n_images=len(common),
    )


def _validation_change(project: Path, before: str, now: str) -> QualityChange | None:
    runs = [RunFolder(project / "runs" / name) for name in (before, now)]
    scores = [read_record(run, trains=False).score for run in runs]
    if scores[0] is None or scores[1] is None:
        return None
    images = [validation_images(run) for run in runs]
    return QualityChange(
        score="Validation Dice",
        before=scores[0],
        now=scores[1],
        n_images=len(images[1]),
        is_same_images=images[0] == images[1],
    )
