"""The Export page: a model and the labels, out of the project."""

import json

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton, QWidget

from napari_mtseg.gui.export_page import ExportPage
from napari_mtseg.gui.model_export import NO_RUN, shell_line
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import SAVED, SAVING, WindowState
from napari_mtseg.storage.run_folder import new_run_folder
from tests.gui.fake_commands import FakeCommands
from tests.tiny_projects import disc_project


@pytest.fixture
def state(tmp_path):
    disc_project(tmp_path)
    state = WindowState()
    yield state
    state.close_project()


@pytest.fixture
def commands():
    return FakeCommands()


@pytest.fixture
def page(qtbot, state, commands):
    page = ExportPage(state, commands)
    qtbot.addWidget(page)
    page.resize(360, 800)
    page.show()
    return page


@pytest.fixture
def run(state, tmp_path, page):
    state.open_project(tmp_path / "discs.mtseg")
    run = trained_run(state.project)
    state.runs_changed.emit()
    return run


def trained_run(project):
    info = {
        "method": "baseline",
        "settings": {},
        "seed": 0,
        "device": "cpu",
        "versions": {},
    }
    run = new_run_folder(project.path, info)
    run.checkpoint("best").parent.mkdir()
    run.checkpoint("best").touch()
    return run


def find(page, name, kind=QPushButton):
    return page.findChild(kind, name)


def said(page, name):
    return page.findChild(SentenceLabel, name).sentence


def click(qtbot, page, name):
    qtbot.mouseClick(find(page, name), Qt.MouseButton.LeftButton)


def test_without_a_run_no_model_can_be_exported(page, state, tmp_path):
    state.open_project(tmp_path / "discs.mtseg")
    assert not find(page, "export_model").isEnabled()
    assert find(page, "export_model").toolTip() == NO_RUN
    assert said(page, "export_outcome") == NO_RUN
    assert find(page, "export_labels").isEnabled()


def test_a_model_is_exported_and_its_use_is_told(
    qtbot, page, commands, state, run, tmp_path
):
    assert said(page, "export_outcome") == ""
    find(page, "model_name", QLineEdit).setText("my discs")
    click(qtbot, page, "export_model")
    model = tmp_path / "my discs"
    assert commands.args == [
        "export",
        str(state.project.path),
        "--run",
        run.path.name,
        "--out",
        str(model),
        "--json",
    ]
    assert not find(page, "export_model").isEnabled()
    model.mkdir()
    commands.end(stdout=json.dumps({"model": str(model)}))
    assert said(page, "export_outcome") == f"Model written to {model}"
    click(qtbot, page, "copy_shell_line")
    assert QGuiApplication.clipboard().text() == shell_line(model)
    assert find(page, "open_model_folder").isVisible()
    assert find(page, "export_model").toolTip() == (
        "'my discs' exists in this folder. Choose another name."
    )


def test_a_zip_is_asked_for(qtbot, page, commands, run, tmp_path):
    find(page, "model_zip", QCheckBox).click()
    click(qtbot, page, "export_model")
    assert commands.args[-1] == "--zip"
    assert str(tmp_path / "discs-model.zip") in commands.args


def test_a_failure_is_told_in_place(qtbot, page, commands, run):
    click(qtbot, page, "export_model")
    commands.end(code=1, sentence="The disk is full. Make room, then try again.")
    assert said(page, "export_outcome") == (
        "The disk is full. Make room, then try again."
    )
    assert find(page, "export_model").isEnabled()


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("model_name", "Give the model a name."),
        ("model_folder", "Choose a folder for the model."),
    ],
)
def test_an_empty_field_says_what_is_missing(page, run, field, reason):
    find(page, field, QLineEdit).clear()
    assert not find(page, "export_model").isEnabled()
    assert find(page, "export_model").toolTip() == reason


def test_choosing_a_run_chooses_it_for_the_window(page, state, run):
    newer = trained_run(state.project)
    state.runs_changed.emit()
    box = find(page, "export_run", QComboBox)
    assert box.currentData() == run.path.name
    box.activated.emit(0)
    assert state.run_id == newer.path.name
    assert box.currentData() == newer.path.name


def test_labels_are_exported(qtbot, page, commands, state, run, tmp_path):
    click(qtbot, page, "export_labels")
    folder = tmp_path / "discs-labels"
    assert commands.args == ["project", "export", str(state.project.path), str(folder)]
    commands.end(sentence=f"labels of 3 images written to {folder}")
    assert said(page, "export_labels_outcome") == (
        f"Labels of 3 images written to {folder}"
    )


def test_labels_wait_for_the_last_stroke_to_be_saved(qtbot, page, commands, state, run):
    state.saving = SAVING
    click(qtbot, page, "export_labels")
    assert commands.args is None
    state.saving = SAVED
    assert commands.args[:2] == ["project", "export"]


def test_labels_that_cannot_be_saved_are_not_exported(
    qtbot, page, commands, state, run
):
    state.saving = "The disk is full."
    click(qtbot, page, "export_labels")
    assert commands.args is None
    assert said(page, "export_labels_outcome") == (
        "What you painted is not saved. The disk is full."
    )


def test_every_control_has_a_tooltip_and_fits_the_dock(page, run):
    for kind in (QPushButton, QComboBox, QCheckBox, QLineEdit):
        assert all(control.toolTip() for control in page.findChildren(kind))
    assert page.minimumSizeHint().width() <= 340
    inside = [w for w in page.findChildren(QWidget) if w.isVisibleTo(page)]
    assert all(w.width() <= page.width() for w in inside)
