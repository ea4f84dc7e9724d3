"""What changed from one run to another."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import CompleteRegion
from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.gui.held_out import held_out_images, validation_images
from napari_mtseg.gui.run_change import (
    ImageChange,
    QualityChange,
    image_change,
    mean_dice,
    quality_change,
)
from tests.gui.trained_projects import checked, predicted, trained_run
from tests.tiny_projects import disc_project


def row(*values):
    return np.array([values], np.uint8)


def test_dice_is_the_mean_over_the_classes_that_occur_in_either():
    assert mean_dice(row(1, 1, 2, 0), row(1, 0, 2, 0)) == pytest.approx((2 / 3 + 1) / 2)
    assert mean_dice(row(1, 0), row(2, 0)) == 0
    assert mean_dice(row(0, 0), row(0, 0)) == 1


@given(arrays(np.uint8, (3, 4), elements=st.integers(0, 3)))
def test_a_prediction_is_like_itself(classes):
    assert mean_dice(classes, classes) == 1


@given(
    arrays(np.uint8, (3, 4), elements=st.integers(0, 3)),
    arrays(np.uint8, (3, 4), elements=st.integers(0, 3)),
)
def test_the_order_of_the_predictions_does_not_matter(before, now):
    assert mean_dice(before, now) == mean_dice(now, before)


@pytest.mark.parametrize(
    ("dice", "n_more", "sentence"),
    [
        (0.931, 3, "Dice between both 0.93 · 3 objects more"),
        (0.5, -1, "Dice between both 0.50 · 1 object fewer"),
        (0.9999, 0, "Dice between both 0.99 · as many objects"),
        (1.0, 0, "Dice between both 1.00 · as many objects"),
    ],
)
def test_the_change_of_an_image_is_one_line(dice, n_more, sentence):
    objects = np.zeros((1, 1), np.uint32)
    change = ImageChange(objects=objects, dice=dice, n_more=n_more)
    assert change.sentence() == sentence


def test_scores_on_other_images_are_not_to_be_compared():
    change = QualityChange(
        score="Validation Dice", before=0.8, now=0.9, n_images=3, is_same_images=False
    )
    assert change.sentence() == (
        "Validation Dice 0.80 → 0.90 (3 images); they were scored on different images, "
        "so do not compare"
    )


def test_two_predictions_of_an_image_are_compared(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    (entry,) = project.images
    objects = np.zeros(entry.spatial_shape, np.uint32)
    objects[2:6, 2:6] = 7
    before = predicted(project, trained_run(project), entry, objects)
    objects[20:24, 2:6] = 9
    now = predicted(project, trained_run(project), entry, objects)
    change = image_change(before, now)
    assert change.n_more == 1
    assert change.dice == pytest.approx(2 * 16 / 48)
    assert np.unique(change.objects).tolist() == [0, 7]
    smaller = predicted(project, trained_run(project), entry, objects[:20])
    with pytest.raises(ProjectError, match="the image was replaced meanwhile"):
        image_change(before, smaller)


def test_runs_are_compared_by_their_validation_score(tmp_path):
    project = disc_project(tmp_path, validate=2)
    before = trained_run(project, score=0.81).path.name
    now = trained_run(project, score=0.86).path.name
    change = quality_change(project.path, before, now)
    assert change.sentence() == "Validation Dice 0.81 → 0.86 (2 images)"
    unknown = trained_run(project).path.name
    assert quality_change(project.path, before, unknown) is None


def test_checks_on_the_same_held_out_images_come_before_validation(tmp_path):
    project = disc_project(tmp_path, n_images=1, validate=3)
    first, second, third = project.images[1:]
    before, now = (trained_run(project, score=0.5) for _ in range(2))
    names = (before.path.name, now.path.name)
    checked(project, before, [(first, 0.6), (second, 0.8)])
    assert quality_change(project.path, *names).score == "Validation Dice"
    checked(project, now, [(second, 0.9), (third, 0.2)], split="test")
    assert quality_change(project.path, *names).sentence() == (
        "Held-out Dice 0.80 → 0.90 (1 image)"
    )
    checked(project, now, [(second, 0.9)], split="train")
    assert quality_change(project.path, *names).score == "Validation Dice"


def test_runs_with_other_validation_images_are_told_apart(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2, validate=1)
    before = trained_run(project, score=0.81).path.name
    project.update_image(project.images[0].changed({"split": "validate"}))
    now = trained_run(project, score=0.86).path.name
    assert not quality_change(project.path, before, now).is_same_images


def test_held_out_images_have_full_masks_of_a_person(tmp_path):
    project = disc_project(tmp_path, n_images=1, validate=3)
    _, exact, accepted, rough = project.images
    ours = replace(project.annotation(accepted), origin="accepted RUN")
    project.save_annotation(accepted, ours)
    nowhere = replace(project.annotation(rough), complete=CompleteRegion())
    project.save_annotation(rough, nowhere)
    assert held_out_images(project) == (exact,)
    assert validation_images(trained_run(project)) == {exact.id}
