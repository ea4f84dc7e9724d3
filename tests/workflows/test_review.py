from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.domain.errors import ProjectError, RunError, SettingsError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.storage.image_tags import TagChange, set_tags
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.verdicts import accept, reject
from napari_mtseg.workflows.review import (
    new_flag_rule,
    review_of,
    suggested_images,
    verdict_of,
)
from tests.reviewed_projects import predict, reviewed_project, runs

DOUBTS = {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    predict(made, runs(made)[0], DOUBTS)
    return made


def names(images: tuple) -> str:
    return "".join(image.id for image in images)


def test_the_newest_run_that_predicted_is_reviewed(project):
    earlier, later = runs(project)
    assert review_of(project).run == earlier
    predict(project, later, {"a": 0.1})
    assert review_of(project).run == later
    assert review_of(project, earlier).run == earlier


def test_without_a_prediction_the_sentence_says_what_to_do(project, tmp_path):
    later = runs(project)[1]
    with pytest.raises(ProjectError) as error:
        review_of(project, later)
    assert str(error.value) == (
        f"Run '{later}' has predicted no image of 'p.mtseg' yet. Predict with 'mtseg "
        f"predict p.mtseg --run {later}'."
    )
    with pytest.raises(RunError, match="has no run 'no-run'"):
        review_of(project, "no-run")


def test_the_most_doubtful_image_comes_first_and_unknown_doubt_last(project):
    predict(project, runs(project)[0], {"d": float("nan")})
    review = review_of(project)
    assert names(review.by_doubt(review.images)) == "bcad"


def test_images_are_sorted_by_the_score_of_the_rule_else_by_one_that_is_there(project):
    review = review_of(project)
    assert review.main_score == "boundary_entropy"
    new_flag_rule(project, review, score="low_confidence", threshold=0.3, who="ada")
    assert review_of(project).main_score == "low_confidence"
    images = [replace(image, scores={"doubt": 0.5}) for image in review.images]
    assert replace(review, images=tuple(images)).main_score == "doubt"
    images = [replace(image, scores={}) for image in review.images]
    assert replace(review, images=tuple(images)).main_score == DEFAULT_SCORE


def test_a_score_that_is_not_there_is_one_sentence(project):
    review = review_of(project)
    with pytest.raises(SettingsError, match="has a score 'gloom'"):
        review.by_doubt(review.images, "gloom")


def test_images_are_filtered_by_what_was_said_of_them(project):
    run = runs(project)[0]
    accept(project, project.image("a"), run, who="ada")
    reject(project, project.image("b"), run, who="ada")
    review = review_of(project)
    new_flag_rule(project, review, score="boundary_entropy", threshold=0.3, who="ada")
    review = review_of(project)
    found = {w: names(review.chosen(w)) for w in ("flagged", "accepted", "unreviewed")}
    assert found == {"flagged": "bc", "accepted": "a", "unreviewed": "cd"}
    assert names(review.chosen("all")) == "abcd"
    assert [verdict_of(i) for i in review.images[:3]] == [
        "accepted",
        "rejected",
        "unreviewed",
    ]


@pytest.mark.parametrize(
    ("share", "flagged"), [(0.01, "b"), (0.25, "b"), (0.5, "bc"), (1.0, "bcda")]
)
def test_the_worst_share_is_flagged_but_at_least_one_image(project, share, flagged):
    review = review_of(project)
    threshold = review.threshold_of_worst(share, "boundary_entropy")
    rule = new_flag_rule(
        project, review, score="boundary_entropy", threshold=threshold, who="ada"
    )
    review = replace(review, rule=rule)
    assert names(review.by_doubt(review.chosen("flagged"))) == flagged


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_one_sentence(project, share):
    with pytest.raises(SettingsError, match="cannot be flagged"):
        review_of(project).threshold_of_worst(share, "boundary_entropy")


def test_a_threshold_that_is_no_number_is_one_sentence(project):
    with pytest.raises(SettingsError, match="threshold"):
        new_flag_rule(
            project,
            review_of(project),
            score="boundary_entropy",
            threshold=float("inf"),
            who="ada",
        )


def paint(project: Project, entry: ImageEntry) -> None:
    before = project.annotation(entry)
    scribbles = np.ones_like(before.scribbles)
    project.save_annotation(entry, replace(before, scribbles=scribbles))


def test_images_that_train_and_are_not_annotated_are_suggested(tmp_path):
    project = reviewed_project(tmp_path, "abcdef")
    predict(project, runs(project)[0], {"a": 0.1, "b": 0.4, "c": 0.3, "f": 0.9})
    paint(project, project.image("b"))
    set_tags(project, [project.image("c")], TagChange(present={1: True}))
    found = suggested_images(project, 9, how="doubt", seed=0)
    assert names(found) == "acd"


def test_without_predictions_images_are_drawn_but_not_by_doubt(tmp_path):
    project = reviewed_project(tmp_path, "abcdef")
    assert names(suggested_images(project, 2, how="interval", seed=0)) == "bd"
    drawn = [names(suggested_images(project, 2, how="random", seed=3)) for _ in "ab"]
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) <= set("abcd")
    with pytest.raises(ProjectError, match="predicted no image"):
        suggested_images(project, 2, how="doubt", seed=0)


def test_accepted_images_are_annotated(project):
    accept(project, project.image("a"), runs(project)[0], who="ada")
    assert names(suggested_images(project, 9, how="random", seed=0)) == "b"
