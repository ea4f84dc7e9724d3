"""A volume with flat voxels in a real window: slices along every axis, and in 3D."""

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.gui.brush_rest import BrushRest
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import save_prediction
from tests.gui.canvas_mouse import stroke
from tests.tiny_projects import SIZE, disc_project

SPACING = (5.0, 1.0, 1.0)
SHAPE = (6, SIZE, SIZE)
BLUE = "#0000ff"
"""of the class, which nothing else on the canvas has"""


def ball():
    """Return an object id per voxel: a ball in the world, flat in voxels."""
    z, y, x = np.indices(SHAPE)
    inside = ((z - 2.5) * 5) ** 2 + (y - 16) ** 2 + (x - 16) ** 2 < 12**2
    return np.where(inside, 4, 0).astype(np.uint32)


def save(folder):
    objects = ball()
    inside = (objects > 0).astype(np.float16)
    made = Prediction(
        classes=inside.astype(np.uint8),
        probabilities=np.stack([1 - inside, inside]),
        instances=objects,
        class_of={4: 1},
        maps={
            "distance": np.where(objects > 0, -3, 9).astype(np.float32),
            "uncertainty": inside,
            "mutual_information": inside / 2,
        },
    )
    save_prediction(folder, made, spacing=SPACING, unit="micrometer")


class Window:
    """A real window on a volume, and what is seen on its canvas."""

    def __init__(self, viewer, project, qtbot):
        self.viewer, self._qtbot = viewer, qtbot
        viewer.window.resize(700, 420)
        self.state = WindowState()
        self.editing = Editing(viewer, self.state)
        self.overlays = Overlays(viewer, self.state)
        self.rest = BrushRest(viewer)
        self.state.open_project(project.path)
        info = self.state.project.info
        disc = info.classes[0].changed({"colour": BLUE})
        self.state.project.info = info.changed({"classes": (disc,)})
        self.state.classes_changed.emit()
        qtbot.waitUntil(lambda: self.editing.is_shown)

    def show(self, folder):
        with self._qtbot.waitSignal(self.overlays.shown):
            self.overlays.show_prediction(folder)
        with self._qtbot.waitSignal(self.overlays.shown):
            self.overlays.show_grown(ball(), {4: 1})

    def picture(self, *names):
        """Return the canvas (Y, X, 3), 0 to 255, with these overlays and no others."""
        for name in self.overlays.names:
            self.overlays.set_visible(name, name in names)
            if isinstance(layer := self.viewer.layers[name], Image):
                layer.colorbar.visible = False
        QApplication.processEvents()
        seen = self.viewer.screenshot(canvas_only=True, flash=False)
        return seen[..., :3].astype(int)


@pytest.fixture
def window(make_napari_viewer, qtbot, tmp_path):
    project = disc_project(tmp_path, ndim=3, painted=False)
    project.update_image(
        project.images[0].changed({"spacing": SPACING, "unit": "micrometer"})
    )
    save(tmp_path / "prediction")
    window = Window(make_napari_viewer(show=True), project, qtbot)
    window.show(tmp_path / "prediction")
    yield window
    window.state.close_project()


def blue(picture):
    """Return where the colour of the class is seen."""
    red, green, there = picture[..., 0], picture[..., 1], picture[..., 2]
    return there > 60 + np.maximum(red, green)


def share_changed(bare, seen):
    """Return which part of the canvas looks different, 0 to 1."""
    return (np.abs(seen - bare).max(axis=-1) > 25).mean()


def extent(mask):
    """Return height and width of what is True, pixels of the canvas."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


@pytest.mark.slow
def test_all_results_are_seen_in_the_3d_canvas_and_the_way_back(window):
    viewer, layers = window.viewer, window.viewer.layers
    assert layers["Uncertainty"].colormap.name == "magma"
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (5, 20, 50)
    assert layers["Uncertainty"].colormap.name == "magma, fading"
    assert layers["Distance"].colormap.name == "blue white red, inside"
    bare = window.picture()
    for name in ("Segmentation", "Contours", "Grown masks", "Instances"):
        assert share_changed(bare, window.picture(name)) > 0.01, name
    assert blue(window.picture("Contours")).any()
    for name in ("Uncertainty", "Mutual information", "Probability", "Distance"):
        # What is low or outside is clear, and hides nothing.
        assert 0.01 < share_changed(bare, window.picture(name)) < 0.4, name
    viewer.dims.ndisplay = 2
    assert layers["Uncertainty"].colormap.name == "magma"
    assert blue(window.picture("Contours")).any()


def test_colours_that_the_user_chose_stay_in_3d(window):
    layer = window.viewer.layers["Uncertainty"]
    layer.colormap = "green"
    window.viewer.dims.ndisplay = 3
    assert layer.colormap.name == "green"


def test_slices_along_every_axis_have_closed_outlines_in_the_scale_of_the_image(
    window, qtbot
):
    viewer, contours = window.viewer, window.viewer.layers["Contours"]
    for axis in (0, 1, 2):
        rest = [other for other in (0, 1, 2) if other != axis]
        viewer.dims.order = (axis, *rest)
        middle = [n // 2 for n in SHAPE]
        viewer.dims.set_point(axis, middle[axis] * SPACING[axis])
        viewer.reset_view()
        inside = np.take(ball() > 0, middle[axis], axis)

        def is_closed(axis=axis, middle=middle, inside=inside):
            line = np.take(contours.data > 0, middle[axis], axis)
            ends = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0))
            return line[ends].all() and not line.all()

        qtbot.waitUntil(is_closed)
        bare, seen = window.picture(), window.picture("Segmentation")
        rows, columns = extent(np.abs(seen - bare).max(axis=-1) > 25)
        high, wide = (np.ptp(np.nonzero(inside)[i]) + 1 for i in (0, 1))
        expected = high * SPACING[rest[0]] / (wide * SPACING[rest[1]])
        assert rows / columns == pytest.approx(expected, rel=0.1)
        assert blue(window.picture("Contours")).any()


def test_a_drag_in_3d_turns_the_volume_and_paints_nothing(window, qtbot):
    viewer = window.viewer
    layer = viewer.layers["Partial masks"]
    assert layer.mode == "paint"
    viewer.dims.ndisplay = 3
    before = viewer.scene.camera.angles
    stroke(viewer, (16, 10), (18, 14), (22, 20))
    qtbot.waitUntil(lambda: viewer.scene.camera.angles != before)
    assert not np.asarray(layer.data).any()
    viewer.dims.ndisplay = 2
    assert layer.mode == "paint"


def test_a_brush_that_is_taken_up_in_3d_paints_where_paint_is(window):
    viewer = window.viewer
    layer = viewer.layers["Partial masks"]
    layer.data[:, 10:22, 10:22] = 1
    layer.refresh()
    viewer.dims.ndisplay = 3
    layer.mode = "paint"
    stroke(viewer, (16, 16), (16, 17), (17, 18))
    ids = set(np.unique(layer.data).tolist())
    assert ids == {0, 1}
    viewer.dims.ndisplay = 2
    assert layer.mode == "paint"
