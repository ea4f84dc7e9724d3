"""Strokes with real mouse events: which object and class they become."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.project import Project
from tests.gui.canvas_mouse import (
    RIGHT,
    canvas_of,
    double_click,
    move,
    stroke,
)

CLASS_1, CLASS_2, BACKGROUND, SEPARATOR = 3, 4, 1, 2


def _project(folder, *, ndim=2, n_images=1):
    project = Project.create(folder / "p", classes=["a", "b"])
    for index in range(n_images):
        shape = (5, 64, 64)[-ndim:]
        pixels = np.random.default_rng(index).integers(0, 200, shape).astype(np.uint8)
        file = folder / f"{index}.tif"
        tifffile.imwrite(file, pixels, metadata={"axes": "ZYX"[-ndim:]}, ome=False)
        project.add_image(file, axes="ZYX"[-ndim:])
    return project


IN_2D_AND_3D = pytest.mark.parametrize("window", [2, 3], indirect=True)


@pytest.fixture
def window(request, tmp_path, make_napari_viewer, qtbot):
    project = _project(tmp_path, ndim=getattr(request, "param", 2))
    viewer = make_napari_viewer(show=True)
    state = WindowState()
    editing = Editing(viewer, state)
    state.open_project(project.path)
    qtbot.waitUntil(lambda: editing.annotation is not None)
    viewer.layers["Partial masks"].brush_size = 4
    viewer.layers["Full masks"].brush_size = 4
    viewer.layers["Scribbles"].brush_size = 4
    yield viewer, state, editing
    state.close_project()


def _labels(viewer, name="Partial masks"):
    """Return the plane on the canvas."""
    data = viewer.layers[name].data
    return data if data.ndim == 2 else data[viewer.dims.current_step[0]]


def test_the_brush_is_ready_when_an_image_is_shown(window):
    viewer, _, _ = window
    active = viewer.layers.selection.active
    assert (active.name, active.mode) == ("Partial masks", "paint")


@IN_2D_AND_3D
def test_a_stroke_on_an_object_extends_it_else_it_begins_a_new_one(window):
    viewer, _, editing = window
    stroke(viewer, (10, 10), (10, 20))
    stroke(viewer, (40, 10), (40, 20))
    stroke(viewer, (10, 20), (20, 20))
    labels = _labels(viewer)
    assert labels[10, 10] == labels[20, 20] == 1
    assert labels[40, 15] == 255
    assert editing.annotation.partial.class_of == {1: 1, 255: 1}


def test_the_current_class_gives_a_new_object_its_class_and_colour(window):
    viewer, state, editing = window
    state.paint_code = CLASS_2
    stroke(viewer, (10, 10), (10, 20))
    layer = viewer.layers["Partial masks"]
    assert _labels(viewer)[10, 15] == 2
    assert editing.annotation.partial.class_of == {2: 2}
    wanted = state.project.info.classes[1].colour
    red, green, blue, _ = (255 * layer.get_color(2)).round().astype(int)
    assert f"#{red:02x}{green:02x}{blue:02x}" == wanted


def test_a_stroke_begun_on_another_class_extends_that_object(window):
    viewer, state, _ = window
    stroke(viewer, (10, 10), (10, 20))
    state.paint_code = CLASS_2
    stroke(viewer, (10, 10), (30, 10))
    assert _labels(viewer)[28, 10] == 1


def test_background_and_separator_are_drawn_as_scribbles(window):
    viewer, state, _ = window
    state.paint_code = BACKGROUND
    assert state.draw_as == "scribble"
    assert viewer.layers.selection.active.name == "Scribbles"
    stroke(viewer, (10, 10), (10, 20))
    state.paint_code = SEPARATOR
    stroke(viewer, (10, 15), (20, 15))
    labels = _labels(viewer, "Scribbles")
    assert labels[10, 10] == BACKGROUND
    assert labels[20, 15] == SEPARATOR


def test_partial_masks_return_to_the_class_chosen_last(window):
    _, state, _ = window
    state.paint_code = CLASS_2
    state.paint_code = BACKGROUND
    state.draw_as = "full"
    assert state.paint_code == CLASS_2


def test_choosing_a_layer_in_the_list_of_napari_chooses_what_is_drawn(window):
    viewer, state, _ = window
    viewer.layers.selection.active = viewer.layers["Full masks"]
    assert state.draw_as == "full"
    viewer.layers.selection.active = viewer.layers["Image"]
    assert state.draw_as == "full"


def test_a_class_stroke_on_scribbles_has_the_code_of_the_class(window):
    viewer, state, _ = window
    state.draw_as = "scribble"
    state.paint_code = CLASS_2
    stroke(viewer, (10, 10), (10, 20))
    assert _labels(viewer, "Scribbles")[10, 12] == CLASS_2


@IN_2D_AND_3D
def test_fill_gives_an_object_the_current_class_as_a_new_object(window):
    viewer, state, editing = window
    stroke(viewer, (10, 10), (10, 20))
    state.paint_code = CLASS_2
    viewer.layers["Partial masks"].mode = "fill"
    stroke(viewer, (10, 15))
    assert _labels(viewer)[10, 15] == 2
    assert editing.annotation.partial.class_of[2] == 2


def test_fill_on_bare_ground_fills_with_the_object_painted_last(window):
    viewer, _, _ = window
    stroke(viewer, (10, 10), (10, 20))
    stroke(viewer, (40, 10), (40, 20))
    viewer.layers["Partial masks"].mode = "fill"
    stroke(viewer, (60, 60))
    labels = _labels(viewer)
    assert labels[60, 60] == labels[40, 15] == 255
    assert labels[10, 15] == 1


def test_the_eraser_erases_and_leaves_the_choice_of_class(window):
    viewer, _, _ = window
    stroke(viewer, (10, 10), (10, 20))
    viewer.layers["Partial masks"].mode = "erase"
    stroke(viewer, (10, 10), (10, 30))
    assert not _labels(viewer).any()


@IN_2D_AND_3D
def test_the_first_vertex_of_a_polygon_decides_which_object_it_extends(window):
    viewer, _, _ = window
    stroke(viewer, (10, 10), (10, 12))
    stroke(viewer, (40, 40), (40, 42))
    viewer.layers["Partial masks"].mode = "polygon"
    for place in ((10, 10), (10, 40), (40, 40)):
        move(viewer, place)
        stroke(viewer, place)
    double_click(viewer, (40, 40))
    labels = _labels(viewer)
    assert labels[15, 30] == 1
    for place in ((50, 50), (50, 60), (60, 60)):
        stroke(viewer, place)
    double_click(viewer, (60, 60))
    assert labels[53, 58] not in (0, 1, labels[40, 42])


def test_a_polygon_given_up_by_escape_does_not_bind_the_next_one(window, qtbot):
    viewer, _, _ = window
    stroke(viewer, (10, 10), (10, 12))
    viewer.layers["Partial masks"].mode = "polygon"
    stroke(viewer, (10, 10))
    stroke(viewer, (10, 40))
    qtbot.keyClick(canvas_of(viewer), Qt.Key.Key_Escape)
    for place in ((50, 50), (50, 60), (60, 60)):
        stroke(viewer, place)
    double_click(viewer, (60, 60))
    labels = _labels(viewer)
    assert labels[53, 58] not in (0, 1)
    assert labels[10, 30] == 0


def test_encircling_with_the_right_button_makes_one_object(window):
    viewer, _, _ = window
    stroke(viewer, (10, 10), button=RIGHT)
    for place in ((10, 40), (40, 40), (40, 10), (10, 10)):
        for share in np.linspace(0, 1, 6):
            move(viewer, (place[0] * share + 25 * (1 - share), place[1]))
            move(viewer, place)
    labels = _labels(viewer)
    assert labels[25, 25] == 1
    assert set(np.unique(labels)) == {0, 1}


def test_undo_and_redo_work_on_strokes(window):
    viewer, _, _ = window
    stroke(viewer, (10, 10), (10, 20))
    layer = viewer.layers["Partial masks"]
    layer.undo()
    assert not _labels(viewer).any()
    layer.redo()
    assert _labels(viewer)[10, 15] == 1
