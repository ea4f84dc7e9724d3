"""The whole job in the real window, by mouse and keyboard, on a real image."""

import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QLineEdit, QWidget
from skimage import data

from benchmarks.window_driver import Hand, wait_until
from napari_mtseg.domain.annotation import SCRIBBLE_BACKGROUND
from napari_mtseg.gui.menu_entries import open_dock
from napari_mtseg.gui.settings_form import SettingsForm
from napari_mtseg.storage.project import Project

SIZE = 128
SMALL = {
    "base_channels": 4,
    "levels": 3,
    "patch": 64,
    "batch_size": 2,
    "iterations": 40,
    "first_steps": 6,
    "steps_per_iteration": 3,
    "last_steps": 3,
    "preview_every": 3,
}
"""a network that grows its labels every second, and would go on for minutes"""


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    section = data.immunohistochemistry()
    for name, corner in {"a": (0, 0), "b": (128, 128), "c": (256, 256)}.items():
        y, x = corner
        tile = section[y : y + SIZE, x : x + SIZE]
        tifffile.imwrite(folder / f"{name}.tif", tile, photometric="rgb")
    return folder


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    dock = open_dock(viewer)
    yield viewer, dock
    dock.trainer.stop()
    wait_until(lambda: not dock.trainer.is_training, seconds=60)
    dock.leave()


def control(dock, name, kind=QWidget):
    found = dock.findChild(kind, name)
    assert found is not None, name
    return found


def click(dock, name):
    button = control(dock, name, QAbstractButton)
    wait_until(button.isEnabled, seconds=60)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def write(dock, name, text):
    line = control(dock, name, QLineEdit)
    line.clear()
    QTest.keyClicks(line, text)


def line_of(y, x0, x1, n=12):
    return [(y, float(x)) for x in np.linspace(x0, x1, n)]


def make_project(dock, images, tmp_path):
    click(dock, "new_from_folder")
    dock.start_panel.new_project.source.set_folder(images)
    write(dock, "project_name", "glands")
    write(dock, "project_place", str(tmp_path))
    write(dock, "project_classes", "epithelium, stroma")
    click(dock, "make_project")
    wait_until(lambda: dock.state.project is not None, seconds=60)
    assert [c.name for c in dock.state.project.info.classes] == ["epithelium", "stroma"]


def show(dock, viewer, name):
    """Go on to an image by the arrow at the top of the dock."""
    for _ in dock.state.project.images:
        if dock.state.entry.name == name:
            break
        click(dock, "next_image")
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    assert dock.state.entry.name == name


def paint_weakly(dock, viewer, hand):
    """Two objects of the first class, one of the second, a background scribble."""
    click(dock, "page_annotate")
    show(dock, viewer, "a.tif")
    wait_until(lambda: viewer.layers.selection.active is not None, seconds=60)
    click(dock, "draw_as_partial")
    click(dock, "paint_code_3")
    hand.stroke(line_of(30, 20, 60))
    hand.stroke(line_of(90, 20, 60))
    hand.stroke([(90.0, 30.0), (98.0, 32.0), (105.0, 35.0)])
    click(dock, "paint_code_4")
    hand.stroke(line_of(60, 80, 115))
    click(dock, f"paint_code_{SCRIBBLE_BACKGROUND}")
    assert dock.state.draw_as == "scribble"
    hand.stroke(line_of(10, 80, 120))


def paint_fully(dock, viewer, hand):
    show(dock, viewer, "b.tif")
    click(dock, "draw_as_full")
    click(dock, "paint_code_3")
    for y in range(30, 70, 6):
        hand.stroke(line_of(y, 30, 100, n=8))
    click(dock, "complete_whole")


@pytest.mark.slow
def test_from_a_folder_to_a_model_that_predicts(window, images, tmp_path):
    viewer, dock = window
    make_project(dock, images, tmp_path)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    hand = Hand(viewer, dock)
    paint_weakly(dock, viewer, hand)
    paint_fully(dock, viewer, hand)
    wait_until(lambda: dock.state.saving == "saved", seconds=10)
    read = Project.open(dock.state.project.path)
    weak = read.annotation(read.image("a.tif"))
    assert sorted(weak.partial.class_of.values()) == [1, 1, 2]
    assert SCRIBBLE_BACKGROUND in weak.scribbles
    assert read.annotation(read.image("b.tif")).complete.whole

    show_first(dock)
    click(dock, "page_train")
    dock.findChild(SettingsForm).show_values(SMALL)
    clicked = time.monotonic()
    click(dock, "train")
    wait_until(lambda: dock.trainer.is_training, seconds=60)
    slider = control(dock, "growth_slider")
    wait_until(lambda: slider.maximum() >= 3, seconds=120)
    assert time.monotonic() - clicked < 120
    wait_until(lambda: "Grown masks" in dock.overlays.names, seconds=10)
    assert viewer.layers["Grown masks"].data.any()
    click(dock, "stop_training")
    wait_until(lambda: not dock.trainer.is_training, seconds=30)

    click(dock, "page_review")
    click(dock, "predict_all")
    results = {"Segmentation", "Instances", "Contours", "Distance", "Uncertainty"}
    wait_until(lambda: results <= set(dock.overlays.names), seconds=120)
    for name in results:
        assert viewer.layers[name].data.shape[-2:] == (SIZE, SIZE)

    click(dock, "page_export")
    wait_until(control(dock, "export_model").isEnabled, seconds=60)
    click(dock, "export_model")
    model = tmp_path / "glands-model"
    wait_until((model / "model.json").exists, seconds=60)
    mtseg = [sys.executable, "-m", "napari_mtseg.cli.main"]
    words = ["predict", model, images / "c.tif", "--out", tmp_path / "out"]
    done = subprocess.run(
        [*mtseg, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*.tif"))


def show_first(dock):
    for _ in dock.state.project.images:
        if control(dock, "previous_image").isEnabled():
            click(dock, "previous_image")
    wait_until(lambda: dock.editing.is_shown, seconds=60)
