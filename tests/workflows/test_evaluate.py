import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    no_objects,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError, RunError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import Split
from napari_mtseg.storage.class_edits import add_class, add_scene, remove_class
from napari_mtseg.storage.image_tags import TagChange, set_tags
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, new_run_folder
from napari_mtseg.workflows.evaluate import (
    evaluate_masks,
    evaluate_project,
    with_answers,
)
from napari_mtseg.workflows.evaluation_tables import write_evaluation

SHAPE = (12, 12)
TRUTH = np.zeros(SHAPE, np.uint32)
TRUTH[1:5, 1:5] = 1
TRUTH[7:11, 7:11] = 2


def prediction_of(
    objects: NDArray[np.uint32], class_of: dict[int, int] | None = None
) -> Prediction:
    table = class_of or {int(i): 1 for i in np.unique(objects) if i}
    masks = ObjectMasks(objects=objects, class_of=table)
    return Prediction(
        classes=masks.class_map(),
        probabilities=np.zeros((2, *objects.shape), np.float16),
        instances=objects,
        class_of=table,
    )


def test_the_toy_of_the_specification_scores_as_stated_there():
    truth, answer = np.zeros((2, 40, 40), np.uint32)
    truth[5:15, 5:15], truth[25:33, 25:33] = 1, 2
    answer[5:15, 7:17], answer[30:34, 5:9] = 1, 2
    scores = evaluate_masks(
        prediction_of(answer), truth, {1: 1, 2: 1}, spacing=(1.0, 1.0)
    )
    assert scores.classes[1].dice == pytest.approx(0.57143, abs=1e-5)
    assert scores.classes[1].object_dice == pytest.approx(0.58873, abs=1e-5)
    assert scores.classes[1].object_f1 == 0.5


def test_a_perfect_answer_is_perfect_in_every_score():
    scores = evaluate_masks(
        prediction_of(TRUTH), TRUTH, {1: 1, 2: 1}, spacing=(1.0, 1.0)
    ).classes[1]
    ones = (scores.dice, scores.jaccard, scores.object_dice, scores.object_f1)
    zeros = (scores.ravd, scores.hausdorff, scores.assd, scores.object_hausdorff)
    assert ones == (1, 1, 1, 1)
    assert zeros == (0, 0, 0, 0)


def test_empty_cases_score_as_specified():
    nothing = np.zeros(SHAPE, np.uint32)
    both = evaluate_masks(prediction_of(nothing), nothing, {}, spacing=(1.0, 1.0))
    one = evaluate_masks(
        prediction_of(nothing), TRUTH, {1: 1, 2: 1}, spacing=(1.0, 1.0)
    )
    assert (both.classes[1].dice, one.classes[1].dice) == (1, 0)
    assert np.isnan([both.classes[1].hausdorff, one.classes[1].hausdorff]).all()
    assert (both.classes[1].both_empty, one.classes[1].one_empty) == (True, True)


def test_distances_are_in_the_unit_of_the_spacing():
    shifted = np.roll(TRUTH, 1, axis=1)
    scores = evaluate_masks(
        prediction_of(shifted), TRUTH, {1: 1, 2: 1}, spacing=(0.5, 0.5)
    )
    assert scores.classes[1].hausdorff == 0.5


def test_volumes_score_like_images():
    volume = np.stack([TRUTH] * 4)
    shifted = np.roll(volume, 1, axis=2)
    scores = evaluate_masks(
        prediction_of(shifted), volume, {1: 1, 2: 1}, spacing=(5.0, 1.0, 1.0)
    )
    assert scores.classes[1].hausdorff == 1
    assert scores.classes[1].dice == 0.75


def test_nothing_outside_the_known_region_counts():
    answer = TRUTH.copy()
    answer[7:11, 7:11] = 0
    answer[0, 8] = 9
    known = np.zeros(SHAPE, bool)
    known[:, :6] = True
    scores = evaluate_masks(
        prediction_of(answer), TRUTH, {1: 1, 2: 1}, spacing=(1.0, 1.0), known=known
    )
    assert scores.classes[1].dice == 1
    assert scores.classes[1].n_reference == 1


def test_every_class_is_scored_by_itself():
    scores = evaluate_masks(
        prediction_of(TRUTH, {1: 1, 2: 1}), TRUTH, {1: 1, 2: 2}, spacing=(1.0, 1.0)
    )
    assert scores.classes[1].precision == 0.5
    assert scores.classes[2].dice == 0


def test_objects_tell_what_was_found_missed_and_made_up():
    answer = np.zeros(SHAPE, np.uint32)
    answer[1:5, 1:5], answer[0, 10] = 5, 6
    rows = evaluate_masks(
        prediction_of(answer), TRUTH, {1: 1, 2: 1}, spacing=(1.0, 1.0)
    ).objects
    assert [(r.reference, r.prediction, r.found) for r in rows] == [
        (1, 5, True),
        (2, None, False),
        (None, 6, False),
    ]
    assert [(r.size, r.dice) for r in rows] == [(16, 1), (16, 0), (1, 0)]


def test_of_two_merged_objects_only_the_larger_is_found():
    merged = np.zeros((6, 10), np.uint32)
    truth = merged.copy()
    merged[1:5, 1:9] = 1
    truth[1:5, 1:4], truth[1:5, 4:9] = 1, 2
    rows = evaluate_masks(
        prediction_of(merged), truth, {1: 1, 2: 1}, spacing=(1.0, 1.0)
    ).objects
    assert [row.found for row in rows] == [False, True]


def project_of(tmp_path: Path, splits: dict[str, Split]) -> tuple[Project, RunFolder]:
    project = Project.create(tmp_path / "p.mtseg", classes=("nucleus", "debris"))
    (tmp_path / "masks").mkdir()
    for i, (name, split) in enumerate(splits.items()):
        noise = np.random.default_rng(i).integers(0, 255, SHAPE, np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", noise)
        tifffile.imwrite(tmp_path / "masks" / f"{name}_mask.tif", TRUTH)
        project.add_image(tmp_path / f"{name}.tif", split=split)
    facts = {"settings": {}, "seed": 0, "device": "cpu", "versions": {}}
    return project, new_run_folder(project.path, {"method": "baseline", **facts})


def predict(
    project: Project, run: RunFolder, name: str, objects: NDArray[np.uint32]
) -> None:
    folder = project.path / "predictions" / run.path.name / name
    save_prediction(folder, prediction_of(objects), spacing=(1.0, 1.0), unit="pixel")


def paint_full(project: Project, name: str, origin: str = "painted") -> None:
    annotation = Annotation(
        partial=no_objects(SHAPE),
        scribbles=np.zeros(SHAPE, np.uint8),
        full=ObjectMasks(objects=TRUTH, class_of={1: 1, 2: 1}),
        complete=CompleteRegion(whole=True),
        origin=origin,
    )
    project.save_annotation(project.image(name), annotation)


def test_predictions_score_against_held_out_masks(tmp_path):
    project, run = project_of(tmp_path, {"a": "test", "b": "test", "c": "train"})
    predict(project, run, "a", TRUTH)
    predict(project, run, "b", np.roll(TRUTH, 2, axis=0))
    evaluation = evaluate_project(project, run.path.name, tmp_path / "masks")
    dice = evaluation.summary()["nucleus"]["dice"]
    assert (dice.mean, dice.n) == (0.75, 2)
    assert (dice.low, dice.high) == (0.5, 1)
    assert evaluation.n_empty(2) == (0, 2)
    assert evaluation.summary()["mean"]["dice"].mean == 0.875
    assert evaluation.summary()["mean"]["hausdorff"].n_undefined == 0


def test_without_a_folder_the_projects_full_masks_score(tmp_path):
    project, run = project_of(tmp_path, {"a": "test", "b": "test", "c": "test"})
    paint_full(project, "a")
    paint_full(project, "b", origin="accepted run-1")
    predict(project, run, "a", TRUTH)
    evaluation = evaluate_project(project)
    assert [image.name for image in evaluation.images] == ["a.tif"]
    assert "2 of 3 images have no full mask of a person" in evaluation.notices[0]


def test_accepted_predictions_alone_cannot_score(tmp_path):
    project, _ = project_of(tmp_path, {"a": "test"})
    paint_full(project, "a", origin="accepted run-1")
    with pytest.raises(AnnotationError, match="None of the 1 images"):
        evaluate_project(project)


def test_a_missing_prediction_is_one_sentence(tmp_path):
    project, run = project_of(tmp_path, {"a": "test", "b": "test"})
    predict(project, run, "a", TRUTH)
    with pytest.raises(RunError) as error:
        evaluate_project(project, None, tmp_path / "masks")
    name = run.path.name
    assert str(error.value) == (
        f"Run '{name}' has not predicted 'b.tif' (1 of 2 images are missing). First "
        f"run 'mtseg predict p.mtseg --run {name} --split test'."
    )


def test_images_without_a_mask_are_told(tmp_path):
    project, run = project_of(tmp_path, {"a": "test", "b": "test"})
    predict(project, run, "a", TRUTH)
    (tmp_path / "masks" / "b_mask.tif").unlink()
    evaluation = evaluate_project(project, None, tmp_path / "masks")
    assert len(evaluation.images) == 1
    assert "There is no mask for 'b.tif'" in evaluation.notices[0]


def test_a_split_without_images_is_said(tmp_path):
    project, _ = project_of(tmp_path, {"a": "train"})
    with pytest.raises(ProjectError, match="has no images of split 'test'"):
        evaluate_project(project, None, tmp_path / "masks")


def test_tables_hold_a_row_per_image_class_and_object(tmp_path):
    project, run = project_of(tmp_path, {"a": "test"})
    predict(project, run, "a", TRUTH)
    evaluation = evaluate_project(project, None, tmp_path / "masks")
    images, objects, summary = write_evaluation(evaluation, tmp_path / "out")
    rows = list(csv.DictReader(images.open()))
    assert [(r["image"], r["class"], r["dice"]) for r in rows] == [
        ("a.tif", "nucleus", "1"),
        ("a.tif", "debris", "1"),
    ]
    assert rows[1]["hausdorff"] == ""
    assert len(list(csv.DictReader(objects.open()))) == 2
    content = json.loads(summary.read_text())
    assert content["summary"]["nucleus"]["dice"]["mean"] == 1
    assert content["summary"]["debris"]["hausdorff"]["mean"] is None


def answered(
    *,
    present: dict[int, float],
    scenes: tuple[float, ...] = (),
    scene: int | None = None,
    known: NDArray[np.bool_] | None = None,
):
    """Score what is told of an image that shows class 1."""
    told = replace(
        prediction_of(TRUTH),
        present=present,
        scenes=scenes,
        scores={"disagreement": 0.25} if present else {},
    )
    exact = ObjectMasks(objects=TRUTH, class_of={1: 1, 2: 1})
    scores = evaluate_masks(told, TRUTH, exact.class_of, spacing=(1.0, 1.0))
    return with_answers(scores, told, exact, scene=scene, known=known)


def test_classes_that_are_told_rightly_count_as_a_share():
    assert answered(present={1: 0.9, 2: 0.1}).class_accuracy == 1
    assert answered(present={1: 0.9, 2: 0.8}).class_accuracy == 0.5
    assert answered(present={1: 0.2, 2: 0.8}).class_accuracy == 0
    assert answered(present={1: 0.9}).disagreement == 0.25


def test_a_class_that_may_lie_where_nothing_is_known_does_not_count():
    known = np.ones(SHAPE, bool)
    known[0] = False
    assert answered(present={1: 0.9, 2: 0.8}, known=known).class_accuracy == 1


def test_the_most_probable_scene_is_the_one_that_is_told():
    assert answered(present={}, scenes=(0.2, 0.7, 0.1), scene=1).scene_accuracy == 1
    assert answered(present={}, scenes=(0.2, 0.7, 0.1), scene=2).scene_accuracy == 0


def test_what_is_not_told_is_undefined():
    scores = answered(present={}, scenes=(0.5, 0.5))
    assert np.isnan(
        [scores.class_accuracy, scores.scene_accuracy, scores.disagreement]
    ).all()
    told = answered(present={}, scenes=(), scene=1)
    assert np.isnan(told.scene_accuracy)


def test_scenes_are_compared_by_name(tmp_path):
    project, before = project_of(tmp_path, {"a": "test", "b": "test"})
    for name in ("day", "night"):
        add_scene(project, name)
    facts = before.info.model_dump(mode="json", exclude={"id", "created", "scenes"})
    run = new_run_folder(project.path, {**facts, "scenes": ("night", "day")})
    for name, scene in (("a", 0), ("b", 1)):
        set_tags(project, [project.image(name)], TagChange(scene=scene))
        told = replace(prediction_of(TRUTH), scenes=(0.1, 0.9))
        folder = project.path / "predictions" / run.path.name / name
        save_prediction(folder, told, spacing=(1.0, 1.0), unit="pixel")
    found = evaluate_project(project, run.path.name, tmp_path / "masks")
    # The second scene of the run is the project's first.
    assert [image.scene_accuracy for image in found.images] == [1, 0]
    assert found.answers()["scene_accuracy"].mean == 0.5


def test_predictions_of_classes_that_moved_since_are_not_scored(tmp_path):
    project, run = project_of(tmp_path, {"a": "test"})
    folder = project.path / "predictions" / run.path.name / "a"
    names = ("nucleus", "debris")
    probabilities = np.zeros((3, *SHAPE), np.float16)
    told = replace(prediction_of(TRUTH, {1: 2, 2: 2}), probabilities=probabilities)
    save_prediction(folder, told, spacing=(1.0, 1.0), unit="pixel", class_names=names)
    add_class(project, "mitosis")
    assert evaluate_project(project, None, tmp_path / "masks").images
    remove_class(project, 1)
    with pytest.raises(RunError) as error:
        evaluate_project(project, None, tmp_path / "masks")
    assert str(error.value) == (
        "The prediction of 'a.tif' has the classes nucleus, debris, but the project "
        "now has debris, mitosis. Train and predict again."
    )
