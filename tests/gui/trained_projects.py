"""Projects with runs and predictions, for tests of the Review page."""

import numpy as np

from napari_mtseg.domain.events import ValidationFinished
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.run_folder import new_run_folder
from napari_mtseg.storage.score_checks import (
    CheckedImage,
    ScoreCheck,
    save_score_check,
)
from napari_mtseg.storage.snapshot import take_snapshot


def trained_run(project, *, score=None, parent=None, has_weights=True):
    """Make a run as if it had been trained, with its best validation score."""
    info = {
        "method": "baseline",
        "settings": {},
        "seed": 0,
        "device": "cpu",
        "versions": {},
        "parent": parent,
    }
    run = new_run_folder(project.path, info)
    take_snapshot(project, run.snapshot_file)
    if has_weights:
        run.checkpoint("best").parent.mkdir()
        run.checkpoint("best").touch()
    if score is not None:
        run.append(ValidationFinished(step=1, metrics={"score": score}, is_best=True))
    return run


def predicted(project, run, entry, objects, **facts):
    """Save a prediction of one class with these objects; return its folder."""
    inside = (objects > 0).astype(np.float16)
    made = Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.stack([1 - inside, inside]),
        instances=objects.astype(np.uint32),
        class_of={int(i): 1 for i in np.unique(objects) if i},
        **facts,
    )
    folder = project.path / "predictions" / run.path.name / entry.id
    spacing = (1.0,) * objects.ndim
    save_prediction(folder, made, spacing=spacing, unit="pixel")
    return folder


def checked(project, run, dice, *, split="held-out"):
    """Save a check of a run's scores on images, as (entry, Dice) pairs."""
    images = [
        CheckedImage(id=entry.id, name=entry.name, dice=value, scores={})
        for entry, value in dice
    ]
    check = ScoreCheck(
        run=run.path.name,
        split=split,
        truth="full masks of the project",
        when="2026-01-01T12:00:00+00:00",
        failure_below=0.8,
        images=tuple(images),
        scores={},
        found_best=(),
        found_chance=(),
        best=None,
        chance=None,
        pixels=None,
        object_pixels=None,
    )
    save_score_check(project.path / "predictions" / run.path.name, check)
    return check
