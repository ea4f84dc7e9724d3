import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage import prediction_files
from napari_mtseg.storage.prediction_files import (
    has_prediction,
    load_answer,
    load_map,
    load_prediction,
    save_prediction,
)


def prediction_of(shape: tuple[int, ...], **maps: np.ndarray) -> Prediction:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, shape, np.uint8)
    return Prediction(
        classes=classes,
        probabilities=rng.random((3, *shape)).astype(np.float16),
        instances=classes.astype(np.uint32) * 100_000,
        class_of={100_000: 1, 200_000: 2},
        maps=maps,
        scores={"quality": 0.25, "undefined": float("nan")},
    )


def save(folder, prediction: Prediction) -> None:
    size = (1.0,) * prediction.classes.ndim
    save_prediction(folder, prediction, spacing=size, unit="pixel")


# Shapes that a TIFF reader could take for colours or drop an axis of.
@pytest.mark.parametrize(
    "shape", [(5, 7), (3, 4), (7, 3), (4, 5, 3), (1, 5, 6), (5, 1)]
)
def test_a_prediction_comes_back_as_it_was_saved(tmp_path, shape):
    maps = {
        "contours": np.arange(np.prod(shape)).reshape(shape) % 2 == 0,
        "distance": np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(
            shape
        ),
    }
    saved = prediction_of(shape, **maps)
    save(tmp_path / "p", saved)
    loaded = load_prediction(tmp_path / "p")
    pairs: list[tuple[Any, Any]] = [
        (saved.classes, loaded.classes),
        (saved.instances, loaded.instances),
        (saved.probabilities, loaded.probabilities),
        *((maps[name], loaded.maps[name]) for name in maps),
    ]
    for one, other in pairs:
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert loaded.class_of == saved.class_of
    assert loaded.scores["quality"] == 0.25
    assert np.isnan(loaded.scores["undefined"])
    assert (load_map(tmp_path / "p", "instances") == saved.instances).all()


def test_a_prediction_that_was_cut_off_does_not_look_whole(tmp_path, monkeypatch):
    save(tmp_path / "p", prediction_of((4, 4)))

    def crash(path, values):
        raise KeyboardInterrupt

    monkeypatch.setattr(prediction_files, "_write_map", crash)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "p", prediction_of((4, 4)))
    assert not has_prediction(tmp_path / "p")
    with pytest.raises(ProjectError, match="There is no whole prediction in"):
        load_prediction(tmp_path / "p")


def test_maps_of_an_earlier_prediction_do_not_stay(tmp_path):
    shape = (4, 4)
    save(tmp_path / "p", prediction_of(shape, old=np.zeros(shape, np.uint8)))
    save(tmp_path / "p", prediction_of(shape))
    assert not (tmp_path / "p" / "old.tif").exists()
    assert load_prediction(tmp_path / "p").maps == {}


def test_a_damaged_map_is_named(tmp_path):
    save(tmp_path / "p", prediction_of((4, 4)))
    (tmp_path / "p" / "classes.tif").write_bytes(b"II*\0 nonsense")
    with pytest.raises(ProjectError, match=r"classes.tif' is missing or damaged"):
        load_prediction(tmp_path / "p")


@pytest.mark.parametrize("name", ["classes", "../up", "A b"])
def test_a_map_cannot_leave_the_folder_or_hide_another(tmp_path, name):
    bad = prediction_of((4, 4), **{name: np.zeros((4, 4), np.uint8)})
    with pytest.raises(ValueError, match="a map cannot be called"):
        save(tmp_path / "p", bad)


def test_an_unknown_map_and_a_newer_format_are_said(tmp_path):
    save(tmp_path / "p", prediction_of((4, 4)))
    with pytest.raises(ProjectError, match="has no map 'entropy': classes"):
        load_map(tmp_path / "p", "entropy")
    facts = tmp_path / "p" / "prediction.json"
    facts.write_text(
        facts.read_text().replace('"format_version": 1', '"format_version": 9')
    )
    with pytest.raises(ProjectError, match="has format version 9"):
        load_prediction(tmp_path / "p")


def saved_answer(folder: Path) -> None:
    told = replace(
        prediction_of((4, 4)),
        classes=np.eye(4, dtype=np.uint8),
        present={1: 0.9, 2: 0.75},
        scenes=(0.25, 0.75),
    )
    save_prediction(
        folder,
        told,
        spacing=(1, 1),
        unit="pixel",
        class_names=["nucleus", "gland"],
        scene_names=["brightfield", "fluorescence"],
        disagreeing=[2],
    )


def test_classes_and_scenes_come_back_as_they_were_told(tmp_path):
    saved_answer(tmp_path)
    loaded = load_prediction(tmp_path)
    assert loaded.present == {1: 0.9, 2: 0.75}
    assert loaded.scenes == (0.25, 0.75)


def test_what_is_said_of_an_image_is_read_without_its_maps(tmp_path):
    saved_answer(tmp_path)
    for file in tmp_path.glob("*.tif"):
        file.unlink()
    answer = load_answer(tmp_path)
    assert answer.tells
    assert answer.present == {1: 0.9, 2: 0.75}
    assert answer.shown == {1}
    assert answer.disagreeing == (2,)
    assert answer.scenes == (0.25, 0.75)
    assert answer.class_names == ("nucleus", "gland")
    assert answer.scene_names == ("brightfield", "fluorescence")
    assert answer.n_objects == {1: 1, 2: 1}
    assert answer.scores["quality"] == 0.25
    assert np.isnan(answer.scores["undefined"])


def test_predictions_of_older_versions_tell_nothing_of_the_image(tmp_path):
    save(tmp_path, prediction_of((4, 4)))
    file = tmp_path / "prediction.json"
    facts = json.loads(file.read_text())
    new = ["present", "shown", "disagreeing", "scenes", "class_names", "scene_names"]
    file.write_text(json.dumps({k: v for k, v in facts.items() if k not in new}))
    answer = load_answer(tmp_path)
    assert not answer.tells
    assert answer.n_objects == {1: 1, 2: 1}
    loaded = load_prediction(tmp_path)
    assert loaded.present == {}
    assert loaded.scenes == ()


@pytest.mark.parametrize(
    "broken",
    ["{}", "[]", '{"format_version": 1}', '{"format_version": 1, "class_of": []}'],
)
def test_a_damaged_answer_is_named(tmp_path, broken):
    (tmp_path / "prediction.json").write_text(broken)
    with pytest.raises(ProjectError, match="Predict"):
        load_answer(tmp_path)


def test_which_answers_the_uncertainty_comes_from_is_kept(tmp_path):
    said = "20 passes with dropout"
    save(tmp_path, replace(prediction_of((4, 4)), uncertainty_from=said))
    assert load_prediction(tmp_path).uncertainty_from == said
    assert load_answer(tmp_path).uncertainty_from == said


def test_the_uncertainty_of_older_predictions_comes_from_one_pass(tmp_path):
    save(tmp_path, prediction_of((4, 4)))
    file = tmp_path / "prediction.json"
    facts = json.loads(file.read_text())
    del facts["uncertainty_from"]
    file.write_text(json.dumps(facts))
    assert load_prediction(tmp_path).uncertainty_from == "one pass"
    assert load_answer(tmp_path).uncertainty_from == "one pass"


def test_scores_of_objects_and_planes_and_looks_come_back(tmp_path):
    told = replace(
        prediction_of((2, 3, 4)),
        object_scores={"id": np.array([7, 2**32 - 1]), "fill": np.array([0.5, 1.0])},
        slice_scores={"plane": np.arange(2.0)},
        statistics={"n": 2.0, "fill_mean": 0.75},
        descriptor=(0.25, -0.5),
    )
    save(tmp_path / "p", told)
    loaded, answer = load_prediction(tmp_path / "p"), load_answer(tmp_path / "p")
    for name, values in told.object_scores.items():
        assert loaded.object_scores[name].tolist() == values.tolist()
    assert loaded.slice_scores["plane"].tolist() == [0, 1]
    assert loaded.statistics == answer.statistics == told.statistics
    assert loaded.descriptor == answer.descriptor == told.descriptor
    save(tmp_path / "p", prediction_of((3, 4)))
    assert not list((tmp_path / "p").glob("*.csv"))


def test_predictions_of_older_versions_say_nothing_of_statistics(tmp_path):
    save(tmp_path / "p", prediction_of((3, 4)))
    file = tmp_path / "p" / "prediction.json"
    facts = json.loads(file.read_text())
    del facts["statistics"], facts["descriptor"]
    file.write_text(json.dumps(facts))
    loaded, answer = load_prediction(tmp_path / "p"), load_answer(tmp_path / "p")
    for found in (loaded, answer):
        assert (dict(found.statistics), found.descriptor) == ({}, ())
    assert (loaded.object_scores, loaded.slice_scores) == ({}, {})
