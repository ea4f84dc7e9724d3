"""Autosave: what is on disk, and how soon."""

import threading
import time

import numpy as np
import pytest

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.gui.state import SAVED, SAVING
from napari_mtseg.storage.project import Project
from tests.gui.painted_projects import on_disk, open_window, plain_project

A_SECOND = 1000
"""milliseconds"""


@pytest.mark.parametrize("shape", [(64, 64), (4, 64, 64)])
def test_a_stroke_is_on_disk_within_a_second(tmp_path, qtbot, shape):
    project = plain_project(tmp_path, shape=shape)
    at = (2, 5, 5)[-len(shape) :]
    with open_window(project, qtbot) as (viewer, state, _):
        viewer.layers["Partial masks"].paint(at, 1)
        assert state.saving == SAVING
        qtbot.waitUntil(
            lambda: on_disk(project).partial.objects[at] == 1, timeout=A_SECOND
        )
        qtbot.waitUntil(lambda: state.saving == SAVED)


@pytest.mark.parametrize("shape", [(64, 64), (4, 64, 64)])
def test_undo_and_redo_are_on_disk_within_a_second(tmp_path, qtbot, shape):
    project = plain_project(tmp_path, shape=shape)
    at = (2, 5, 5)[-len(shape) :]
    with open_window(project, qtbot) as (viewer, state, _):
        layer = viewer.layers["Partial masks"]
        layer.paint(at, 1)
        qtbot.waitUntil(lambda: state.saving == SAVED)
        layer.undo()
        qtbot.waitUntil(
            lambda: not on_disk(project).partial.objects.any(), timeout=A_SECOND
        )
        # The table is a file of its own, written after the labels.
        qtbot.waitUntil(lambda: not on_disk(project).partial.class_of, timeout=A_SECOND)
        layer.redo()
        qtbot.waitUntil(
            lambda: on_disk(project).partial.objects[at] == 1, timeout=A_SECOND
        )


def test_an_undo_in_a_large_volume_is_found_in_the_plane_that_was_painted(
    tmp_path, qtbot, monkeypatch
):
    for module in ("autosave", "paint_watch"):
        monkeypatch.setattr(f"napari_mtseg.gui.{module}.SMALL", 1)
    project = plain_project(tmp_path, shape=(4, 64, 64))
    with open_window(project, qtbot) as (viewer, state, _):
        layer = viewer.layers["Partial masks"]
        layer.paint((2, 5, 5), 1)
        qtbot.waitUntil(lambda: state.saving == SAVED)
        viewer.dims.set_current_step(0, 0)
        layer.undo()
        qtbot.waitUntil(
            lambda: not on_disk(project).partial.objects.any(), timeout=A_SECOND
        )


def test_strokes_that_go_on_are_saved_meanwhile(tmp_path, qtbot):
    project = plain_project(tmp_path, shape=(64, 64))
    with open_window(project, qtbot) as (viewer, _, _):
        layer = viewer.layers["Partial masks"]
        since = time.perf_counter()
        with layer.block_history():
            while time.perf_counter() - since < 1.5:
                layer.paint((5, int(20 * (time.perf_counter() - since))), 1)
                qtbot.wait(20)
            assert on_disk(project).partial.objects.any()


def test_what_somebody_writes_into_the_array_is_saved_after_a_refresh(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, _, _):
        layer = viewer.layers["Scribbles"]
        layer.data[3, 3] = 1
        layer.refresh()
        qtbot.waitUntil(lambda: on_disk(project).scribbles[3, 3] == 1)


def test_looking_around_saves_nothing(tmp_path, qtbot):
    project = plain_project(tmp_path, shape=(4, 20, 30))
    with open_window(project, qtbot) as (viewer, state, editing):
        saved = []
        state.annotation_saved.connect(saved.append)
        for plane in range(4):
            viewer.dims.set_current_step(0, plane)
        viewer.layers["Partial masks"].visible = False
        viewer.layers["Partial masks"].visible = True
        assert state.saving == SAVED
        assert editing.flush()
        assert saved == []
        assert not project.annotation_folder(project.images[0]).exists()


def test_pages_are_told_when_an_annotation_is_on_disk(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, _):
        saved = []
        state.annotation_saved.connect(saved.append)
        viewer.layers["Partial masks"].paint((5, 5), 1)
        qtbot.waitUntil(lambda: saved == [project.images[0].id])


def test_closing_the_project_saves(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, _):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        state.close_project()
        assert on_disk(project).partial.objects[5, 5] == 1


@pytest.fixture
def full_disk(monkeypatch):
    """Refuse to save while the event is set."""
    is_full = threading.Event()
    save = Project.save_annotation

    def refuse(self, entry, annotation, *, box=None):
        if is_full.is_set():
            raise StorageError("The disk is full. Free some space.")
        save(self, entry, annotation, box=box)

    monkeypatch.setattr(Project, "save_annotation", refuse)
    monkeypatch.setattr("napari_mtseg.gui.autosave.RETRY", 0.2)
    return is_full


def test_a_full_disk_is_said_and_saving_is_tried_again(tmp_path, qtbot, full_disk):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        full_disk.set()
        viewer.layers["Partial masks"].paint((5, 5), 1)
        qtbot.waitUntil(lambda: state.saving == "The disk is full. Free some space.")
        assert not editing.flush()
        full_disk.clear()
        qtbot.waitUntil(lambda: state.saving == SAVED)
        assert on_disk(project).partial.objects[5, 5] == 1


def test_paint_that_could_not_be_saved_outlives_a_change_of_image(
    tmp_path, qtbot, full_disk
):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        full_disk.set()
        viewer.layers["Partial masks"].paint((5, 5), 1)
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert state.saving == "The disk is full. Free some space."
        state.step_image(-1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert viewer.layers["Partial masks"].data[5, 5] == 1
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        full_disk.clear()
        qtbot.waitUntil(lambda: state.saving == SAVED)
        assert on_disk(project).partial.objects[5, 5] == 1


def test_the_last_state_wins(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, _, editing):
        layer = viewer.layers["Partial masks"]
        for column in range(0, 30, 3):
            layer.paint((10, column), 1)
            if column % 2:
                layer.undo()
            qtbot.wait(60)
        now = layer.data.copy()
        editing.flush()
        assert np.array_equal(on_disk(project).partial.objects, now)


def test_no_thread_of_ours_is_left_behind(tmp_path, qtbot):
    project = plain_project(tmp_path)
    for _ in range(3):
        with open_window(project, qtbot) as (viewer, _, editing):
            viewer.layers["Partial masks"].paint((5, 5), 1)
            editing.flush()

    def ours():
        return [t.name for t in threading.enumerate() if t.name.startswith("mtseg-")]

    qtbot.waitUntil(lambda: ours() == [])
