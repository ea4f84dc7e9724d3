"""The Export page: a model and the labels, out of the project."""

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton, QWidget

from napari_mtseg.domain.model_usage import usage_line
from napari_mtseg.gui.export_checks import ExportChecks
from napari_mtseg.gui.export_formats import FORMATS
from napari_mtseg.gui.export_page import ExportPage
from napari_mtseg.gui.label_export import FORMATS as LABEL_FORMATS
from napari_mtseg.gui.model_export import NO_RUN
from napari_mtseg.gui.run_choice import run_titles
from napari_mtseg.gui.run_records import began_text
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import SAVED, SAVING, WindowState
from napari_mtseg.storage.run_folder import new_run_folder
from tests.gui.fake_commands import FakeCommands
from tests.tiny_projects import annotated, disc_project


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


def choose_format(page, key):
    box = find(page, "model_format", QComboBox)
    box.setCurrentIndex(box.findData(key))


def click(qtbot, page, name):
    qtbot.mouseClick(find(page, name), Qt.MouseButton.LeftButton)


def test_without_a_run_no_model_can_be_exported(page, state, tmp_path):
    state.open_project(tmp_path / "discs.mtseg")
    assert not find(page, "export_model").isEnabled()
    assert find(page, "export_model").toolTip() == NO_RUN
    assert said(page, "export_obstacle") == NO_RUN
    assert said(page, "segment_obstacle") == ""
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
        "--format",
        "folder",
        "--json",
    ]
    assert not find(page, "export_model").isEnabled()
    model.mkdir()
    commands.end(stdout=json.dumps({"model": str(model)}))
    assert said(page, "export_outcome") == f"Model written to {model}"
    click(qtbot, page, "copy_shell_line")
    assert QGuiApplication.clipboard().text() == usage_line("folder", model)
    assert find(page, "open_model_folder").isVisible()
    assert said(page, "export_obstacle") == (
        "'my discs' exists in this folder. Choose another name."
    )


@pytest.mark.parametrize("changed", ["name", "folder", "format", "run"])
def test_an_outcome_goes_when_the_form_says_something_else(
    page, commands, state, run, tmp_path, changed
):
    newer = trained_run(state.project)
    state.runs_changed.emit()
    find(page, "export_model").click()
    commands.end(stdout=json.dumps({"model": str(tmp_path / "m")}))
    assert said(page, "export_outcome").startswith("Model written")
    state.runs_changed.emit()
    assert said(page, "export_outcome").startswith("Model written")
    if changed == "format":
        choose_format(page, "onnx")
    elif changed == "run":
        state.run_id = newer.path.name
    else:
        find(page, f"model_{changed}", QLineEdit).setText("/x")
    assert said(page, "export_outcome") == ""
    assert not find(page, "shell_line", QLineEdit).isVisible()


def test_runs_of_one_minute_are_told_apart_by_the_second():
    ids = ["20260101-120005-baseline", "20260101-120043-baseline"]
    titles = run_titles([*ids, "20260101-120005-cross_task"])
    assert [title[-6:] for title in titles[:2]] == [":00:05", ":00:43"]
    assert titles[2] == "Cross-task consistency (MTCTL) · " + began_text(ids[0])


def test_labels_are_exported_once_something_is_painted(qtbot, state, tmp_path):
    (tmp_path / "new").mkdir()
    project = disc_project(tmp_path / "new", painted=False)
    state.open_project(project.path)
    page = ExportPage(state, FakeCommands())
    qtbot.addWidget(page)
    assert not find(page, "export_labels").isEnabled()
    assert said(page, "export_labels_obstacle") == (
        "Nothing is painted yet. Paint on the Annotate page."
    )
    entry = state.project.images[0]
    painted = annotated(np.ones((32, 32), np.uint32), exact=False)
    state.project.save_annotation(entry, painted)
    state.saving = SAVING
    state.saving = SAVED
    assert find(page, "export_labels").isEnabled()
    assert said(page, "export_labels_obstacle") == ""


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("folder", "discs-model"),
        ("zip", "discs-model.zip"),
        ("bioimageio", "discs-model.bioimageio.zip"),
        ("onnx", "discs-model.onnx"),
        ("torch", "discs-model.pt2"),
    ],
)
def test_each_format_is_explained_and_asked_for(
    page, commands, run, tmp_path, key, name
):
    choose_format(page, key)
    find(page, "model_author", QLineEdit).setText("Ada; Bo")
    assert said(page, "export_purpose") == FORMATS[key].purpose
    author = find(page, "model_author", QLineEdit)
    assert author.isVisible() == (key == "bioimageio")
    if author.isVisible():
        assert author.x() == find(page, "model_name", QLineEdit).x()
    find(page, "export_model").click()
    assert str(tmp_path / name) in commands.args
    assert commands.args[commands.args.index("--format") + 1] == key


def test_a_shared_model_says_who_made_it_and_is_asked_once(
    qtbot, page, commands, run, state
):
    choose_format(page, "bioimageio")
    assert said(page, "export_obstacle") == (
        "Say who made the model: BioImage.IO wants an author."
    )
    find(page, "model_author", QLineEdit).setText("Ada Byron;  Bo ")
    assert find(page, "export_model").isEnabled()
    find(page, "model_licence", QComboBox).setCurrentText("MIT")
    click(qtbot, page, "export_model")
    told = ["--author", "Ada Byron", "--author", "Bo", "--license", "MIT"]
    assert commands.args[-6:] == told
    again = ExportPage(state, commands)
    qtbot.addWidget(again)
    assert find(again, "model_author", QLineEdit).text() == "Ada Byron;  Bo"
    assert find(again, "model_licence", QComboBox).currentText() == "MIT"


def test_what_was_checked_is_told_with_its_figure(qtbot, page, commands, run, tmp_path):
    choose_format(page, "onnx")
    click(qtbot, page, "export_model")
    checks = [
        {"what": "ONNX Runtime gives the same.", "passed": True, "figure": 3.14e-6},
        {"what": "It opens again.", "passed": True, "figure": None},
        {"what": 7},
    ]
    report = {"model": str(tmp_path / "m.onnx"), "format": "onnx", "checks": checks}
    commands.end(stdout=f"a library says hello\n{json.dumps(report, indent=2)}")
    lines = page.findChild(ExportChecks).lines
    assert lines == (
        "✔ ONNX Runtime gives the same (largest difference 3.1e\N{MINUS SIGN}06)",
        "✔ It opens again.",
    )
    fold = find(page, "export_checks_fold")
    first = page.findChild(ExportChecks).findChildren(SentenceLabel)[0]
    assert fold.text() == "▸ 2 checks passed"
    assert not first.isVisible()
    click(qtbot, page, "export_checks_fold")
    assert first.isVisible()
    line = find(page, "shell_line", QLineEdit).text()
    assert line == usage_line("onnx", tmp_path / "m.onnx")


def test_a_check_that_fails_is_told_with_its_sentence(qtbot, page, commands, run):
    click(qtbot, page, "export_model")
    checks = [{"what": "The networks agree", "passed": False, "figure": 0.25}]
    stdout = json.dumps({"model": None, "checks": checks})
    commands.end(code=1, stdout=stdout, sentence="It was not written.")
    assert said(page, "export_outcome") == "It was not written."
    assert page.findChild(ExportChecks).lines == (
        "✖ The networks agree (largest difference 0.25)",
    )
    assert page.findChild(ExportChecks).findChild(SentenceLabel).isVisible()
    assert not find(page, "export_checks_fold").isVisible()
    assert not find(page, "open_model_folder").isVisible()
    click(qtbot, page, "export_model")
    assert page.findChild(ExportChecks).lines == ()


def test_what_the_command_does_is_told_and_it_can_be_stopped(
    qtbot, page, commands, run
):
    click(qtbot, page, "export_model")
    commands.say("checking with onnxruntime")
    assert said(page, "export_outcome") == "Checking with onnxruntime…"
    commands.say("/x/torch.py:3: UserWarning: beware")
    assert said(page, "export_outcome") == "Checking with onnxruntime…"
    click(qtbot, page, "stop_export")
    assert commands.was_stopped
    commands.end(code=1, sentence="Stopped.", was_stopped=True)
    assert said(page, "export_outcome") == "Stopped. Nothing was written."
    assert not find(page, "stop_export").isVisible()
    assert find(page, "export_model").isEnabled()


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
    assert said(page, "export_obstacle") == reason


def test_choosing_a_run_chooses_it_for_the_window(page, state, run):
    newer = trained_run(state.project)
    state.runs_changed.emit()
    box = find(page, "export_run", QComboBox)
    assert box.currentData() == run.path.name
    box.activated.emit(0)
    assert state.run_id == newer.path.name
    assert box.currentData() == newer.path.name


@pytest.mark.parametrize("key", LABEL_FORMATS)
def test_labels_are_exported(page, commands, state, run, tmp_path, key):
    box = find(page, "labels_format", QComboBox)
    box.setCurrentIndex(box.findData(key))
    assert said(page, "labels_what") == LABEL_FORMATS[key][1]
    find(page, "export_labels").click()
    folder = tmp_path / "discs-labels"
    words = ["project", "export", str(state.project.path), str(folder)]
    assert commands.args == [*words, "--format", key]
    commands.end(sentence=f"labels of 3 images written to {folder}")
    assert said(page, "export_labels_outcome") == (
        f"Labels of 3 images written to {folder}"
    )
    find(page, "labels_folder", QLineEdit).setText("/elsewhere")
    assert said(page, "export_labels_outcome") == ""


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


@pytest.mark.parametrize("key", FORMATS)
def test_every_control_has_a_tooltip_and_fits_the_dock(page, run, key):
    choose_format(page, key)
    for kind in (QPushButton, QComboBox, QCheckBox, QLineEdit):
        named = [c for c in page.findChildren(kind) if c.objectName()]
        assert all(control.toolTip() for control in named)
    assert page.minimumSizeHint().width() <= 340
    inside = [w for w in page.findChildren(QWidget) if w.isVisibleTo(page)]
    assert all(w.width() <= page.width() for w in inside)


def test_tab_goes_in_reading_order(page, run):
    widget, places = page.nextInFocusChain(), []
    while widget is not page:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.objectName():
            places.append(widget.objectName())
        widget = widget.nextInFocusChain()
    assert [name for name in places if not name.startswith("qt_")] == [
        *("export_run", "model_format", "model_author", "model_licence"),
        *("model_name", "model_folder", "choose_model_folder", "export_model"),
        *("stop_export", "export_checks_fold"),
        *("shell_line", "copy_shell_line", "open_model_folder"),
        *("segment_run", "segment_model", "choose_segment_model"),
        *("segment_images", "choose_segment_images", "segment_inner"),
        *("segment_out", "choose_segment_out"),
        *("write_instances", "write_classes", "write_contours", "write_distance"),
        *("write_probabilities", "write_uncertainty"),
        *("write_overview", "write_rois", "write_coco"),
        *("start_segmenting", "stop_segmenting", "open_results", "open_report"),
        *("labels_format", "labels_folder", "choose_labels_folder", "export_labels"),
    ]
