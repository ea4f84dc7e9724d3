"""Small projects and windows without a canvas, for tests of editing."""

from contextlib import contextmanager

import numpy as np
import tifffile
from napari.components import ViewerModel

from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.project import Project


def plain_project(folder, *, shape=(20, 30), n_images=2, channels=1, rgb=False):
    """Make a project of two classes whose images have random pixels."""
    project = Project.create(folder / "p", classes=["a", "b"])
    for index in range(n_images):
        rng = np.random.default_rng(index)
        file = folder / f"{index}.tif"
        axes = "ZYX"[-len(shape) :]
        if rgb:
            pixels = rng.integers(0, 200, (*shape, 3)).astype(np.uint8)
            tifffile.imwrite(file, pixels, photometric="rgb")
        else:
            size = (channels, *shape) if channels > 1 else shape
            axes = "C" + axes if channels > 1 else axes
            pixels = rng.integers(0, 200 + 50 * index, size).astype(np.uint8)
            scale = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
            units = {f"{key}Unit": "µm" for key in scale}
            facts = {"axes": axes, **scale, **units}
            tifffile.imwrite(file.with_suffix(".ome.tif"), pixels, metadata=facts)
            file = file.with_suffix(".ome.tif")
        project.add_image(file)
    return project


@contextmanager
def open_window(project, qtbot):
    """Open a project in a window without a canvas: viewer, state and editing."""
    viewer, state = ViewerModel(), WindowState()
    editing = Editing(viewer, state)
    state.open_project(project.path)
    qtbot.waitUntil(lambda: editing.annotation is not None)
    try:
        yield viewer, state, editing
    finally:
        state.close_project()


def on_disk(project, number=0):
    """Read the annotation of an image as another process would."""
    again = Project.open(project.path)
    return again.annotation(again.images[number])
