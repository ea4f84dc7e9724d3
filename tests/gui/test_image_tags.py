"""What is said about an image as a whole reaches its annotation."""

import pytest
from qtpy.QtWidgets import QCheckBox, QComboBox, QInputDialog, QPushButton

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.gui.image_tags import ImageTags
from napari_mtseg.storage.project import Project
from tests.gui.annotate_fakes import FakeEditing, opened


@pytest.fixture
def made(tmp_path, qtbot):
    state = opened(tmp_path)
    editing = FakeEditing(state)
    tags = ImageTags(state, editing)
    qtbot.addWidget(tags)
    tags.show()
    return state, editing, tags


def test_ticking_says_that_every_object_is_marked(made):
    _, editing, tags = made
    tags.findChild(QCheckBox, "every_object_is_marked").click()
    assert editing.tags.exhaustive


def test_a_class_goes_from_unknown_to_present_to_absent_and_back(made):
    _, editing, tags = made
    button = tags.findChild(QPushButton, "present_2")
    seen = [button.text()]
    for _ in range(3):
        button.click()
        seen.append((button.text(), dict(editing.tags.present)))
    assert seen == [
        "debris ?",
        ("debris ✓", {2: True}),
        ("debris ✗", {2: False}),
        ("debris ?", {}),
    ]


def test_without_scenes_the_list_says_what_to_do(made):
    _, _, tags = made
    combo = tags.findChild(QComboBox, "scene")
    assert not combo.isEnabled()
    assert combo.toolTip() == "This project has no scenes: add one first."


def test_an_added_scene_is_saved_and_given_to_the_image(made, monkeypatch):
    state, editing, tags = made
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("brightfield", True))
    tags.findChild(QPushButton, "add_scene").click()
    assert Project.open(state.project.path).info.scenes == ("brightfield",)
    assert editing.tags.scene == 0
    assert tags.findChild(QComboBox, "scene").currentText() == "brightfield"


def test_a_scene_can_be_taken_back(made, monkeypatch):
    _, editing, tags = made
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("brightfield", True))
    tags.findChild(QPushButton, "add_scene").click()
    combo = tags.findChild(QComboBox, "scene")
    combo.setCurrentIndex(0)
    combo.activated.emit(0)
    assert editing.tags.scene is None


def test_another_image_shows_its_own_tags(made):
    state, editing, tags = made
    editing.set_tags(Tags(exhaustive=True, present={1: False}))
    state.step_image(1)
    assert not tags.findChild(QCheckBox, "every_object_is_marked").isChecked()
    assert tags.findChild(QPushButton, "present_1").text() == "nucleus ?"
