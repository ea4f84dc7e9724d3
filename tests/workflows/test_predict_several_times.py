"""Predictions from several answers for each image."""

import csv
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.errors import MemoryShortageError, SettingsError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.storage.prediction_files import load_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows import predict as predict_module
from napari_mtseg.workflows.batch import predict_files
from napari_mtseg.workflows.batch_file import BatchChoices
from napari_mtseg.workflows.map_choice import checked_maps, maps_of
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.predict_images import predict_project
from napari_mtseg.workflows.uncertainty_source import UncertaintySource
from tests.tiny_run import tiny_project, tiny_run

SAMPLED = {"expected_entropy", "mutual_information", "variance"}

MORE = {"task_decomposition": {"levels": 6}, "high_resolution": {"pathway": 1}}
"""settings without which a method makes no tiny network"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return tiny_project(tmp_path)


def with_dropout(project: Project, *, seed: int = 0, **choices: Any) -> Model:
    run = tiny_run(project, settings={"dropout": 0.5})
    how = UncertaintySource("dropout", passes=4, seed=seed)
    return load_model(run, uncertainty=how, **choices)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)


def numbers(found: Prediction, name: str) -> np.ndarray:
    return np.asarray(found.maps[name], np.float32)


@pytest.mark.parametrize("shape", [(24, 20), (6, 20, 16)])
def test_all_doubt_is_that_of_the_answers_and_that_between_them(
    tmp_path: Path, shape: tuple[int, ...]
):
    found = with_dropout(tiny_project(tmp_path, shape=shape)).predict(noise(*shape))
    assert found.uncertainty_from == "4 passes with dropout"
    maps = {name: numbers(found, name) for name in (*SAMPLED, "uncertainty")}
    assert {m.shape for m in maps.values()} == {shape}
    parts = maps["expected_entropy"] + maps["mutual_information"]
    np.testing.assert_allclose(parts, maps["uncertainty"], atol=1e-6)
    assert maps["mutual_information"].min() >= 0
    assert maps["mutual_information"].max() > 0
    assert 0 < maps["variance"].max() <= 0.25
    objects = max(np.count_nonzero(found.instances), 1)
    doubt = maps["uncertainty"].sum(dtype=np.float64) / objects
    assert found.scores["doubt"] == pytest.approx(doubt)


def test_one_pass_has_no_maps_of_several(project: Project):
    found = load_model(tiny_run(project)).predict(noise(24, 20))
    assert found.uncertainty_from == "one pass"
    assert SAMPLED.isdisjoint(found.maps)
    assert found.scores["doubt"] > 0


def test_equal_seeds_give_equal_predictions_and_others_do_not(project: Project):
    one, again, other = (
        with_dropout(project, seed=seed).predict(noise(24, 20)) for seed in (1, 1, 2)
    )
    for name in one.maps:
        np.testing.assert_array_equal(one.maps[name], again.maps[name])
    np.testing.assert_array_equal(one.probabilities, again.probabilities)
    assert (one.probabilities != other.probabilities).any()


def test_small_windows_give_the_same_doubt_as_the_whole_image(project: Project):
    pixels = noise(150, 140)
    whole, tiled = with_dropout(project), with_dropout(project, memory=0.0005)
    one, other = whole.predict(pixels), tiled.predict(pixels)
    assert tiled._predictor.info is not None
    assert tiled._predictor.info.n_windows > 1
    for name in (*SAMPLED, "uncertainty"):
        np.testing.assert_allclose(
            numbers(one, name), numbers(other, name), atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("method", CATALOG)
def test_every_method_answers_several_times(project: Project, method: str):
    settings = {"dropout": 0.5, **MORE.get(method, {})}
    run = tiny_run(project, method=method, settings=settings)
    how = UncertaintySource("dropout", passes=2)
    model = load_model(run, uncertainty=how)
    assert {*SAMPLED, "uncertainty"} <= model.predict(noise(24, 20)).maps.keys()


def test_only_the_maps_that_are_wanted_are_made(project: Project):
    model = with_dropout(project)
    found = model.predict(noise(24, 20), maps=["mutual_information"])
    assert found.maps.keys() == {"mutual_information"}
    assert "doubt" in found.scores
    assert model.predict(noise(24, 20), maps=()).maps == {}


def test_maps_of_several_answers_need_several(project: Project):
    model = load_model(tiny_run(project))
    assert SAMPLED.isdisjoint(maps_of(model))
    with pytest.raises(SettingsError) as caught:
        checked_maps(["classes", "variance"], model)
    assert str(caught.value) == (
        "The map 'variance' compares several answers for an image, but only one was "
        "asked for. Add --uncertainty dropout or --uncertainty ensemble."
    )


def test_doubt_is_written_for_other_programs(project: Project, tmp_path: Path):
    model = with_dropout(project)
    assert set(maps_of(model)) >= SAMPLED
    files = [tmp_path / "test.tif", tmp_path / "train.tif"]
    choices = BatchChoices(maps=("variance",))
    done = list(predict_files(model, files, tmp_path / "o", choices=choices))
    assert [d.error for d in done] == [None, None]
    assert {d.uncertainty_from for d in done} == {"4 passes with dropout"}
    found = model.predict(noise(24, 20))
    written = tifffile.imread(tmp_path / "o" / "test_variance.tif")
    assert written.shape == found.classes.shape
    with (tmp_path / "o" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["image"], r["doubt"]) for r in rows] == [
        (d.name.removesuffix(".tif"), f"{d.whole.doubt:.4f}") for d in done
    ]


def test_doubt_is_saved_with_the_predictions_of_a_project(project: Project):
    model = with_dropout(project)
    entry = project.images[0]
    (done,) = predict_project(project, model, images=[entry])
    saved = load_prediction(done.files[0])
    assert saved.uncertainty_from == "4 passes with dropout"
    assert saved.scores["doubt"] == pytest.approx(done.whole.doubt)
    assert {*SAMPLED, "uncertainty"} <= saved.maps.keys()


def test_the_maps_of_several_answers_count_as_memory(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    one, several = load_model(tiny_run(project)), with_dropout(project)
    monkeypatch.setattr(predict_module, "SAMPLED_BYTES_PER_PIXEL", 2**40)
    one.predict(noise(24, 20))
    with pytest.raises(MemoryShortageError, match="The result of 'the array' needs"):
        several.predict(noise(24, 20))


def test_no_prediction_stays_in_memory_beside_the_next_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    model = load_model(tiny_run(project))
    predict_image = Model.predict_image
    alive: list[weakref.ref[Prediction]] = []

    def watched(self, image, **choices):
        assert all(earlier() is None for earlier in alive)
        found = predict_image(self, image, **choices)
        alive.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Model, "predict_image", watched)
    done = list(predict_project(project, model, images=project.images))
    assert [d.error for d in done] == [None] * 3
    assert len(alive) == 3
