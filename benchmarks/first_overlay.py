"""Seconds from the click on Train to the first overlay that the training refreshed.

    python -m benchmarks.first_overlay

In the real window, on a 512x512 RGB section with partial masks, beside its mirror image
with exact masks, preset 'fast' of the recommended method. Wanted: at most 10 s with
the waiting child, 25 s cold (no child waits when Train is clicked; the files of torch
may still be in the memory of the operating system).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.window_driver import start_screen, wait_until

WINDOW = (1280, 800)
"""width and height, pixels"""
INSIDE = 6.0
"""pixels by which partial masks stop short of the outline"""
WANTED = {"waiting child": 10.0, "cold": 25.0}
"""seconds"""
PATIENCE = 180.0
"""seconds after which a measurement is given up"""


def main() -> None:
    """Measure and print a row for each start."""
    arguments = _arguments()
    screen = start_screen()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(Path(folder), repeats=arguments.repeats)
    finally:
        if screen is not None:
            screen.stop()
    if arguments.json:
        print(json.dumps(rows))
        return
    for name, repeats in rows.items():
        for row in repeats:
            parts = ", ".join(f"{key} {value:.1f}" for key, value in row.items())
            print(f"{name:14} {parts}  (s; wanted: overlay <= {WANTED[name]:g})")


def measure(folder: Path, *, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Return for each start a row per repeat: what happened -> seconds after the click.

    Parameters
    ----------
    folder : Path
        Empty; gets the project.
    repeats : int
        Trainings per start, each stopped after its first overlay.
    """
    import napari

    from napari_mtseg.gui.menu_entries import open_dock

    project = _project(folder)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    is_ready: list[bool] = []
    dock.trainer.prepared.connect(lambda: is_ready.append(True))
    # The child that trains waits no more.
    dock.trainer.started.connect(lambda _: is_ready.clear())
    dock.open_project(project)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    dock.state.page = "train"
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in WANTED}
    for _ in range(repeats):
        for name, found in rows.items():
            wait_until(lambda: bool(is_ready), seconds=PATIENCE)
            found.append(_first_overlay(dock, is_cold=name == "cold"))
            dock.trainer.stop()
            wait_until(lambda: not dock.trainer.is_training, seconds=60)
    dock.leave()
    viewer.close()
    return rows


def _first_overlay(dock: Any, *, is_cold: bool) -> dict[str, float]:
    """Click on Train and wait for the overlay; return when what happened, seconds."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QPushButton

    button = dock.findChild(QPushButton, "train")
    wait_until(button.isEnabled, seconds=60)
    dock.overlays.clear()
    if is_cold:
        dock.trainer.kill_idle()
    row: dict[str, float] = {}
    clicked = time.perf_counter()

    def note(name: str) -> None:
        row.setdefault(name, time.perf_counter() - clicked)

    def note_events(events: Iterable[Any]) -> None:
        for event in events:
            note(_NAMES.get(type(event).__name__, "other"))

    def note_run(run_id: str) -> None:
        note("run made")

    dock.trainer.started.connect(note_run)
    dock.trainer.happened.connect(note_events)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    wait_until(lambda: "Segmentation" in dock.overlays.names, seconds=PATIENCE)
    note("overlay")
    dock.trainer.started.disconnect(note_run)
    dock.trainer.happened.disconnect(note_events)
    row.pop("other", None)
    return row


_NAMES = {
    "RunStarted": "training began",
    "StepFinished": "first step",
    "PreviewReady": "predicted",
}
"""kind of event -> its name in a row"""


def _project(folder: Path) -> Path:
    """Make a project of the section, painted partly, and its mirror, exactly."""
    from scipy.ndimage import distance_transform_edt
    from skimage import data
    from skimage.io import imread
    from skimage.measure import label

    from napari_mtseg.domain.annotation import (
        CompleteRegion,
        ObjectMasks,
        empty_annotation,
    )
    from napari_mtseg.storage.project import Project

    with as_file(files("napari_mtseg") / "samples" / "epithelium.png") as path:
        exact = label(imread(path) > 0).astype(np.uint32)
    section = data.immunohistochemistry()
    rough = np.where(distance_transform_edt(exact > 0) > INSIDE, exact, 0)
    project = Project.create(folder / "section.mtseg", classes=["epithelium"])
    blank = empty_annotation(exact.shape)

    def add(name: str, pixels: Any, kind: str, objects: Any, **facts: Any) -> None:
        file = folder / f"{name}.tif"
        tifffile.imwrite(file, pixels, photometric="rgb")
        class_of = {int(i): 1 for i in np.unique(objects) if i}
        masks = ObjectMasks(objects=objects.astype(np.uint32), class_of=class_of)
        changes: dict[str, Any] = {kind: masks, **facts}
        painted = replace(blank, **changes)
        project.save_annotation(project.add_image(file), painted)

    add("a", section, "partial", rough)
    whole = CompleteRegion(whole=True)
    add("b", section[:, ::-1], "full", exact[:, ::-1], complete=whole)
    return project.path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1, help="trainings per start")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
