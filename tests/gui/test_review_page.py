"""The Review page: runs, predictions, and what stands in their way."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.gui.commands import CommandResult
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.predicting import NO_RUN, outcome_of
from napari_mtseg.gui.review_page import ReviewPage
from napari_mtseg.gui.review_table import ReviewTable
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.run_folder import new_run_folder
from tests.gui.fake_commands import FakeCommands
from tests.tiny_projects import SIZE, disc_project


def trained_run(project, *, has_weights=True, n_kept=0, **settings):
    info = {
        "method": "baseline",
        "settings": settings,
        "seed": 0,
        "device": "cpu",
        "versions": {},
    }
    run = new_run_folder(project.path, info)
    if has_weights:
        run.checkpoint("best").parent.mkdir()
        run.checkpoint("best").touch()
    for n in range(1, n_kept + 1):
        run.checkpoint(f"kept-{n}").touch()
    return run


def predict(project, run, entry, **scores):
    objects = np.zeros((SIZE, SIZE), np.uint32)
    objects[4:16, 4:16] = 1
    inside = (objects > 0).astype(np.float16)
    made = Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.stack([1 - inside, inside]),
        instances=objects,
        class_of={1: 1},
        maps={"uncertainty": np.zeros((SIZE, SIZE), np.float16)},
        scores={"quality": 0.914, "dice": float("nan"), **scores},
    )
    folder = project.path / "predictions" / run.path.name / entry.id
    save_prediction(folder, made, spacing=(1, 1), unit="pixel")


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
def viewer():
    return ViewerModel()


@pytest.fixture
def overlays(viewer, state, qtbot):
    overlays = Overlays(viewer, state)
    yield overlays
    overlays.release()


@pytest.fixture
def page(qtbot, viewer, state, overlays, commands):
    editing = Editing(viewer, state)
    page = ReviewPage(viewer, state, editing, overlays, commands, Thumbnails())
    state.page = "review"
    qtbot.addWidget(page)
    page.resize(360, 800)
    page.show()
    return page


@pytest.fixture
def project(state, tmp_path, page):
    state.open_project(tmp_path / "discs.mtseg")
    return state.project


def said(page, name):
    return page.findChild(SentenceLabel, name).sentence


def button(page, name):
    return page.findChild(QPushButton, name)


def listed(page):
    """Return the ids of the images in the table, from top to bottom."""
    table = page.findChild(ReviewTable)
    return [table.id_at(row) for row in range(table.rowCount())]


def test_without_a_run_the_page_says_what_to_do_first(page, project):
    assert said(page, "review_here") == NO_RUN
    for name in ("predict_image", "predict_all"):
        assert not button(page, name).isEnabled()
        assert button(page, name).toolTip() == NO_RUN
    assert not page.findChild(QComboBox, "review_run").isEnabled()


def test_the_newest_run_with_weights_stands_first(page, state, project):
    older, newer = trained_run(project), trained_run(project)
    trained_run(project, has_weights=False)
    state.runs_changed.emit()
    box = page.findChild(QComboBox, "review_run")
    ids = [box.itemData(i) for i in range(box.count())]
    assert ids == [newer.path.name, older.path.name]
    assert box.itemText(0).startswith("Plain U-Net · ")
    assert page.run_id == newer.path.name
    state.run_id = older.path.name
    assert page.run_id == older.path.name


def test_the_prediction_of_the_current_image_is_shown(
    qtbot, page, state, overlays, project
):
    run = trained_run(project)
    predict(project, run, project.images[0])
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: "Contours" in overlays.names)
    assert said(page, "review_here") == ""
    qtbot.waitUntil(lambda: listed(page) == [project.images[0].id])
    state.step_image(1)
    assert overlays.names == ()
    assert said(page, "review_here") == (
        "This run has not predicted this image. Click Predict this image."
    )


def test_all_images_are_predicted_by_the_chosen_run(
    qtbot, page, state, commands, overlays, project
):
    run = trained_run(project)
    state.runs_changed.emit()
    qtbot.mouseClick(button(page, "predict_all"), Qt.MouseButton.LeftButton)
    assert commands.args == [
        "predict",
        str(project.path),
        "--run",
        run.path.name,
        "--json",
    ]
    assert not button(page, "predict_all").isEnabled()
    assert button(page, "stop_predicting").isVisible()
    predict(project, run, project.images[0])
    qtbot.waitUntil(lambda: "Contours" in overlays.names)
    told = {"predicted": [{"notices": []}] * 3, "failed": []}
    with qtbot.waitSignal(state.predictions_changed, raising=False, timeout=1):
        commands.end(stdout=json.dumps(told))
    assert said(page, "predict_outcome") == "3 images predicted."
    assert not button(page, "stop_predicting").isVisible()
    assert button(page, "predict_all").isEnabled()
    qtbot.waitUntil(lambda: len(listed(page)) == 1)


def test_only_the_current_image_is_predicted(qtbot, page, state, commands, project):
    run = trained_run(project)
    state.runs_changed.emit()
    state.step_image(1)
    qtbot.mouseClick(button(page, "predict_image"), Qt.MouseButton.LeftButton)
    assert commands.args == [
        "predict",
        str(project.path),
        "--run",
        run.path.name,
        "--image",
        project.images[1].id,
        "--json",
    ]


def test_a_prediction_can_be_stopped(qtbot, page, state, commands, project):
    trained_run(project)
    state.runs_changed.emit()
    qtbot.mouseClick(button(page, "predict_all"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(page, "stop_predicting"), Qt.MouseButton.LeftButton)
    assert commands.was_stopped
    commands.end(code=1, was_stopped=True)
    assert said(page, "predict_outcome") == (
        "Stopped. What was predicted before is kept."
    )


def test_a_run_that_trains_does_not_predict(page, state, project):
    run = trained_run(project)
    with run.lock():
        state.runs_changed.emit()
        assert not button(page, "predict_all").isEnabled()
        assert button(page, "predict_all").toolTip() == (
            "This run is training. Predict when it has ended, or stop it first."
        )
        assert said(page, "review_here") == (
            "This run is training; its results come as it learns."
        )
    state.runs_changed.emit()
    assert button(page, "predict_all").isEnabled()


def test_what_a_training_shows_is_left_alone(qtbot, page, state, overlays, project):
    run = trained_run(project, has_weights=False)
    with run.lock():
        state.run_id = run.path.name
        with qtbot.waitSignal(overlays.shown):
            overlays.show_maps(
                np.ones((SIZE, SIZE), np.uint8), np.ones((SIZE, SIZE), np.uint32)
            )
        state.runs_changed.emit()
    state.runs_changed.emit()
    assert "Segmentation" in overlays.names


def test_failures_are_named(page):
    told = {"predicted": [{"notices": []}], "failed": [{"error": "'a.tif' is gone."}]}
    result = CommandResult(code=1, stdout=json.dumps(told), sentence="")
    assert outcome_of(result) == (
        "1 image predicted. 1 could not be: 'a.tif' is gone.",
        "problem",
    )
    broken = CommandResult(code=2, stdout="", sentence="There is no run 'x'.")
    assert outcome_of(broken) == ("There is no run 'x'.", "problem")


def test_switches_follow_the_layers_and_the_layers_the_switches(
    qtbot, page, state, overlays, project
):
    run = trained_run(project)
    predict(project, run, project.images[0])
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: "Uncertainty" in overlays.names)
    boxes = {b.objectName(): b for b in page.findChildren(QCheckBox) if b.isVisible()}
    assert set(boxes) == {
        "show_results",
        "show_segmentation",
        "show_instances",
        "show_contours",
        "show_probability",
        "show_uncertainty",
    }
    boxes["show_uncertainty"].click()
    assert overlays.is_visible("Uncertainty")
    overlays.set_visible("Contours", False)
    assert not boxes["show_contours"].isChecked()
    page.findChild(QSlider, "overlay_opacity").setValue(70)
    assert overlays.opacity == 0.7
    boxes["show_results"].click()
    assert not overlays.visible
    assert not boxes["show_segmentation"].isEnabled()
    assert "hidden" in boxes["show_segmentation"].toolTip()


def test_closing_the_project_stops_the_prediction(
    qtbot, page, state, commands, project
):
    trained_run(project)
    state.runs_changed.emit()
    qtbot.mouseClick(button(page, "predict_all"), Qt.MouseButton.LeftButton)
    state.close_project()
    assert commands.was_stopped
    commands.end(code=1, was_stopped=True)
    assert said(page, "predict_outcome") == ""
    assert listed(page) == []


def test_every_control_has_a_tooltip_and_fits_the_dock(page, state, project):
    run = trained_run(project)
    predict(project, run, project.images[0])
    state.runs_changed.emit()
    for kind in (QPushButton, QComboBox, QCheckBox, QSlider, QSpinBox):
        assert all(control.toolTip() for control in page.findChildren(kind))
    assert page.minimumSizeHint().width() <= 340


def predict_telling(project, run, entry, *, disagreeing):
    empty = np.zeros((SIZE, SIZE), np.uint8)
    made = Prediction(
        classes=empty,
        probabilities=np.stack([1 - empty, empty]).astype(np.float16),
        instances=empty.astype(np.uint32),
        class_of={},
        scores={"disagreement": 0.9 if disagreeing else 0.1},
        present={1: 0.9 if disagreeing else 0.1},
    )
    folder = project.path / "predictions" / run.path.name / entry.id
    doubts = [1] if disagreeing else []
    save_prediction(folder, made, spacing=(1, 1), unit="pixel", disagreeing=doubts)


def test_what_is_said_of_the_image_comes_and_goes_with_its_prediction(
    qtbot, page, state, project
):
    run = trained_run(project)
    first, second, _ = project.images
    predict_telling(project, run, first, disagreeing=True)
    predict(project, run, second)
    panel = page.findChild(QWidget, "image_answer")
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(page, "answer_doubts").startswith("⚠ The segmentation shows no disc")
    state.step_image(1)
    qtbot.waitUntil(lambda: said(page, "answer_doubts") == "")
    assert said(page, "uncertainty_from") == "Uncertainty from one pass"
    state.step_image(-1)
    qtbot.waitUntil(lambda: said(page, "answer_doubts") != "")
    state.step_image(2)
    assert panel.isHidden()


def choose_source(page, source):
    box = page.findChild(QComboBox, "uncertainty_source")
    box.setCurrentIndex(box.findData(source))
    box.activated.emit(box.currentIndex())


def test_passes_with_dropout_are_asked_for_by_options(
    qtbot, page, state, commands, project
):
    run = trained_run(project, dropout=0.3, n_kept=3)
    state.runs_changed.emit()
    choose_source(page, "dropout")
    page.findChild(QSpinBox, "uncertainty_passes").setValue(30)
    qtbot.mouseClick(button(page, "predict_all"), Qt.MouseButton.LeftButton)
    assert commands.args == [
        "predict",
        str(project.path),
        "--run",
        run.path.name,
        "--uncertainty",
        "dropout",
        "--passes",
        "30",
        "--json",
    ]


def test_the_choice_follows_the_run_that_is_chosen(page, state, project):
    without = trained_run(project, n_kept=3)
    with_dropout = trained_run(project, dropout=0.3, n_kept=0)
    state.runs_changed.emit()
    box = page.findChild(QComboBox, "uncertainty_source")
    choose_source(page, "dropout")
    assert page.run_id == with_dropout.path.name
    state.run_id = without.path.name
    assert box.currentData() == "one-pass"
    assert said(page, "uncertainty_why").startswith("This run was trained without")
    state.run_id = with_dropout.path.name
    assert box.currentData() == "dropout"


def test_scores_are_checked_after_all_images_are_predicted(
    qtbot, page, state, commands, project
):
    run = trained_run(project)
    project.update_image(project.images[0].changed({"split": "test"}))
    state.images_changed.emit()
    state.runs_changed.emit()
    qtbot.mouseClick(button(page, "predict_all"), Qt.MouseButton.LeftButton)
    for entry in project.images:
        predict(project, run, entry)
    told = {"predicted": [{"notices": []}] * 3, "failed": []}
    commands.end(stdout=json.dumps(told))
    qtbot.waitUntil(lambda: commands.args[0] == "evaluate")
    assert commands.args[1:] == [
        str(project.path),
        "--run",
        run.path.name,
        "--split",
        "held-out",
        "--json",
    ]


def test_keys_have_an_action_each(page):
    assert set(page.actions_by_name()) == {
        "accept",
        "reject",
        "fix",
        "skip",
        "undo_verdict",
        "next_worst",
        "worst_object",
        "worst_slice",
    }


def test_a_page_that_nobody_looks_at_reads_nothing(qtbot, page, state, project):
    run = trained_run(project)
    for entry in project.images:
        predict(project, run, entry)
    state.page = "train"
    state.runs_changed.emit()
    qtbot.wait(100)
    assert listed(page) == []
    state.page = "review"
    qtbot.waitUntil(lambda: len(listed(page)) == 3)
