import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage import example_models
from napari_mtseg.storage.model_folder import read_model_info
from napari_mtseg.storage.run_folder import find_run
from tests.tiny_projects import disc_project

NAMES = ["blobs3d", "fetal_head", "nuclei"]


def mtseg(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_example_models_are_listed_with_what_they_segment():
    shown = mtseg("models")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in NAMES)
    assert "nucleus; 2D images, 1 channel read as grey" in shown.stdout
    assert "each has a card, README.md." in shown.stderr


def test_scripts_get_names_paths_and_descriptions():
    listed = json.loads(mtseg("models", "--json").stdout)
    assert [each["name"] for each in listed] == NAMES
    assert all((Path(each["path"]) / "model.json").is_file() for each in listed)


def test_the_path_of_one_model_stands_alone_for_other_commands():
    path = mtseg("models", "nuclei").stdout
    assert path.endswith("nuclei\n")
    assert read_model_info(Path(path.strip())).name == "nuclei"


def test_an_unknown_model_is_told_with_those_that_there_are():
    result = mtseg("models", "hearts")
    assert isinstance(result.exception, ModelError)
    assert str(result.exception) == (
        "There is no example model 'hearts'. The example models: blobs3d, fetal_head, "
        "nuclei."
    )


def test_a_copy_without_models_says_so(monkeypatch):
    monkeypatch.setattr(example_models, "example_models", dict)
    result = mtseg("models", "nuclei")
    assert str(result.exception).endswith(
        "none, this copy of the program came without them."
    )


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=2, full=2)


def test_a_training_starts_from_an_example_model_by_its_name(project):
    words = ("--set", "steps=1", "--set", "patch=32", "--set", "batch_size=1")
    result = mtseg("train", project.path, "--from", "nuclei", "--device", "cpu", *words)
    assert result.exit_code == 0, result.output
    info = find_run(project.path, None).info
    assert (info.method, info.model) == ("high_resolution", "nuclei")
    assert info.settings["nuclei"] is True
    assert info.settings["steps"] == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--from", "nuclei", "--method", "baseline"),
            "The model 'nuclei' is of method high_resolution, not baseline. Start from "
            "a model of the same method.",
        ),
        (
            ("--from", "nuclei", "--set", "nuclei=false"),
            "nuclei=false does not fit the weights of the model 'nuclei', which were "
            "learned with nuclei=true. Leave it out, or start from new weights.",
        ),
        (
            ("--from", "blobs3d"),
            "The model 'blobs3d' is for 3D images but those of 'discs.mtseg' are 2D. "
            "Start from a model for 2D images, or from new weights.",
        ),
        (
            ("--from", "nuclie"),
            "'discs.mtseg' has no run 'nuclie', and there is no model at 'nuclie'. It "
            "has no run yet. Example models: blobs3d, fetal_head, nuclei.",
        ),
    ],
)
def test_a_start_that_does_not_fit_is_one_sentence(project, words, sentence):
    result = mtseg("train", project.path, *words)
    assert str(result.exception) == sentence
