import json
import os
from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.storage import review_index
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_index import ReviewIndex, reviewed_images
from napari_mtseg.storage.verdicts import accept, reject, undo
from tests.reviewed_projects import (
    predict,
    predict_hastily,
    reviewed_project,
    runs,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    predict(made, runs(made)[0], {"a": 0.25, "c": 0.75})
    return made


@pytest.fixture
def run(project: Project) -> str:
    return runs(project)[0]


def test_images_with_a_prediction_are_listed_with_their_scores(project, run):
    found = reviewed_images(project, run)
    assert [image.id for image in found] == ["a", "c"]
    assert [image.name for image in found] == ["a.tif", "c.tif"]
    assert [image.scores["boundary_entropy"] for image in found] == [0.25, 0.75]
    assert [image.split for image in found] == ["train", "validate"]
    assert [image.n_objects for image in found] == [2, 2]
    assert {image.verdict for image in found} == {None}


def test_a_run_without_predictions_lists_nothing(project):
    assert reviewed_images(project, runs(project)[1]) == ()
    assert reviewed_images(project, "no-run") == ()


def test_verdicts_are_listed_as_they_are_given_and_taken_back(project, run):
    index = ReviewIndex()
    accept(project, project.image("a"), run, who="ada")
    reject(project, project.image("c"), run, who="ada")

    def listed() -> list[str | None]:
        images = index.images(project, run)
        return [i.verdict.verdict if i.verdict else None for i in images]

    assert listed() == ["accepted", "rejected"]
    undo(project, run=run, who="ada")
    assert listed() == ["accepted", None]


def test_an_image_without_objects_is_the_most_unusual(project, run):
    predict(project, run, {"b": 0.5}, np.zeros((12, 16), np.uint32))
    found = {image.id: image.scores for image in reviewed_images(project, run)}
    for name in ("size_outlier", "shape_outlier"):
        assert found["b"][name] == found["a"][name] + 1 == 1


def test_what_an_image_looks_like_is_listed(project, run):
    looks = [image.descriptor for image in reviewed_images(project, run)]
    assert looks == [(0.25, 1), (0.75, 1)]


def test_a_damaged_prediction_is_listed_with_what_is_wrong(project, run):
    file = project.path / "predictions" / run / "a" / "prediction.json"
    file.write_text("{")
    first, other = reviewed_images(project, run)
    assert "is damaged" in first.problem
    assert first.scores == {}
    assert other.problem == ""
    assert "boundary_entropy" in other.scores


def test_a_score_without_a_value_is_left_out(project, run):
    predict(project, run, {"a": float("nan")})
    assert "boundary_entropy" not in reviewed_images(project, run)[0].scores


def test_only_new_predictions_are_read_again(project, run, monkeypatch):
    monkeypatch.setattr(review_index, "MOST_UNSAVED", 1)
    index = ReviewIndex()
    index.images(project, run)
    read = []
    real = review_index.load_answer

    def load_answer(folder: Path) -> object:
        read.append(folder.name)
        return real(folder)

    monkeypatch.setattr(review_index, "load_answer", load_answer)
    assert len(index.images(project, run)) == 2
    assert len(reviewed_images(project, run)) == 2
    assert read == []
    predict(project, run, {"c": 0.9})
    assert index.images(project, run)[1].scores["boundary_entropy"] == 0.9
    assert reviewed_images(project, run)[1].scores["boundary_entropy"] == 0.9
    assert read == ["c", "c"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"version": 1}', '{"version": 1, "images": {"a": [1]}}', "\xff"],
)
def test_a_damaged_index_is_made_again(project, run, monkeypatch, content):
    monkeypatch.setattr(review_index, "MOST_UNSAVED", 1)
    before = reviewed_images(project, run)
    file = project.path / "predictions" / run / "index.json"
    assert json.loads(file.read_text())["images"].keys() == {"a", "c"}
    file.write_text(content, encoding="latin-1")
    assert reviewed_images(project, run) == before
    assert json.loads(file.read_text())["images"].keys() == {"a", "c"}


def test_an_index_with_the_wrong_time_is_not_believed(project, run, monkeypatch):
    monkeypatch.setattr(review_index, "MOST_UNSAVED", 1)
    before = reviewed_images(project, run)
    file = project.path / "predictions" / run / "index.json"
    content = json.loads(file.read_text())
    for one in content["images"].values():
        one[0], one[2] = one[0] + 1, {"boundary_entropy": 0.0}
    file.write_text(json.dumps(content))
    assert reviewed_images(project, run) == before


@pytest.mark.skipif(os.name == "nt", reason="folders have no such rights there")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root")
def test_a_project_that_cannot_be_written_is_listed(project, run, monkeypatch):
    monkeypatch.setattr(review_index, "MOST_UNSAVED", 1)
    folder = project.path / "predictions" / run
    folder.chmod(0o500)
    assert len(reviewed_images(project, run)) == 2
    folder.chmod(0o700)


def test_a_hundred_predictions_are_written_into_the_index(project, run):
    predict_hastily(project, run, {"a": 0.1, "b": 0.2})
    assert not (project.path / "predictions" / run / "index.json").exists()
    assert [i.scores["boundary_entropy"] for i in reviewed_images(project, run)] == [
        0.1,
        0.2,
        0.75,
    ]
