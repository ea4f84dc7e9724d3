"""A window in a process of its own, which paints by mouse until it is killed.

``python -m tests.gui.painting_window PROJECT JOURNAL [undo]``: each line of the journal
is JSON: when something was done, "painted" or "undone", and in which row. With 'undo'
the last of some strokes is undone by key; after that nothing more is painted.
"""

import json
import os
import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from benchmarks.window_driver import Hand, wait_until
from napari_mtseg.gui.menu_entries import open_dock

ROWS = range(10, 250, 5)
"""rows of the image with a stroke each"""
COLUMNS = (20, 120)
"""where strokes begin and end"""
N_BEFORE_UNDO = 4
BRUSH = 3
"""pixels"""


def main() -> None:
    project, journal, *then = sys.argv[1:]
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1000, 700)
    dock = open_dock(viewer)
    dock.open_project(Path(project))
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    dock.state.step_image(1)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    dock.state.page = "annotate"
    dock.state.draw_as = "partial"
    layer = viewer.layers["Partial masks"]
    wait_until(lambda: layer.mode == "paint", seconds=60)
    layer.brush_size = BRUSH
    hand = Hand(viewer, dock)
    with Path(journal).open("a") as file:

        def note(what, row):
            file.write(json.dumps({"at": time.time(), what: row}) + "\n")
            file.flush()
            os.fsync(file.fileno())

        for n, row in enumerate(ROWS):
            hand.stroke([(row, x) for x in np.linspace(*COLUMNS, 8)])
            note("painted", row)
            if then and n == N_BEFORE_UNDO:
                keys = Qt.KeyboardModifier.ControlModifier
                QTest.keyClick(hand.canvas, Qt.Key.Key_Z, keys)
                note("undone", row)
                break
    napari.run()


if __name__ == "__main__":
    main()
