"""What napari reads of the plugin, and what opening it costs."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.gui import sample_data
from napari_mtseg.gui.label_writer import write_labels
from napari_mtseg.gui.project_reader import project_reader
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.storage.project import Project
from tests.tiny_projects import disc_project

MANIFEST = PluginManifest.from_distribution("napari-mtseg")
NAPARI_KEYS = {
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "B",
    "C",
    "F",
    "L",
    "M",
    "P",
    "S",
    "X",
}


def test_every_command_of_the_manifest_can_be_imported():
    for command in MANIFEST.contributions.commands:
        module, _, name = command.python_name.partition(":")
        imported = __import__(module, fromlist=[name])
        assert callable(getattr(imported, name)), command.id


def test_no_default_key_is_one_of_naparis():
    keys = MANIFEST.contributions.configurations["keys"].properties
    assert not NAPARI_KEYS & {key.default for key in keys.values()}
    assert key_of("next_image") == "Ctrl+PgDown"


def test_opening_the_dock_imports_no_torch():
    program = (
        "import sys, napari\n"
        "from napari_mtseg.gui.menu_entries import open_dock\n"
        "viewer = napari.Viewer(show=False)\n"
        "dock = open_dock(viewer)\n"
        "print('torch' in sys.modules)\n"
        "dock.leave(); viewer.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == ["False"], done.stderr


def test_a_folder_that_is_no_project_is_left_to_other_readers(tmp_path):
    (tmp_path / "x.mtseg").mkdir()
    assert project_reader(str(tmp_path / "x.mtseg")) is None
    assert project_reader(str(disc_project(tmp_path).path)) is not None


def test_a_project_that_is_dropped_on_napari_opens_in_the_dock(
    make_napari_viewer, tmp_path
):
    project = disc_project(tmp_path, n_images=1)
    viewer = make_napari_viewer()
    viewer.open(str(project.path), plugin="napari-mtseg")
    _, dock = viewer.window.add_plugin_dock_widget("napari-mtseg", "Mtseg")
    assert dock.state.project.path == project.path
    dock.leave()


def test_the_embedded_sample_has_masks_that_fit():
    (image, _, _), (mask, _, kind) = sample_data.epithelium()
    assert image.shape[:2] == mask.shape
    assert kind == "labels"
    assert mask.max() > 1


@pytest.mark.parametrize(
    ("name", "part"), [("disc_1", "partial"), ("disc_1 full", "full")]
)
def test_a_labels_layer_is_saved_into_the_project(tmp_path, name, part):
    project = disc_project(tmp_path, painted=False)
    entry = project.image("disc_1.tif")
    labels = np.zeros(entry.spatial_shape, np.int32)
    labels[3:6, 3:6] = 7
    write_labels(str(project.path), labels, {"name": name})
    saved = getattr(Project.open(project.path).annotation(entry), part)
    assert dict(saved.class_of) == {7: 1}
    assert (saved.objects == labels).all()


def test_weak_labels_make_no_person_of_an_accepted_prediction(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    entry = project.images[0]
    before = replace(project.annotation(entry), origin="accepted some-run")
    project.save_annotation(entry, before)
    labels = np.zeros(entry.spatial_shape, np.int32)
    labels[3:6, 3:6] = 7
    write_labels(str(project.path), labels, {"name": "partial"})
    assert project.annotation(entry).origin == "accepted some-run"
    write_labels(str(project.path), labels, {"name": "full"})
    assert project.annotation(entry).origin == "imported"


def test_labels_of_no_known_image_are_refused(tmp_path):
    project = disc_project(tmp_path, painted=False)
    with pytest.raises(AnnotationError) as error:
        write_labels(str(project.path), np.zeros((4, 4), int), {"name": "cells"})
    assert str(error.value) == (
        "Which image of 'discs' the layer 'cells' belongs to is not clear. Name the "
        "layer after its image and save again."
    )


def test_labels_of_another_size_are_refused(tmp_path):
    project = disc_project(tmp_path, painted=False)
    with pytest.raises(
        AnnotationError, match=r"^The layer 'disc_0' is \(4, 4\) pixels"
    ):
        write_labels(str(project.path), np.zeros((4, 4), int), {"name": "disc_0"})
