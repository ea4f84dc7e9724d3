"""Segmenting a folder from the Export page, with a command that a test plays."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_mtseg.gui import folder_job, folder_prediction, usable_examples
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.export_checks import ExportChecks
from napari_mtseg.gui.export_page import ExportPage
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.source_choice import EXPORTED
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import load_window_settings
from napari_mtseg.storage.batch_ledger import (
    BatchBegun,
    BatchEnded,
    BatchLedger,
    ImageRecord,
)
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.export import export_model
from tests.gui.fake_commands import FakeCommands
from tests.gui.trained_projects import trained_run
from tests.tiny_projects import disc_project
from tests.tiny_run import tiny_project, tiny_run, write_image

LONG = 120_000
"""milliseconds for a command on a busy machine"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    for name in ("_LOOK_AFTER", "_LOOK_EVERY", "_LOOK_AGAIN"):
        monkeypatch.setattr(folder_prediction, name, 10)


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
def images(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.tif").touch()
    return folder


@pytest.fixture
def make_page(qtbot, state, commands):
    def make():
        page = ExportPage(state, commands)
        qtbot.addWidget(page)
        page.resize(360, 1000)
        page.show()
        return page

    return make


@pytest.fixture
def page(make_page, state, tmp_path):
    trained_run(Project.open(tmp_path / "discs.mtseg"))
    page = make_page()
    state.open_project(tmp_path / "discs.mtseg")
    return page


class Ledger:
    """Writes the ledger of a folder as `mtseg predict` does."""

    def __init__(self, folder, total):
        folder.mkdir(exist_ok=True)
        self.ledger = BatchLedger(folder)
        self.folder = folder
        self.ledger.begin(BatchBegun(total=total, model="m"))

    def add(self, name, *, status="done", error=None, seconds=2.0):
        path = f"/scans/{name}"
        record = ImageRecord(
            input=path, name=name, status=status, error=error, seconds=seconds
        )
        self.ledger.add(record)

    def end(self, done, failed=0, skipped=0):
        (self.folder / "report.html").touch()
        self.ledger.end(
            BatchEnded(done=done, failed=failed, skipped=skipped, report="report.html")
        )


def find(page, name, kind=QPushButton):
    return page.findChild(kind, name)


def said(page):
    return page.findChild(SentenceLabel, "segment_outcome").sentence


def why_not(page):
    start = find(page, "start_segmenting")
    return "" if start.isEnabled() else start.toolTip()


def shown_reason(page):
    return page.findChild(SentenceLabel, "segment_obstacle").sentence


def choose_source(page, text):
    box = find(page, "segment_run", QComboBox)
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())


def click(qtbot, page, name):
    qtbot.mouseClick(find(page, name), Qt.MouseButton.LeftButton)


def begun(qtbot, page, images):
    find(page, "segment_images", QLineEdit).setText(str(images))
    click(qtbot, page, "start_segmenting")


def failed_lines(page):
    box = find(page, "segment_failed", QWidget)
    return [label.sentence for label in box.findChildren(SentenceLabel)]


def test_what_is_chosen_is_what_the_command_is_asked_for(
    qtbot, page, commands, images, state
):
    find(page, "write_uncertainty", QCheckBox).setChecked(True)
    find(page, "write_contours", QCheckBox).setChecked(False)
    find(page, "write_rois", QCheckBox).setChecked(True)
    find(page, "write_overview", QCheckBox).setChecked(False)
    find(page, "segment_inner", QCheckBox).setChecked(True)
    begun(qtbot, page, images)
    run = next((state.project.path / "runs").iterdir()).name
    assert commands.args == [
        "predict",
        str(state.project.path),
        str(images),
        "--out",
        f"{images}-results",
        "--maps",
        "instances,classes,uncertainty",
        "--run",
        run,
        "--also",
        "rois",
        "--no-overview",
        "--recursive",
        "--json",
    ]
    assert why_not(page) == "Images are being segmented. Wait for it or stop it."
    commands.end()


def test_an_exported_model_needs_no_run(qtbot, make_page, commands, images, tmp_path):
    page = make_page()
    assert find(page, "segment_run", QComboBox).currentText() == EXPORTED
    assert why_not(page) == "Choose the exported model."
    model = tmp_path / "model.zip"
    find(page, "segment_model", QLineEdit).setText(str(model))
    assert why_not(page) == f"There is no model '{model}'. Choose another one."
    model.touch()
    find(page, "segment_model", QLineEdit).setText(f"{model} ")
    begun(qtbot, page, images)
    assert commands.args[:3] == ["predict", str(model), str(images)]
    assert "--run" not in commands.args


@pytest.fixture
def example(tmp_path, monkeypatch):
    project = tiny_project(tmp_path / "made")
    tiny_run(project)
    model = export_model(project, None, tmp_path / "cells")
    monkeypatch.setattr(usable_examples, "example_models", lambda: {"cells": model})
    return model


def test_an_example_model_needs_no_run_and_stays_chosen(example, page, state):
    choose_source(page, "Example model cells (2D)")
    about = page.findChild(SentenceLabel, "segment_model_about").sentence
    assert about == "It finds nucleus; 2D images, 1 channel; method baseline."
    state.runs_changed.emit()
    assert find(page, "segment_run", QComboBox).currentData() == str(example)
    assert not find(page, "segment_model", QLineEdit).isVisible()


def test_an_example_model_segments_and_is_remembered(
    qtbot, example, page, make_page, commands, images
):
    choose_source(page, "Example model cells (2D)")
    begun(qtbot, page, images)
    assert commands.args[:3] == ["predict", str(example), str(images)]
    assert "--run" not in commands.args
    commands.end(code=1, sentence="Stopped.", was_stopped=True)
    again = make_page()
    assert find(again, "segment_run", QComboBox).currentData() == str(example)
    choose_source(again, EXPORTED)
    assert find(again, "segment_model", QLineEdit).text() == ""


def test_an_outcome_goes_when_something_else_is_asked_for(
    qtbot, page, commands, images
):
    begun(qtbot, page, images)
    Ledger(images.with_name("scans-results"), total=1).end(1)
    commands.end()
    qtbot.waitUntil(lambda: "segmented" in said(page))
    choose_source(page, EXPORTED)
    assert said(page) == ""
    assert not find(page, "open_results").isVisible()


def test_the_reason_is_shown_once_the_form_is_begun(make_page, images, tmp_path):
    page = make_page()
    assert shown_reason(page) == ""
    find(page, "segment_images", QLineEdit).setText(str(images))
    assert shown_reason(page) == "Choose the exported model."
    find(page, "segment_images", QLineEdit).setText("")
    assert shown_reason(page) == ""
    find(page, "segment_model", QLineEdit).setText(str(tmp_path))
    assert shown_reason(page) == "Choose a folder of images, or image files."


def test_the_bar_follows_the_ledger_and_tells_the_time_left(
    qtbot, page, commands, images
):
    begun(qtbot, page, images)
    assert said(page) == "Loading the model…"
    ledger = Ledger(images.with_name("scans-results"), total=5)
    ledger.add("a.tif", status="skipped", seconds=0)
    ledger.add("b.tif", seconds=10)
    ledger.add("c.tif", status="failed", error="It is empty.", seconds=0)
    bar = find(page, "segment_progress", QProgressBar)
    qtbot.waitUntil(lambda: bar.value() == 3)
    assert bar.maximum() == 5
    assert bar.format() == "3 / 5 · 10 s left"
    assert failed_lines(page) == ["'c.tif': It is empty."]
    ledger.add("d.tif")
    ledger.add("e.tif")
    ledger.end(3, 1, 1)
    commands.end(code=1)
    qtbot.waitUntil(lambda: "segmented" in said(page))
    assert said(page) == ("3 images segmented. 1 was done before. 1 could not be:")
    assert find(page, "open_results").isVisible()
    assert find(page, "open_report").isVisible()
    assert not bar.isVisible()
    assert why_not(page) == ""


def test_the_ledger_of_an_earlier_time_is_not_taken_for_this_one(
    qtbot, page, commands, images, monkeypatch
):
    out = images.with_name("scans-results")
    Ledger(out, total=3).end(3)
    file = out / "batch.jsonl"
    file.write_text(file.read_text().replace('"when": "2', '"when": "1'))
    begun(qtbot, page, images)
    commands.end(code=1, sentence="The model is damaged. Export it again.")
    qtbot.waitUntil(lambda: "damaged" in said(page))
    assert said(page) == "The model is damaged. Export it again."
    assert not find(page, "open_report").isVisible()


def test_what_was_stopped_goes_on_in_the_next_window(
    qtbot, page, make_page, commands, images, state
):
    begun(qtbot, page, images)
    ledger = Ledger(images.with_name("scans-results"), total=5)
    ledger.add("a.tif")
    click(qtbot, page, "stop_segmenting")
    assert commands.was_stopped
    bar = find(page, "segment_progress", QProgressBar)
    qtbot.waitUntil(lambda: bar.value() == 1)
    assert said(page) == "Stopping…"
    commands.end(code=1, sentence="Stopped.", was_stopped=True)
    rest = "1 of 5 images is done and kept; Start goes on with the rest."
    qtbot.waitUntil(lambda: said(page) == f"Stopped. {rest}")
    project = state.project.path
    state.close_project()
    again = make_page()
    state.open_project(project)
    assert find(again, "segment_images", QLineEdit).text() == str(images)
    qtbot.waitUntil(lambda: said(again) == rest)
    args = commands.args
    click(qtbot, again, "start_segmenting")
    assert commands.args == args
    assert load_window_settings().unfinished
    ledger = Ledger(images.with_name("scans-results"), total=5)
    ledger.end(4, 0, 1)
    commands.end()
    qtbot.waitUntil(lambda: not load_window_settings().unfinished)
    state.close_project()


def test_it_goes_on_when_the_project_is_closed(qtbot, page, commands, images, state):
    begun(qtbot, page, images)
    assert page.closing_question.startswith("Images are being segmented. Closing")
    state.close_project()
    assert not commands.was_stopped
    ledger = Ledger(images.with_name("scans-results"), total=2)
    ledger.add("a.tif")
    qtbot.waitUntil(lambda: "1 of 2 images is done." in page.closing_question)
    ledger.add("b.tif")
    ledger.end(2)
    commands.end()
    qtbot.waitUntil(lambda: said(page) == "2 images segmented.")
    assert page.closing_question == ""


def test_the_end_is_told_when_another_page_is_shown(
    qtbot, page, commands, images, monkeypatch
):
    told = []
    monkeypatch.setattr(folder_prediction, "show_info", told.append)
    begun(qtbot, page, images)
    page.hide()
    ledger = Ledger(images.with_name("scans-results"), total=1)
    ledger.add("a.tif")
    ledger.end(1)
    commands.end()
    qtbot.waitUntil(lambda: told == ["1 image segmented."])


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("segment_images", "", "Choose a folder of images, or image files."),
        (
            "segment_images",
            "x",
            "There is no 'x'. Choose a folder of images, or files.",
        ),
        ("segment_out", "", "Choose a folder for the results."),
        (
            "segment_out",
            "IMAGES",
            "Results cannot lie among the images. Choose another folder.",
        ),
    ],
)
def test_start_says_what_is_missing(page, images, name, text, reason):
    find(page, "segment_images", QLineEdit).setText(str(images))
    find(page, name, QLineEdit).setText(text.replace("IMAGES", str(images)))
    assert why_not(page) == reason
    is_untouched = (name, text) == ("segment_images", "")
    assert shown_reason(page) == ("" if is_untouched else reason)


def test_something_must_be_written(page, images):
    find(page, "segment_images", QLineEdit).setText(str(images))
    assert why_not(page) == ""
    for name in ("instances", "classes", "contours"):
        find(page, f"write_{name}", QCheckBox).setChecked(False)
    assert why_not(page) == "Choose at least one map to write."


def test_a_run_that_trains_is_waited_for(page, images, state):
    find(page, "segment_images", QLineEdit).setText(str(images))
    run = next((state.project.path / "runs").iterdir())
    with FolderLock(run, purpose="training"):
        state.runs_changed.emit()
        assert why_not(page) == (
            "This run is training. Wait until it has ended, or choose another."
        )


def test_a_folder_that_is_written_already_is_waited_for(qtbot, page, images):
    find(page, "segment_images", QLineEdit).setText(str(images))
    ledger = Ledger(images.with_name("scans-results"), total=5)
    with ledger.ledger:
        find(page, "segment_out", QLineEdit).setText(str(ledger.folder) + " ")
        busy = "Another program is writing results into this folder. Wait for it."
        qtbot.waitUntil(lambda: why_not(page) == busy)
    qtbot.waitUntil(lambda: why_not(page) == "")


def test_the_place_that_is_proposed_follows_the_images(page, images, tmp_path):
    edit, place = (find(page, n, QLineEdit) for n in ("segment_images", "segment_out"))
    edit.setText(str(images / "a.tif"))
    assert place.text() == f"{images}-results"
    edit.setText(str(tmp_path / "*.tif"))
    assert place.text() == f"{tmp_path}-results"
    edit.setText(str(tmp_path / "*" / "*.tif"))
    assert place.text() == f"{tmp_path}-results"
    edit.setText(str(tmp_path / "not there"))
    assert place.text() == ""
    place.setText("/elsewhere")
    edit.setText(str(images))
    assert place.text() == "/elsewhere"


def test_settings_that_cannot_be_kept_are_told(
    qtbot, page, commands, images, monkeypatch
):
    told = []
    monkeypatch.setattr(folder_job, "show_error", told.append)
    monkeypatch.setenv("MTSEG_CONFIG", str(images / "a.tif" / "config"))
    begun(qtbot, page, images)
    assert len(told) == 1
    assert commands.args[0] == "predict"


@pytest.mark.slow
def test_the_real_commands_export_a_model_that_segments_a_folder(
    qtbot, tmp_path, state
):
    project = tiny_project(tmp_path)
    tiny_run(project)
    images = tmp_path / "more"
    for seed, name in enumerate("ab"):
        write_image(images / f"{name}.tif", seed=seed)
    (images / "cut.tif").write_bytes(b"II*")
    commands = Commands()
    page = ExportPage(state, commands)
    qtbot.addWidget(page)
    page.show()
    state.open_project(project.path)
    click(qtbot, page, "export_model")
    model = tmp_path / "cells-model"
    result = find(page, "shell_line", QLineEdit)
    qtbot.waitUntil(result.isVisible, timeout=LONG)
    assert all(line.startswith("✔ ") for line in page.findChild(ExportChecks).lines)
    source = find(page, "segment_run", QComboBox)
    source.setCurrentIndex(source.count() - 1)
    source.activated.emit(source.currentIndex())
    find(page, "segment_model", QLineEdit).setText(str(model))
    begun(qtbot, page, images)
    report = find(page, "open_report")
    qtbot.waitUntil(report.isVisible, timeout=LONG)
    assert said(page) == "2 images segmented. 1 could not be:"
    assert len(failed_lines(page)) == 1
    assert "'cut.tif' cannot be read" in failed_lines(page)[0]
    results = {path.name for path in (tmp_path / "more-results").iterdir()}
    assert {"a_instances.tif", "b_classes.tif", "report.html"} <= results
    commands.release()
