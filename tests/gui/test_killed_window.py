"""A window that is killed while one paints: what is on disk, and how one goes on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from benchmarks.window_driver import wait_until
from napari_mtseg.gui.menu_entries import open_dock
from tests.gui.painted_projects import on_disk, plain_project
from tests.gui.painting_window import COLUMNS, N_BEFORE_UNDO

OLDEST = 1.0
"""seconds that may be missing after a kill"""
SECOND_IMAGE = 1


@pytest.fixture
def project(tmp_path):
    return plain_project(tmp_path, shape=(256, 256), rgb=True)


class PaintingWindow:
    """The window of another process, and the journal of what it did."""

    def __init__(self, project, journal, *then):
        self._journal = journal
        self._log = journal.with_suffix(".log")
        words = ["-m", "tests.gui.painting_window", str(project.path), str(journal)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *words, *then],
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def done(self, what):
        """Return what it has done: (time, row), in order."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text().splitlines()
        facts = [json.loads(line) for line in lines if line.endswith("}")]
        return [(fact["at"], fact[what]) for fact in facts if what in fact]

    def wait_for(self, what, n):
        end = time.monotonic() + 60
        while len(self.done(what)) < n:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def kill(self):
        """Kill it with no chance to save; return when."""
        at = time.time()
        self._process.kill()
        self._process.wait()
        return at


@pytest.fixture
def painting(project, tmp_path):
    started = []

    def start(*then):
        started.append(PaintingWindow(project, tmp_path / "journal", *then))
        return started[-1]

    yield start
    for window in started:
        window.kill()


def shows(objects, row):
    """Tell whether the whole stroke of a row is there."""
    return bool(np.all(objects[row, slice(*COLUMNS)]))


@pytest.mark.slow
@pytest.mark.parametrize("n_strokes", [3, 8, 15])
def test_a_killed_window_loses_at_most_a_second_of_strokes(
    project, painting, n_strokes
):
    window = painting()
    window.wait_for("painted", n_strokes)
    killed = window.kill()
    objects = on_disk(project, SECOND_IMAGE).partial.objects
    lost = [
        killed - at for at, row in window.done("painted") if not shows(objects, row)
    ]
    assert max(lost, default=0) <= OLDEST
    kept = [objects[row, slice(*COLUMNS)] for _, row in window.done("painted")]
    ids = [np.unique(stroke).tolist() for stroke in kept if stroke.all()]
    assert all(len(found) == 1 for found in ids)
    assert len({found[0] for found in ids}) == len(ids)


@pytest.mark.slow
def test_a_killed_window_keeps_an_undo_and_the_next_one_goes_on_there(
    project, painting, make_napari_viewer
):
    window = painting("undo")
    window.wait_for("undone", 1)
    ((undone, row),) = window.done("undone")
    time.sleep(max(0.0, undone + OLDEST - time.time()))
    window.kill()
    saved = on_disk(project, SECOND_IMAGE).partial
    assert not saved.objects[row].any()
    assert len(saved.class_of) == N_BEFORE_UNDO
    assert all(shows(saved.objects, row) for _, row in window.done("painted")[:-1])

    viewer = make_napari_viewer(show=True)
    dock = open_dock(viewer)
    go_on = dock.findChild(QPushButton, "go_on")
    assert go_on.isVisible()
    assert go_on.text().startswith("Go on with p\n")
    QTest.mouseClick(go_on, Qt.MouseButton.LeftButton)
    wait_until(lambda: dock.state.image_id == project.images[1].id, seconds=10)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    assert np.array_equal(viewer.layers["Partial masks"].data, saved.objects)
    dock.leave()
