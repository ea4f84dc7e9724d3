"""The Review page: runs, predictions, and what stands in their way."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QListWidget,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.gui.commands import CommandResult
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.predicted_images import predicted_images
from napari_mtseg.gui.predicting import NO_RUN, outcome_of
from napari_mtseg.gui.review_page import ReviewPage
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
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
def overlays(state, qtbot):
    overlays = Overlays(ViewerModel(), state)
    yield overlays
    overlays.release()


@pytest.fixture
def page(qtbot, state, overlays, commands):
    page = ReviewPage(state, overlays, commands)
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


def lines(page):
    found = page.findChild(QListWidget, "predicted_images")
    return [found.item(i).text() for i in range(found.count())]


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
    qtbot.waitUntil(lambda: len(lines(page)) == 1)
    assert lines(page) == ["disc_0.tif\n1 object · quality 0.91"]
    state.step_image(1)
    assert overlays.names == ()
    assert said(page, "review_here") == (
        "This run has not predicted this image. Click Predict this image."
    )


def test_one_steps_through_the_predicted_images(qtbot, page, state, project):
    run = trained_run(project)
    first, _, last = project.images
    predict(project, run, first)
    predict(project, run, last)
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 2)
    assert not button(page, "previous_predicted").isEnabled()
    qtbot.mouseClick(button(page, "next_predicted"), Qt.MouseButton.LeftButton)
    assert state.image_id == last.id
    assert not button(page, "next_predicted").isEnabled()
    found = page.findChild(QListWidget, "predicted_images")
    assert found.currentRow() == 1
    found.itemActivated.emit(found.item(0))
    assert state.image_id == first.id


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
    qtbot.waitUntil(lambda: len(lines(page)) == 1)


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


def test_a_damaged_prediction_is_listed_as_such(page, project):
    run = trained_run(project)
    entry = project.images[0]
    predict(project, run, entry)
    folder = project.path / "predictions" / run.path.name
    (folder / entry.id / "prediction.json").write_text("{")
    (found,) = predicted_images(folder, [(entry.id, entry.name)])
    assert found.scores == "cannot be read; predict it again"


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
    assert lines(page) == []


def test_every_control_has_a_tooltip_and_fits_the_dock(page, state, project):
    run = trained_run(project)
    predict(project, run, project.images[0])
    state.runs_changed.emit()
    for kind in (QPushButton, QComboBox, QCheckBox, QListWidget, QSlider, QSpinBox):
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


def test_images_on_which_classes_disagree_are_marked_and_found(
    qtbot, page, state, project
):
    run = trained_run(project)
    for place, entry in enumerate(project.images):
        predict_telling(project, run, entry, disagreeing=place != 1)
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 3)
    assert lines(page) == [
        "⚠ disc_0.tif\n0 objects · disagreement 0.90",
        "disc_1.tif\n0 objects · disagreement 0.10",
        "⚠ disc_2.tif\n0 objects · disagreement 0.90",
    ]
    found = page.findChild(QListWidget, "predicted_images")
    assert found.item(0).toolTip().endswith("segmentation disagree about disc")
    only = page.findChild(QCheckBox, "only_doubtful")
    assert only.text() == "Only where classes disagree ⚠ (2)"
    only.click()
    assert [line[:12] for line in lines(page)] == ["⚠ disc_0.tif", "⚠ disc_2.tif"]
    qtbot.mouseClick(button(page, "next_predicted"), Qt.MouseButton.LeftButton)
    assert state.image_id == project.images[2].id
    assert not button(page, "next_predicted").isEnabled()
    only.click()
    assert len(lines(page)) == 3
    assert found.currentRow() == 2


def test_where_nothing_disagrees_the_filter_says_so_and_cannot_be_ticked(
    qtbot, page, state, project
):
    run = trained_run(project)
    first, second, _ = project.images
    predict_telling(project, run, first, disagreeing=True)
    predict_telling(project, run, second, disagreeing=False)
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 2)
    only = page.findChild(QCheckBox, "only_doubtful")
    only.click()
    assert len(lines(page)) == 1
    predict_telling(project, run, first, disagreeing=False)
    state.predictions_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 2)
    assert only.text() == "Only where classes disagree ⚠ (0)"
    assert not only.isHidden()
    assert not only.isEnabled()
    assert not only.isChecked()
    assert only.toolTip().startswith("There is none: on every predicted image")


def test_without_class_predictions_there_is_no_filter(qtbot, page, state, project):
    run = trained_run(project)
    predict(project, run, project.images[0])
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 1)
    assert page.findChild(QCheckBox, "only_doubtful").isHidden()


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


def test_the_most_doubtful_images_come_first_if_wanted(qtbot, page, state, project):
    run = trained_run(project)
    for entry, doubt in zip(project.images, (0.2, 0.7, float("nan")), strict=True):
        predict(project, run, entry, doubt=doubt)
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 3)
    first = page.findChild(QCheckBox, "most_doubtful_first")
    assert first.isVisible()
    first.click()
    assert [line.split("\n")[0] for line in lines(page)] == [
        "disc_1.tif",
        "disc_0.tif",
        "disc_2.tif",
    ]
    assert page.findChild(QListWidget, "predicted_images").currentRow() == 1
    first.click()
    assert lines(page)[0].startswith("disc_0.tif")


def test_without_doubts_images_cannot_be_sorted_by_them(qtbot, page, state, project):
    run = trained_run(project)
    for entry in project.images:
        predict(project, run, entry)
    state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(lines(page)) == 3)
    assert page.findChild(QCheckBox, "most_doubtful_first").isHidden()
