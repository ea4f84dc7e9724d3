import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QRadioButton,
)

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.image_source import NO_FOLDER
from napari_mtseg.gui.new_project import NewProjectForm
from napari_mtseg.gui.state import WindowState
from tests.gui.fake_commands import FakeCommands


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(3):
        pixels = np.random.default_rng(n).integers(0, 255, (24, 24), np.uint8)
        tifffile.imwrite(folder / f"tile_{n}.tif", pixels)
    return folder


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def commands():
    return FakeCommands()


@pytest.fixture
def form(qtbot, commands, viewer):
    state = WindowState()
    form = NewProjectForm(state, commands, viewer)
    qtbot.addWidget(form)
    form.state = state
    form.resize(334, 600)
    with qtbot.waitExposed(form):
        form.show()
    yield form
    state.close_project()


def choose(qtbot, form, folder):
    form.source.set_folder(folder)
    qtbot.waitUntil(lambda: form.source.problem != "Looking at the folder…")


def line(form, name):
    return form.findChild(QLineEdit, name)


def make_button(form):
    return form.findChild(QPushButton, "make_project")


def said(form):
    return form.findChild(QLabel, "new_project_message").sentence


def test_it_says_what_is_missing_before_it_can_be_pressed(form):
    assert not make_button(form).isEnabled()
    assert make_button(form).toolTip() == NO_FOLDER


def test_the_form_fits_the_narrowest_dock_and_explains_itself(form):
    assert form.minimumSizeHint().width() <= 334
    for kind in (QPushButton, QLineEdit, QComboBox, QCheckBox, QRadioButton):
        for control in form.findChildren(kind):
            assert control.toolTip(), control.objectName()


def test_a_folder_suggests_a_name_and_a_place_beside_it(qtbot, form, photos):
    choose(qtbot, form, photos)
    assert line(form, "project_name").text() == "photos"
    assert line(form, "project_place").text() == str(photos.parent)
    found = form.findChild(QLabel, "images_found").sentence
    assert found == "3 images, such as tile_0.tif."
    assert make_button(form).isEnabled()


def test_what_the_user_typed_is_not_replaced(qtbot, form, photos):
    qtbot.keyClicks(line(form, "project_name"), "mine")
    choose(qtbot, form, photos)
    assert line(form, "project_name").text() == "mine"


def test_a_folder_without_images_is_told_in_one_sentence(qtbot, form, tmp_path):
    (tmp_path / "empty").mkdir()
    choose(qtbot, form, tmp_path / "empty")
    assert form.findChild(QLabel, "images_found").sentence == (
        "No images in 'empty'. Choose the folder that holds the image files themselves."
    )
    assert not make_button(form).isEnabled()


def test_a_folder_that_is_not_there_is_told(qtbot, form, tmp_path):
    choose(qtbot, form, tmp_path / "absent")
    assert "absent" in form.findChild(QLabel, "images_found").sentence
    assert not make_button(form).isEnabled()


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("project_name", "a/b", "Give the project a name"),
        ("project_classes", " , ", "Name at least one class"),
        ("project_name", "taken", "'taken.mtseg' is there already"),
    ],
)
def test_a_wrong_answer_is_said_at_once(qtbot, form, photos, field, text, sentence):
    (photos.parent / "taken.mtseg").mkdir()
    choose(qtbot, form, photos)
    line(form, field).setText(text)
    assert said(form).startswith(sentence)
    assert make_button(form).toolTip().startswith(sentence)
    assert not make_button(form).isEnabled()


def test_all_answers_reach_the_command(qtbot, form, photos, commands):
    choose(qtbot, form, photos)
    line(form, "project_classes").setText("nucleus, debris")
    form.findChild(QComboBox, "project_colour").setCurrentText("grey")
    form.findChild(QCheckBox, "copy_images").setChecked(True)
    make_button(form).click()
    made = ["project", "new", str(photos.parent / "photos.mtseg")]
    options = ["--classes", "nucleus,debris", "--colour", "grey", "--copy"]
    assert commands.args == [*made, *options, "--images", str(photos), "--json"]
    assert not make_button(form).isEnabled()


def test_a_project_is_made_and_opened(qtbot, form, photos):
    form._commands = Commands()
    choose(qtbot, form, photos)
    with qtbot.waitSignal(form.left, timeout=30_000):
        make_button(form).click()
    assert form.state.project.path == photos.parent / "photos.mtseg"
    assert len(form.state.project.images) == 3
    form._commands.release()


def test_files_that_were_refused_are_read_before_the_project_opens(qtbot, form, photos):
    (photos / "broken.tif").write_bytes(b"II*\0")
    form._commands = Commands()
    choose(qtbot, form, photos)
    make_button(form).click()
    qtbot.waitUntil(
        lambda: make_button(form).text() == "Open the project", timeout=30_000
    )
    assert said(form).startswith("3 images added. 1 file could not be:")
    assert "broken.tif" in said(form)
    assert form.state.project is None
    with qtbot.waitSignal(form.left):
        make_button(form).click()
    assert len(form.state.project.images) == 3
    form._commands.release()


def test_a_failure_is_said_and_can_be_tried_again(qtbot, form, photos, commands):
    choose(qtbot, form, photos)
    make_button(form).click()
    commands.answer(code=1, sentence="The disk is full.")
    assert said(form) == "The disk is full."
    assert make_button(form).isEnabled()


def test_going_back_stops_the_command_and_opens_nothing(qtbot, form, photos, commands):
    choose(qtbot, form, photos)
    make_button(form).click()
    form.findChild(QPushButton, "leave_new_project").click()
    assert commands.was_stopped
    commands.answer({"project": str(photos), "added": [], "failed": {}})
    assert form.state.project is None


def test_without_open_images_the_choice_says_why(form, viewer):
    choice = form.findChild(QRadioButton, "from_layers")
    assert not choice.isEnabled()
    assert choice.toolTip().startswith("No image is open in napari.")
    viewer.add_image(np.ones((8, 8)))
    assert choice.isEnabled()


def test_open_layers_become_copies_in_the_project(qtbot, form, viewer, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("first", "second", "third"):
        viewer.add_image(rng.integers(0, 9, (16, 16), np.uint8), name=name)
    form._commands = Commands()
    form.findChild(QRadioButton, "from_layers").setChecked(True)
    assert not form.findChild(QCheckBox, "copy_images").isEnabled()
    names = form.findChild(QListWidget, "layer_names")
    names.item(1).setCheckState(Qt.CheckState.Unchecked)
    line(form, "project_place").setText(str(tmp_path))
    assert line(form, "project_name").text() == "first"
    with qtbot.waitSignal(form.left, timeout=30_000):
        make_button(form).click()
    entries = form.state.project.images
    assert [e.name for e in entries] == ["first.ome.tif", "third.ome.tif"]
    assert all(e.copied for e in entries)
    assert all(form.state.project.source_path(e).exists() for e in entries)
    form._commands.release()


def test_a_layer_that_cannot_be_an_image_is_told(form, viewer, tmp_path):
    viewer.add_image(np.zeros((2, 2, 4, 4)), name="movie")
    form.findChild(QRadioButton, "from_layers").setChecked(True)
    line(form, "project_place").setText(str(tmp_path))
    make_button(form).click()
    assert said(form).startswith("The layer 'movie' has 4 axes")
