import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
    no_objects,
)
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.metrics.calibration import reliability_counts
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, new_run_folder
from napari_mtseg.storage.score_checks import SHARES, load_score_check
from napari_mtseg.storage.snapshot import take_snapshot
from napari_mtseg.workflows.evaluate import evaluate_project
from napari_mtseg.workflows.score_check import check_of_run, score_check
from napari_mtseg.workflows.scores import ClassScores, Evaluation, ImageScores

SHAPE = (8, 8)
TRUTH = np.zeros(SHAPE, np.uint32)
TRUTH[2:6, 2:6] = 1
FACTS = {"method": "baseline", "settings": {}, "seed": 0, "device": "cpu"}


def class_of(dice: float) -> ClassScores:
    shares = dict.fromkeys(("dice", "jaccard", "precision", "recall"), dice)
    others = dict.fromkeys(
        ("ravd", "hausdorff", "hausdorff95", "asd", "assd", "object_dice"), 0.0
    )
    return ClassScores(
        **shares,
        **others,
        object_hausdorff=0.0,
        object_f1=dice,
        n_predicted=1,
        n_reference=1,
        one_empty=False,
        both_empty=False,
    )


def image_of(name: str, dice: float, **scores: float) -> ImageScores:
    return ImageScores(
        image_id=name,
        name=f"{name}.tif",
        classes={1: class_of(dice)},
        objects=(),
        doubts=scores,
    )


def evaluation_of(*images: ImageScores, split: str = "test") -> Evaluation:
    return Evaluation(
        run="run-1",
        split=split,
        truth="masks",
        class_names=("nucleus",),
        unit="pixel",
        seed=0,
        images=images,
    )


def ten(**scores_of_place: object) -> Evaluation:
    """Return ten images of Dice 0, 0.1, ... 0.9 with scores made from the place."""
    return evaluation_of(
        *(
            image_of(f"i{k}", k / 10, **{n: f(k) for n, f in scores_of_place.items()})  # type: ignore[operator]
            for k in range(10)
        )
    )


def test_a_score_in_the_order_of_the_errors_is_as_good_as_the_best():
    check = score_check(ten(boundary_entropy=lambda k: 1 - k / 10), failure_below=0.2)
    found = check.scores["boundary_entropy"]
    assert (found.spearman, found.auroc) == (pytest.approx(-1), 1)
    assert check.best is not None
    assert found.curve.area == pytest.approx(check.best.area)
    assert found.found == check.found_best == (0.5, 0.5, 1, 1)
    assert check.n_failed == 2


def test_a_score_that_is_the_same_everywhere_is_as_good_as_chance():
    check = score_check(ten(boundary_entropy=lambda _: 0.5), failure_below=0.2)
    found = check.scores["boundary_entropy"]
    assert (found.spearman, found.auroc) == (None, 0.5)
    assert found.curve.area == pytest.approx(check.chance)
    assert found.found == pytest.approx(check.found_chance)


def test_the_best_order_comes_first_and_chance_is_the_mean_error():
    check = score_check(ten(doubt=lambda k: -k, low_confidence=lambda k: k))
    assert check.chance == pytest.approx(0.55)
    good, bad = (check.scores[n].curve.area for n in ("doubt", "low_confidence"))
    assert good < check.chance < bad


@given(st.lists(st.integers(0, 10), min_size=1, max_size=15), st.integers(0, 5))
def test_no_score_is_better_than_the_best_order(tenths, seed):
    rng = np.random.default_rng(seed)
    check = score_check(
        evaluation_of(
            *(
                image_of(f"i{k}", d / 10, doubt=rng.random())
                for k, d in enumerate(tenths)
            )
        )
    )
    assert check.best is not None
    assert check.scores["doubt"].curve.area >= check.best.area - 1e-9
    pairs = zip(check.scores["doubt"].found, check.found_best, strict=True)
    assert all(a is None or a <= b + 1e-9 for a, b in pairs)


def test_a_score_that_one_image_lacks_is_not_checked_and_told():
    evaluation = ten(
        boundary_entropy=lambda k: k, doubt=lambda k: np.nan if k == 3 else k
    )
    check = score_check(evaluation)
    assert set(check.scores) == {"boundary_entropy"}
    assert check.notices == (
        "'doubt' is missing on 1 of 10 images and was not checked.",
    )


def test_scores_that_nobody_knows_are_passed_over():
    check = score_check(ten(own=lambda k: k, doubt=lambda k: k))
    assert set(check.scores) == {"doubt"}
    assert check.notices == ()


def test_predictions_without_scores_are_told():
    check = score_check(ten())
    assert check.scores == {}
    assert "hold no scores of doubt" in check.notices[0]


def test_a_class_that_is_rightly_absent_hides_no_failure():
    absent = replace(class_of(1.0), both_empty=True)
    missed = replace(image_of("a", 0.0), classes={1: class_of(0.0), 2: absent})
    assert missed.dice == 0.0
    assert replace(missed, classes={2: absent}).dice == 1.0


def test_dice_of_several_classes_is_their_mean():
    image = replace(image_of("a", 0.4), classes={1: class_of(0.4), 2: class_of(1.0)})
    assert score_check(evaluation_of(image)).images[0].dice == pytest.approx(0.7)


def test_without_an_image_nothing_is_known():
    check = score_check(evaluation_of())
    assert (check.n_images, check.best, check.chance) == (0, None, None)
    assert (check.found_best, check.scores) == ((None,) * len(SHARES), {})


def test_answers_of_several_kinds_are_told_to_be_incomparable():
    one = image_of("a", 0.5, doubt=1)
    check = score_check(
        evaluation_of(one, replace(one, image_id="b", uncertainty_from="ensemble of 3"))
    )
    assert "cannot be compared" in check.notices[0]
    assert check.uncertainty_from == "one pass, ensemble of 3"


def test_masks_of_a_part_of_the_image_are_told():
    image = replace(image_of("a", 0.5, doubt=1), is_known_everywhere=False)
    (notice,) = score_check(evaluation_of(image)).notices
    assert notice.startswith("On 1 of 1 images the masks are complete in a part only")


def test_pixels_of_all_images_are_calibrated_together():
    sure = reliability_counts(np.full(3, 0.95), np.array([True, True, False]))
    images = [replace(image_of(n, 0.5, doubt=1), pixels=sure) for n in ("a", "b")]
    check = score_check(evaluation_of(*images))
    assert check.pixels is not None
    (filled,) = check.pixels.bins
    assert (filled.n, filled.right) == (6, pytest.approx(2 / 3))
    assert check.pixels.expected_error == pytest.approx(0.95 - 2 / 3)
    assert check.object_pixels is None


def test_long_curves_are_thinned_to_their_ends():
    images = [image_of(f"i{k}", k / 400, doubt=k) for k in range(400)]
    curve = score_check(evaluation_of(*images)).scores["doubt"].curve
    assert len(curve.coverage) == 101
    assert curve.coverage[-1] == 1


def prediction(doubt: float) -> Prediction:
    classes = (TRUTH > 0).astype(np.uint8)
    return Prediction(
        classes=classes,
        probabilities=np.stack([1 - classes, classes]).astype(np.float16),
        instances=TRUTH,
        class_of={1: 1},
        scores={"boundary_entropy": doubt},
    )


def paint(project: Project, name: str, origin: str = "painted") -> None:
    annotation = Annotation(
        partial=no_objects(SHAPE),
        scribbles=np.zeros(SHAPE, np.uint8),
        full=ObjectMasks(objects=TRUTH, class_of={1: 1}),
        complete=CompleteRegion(whole=True),
        origin=origin,
    )
    project.save_annotation(project.image(name), annotation)


@pytest.fixture
def project(tmp_path) -> Project:
    """Four images that one run predicted: a train, b validate, c and d test."""
    made = Project.create(tmp_path / "p.mtseg", classes=("nucleus",))
    splits = {"a": "train", "b": "validate", "c": "test", "d": "test"}
    for i, (name, split) in enumerate(splits.items()):
        file = tmp_path / f"{name}.tif"
        noise = np.random.default_rng(i).integers(0, 255, SHAPE, np.uint8)
        tifffile.imwrite(file, noise)
        made.add_image(file, split=split)  # type: ignore[arg-type]
        paint(made, name)
    run = new_run_folder(made.path, {**FACTS, "versions": {}})
    take_snapshot(made, run.snapshot_file)
    for i, entry in enumerate(made.images):
        folder = made.path / "predictions" / run.path.name / entry.id
        save_prediction(folder, prediction(i / 10), spacing=(1.0, 1.0), unit="pixel")
    return made


def checked(project: Project, split: str):
    evaluation = evaluate_project(project, split=split)
    return check_of_run(project, evaluation), project.path / "predictions" / (
        evaluation.run
    )


def names_of(check):
    return [image.id for image in check.images]


def test_held_out_images_are_those_of_validation_and_test(project):
    check, folder = checked(project, "held-out")
    assert names_of(check) == ["b", "c", "d"]
    assert load_score_check(folder) == check


@pytest.mark.parametrize("split", ["train", "all"])
def test_what_was_measured_on_trained_images_is_not_kept(project, split):
    check, folder = checked(project, split)
    assert load_score_check(folder) is None
    assert "was trained on images of this split" in check.notices[0]


def test_images_that_the_run_was_trained_on_do_not_count_later(project):
    project.update_image(project.image("a").changed({"split": "test"}))
    check, _ = checked(project, "test")
    assert names_of(check) == ["c", "d"]
    assert "1 of 3 images were trained on" in check.notices[0]


def test_images_that_were_not_painted_when_the_run_began_do_count(project):
    run = RunFolder(next((project.path / "runs").iterdir()))
    project.save_annotation(project.image("a"), empty_annotation(SHAPE))
    take_snapshot(project, run.snapshot_file)
    paint(project, "a")
    project.update_image(project.image("a").changed({"split": "test"}))
    assert names_of(checked(project, "test")[0]) == ["a", "c", "d"]


def test_images_that_an_earlier_run_was_trained_on_do_not_count_either(project):
    first = evaluate_project(project, split="test").run
    project.update_image(project.image("a").changed({"split": "test"}))
    run = new_run_folder(project.path, {**FACTS, "versions": {}, "parent": first})
    take_snapshot(project, run.snapshot_file)
    (project.path / "predictions" / first).rename(
        project.path / "predictions" / run.path.name
    )
    assert names_of(checked(project, "test")[0]) == ["c", "d"]


def test_accepted_predictions_never_check_scores(project):
    paint(project, "c", origin="accepted run-1")
    assert names_of(checked(project, "test")[0]) == ["d"]
    paint(project, "d", origin="accepted run-1")
    with pytest.raises(AnnotationError, match="None of the 2 images"):
        checked(project, "test")


def test_the_file_is_json_without_nan(project):
    _, folder = checked(project, "held-out")
    text = (folder / "score_check.json").read_text()
    content = json.loads(text, parse_constant=pytest.fail)
    assert content["scores"]["boundary_entropy"]["spearman"] is None
    assert content["pixels"]["expected_error"] == 0


def test_a_run_that_was_removed_is_no_parent(project):
    run = evaluate_project(project, split="test").run
    facts = RunFolder(project.path / "runs" / run).info.model_dump(mode="json")
    facts["parent"] = "20000101-000000-baseline"
    (project.path / "runs" / run / "run.json").write_text(json.dumps(facts))
    assert names_of(checked(project, "test")[0]) == ["c", "d"]
