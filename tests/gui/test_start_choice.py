import json
import shutil

import pytest
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton

from napari_mtseg.gui import start_choice, usable_examples
from napari_mtseg.gui.start_choice import NEW, StartChoice
from napari_mtseg.gui.training_choices import TrainingChoices
from napari_mtseg.workflows.export import export_model
from tests.tiny_run import tiny_project, tiny_run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    project = tiny_project(folder)
    tiny_run(project, settings={"base_channels": 3})
    return export_model(project, None, folder / "cells")


@pytest.fixture
def choices(qtbot, model, monkeypatch):
    """Choices of a training, with one example model."""
    monkeypatch.setattr(usable_examples, "example_models", lambda: {"cells": model})
    made = TrainingChoices("recursive_approximation")
    made.method_wanted.connect(made.set_method)
    qtbot.addWidget(made)
    return made


def offered(choices):
    box = choices.findChild(QComboBox, "start_from")
    return [box.itemText(i) for i in range(box.count())]


def choose(choices, text):
    box = choices.findChild(QComboBox, "start_from")
    box.setCurrentIndex(box.findText(text))


def answer_dialog(monkeypatch, path):
    chosen = lambda *_: str(path)  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", chosen)


def ask_for_folder(choices):
    browse = choices.findChild(QPushButton, "choose_start_model")
    browse.menu().actions()[0].trigger()


def test_new_weights_and_the_example_models_are_offered(choices):
    assert offered(choices) == [NEW, "Model cells"]
    assert choices.request().parent is None


def test_a_model_brings_its_method_and_its_network(choices, model):
    choose(choices, "Model cells")
    request = choices.request()
    assert (request.method, request.parent) == ("baseline", str(model))
    assert request.values["base_channels"] == 3
    assert request.values["levels"] == 2
    assert "steps" not in request.values


def test_new_weights_take_the_network_of_the_model_away_again(choices):
    choose(choices, "Model cells")
    choose(choices, NEW)
    assert choices.request().values == {}


def test_what_was_changed_by_hand_stays_when_a_model_is_chosen(choices):
    choices.set_method("baseline")
    choices.form.show_values({"steps": 77})
    choose(choices, "Model cells")
    assert choices.request().values["steps"] == 77


def test_another_method_is_not_started_from_the_model(choices):
    choose(choices, "Model cells")
    choices.set_method("cross_task")
    assert choices.request().parent is None
    assert choices.request().values == {}


def test_a_model_for_planes_is_not_offered_for_volumes(choices):
    choose(choices, "Model cells")
    choices.set_ndim(3)
    assert offered(choices) == [NEW]
    assert choices.request().parent is None


def test_a_model_folder_is_chosen_in_a_dialog(qtbot, model, monkeypatch):
    monkeypatch.setattr(usable_examples, "example_models", dict)
    made = StartChoice()
    made.set_method("baseline")
    qtbot.addWidget(made)
    answer_dialog(monkeypatch, model)
    with qtbot.waitSignal(made.changed):
        ask_for_folder(made)
    assert made.start == str(model)
    assert made.box.currentText() == "Model cells"
    assert made.settings()["base_channels"] == 3


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_is_no_model_or_does_not_fit_is_said(
    qtbot, model, monkeypatch, tmp_path, ndim
):
    said = []
    monkeypatch.setattr(usable_examples, "example_models", dict)
    monkeypatch.setattr(start_choice, "show_warning", said.append)
    made = StartChoice()
    made.set_method("baseline")
    made.set_ndim(ndim)
    qtbot.addWidget(made)
    answer_dialog(monkeypatch, tmp_path if ndim == 2 else model)
    ask_for_folder(made)
    assert made.start is None
    ending = "has no model.json" if ndim == 2 else "Choose another model."
    assert len(said) == 1
    assert ending in said[0] or said[0].endswith(ending)


def test_no_dialog_answer_changes_nothing(choices, monkeypatch):
    answer_dialog(monkeypatch, "")
    ask_for_folder(choices)
    assert choices.request().parent is None


@pytest.fixture
def unknown(model, tmp_path):
    """A model of a method that a later version may know."""
    folder = tmp_path / "unknown"
    shutil.copytree(model, folder)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, "method": "foo"}))
    return folder


def test_a_model_of_an_unknown_method_is_refused_with_a_sentence(
    choices, unknown, monkeypatch
):
    said = []
    monkeypatch.setattr(start_choice, "show_warning", said.append)
    answer_dialog(monkeypatch, unknown)
    ask_for_folder(choices)
    assert choices.request().parent is None
    assert said == [
        "The model 'cells' is of the method 'foo', which this version of napari-mtseg "
        "does not know. Update napari-mtseg, or choose another model."
    ]


def test_an_example_model_of_an_unknown_method_is_not_offered(
    qtbot, unknown, monkeypatch
):
    monkeypatch.setattr(usable_examples, "example_models", lambda: {"x": unknown})
    made = StartChoice()
    qtbot.addWidget(made)
    assert made.box.count() == 1
