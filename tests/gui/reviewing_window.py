"""A window in a process of its own, in which one reviews by keys until it is killed.

``python -m tests.gui.reviewing_window PROJECT JOURNAL``: predicts all images, goes
through them from the most doubtful on with the keys A, R and F in turn, and paints on
what it fixes. Each line of the journal is JSON: an image and the verdict that the table
shows as saved.
"""

import json
import os
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton

from benchmarks.window_driver import Hand, wait_until
from napari_mtseg.gui.menu_entries import open_dock
from napari_mtseg.gui.review_table import ReviewTable
from napari_mtseg.gui.review_table_view import ReviewTableView
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog

N_VERDICTS = 9
KEYS = {"accepted": Qt.Key.Key_A, "rejected": Qt.Key.Key_R, "corrected": Qt.Key.Key_F}
STROKE = [(3.0, float(x)) for x in range(4, 24, 2)]
"""painted on every image that is fixed"""
SAVED_WITHIN = 1.5
"""seconds after which a stroke must be on the disk"""


def main() -> None:
    project, journal = map(Path, sys.argv[1:])
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 900)
    dock = open_dock(viewer)
    # Without a window manager nobody else does.
    dock.window().activateWindow()
    dock.open_project(project)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    dock.state.page = "review"
    page = dock.pages["review"]
    table = dock.findChild(ReviewTable)
    everything = page.findChild(QAbstractButton, "predict_all")
    wait_until(everything.isEnabled, seconds=60)
    QTest.mouseClick(everything, Qt.MouseButton.LeftButton)
    n_images = len(Project.open(project).images)
    wait_until(lambda: table.rowCount() == n_images, seconds=300)
    with journal.open("a") as file:
        for verdict, key in islice(cycle(KEYS.items()), N_VERDICTS):
            image = review_one(viewer, dock, key)
            file.write(json.dumps({image: verdict}) + "\n")
            file.flush()
            os.fsync(file.fileno())
    napari.run()


def review_one(viewer, dock, key):
    """Jump to the most doubtful image, judge it, and return it once that is saved."""
    page = dock.pages["review"]
    dock.state.page = "review"
    view = dock.findChild(ReviewTableView)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_N)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    image, log = dock.state.image_id, ReviewLog(dock.state.project.path)
    run = page.run_id
    assert image not in log.verdicts(run)
    QTest.keyClick(view, key)
    wait_until(lambda: image in log.verdicts(run), seconds=60)
    if key == KEYS["corrected"]:
        wait_until(lambda: dock.state.page == "annotate", seconds=60)
        wait_until(lambda: dock.editing.is_shown, seconds=60)
        full = viewer.layers["Full masks"]
        wait_until(lambda: full.mode == "paint", seconds=60)
        Hand(viewer, dock).stroke(STROKE)
        end = time.monotonic() + SAVED_WITHIN
        wait_until(lambda: time.monotonic() > end, seconds=60)
    return image


if __name__ == "__main__":
    main()
