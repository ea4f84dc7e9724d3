"""Scores that come with every prediction, whatever the method and the maps."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mtseg.domain.annotation import Tags, empty_annotation
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.networks.sample_overlap import SampleOverlap
from napari_mtseg.storage.prediction_files import load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.score_tables import load_object_scores, load_slice_scores
from napari_mtseg.uncertainty.descriptor import LENGTH
from napari_mtseg.uncertainty.entropy import predictive_entropy
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.predict_images import (
    are_objects_expected,
    predict_project,
)
from napari_mtseg.workflows.quality_scores import with_scores
from napari_mtseg.workflows.uncertainty_source import UncertaintySource
from tests.tiny_run import tiny_project, tiny_run

OF_ONE_PASS = {"doubt", "boundary_entropy", "inside_entropy", "low_confidence"}
OF_SEVERAL = {"sample_disagreement", "volume_variation"}

MORE = {"task_decomposition": {"levels": 6}, "high_resolution": {"pathway": 1}}
"""settings without which a method makes no tiny network"""


def model_of(
    project: Project, method: str = "baseline", *, passes: int = 1, **choices: Any
) -> Model:
    settings = {"dropout": 0.5, **MORE.get(method, {})}
    run = tiny_run(project, method=method, settings=settings)
    if passes > 1:
        choices["uncertainty"] = UncertaintySource("dropout", passes=passes)
    return load_model(run, **choices)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)


def empty_prediction(*shape: int, foreground: float = 0.0) -> Prediction:
    p = np.full(shape, foreground, np.float16)
    return Prediction(
        classes=np.zeros(shape, np.uint8),
        probabilities=np.stack([1 - p, p]),
        instances=np.zeros(shape, np.uint32),
        class_of={},
        scores={"quality": 0.5},
    )


def scored(prediction: Prediction, **choices: Any) -> Prediction:
    return with_scores(
        prediction,
        uncertainty=predictive_entropy(prediction.probabilities),
        spacing=(1.0,) * prediction.classes.ndim,
        **choices,
    )


@pytest.mark.parametrize("shape", [(24, 20), (6, 20, 16)])
@pytest.mark.parametrize("method", CATALOG)
def test_every_method_scores_an_image_its_objects_and_its_planes(
    tmp_path: Path, method: str, shape: tuple[int, ...]
):
    project = tiny_project(tmp_path, shape=shape)
    found = model_of(project, method, passes=2).predict(noise(*shape), maps=())
    assert found.scores.keys() >= OF_ONE_PASS | OF_SEVERAL
    assert all(0 <= found.scores[n] < math.inf for n in OF_ONE_PASS | OF_SEVERAL)
    columns = found.object_scores
    assert columns["id"].tolist() == sorted(found.class_of)
    assert np.sum(columns["size"].astype(int)) == np.count_nonzero(found.instances)
    assert found.statistics["n"] == len(found.class_of)
    planes = found.slice_scores
    assert planes.keys() >= {"plane", DEFAULT_SCORE} if len(shape) == 3 else not planes
    assert len(found.descriptor) == LENGTH
    numbers = [*columns.values(), *planes.values(), found.descriptor]
    assert all(np.isfinite(np.asarray(each, float)).all() for each in numbers)


def test_scores_do_not_depend_on_the_maps_that_are_wanted(tmp_path: Path):
    model = model_of(tiny_project(tmp_path))
    with_all, without = (model.predict(noise(24, 20), maps=m) for m in (None, ()))
    assert without.maps == {}
    assert with_all.scores == without.scores
    assert with_all.scores.keys() == OF_ONE_PASS
    assert with_all.descriptor == without.descriptor


def test_small_windows_give_the_same_scores_as_the_whole_image(tmp_path: Path):
    project, pixels = tiny_project(tmp_path), noise(150, 140)
    whole = model_of(project, passes=3).predict(pixels)
    tiled = model_of(project, passes=3, memory=0.0005)
    found = tiled.predict(pixels)
    assert tiled._predictor.info is not None
    assert tiled._predictor.info.n_windows > 1
    for name, value in whole.scores.items():
        assert found.scores[name] == pytest.approx(value, abs=2e-3), name


def test_nothing_found_where_objects_were_expected_is_the_worst_in_all_scores():
    agreed = SampleOverlap(intersections=np.zeros((1, 3, 3), np.int64))
    found = scored(empty_prediction(8, 8), overlap=agreed)
    assert {n: found.scores[n] for n in (OF_ONE_PASS | OF_SEVERAL) - {"doubt"}} == (
        dict.fromkeys((OF_ONE_PASS | OF_SEVERAL) - {"doubt"}, 1.0)
    )
    assert found.statistics == dict.fromkeys(found.statistics, 0.0)


def test_nothing_found_where_nothing_is_expected_is_as_doubtful_as_it_looks():
    agreed = SampleOverlap(intersections=np.zeros((1, 3, 3), np.int64))
    sure = scored(empty_prediction(8, 8), expected=False, overlap=agreed)
    assert sure.scores["boundary_entropy"] == pytest.approx(0, abs=1e-6)
    assert sure.scores["sample_disagreement"] == sure.scores["volume_variation"] == 0
    unsure = scored(empty_prediction(8, 8, foreground=0.4), expected=False)
    assert 0.7 < unsure.scores["low_confidence"] < 1
    assert unsure.scores.keys().isdisjoint(OF_SEVERAL)


def test_volumes_without_objects_have_defined_planes():
    found = scored(empty_prediction(3, 8, 8, foreground=0.25))
    doubts = np.asarray(found.slice_scores["low_confidence"])
    assert doubts.tolist() == pytest.approx([0.5] * 3)


def test_scores_of_the_method_stay():
    assert scored(empty_prediction(8, 8)).scores["quality"] == 0.5


def test_objects_are_expected_unless_a_person_said_that_no_class_occurs(
    tmp_path: Path,
):
    project = tiny_project(tmp_path, classes=("nucleus", "cell"))
    entry = project.images[2]
    assert are_objects_expected(project, entry)
    for present, expected in (
        ({1: False}, True),
        ({1: False, 2: True}, True),
        ({1: False, 2: False}, False),
    ):
        blank = empty_annotation(entry.spatial_shape)
        project.save_annotation(entry, replace(blank, tags=Tags(present=present)))
        assert are_objects_expected(project, entry) is expected


def test_a_project_keeps_the_scores_of_its_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = tiny_project(tmp_path, shape=(6, 20, 16))
    blank = empty_annotation((6, 20, 16))
    tagged = replace(blank, tags=Tags(present={1: False}))
    project.save_annotation(project.images[2], tagged)
    expectations = []
    predict_image = Model.predict_image

    def watched(self, image, *, expected, **choices):
        expectations.append(expected)
        return predict_image(self, image, expected=expected, **choices)

    monkeypatch.setattr(Model, "predict_image", watched)
    model = model_of(project, passes=2)
    done = list(predict_project(project, model, images=project.images, maps=()))
    assert [one.error for one in done] == [None] * 3
    assert expectations == [True, True, False]
    for one in done:
        (folder,) = one.files
        answer = load_answer(folder)
        assert answer.scores.keys() >= OF_ONE_PASS | OF_SEVERAL
        assert one.scores == {n: answer.scores[n] for n in one.scores}
        assert DEFAULT_SCORE in one.scores
        columns = load_object_scores(folder)
        assert len(columns["id"]) == sum(answer.n_objects.values())
        assert answer.statistics["n"] == len(columns["id"])
        assert len(answer.descriptor) == LENGTH
        assert load_slice_scores(folder)["plane"].tolist() == [0, 1, 2, 3, 4, 5]
