import pytest
from qtpy.QtWidgets import QCheckBox, QLabel, QLineEdit, QPushButton

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.sample_project import SampleForm, free_sample_folder
from napari_mtseg.gui.state import WindowState


@pytest.fixture
def form(qtbot):
    state, commands = WindowState(), Commands()
    form = SampleForm(state, commands)
    qtbot.addWidget(form)
    form.state = state
    yield form
    state.close_project()
    commands.release()


@pytest.mark.parametrize("painted", [False, True])
def test_a_sample_is_made_and_opened(qtbot, form, tmp_path, painted):
    form.findChild(QLineEdit, "sample_folder").setText(str(tmp_path / "s"))
    form.findChild(QCheckBox, "sample_painted").setChecked(painted)
    make = form.findChild(QPushButton, "make_sample")
    with qtbot.waitSignal(form.left, timeout=60_000):
        make.click()
        assert not make.isEnabled()
        assert make.toolTip() == "It is being made."
    project = form.state.project
    assert len(project.images) == 16
    n_painted = len(list((project.path / "annotations").glob("*/annotation.json")))
    assert n_painted == (12 if painted else 0)


def test_a_folder_with_something_in_it_is_refused(form, tmp_path):
    (tmp_path / "x").touch()
    form.findChild(QLineEdit, "sample_folder").setText(str(tmp_path))
    assert not form.findChild(QPushButton, "make_sample").isEnabled()
    said = form.findChild(QLabel, "sample_message").sentence
    assert said == f"'{tmp_path}' is not empty. Choose another folder."


def test_the_suggested_folder_is_free(tmp_path):
    assert free_sample_folder(tmp_path).name == "mtseg-sample"
    (tmp_path / "mtseg-sample").mkdir()
    assert free_sample_folder(tmp_path).name == "mtseg-sample"
    (tmp_path / "mtseg-sample" / "x").touch()
    assert free_sample_folder(tmp_path).name == "mtseg-sample-2"


def test_the_form_fits_the_narrowest_dock(form):
    assert form.minimumSizeHint().width() <= 334
