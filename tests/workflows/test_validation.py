from dataclasses import replace

import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    CompleteRegion,
    empty_annotation,
)
from napari_mtseg.methods.baseline.method import Baseline
from napari_mtseg.methods.baseline.settings import BaselineSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.storage.snapshot import load_snapshot, take_snapshot
from napari_mtseg.workflows.validation import Validation
from tests.tiny_projects import SIZE, annotated, disc_image, disc_project


def validation_of(project, *, n_classes=1):
    file = project.path / "snapshot.json"
    take_snapshot(project, file)
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0, 1.0))
    method = Baseline(BaselineSettings(), task)
    return Validation(project, load_snapshot(project, file), method)


def answering(mask):
    """Return a network that is sure of a mask of class 1."""
    answer = np.stack([1.0 - mask, 1.0 * mask]).astype(np.float32)
    return lambda pixels: {"segmentation": answer}


def truth(index):
    return disc_image(index, ndim=2, n_discs=1)[1] > 0


def paint(project, index, annotation):
    project.save_annotation(project.images[index], annotation)


@pytest.fixture
def project(tmp_path):
    """One training and two validation images with full masks."""
    return disc_project(tmp_path, n_images=1, validate=2)


def test_only_validation_images_score(project):
    found = validation_of(project)
    assert [entry.name for entry, _ in found.images] == ["disc_1.tif", "disc_2.tif"]


def test_the_score_is_the_mean_dice_over_images(project):
    found = validation_of(project)
    dice = [
        2 * (truth(1) & truth(i)).sum() / (truth(1).sum() + truth(i).sum())
        for i in (1, 2)
    ]
    scores = found.scores(answering(truth(1)))
    assert scores == {
        "score": pytest.approx(np.mean(dice)),
        "dice class 1": pytest.approx(np.mean(dice)),
    }
    assert dice[0] == 1


def test_where_full_masks_exist_weak_labels_do_not_score(project):
    _, objects = disc_image(2, ndim=2, n_discs=1)
    paint(project, 2, annotated(objects, exact=False))
    assert [e.name for e, _ in validation_of(project).images] == ["disc_1.tif"]


@pytest.mark.parametrize("verdict", ["accepted", "corrected"])
def test_predictions_that_a_person_accepted_never_score(project, verdict):
    for index in (1, 2):
        masks = project.annotation(project.images[index])
        paint(project, index, replace(masks, origin=f"{verdict} some-run"))
    assert validation_of(project).images == []


def test_weak_labels_beside_an_accepted_prediction_score(project):
    for index in (1, 2):
        masks = project.annotation(project.images[index])
        scribbles = np.zeros((SIZE, SIZE), np.uint8)
        scribbles[0, :6] = SCRIBBLE_BACKGROUND
        changed = replace(masks, scribbles=scribbles, origin="accepted some-run")
        paint(project, index, changed)
    found = validation_of(project).images
    assert len(found) == 2
    assert not any(annotation.has_full for _, annotation in found)


def test_unannotated_images_do_not_score(project):
    for index in (1, 2):
        paint(project, index, empty_annotation((SIZE, SIZE)))
    assert validation_of(project).images == []


def test_without_full_masks_known_pixels_alone_score(project):
    scribbles = np.zeros((SIZE, SIZE), np.uint8)
    scribbles[0, :6] = SCRIBBLE_BACKGROUND
    scribbles[1, :3] = SCRIBBLE_FIRST_CLASS
    for index in (1, 2):
        nothing = empty_annotation((SIZE, SIZE))
        paint(project, index, replace(nothing, scribbles=scribbles))
    everywhere = np.ones((SIZE, SIZE), bool)
    assert validation_of(project).scores(answering(everywhere))["score"] == (
        pytest.approx(2 * 3 / (9 + 3))
    )
    below = np.zeros((SIZE, SIZE), bool)
    below[1:] = True
    assert validation_of(project).scores(answering(below))["score"] == 1


def test_an_image_known_to_be_empty_scores_what_is_predicted_there(project):
    empty = replace(empty_annotation((SIZE, SIZE)), complete=CompleteRegion(whole=True))
    for index in (1, 2):
        paint(project, index, empty)
    found = validation_of(project)
    assert found.scores(answering(np.zeros((SIZE, SIZE), bool)))["score"] == 1
    assert found.scores(answering(truth(1)))["score"] == 0
