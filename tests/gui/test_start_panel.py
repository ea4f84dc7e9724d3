from pathlib import Path

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel, QPushButton

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.start_panel import StartPanel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import forget_open_project, remember_project
from tests.tiny_projects import disc_project


@pytest.fixture
def state():
    state = WindowState()
    yield state
    state.close_project()


@pytest.fixture
def made(qtbot, state):
    """Return a function that makes the panel, after what it should remember."""
    commands = Commands()

    def make():
        panel = StartPanel(state, commands, ViewerModel())
        qtbot.addWidget(panel)
        panel.resize(346, 560)
        with qtbot.waitExposed(panel):
            panel.show()
        return panel

    yield make
    commands.release()


def button(panel, name):
    return panel.findChild(QPushButton, name)


def visible_buttons(panel):
    return [b.objectName() for b in panel.findChildren(QPushButton) if b.isVisible()]


def test_at_first_there_are_three_choices_and_nothing_else(made):
    panel = made()
    assert visible_buttons(panel) == ["new_from_folder", "open_project", "try_sample"]
    assert all(button(panel, name).toolTip() for name in visible_buttons(panel))


def test_it_fits_the_narrowest_dock(made):
    assert made().minimumSizeHint().width() <= 346


def test_the_project_of_last_time_is_offered_first(made, state, tmp_path):
    project = disc_project(tmp_path, painted=False)
    remember_project(project.path)
    panel = made()
    assert visible_buttons(panel)[0] == "go_on"
    assert button(panel, "go_on").text().startswith("Go on with discs")
    button(panel, "go_on").click()
    assert state.project.path == project.path


def test_a_project_that_was_closed_is_among_the_recent_ones_only(made, state, tmp_path):
    project = disc_project(tmp_path, painted=False)
    remember_project(project.path)
    forget_open_project()
    panel = made()
    assert not button(panel, "go_on").isVisible()
    button(panel, "recent_project_0").click()
    assert state.project.path == project.path


def test_a_recent_project_that_is_gone_says_so(qtbot, made):
    remember_project(Path("/nowhere/gone.mtseg"))
    panel = made()
    recent = button(panel, "recent_project_0")
    qtbot.waitUntil(lambda: not recent.isEnabled())
    assert recent.text() == "gone (not there)"
    assert "is not there any more" in recent.toolTip()
    assert not button(panel, "go_on").isVisible()


def test_a_folder_that_is_no_project_is_told_in_a_sentence(made, tmp_path):
    panel = made()
    panel.open(tmp_path)
    said = panel.findChild(QLabel, "start_message").sentence
    assert "is not a project folder" in said


def test_a_project_that_another_window_edits_is_told(made, tmp_path):
    project = disc_project(tmp_path, painted=False)
    lock = project.annotation_lock().acquire()
    panel = made()
    panel.open(project.path)
    assert panel.findChild(QLabel, "start_message").isVisible()
    lock.release()


def test_the_forms_lead_back_to_the_choices(made):
    panel = made()
    for choice, back in (
        ("new_from_folder", "leave_new_project"),
        ("try_sample", "leave_sample"),
    ):
        button(panel, choice).click()
        assert not button(panel, "open_project").isVisible()
        button(panel, back).click()
        assert button(panel, "open_project").isVisible()


def test_a_closed_project_leads_back_to_the_choices(made, state, tmp_path):
    project = disc_project(tmp_path, painted=False)
    panel = made()
    panel.open(project.path)
    remember_project(project.path)
    state.close_project()
    assert button(panel, "recent_project_0").text() == "discs"
