"""The sentence on how well the scores find failures."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QProgressBar, QPushButton

from napari_mtseg.gui.score_check_line import (
    CHECKING,
    NOTHING_HELD_OUT,
    STOPPED,
    ScoreCheckLine,
)
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from tests.gui.fake_commands import FakeCommands
from tests.gui.trained_projects import checked, predicted, trained_run
from tests.tiny_projects import SIZE, disc_project


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=1, validate=2)


@pytest.fixture
def state(project):
    state = WindowState()
    state.open_project(project.path)
    yield state
    state.close_project()


@pytest.fixture
def commands():
    return FakeCommands()


@pytest.fixture
def line(qtbot, state, commands):
    line = ScoreCheckLine(state, commands)
    qtbot.addWidget(line)
    line.resize(340, 100)
    line.show()
    return line


def said(line):
    return line.findChild(SentenceLabel, "score_check").sentence


def button(line, name="check_scores"):
    return line.findChild(QPushButton, name)


def predict_all(project, run):
    for entry in project.images:
        predicted(project, run, entry, np.ones((SIZE, SIZE), np.uint32))


def ready_line(qtbot, line, project):
    run = trained_run(project)
    predict_all(project, run)
    line.set_run(run.path.name)
    qtbot.waitUntil(lambda: button(line).isEnabled())
    return run


def test_without_held_out_masks_it_says_what_to_do(qtbot, line, project):
    opened = line._state.project
    for entry in opened.images:
        opened.update_image(entry.changed({"split": "train"}))
    line.set_run(trained_run(project).path.name)
    qtbot.waitUntil(lambda: said(line) == NOTHING_HELD_OUT)
    assert not button(line).isVisible()


def test_held_out_images_must_be_predicted_first(qtbot, line, state, project):
    run = trained_run(project)
    predicted(project, run, project.images[1], np.ones((SIZE, SIZE), np.uint32))
    line.set_run(run.path.name)
    qtbot.waitUntil(lambda: said(line) != "")
    assert said(line) == (
        "1 of 2 held-out images with full masks is not predicted by this run. Click "
        "Predict all images first."
    )
    assert not button(line).isEnabled()
    assert button(line).toolTip() == said(line)
    predict_all(project, run)
    state.predictions_changed.emit()
    qtbot.waitUntil(lambda: button(line).isEnabled())
    assert said(line) == (
        "It is not checked yet how well doubt finds failures: 2 held-out images have "
        "full masks to check it on."
    )


def test_the_scores_are_checked_in_the_background(qtbot, line, commands, project):
    run = ready_line(qtbot, line, project)
    qtbot.mouseClick(button(line), Qt.MouseButton.LeftButton)
    assert commands.args == [
        "evaluate",
        str(project.path),
        "--run",
        run.path.name,
        "--split",
        "held-out",
        "--json",
    ]
    assert said(line) == CHECKING
    assert line.findChild(QProgressBar).isVisible()
    assert not button(line).isVisible()
    check = checked(project, run, [(e, 0.5) for e in project.images[1:]])
    commands.end(stdout="{}")
    qtbot.waitUntil(lambda: said(line) == check.sentence("boundary_entropy"))
    assert said(line).startswith("Only 2 images are held out and annotated: too few")
    assert button(line).text() == "Check again"
    assert not line.findChild(QProgressBar).isVisible()


def test_a_check_can_be_stopped_or_fail(qtbot, line, commands, project):
    ready_line(qtbot, line, project)
    qtbot.mouseClick(button(line), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(line, "stop_check"), Qt.MouseButton.LeftButton)
    assert commands.was_stopped
    commands.end(code=1, was_stopped=True)
    assert said(line) == STOPPED
    qtbot.waitUntil(lambda: button(line).isEnabled())
    qtbot.mouseClick(button(line), Qt.MouseButton.LeftButton)
    commands.end(code=1, sentence="'classes.tif' is missing or damaged.")
    assert said(line) == "'classes.tif' is missing or damaged."


def test_after_a_prediction_of_all_images_the_scores_are_checked_once(
    qtbot, line, state, commands, project
):
    run = trained_run(project)
    line.set_run(run.path.name)
    predict_all(project, run)
    line.after_prediction()
    qtbot.waitUntil(lambda: commands.args is not None)
    commands.args = None
    commands.end(stdout="{}")
    qtbot.waitUntil(lambda: button(line).isEnabled())
    state.predictions_changed.emit()
    qtbot.waitUntil(lambda: not line._reading.is_busy)
    assert commands.args is None


def test_after_a_prediction_nothing_is_checked_where_nothing_can_be(
    qtbot, line, commands, project
):
    line.set_run(trained_run(project).path.name)
    line.after_prediction()
    qtbot.waitUntil(lambda: said(line) != "")
    assert commands.args is None


def test_another_project_says_nothing_of_the_check_of_this_one(
    qtbot, line, state, commands, project
):
    ready_line(qtbot, line, project)
    qtbot.mouseClick(button(line), Qt.MouseButton.LeftButton)
    state.close_project()
    assert commands.was_stopped
    commands.end(code=1, was_stopped=True)
    assert said(line) == ""
    assert not button(line).isVisible()


def test_a_painted_held_out_image_is_noticed(qtbot, line, state, project):
    run = trained_run(project)
    predict_all(project, run)
    image = project.images[1]
    annotation = project.annotation(image)
    for entry in project.images[1:]:
        (project.annotation_folder(entry) / "annotation.json").unlink()
    line.set_run(run.path.name)
    qtbot.waitUntil(lambda: said(line) == NOTHING_HELD_OUT)
    project.save_annotation(image, annotation)
    state.annotation_saved.emit(image.id)
    qtbot.waitUntil(lambda: button(line).isEnabled())
