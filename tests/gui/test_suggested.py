"""What to annotate next."""

import numpy as np
import pytest
from qtpy.QtWidgets import QComboBox, QListWidget, QPushButton, QSpinBox

from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.suggested import LOOKING, NOT_PREDICTED, Suggested
from tests.gui.fake_commands import FakeCommands
from tests.gui.trained_projects import predicted, trained_run
from tests.tiny_projects import SIZE, disc_project


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path)


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
def panel(qtbot, state, commands):
    panel = Suggested(state, commands)
    qtbot.addWidget(panel)
    panel.resize(340, 300)
    panel.show()
    return panel


def said(panel):
    return panel.findChild(SentenceLabel, "suggestion_outcome").sentence


def ways(panel):
    box = panel.findChild(QComboBox, "how_suggested")
    return [box.itemData(i) for i in range(box.count())]


def lines(panel):
    found = panel.findChild(QListWidget, "suggested_images")
    return [found.item(i).text() for i in range(found.count())]


def press(panel):
    panel.findChild(QPushButton, "suggest").click()


def answer(project, *places):
    images = [project.images[i] for i in places]
    return {"suggested": [{"id": e.id, "name": e.name} for e in images]}


def predicted_run(project):
    run = trained_run(project)
    predicted(project, run, project.images[0], np.ones((SIZE, SIZE), np.uint32))
    return run


def test_without_predictions_doubt_is_no_choice(panel, commands, project):
    assert ways(panel) == ["random", "interval"]
    assert said(panel) == NOT_PREDICTED
    press(panel)
    assert commands.args == [
        "review",
        str(project.path),
        "--suggest",
        "10",
        "--how",
        "random",
        "--seed",
        "0",
        "--json",
    ]


def test_with_predictions_doubt_comes_first(panel, commands, project):
    run = predicted_run(project)
    panel.set_run(run.path.name)
    assert ways(panel) == ["doubt", "random", "interval"]
    assert said(panel) == ""
    panel.findChild(QSpinBox, "n_suggested").setValue(2)
    press(panel)
    assert commands.args[2:8] == [
        "--run",
        run.path.name,
        "--suggest",
        "2",
        "--how",
        "doubt",
    ]
    assert said(panel) == LOOKING
    assert not panel.findChild(QPushButton, "suggest").isEnabled()
    commands.answer(answer(project, 2, 1))
    assert lines(panel) == ["disc_2.tif", "disc_1.tif"]
    assert said(panel) == "2 images to annotate next:"


def test_each_press_draws_anew(panel, commands, project):
    press(panel)
    commands.answer(answer(project, 1))
    assert said(panel) == "1 image to annotate next; there are no more:"
    press(panel)
    assert commands.args[-3:] == ["--seed", "1", "--json"]


def test_a_click_opens_a_suggested_image_for_painting(panel, state, commands, project):
    press(panel)
    commands.answer(answer(project, 2, 1))
    found = panel.findChild(QListWidget, "suggested_images")
    found.itemClicked.emit(found.item(0))
    assert (state.image_id, state.page) == (project.images[2].id, "annotate")
    state.annotation_saved.emit(project.images[2].id)
    assert lines(panel) == ["✔ disc_2.tif", "disc_1.tif"]


def test_what_was_chosen_stays_when_predictions_come(panel, state, project):
    run = trained_run(project)
    panel.set_run(run.path.name)
    box = panel.findChild(QComboBox, "how_suggested")
    box.setCurrentIndex(1)
    box.activated.emit(1)
    predicted(project, run, project.images[0], np.ones((SIZE, SIZE), np.uint32))
    state.predictions_changed.emit()
    assert box.currentData() == "interval"
    assert said(panel) == ""


def test_nothing_left_and_failures_are_told(panel, commands, project):
    press(panel)
    commands.answer({"suggested": []})
    assert said(panel) == "Every training image is annotated already."
    press(panel)
    commands.answer(code=1, sentence="The project is damaged.")
    assert said(panel) == "The project is damaged."
    assert lines(panel) == []


def test_another_project_has_no_suggestions(panel, state, commands, project):
    press(panel)
    commands.answer(answer(project, 1))
    press(panel)
    state.close_project()
    assert commands.was_stopped
    assert lines(panel) == []
    commands.answer(answer(project, 1))
    assert lines(panel) == []
    assert not panel.findChild(QPushButton, "suggest").isEnabled()
