"""What the pages share."""

import pytest

from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import remember_project
from tests.tiny_projects import disc_project


@pytest.fixture
def state():
    made = WindowState()
    yield made
    made.close_project()


def test_a_project_opens_at_its_first_training_image(state, tmp_path):
    project = disc_project(tmp_path, n_images=3)
    first, second, _ = project.images
    project.update_image(first.changed({"split": "test"}))
    state.open_project(project.path)
    assert state.image_id == second.id


def test_a_project_without_training_images_opens_at_its_first(state, tmp_path):
    project = disc_project(tmp_path, n_images=2)
    for entry in project.images:
        project.update_image(entry.changed({"split": "test"}))
    state.open_project(project.path)
    assert state.image_id == project.images[0].id


def test_a_project_opens_at_the_image_that_was_looked_at_last(state, tmp_path):
    project = disc_project(tmp_path, n_images=3)
    remember_project(project.path, project.images[2].id)
    shown = []
    state.events.image_id.connect(shown.append)
    state.open_project(project.path)
    assert shown == [project.images[2].id]


def test_an_image_that_is_gone_is_not_opened(state, tmp_path):
    project = disc_project(tmp_path, n_images=2)
    remember_project(project.path, "gone")
    state.open_project(project.path)
    assert state.image_id == project.images[0].id
