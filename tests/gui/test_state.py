"""What the pages share."""

import pytest

from napari_mtseg.gui.state import WindowState
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
