"""A row of a table: one way of training, from simulated paint to scores of test images.

Masks of test images never enter a project.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.image_sets import ImageSet, Item, prepared
from benchmarks.painted_projects import Paint, painted_project, scenes_of
from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.methods.catalog import preset, settings_of
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.project_names import with_suffix
from napari_mtseg.storage.run_folder import RunFolder, find_run, runs_of
from napari_mtseg.workflows.evaluate import evaluate_masks, with_answers
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.scores import ANSWERS, METRICS
from napari_mtseg.workflows.train import train


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of training, and what it is called in the table."""

    title: str
    method: str
    """key of the method"""
    preset: str = "fast"
    """size of the method that comes first"""
    shared: Mapping[str, Any] = field(default_factory=dict)
    """settings that all rows of a table share"""
    variant: str = ""
    """named variant of the method, stronger than what is shared; empty for none"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """settings of this row alone, strongest"""
    paint: Paint
    labelled: float | None = None
    """share of the training images that are painted, drawn by the seed alone, so that
    they are the same in all rows; None for all"""
    unlabelled: bool = True
    """True if the other training images are in the project, without any paint"""
    pieces: bool = False
    """True if connected pieces of the class map are scored as objects, whatever the
    method makes of it"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One row with one seed on one image set."""

    row: Row
    seed: int
    images: ImageSet
    data: Path
    """folder of the image set as it was published"""
    out: Path
    """folder of what is made here"""
    device: str

    @property
    def name(self) -> str:
        """Name of the result file and of the project."""
        title = self.row.title.replace(", ", "_").replace(" %", "").replace(" ", "_")
        return f"{title}-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training."""

    project: Project
    run: RunFolder
    items: list[Item]


def train_and_score(trial: Trial) -> dict[str, Any]:
    """Train one row with one seed and score it on the test images."""
    return scored(trial, trained(trial))


def trained(trial: Trial) -> Trained:
    """Train one row with one seed, or go on where an earlier call was stopped."""
    items = prepared(trial.data, trial.out / "data", trial.images)
    project = painted_of(trial, items)
    if runs_of(project.path):
        run = find_run(project.path, None)
    else:
        run, _ = start_run(
            project,
            trial.row.method,
            settings_of_row(trial.row, ndim=trial.images.ndim),
            seed=trial.seed,
            device=trial.device,
        )
    deque(train(project, run), maxlen=0)
    return Trained(project=project, run=run, items=items)


def scored(trial: Trial, done: Trained) -> dict[str, Any]:
    """Return what the tables need: the row's title, the seed and the test scores."""
    scores = image_scores(done.run, done.items, trial.images, pieces=trial.row.pieces)
    return {"row": trial.row.title, "seed": trial.seed, "test": scores}


def settings_of_row(row: Row, *, ndim: int = 2) -> dict[str, Any]:
    """Return all settings of a row for images of ``ndim`` dimensions.

    Raises
    ------
    SettingsError
        If the method, the variant or a setting does not exist.
    """
    named = preset(row.method, row.variant, ndim=ndim) if row.variant else {}
    return settings_of(
        row.method,
        preset_name=row.preset,
        ndim=ndim,
        values={**row.shared, **named, **row.values},
    ).model_dump()


def painted_of(trial: Trial, items: Sequence[Item]) -> Project:
    """Make the project that an annotator would have made, or open it again."""
    row = trial.row
    return painted_project(
        with_suffix(trial.out / "projects" / trial.name),
        items,
        trial.images,
        paint=row.paint,
        labelled=row.labelled,
        unlabelled=row.unlabelled,
        seed=trial.seed,
    )


def image_scores(
    run: RunFolder, items: Sequence[Item], images: ImageSet, *, pieces: bool = False
) -> dict[str, list[float]]:
    """Return every metric of every test image, averaged over its classes.

    A metric of an image is NaN where it is undefined for all of the classes. What a
    method says of the image as a whole is scored beside them.
    """
    model = load_model(run)
    scenes = scenes_of(items)
    scores: dict[str, list[float]] = {name: [] for name in (*METRICS, *ANSWERS)}
    for item in items:
        if item.split != "test":
            continue
        prediction = model.predict_image(open_image(item.image))
        if pieces:
            prediction = _with_pieces(prediction)
        truth = tifffile.imread(item.mask).astype(np.uint32)
        class_of = {int(i): 1 for i in np.unique(truth) if i}
        if images.values == "classes":
            truth, class_of = separate_objects(truth.astype(np.uint8))
        found = evaluate_masks(
            prediction,
            truth,
            class_of,
            spacing=images.spacing or (1.0,) * images.ndim,
            n_classes=len(images.classes),
        )
        for metric in METRICS:
            values = [getattr(c, metric) for c in found.classes.values()]
            scores[metric].append(_mean_of_defined(values))
        exact = ObjectMasks(objects=truth, class_of=class_of)
        scene = scenes.index(item.scene) if item.scene else None
        told = with_answers(found, prediction, exact, scene=scene)
        for name in ANSWERS:
            scores[name].append(getattr(told, name))
    return scores


def _with_pieces(prediction: Prediction) -> Prediction:
    instances, class_of = separate_objects(prediction.classes)
    return replace(prediction, instances=instances, class_of=class_of)


def _mean_of_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
