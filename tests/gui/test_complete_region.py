"""The complete region is chosen, drawn, entered and shown plane by plane."""

import numpy as np
import pytest
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtWidgets import QDialog, QListWidget, QPushButton, QRadioButton, QSpinBox

from napari_mtseg.domain.annotation import Box, CompleteRegion
from napari_mtseg.gui.complete_region import CompleteRegionChoice
from napari_mtseg.gui.region_layer import NAME
from napari_mtseg.gui.region_parts import BoxDialog
from tests.gui.annotate_fakes import FakeEditing, opened


@pytest.fixture
def made(tmp_path, make_napari_viewer, qtbot):
    def make(ndim=2):
        viewer = make_napari_viewer()
        state = opened(tmp_path, ndim=ndim)
        shape = state.entry.spatial_shape
        viewer.add_labels(
            np.zeros(shape, np.uint32),
            name="Partial masks",
            scale=state.entry.spacing,
            axis_labels=("z", "y", "x")[-ndim:],
        )
        editing = FakeEditing(state)
        choice = CompleteRegionChoice(viewer, state, editing)
        qtbot.addWidget(choice)
        choice.show()
        return viewer, state, editing, choice

    return make


def radio(choice, kind):
    return choice.findChild(QRadioButton, f"complete_{kind}")


def press(choice, name):
    choice.findChild(QPushButton, name).click()


def drag(layer, start, end):
    def event(kind, place):
        return read_only_mouse_event(
            type=kind,
            is_dragging=True,
            position=place,
            pos=place,
            dims_displayed=[0, 1],
        )

    mouse_press_callbacks(layer, event("mouse_press", start))
    mouse_move_callbacks(layer, event("mouse_move", end))
    mouse_release_callbacks(layer, event("mouse_release", end))


def test_choosing_the_whole_image_marks_it_and_none_takes_it_back(made):
    _, _, editing, choice = made()
    radio(choice, "whole").click()
    assert editing.complete == CompleteRegion(whole=True)
    radio(choice, "none").click()
    assert editing.complete.is_empty


def test_no_layer_is_made_before_there_is_a_region(made):
    viewer, _, _, choice = made()
    assert NAME not in viewer.layers
    painted_on = viewer.layers.selection.active
    radio(choice, "whole").click()
    assert NAME in viewer.layers
    assert viewer.layers.selection.active is painted_on


def test_the_outline_of_the_whole_image_runs_along_its_edge(made):
    viewer, _, _, choice = made()
    radio(choice, "whole").click()
    corners = viewer.layers[NAME].data[0]
    assert corners.min() == -0.5
    assert corners.max() == 31.5


def test_a_drag_over_the_image_makes_a_box_and_returns_to_painting(made, qtbot):
    viewer, _, editing, choice = made()
    painted_on = viewer.layers.selection.active
    radio(choice, "boxes").click()
    press(choice, "draw_box")
    assert viewer.layers.selection.active is viewer.layers[NAME]
    drag(viewer.layers[NAME], (2, 3), (10, 20))
    qtbot.waitUntil(lambda: not editing.complete.is_empty)
    assert editing.complete.boxes == (Box(start=(2, 3), stop=(11, 21)),)
    assert viewer.layers.selection.active is painted_on
    assert choice.findChild(QListWidget, "complete_parts").item(0).text() == (
        "Rows 2 to 10, columns 3 to 20"
    )


def test_a_drag_beyond_the_image_is_cut_at_its_edge(made, qtbot):
    viewer, _, editing, choice = made()
    radio(choice, "boxes").click()
    press(choice, "draw_box")
    drag(viewer.layers[NAME], (-9, 20), (10, 99))
    qtbot.waitUntil(lambda: not editing.complete.is_empty)
    assert editing.complete.boxes == (Box(start=(0, 20), stop=(11, 32)),)


def test_going_to_another_layer_ends_drawing_without_a_box(made):
    viewer, _, editing, choice = made()
    radio(choice, "boxes").click()
    press(choice, "draw_box")
    viewer.layers.selection.active = viewer.layers["Partial masks"]
    assert choice.findChild(QPushButton, "draw_box").text() == "Draw box"
    assert editing.complete.is_empty
    assert len(viewer.layers[NAME].data) == 0


def test_closing_the_project_takes_the_layer_away(made):
    viewer, state, _, choice = made()
    radio(choice, "whole").click()
    state.close_project()
    assert NAME not in viewer.layers


def test_boxes_can_be_removed_one_by_one(made):
    _, _, editing, choice = made()
    boxes = (Box(start=(0, 0), stop=(4, 4)), Box(start=(8, 8), stop=(9, 12)))
    editing.set_complete(CompleteRegion(boxes=boxes))
    assert radio(choice, "boxes").isChecked()
    choice.findChild(QListWidget, "complete_parts").setCurrentRow(0)
    press(choice, "remove_part")
    assert editing.complete.boxes == boxes[1:]
    press(choice, "remove_part")
    assert editing.complete.is_empty
    assert radio(choice, "boxes").isChecked()


def test_boxes_come_back_after_a_look_at_the_whole_image(made):
    _, _, editing, choice = made()
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(4, 4)),))
    editing.set_complete(region)
    radio(choice, "whole").click()
    radio(choice, "boxes").click()
    assert editing.complete == region


def test_another_image_begins_without_the_boxes_of_the_last(made):
    _, state, editing, choice = made()
    editing.set_complete(CompleteRegion(boxes=(Box(start=(0, 0), stop=(4, 4)),)))
    state.step_image(1)
    assert radio(choice, "none").isChecked()
    radio(choice, "boxes").click()
    assert editing.complete.is_empty


def test_slices_are_offered_in_3d_only(made):
    _, _, _, choice = made()
    assert radio(choice, "slices").isHidden()


def test_the_slice_that_is_shown_is_marked(made):
    viewer, _, editing, choice = made(ndim=3)
    viewer.dims.set_current_step(0, 4)
    radio(choice, "slices").click()
    assert editing.complete.slices == (4,)
    assert len(viewer.layers[NAME].data) == 1
    assert not choice.findChild(QPushButton, "mark_slice").isEnabled()
    viewer.dims.set_current_step(0, 1)
    assert len(viewer.layers[NAME].data) == 0
    press(choice, "mark_slice")
    assert editing.complete.slices == (1, 4)


def test_a_box_drawn_in_3d_spans_the_plane_shown_and_its_neighbours(made, qtbot):
    viewer, _, editing, choice = made(ndim=3)
    viewer.dims.set_current_step(0, 1)
    radio(choice, "boxes").click()
    choice.findChild(QSpinBox, "complete_depth").setValue(2)
    press(choice, "draw_box")
    drag(viewer.layers[NAME], (2, 3), (10, 20))
    qtbot.waitUntil(lambda: not editing.complete.is_empty)
    assert editing.complete.boxes == (Box(start=(0, 2, 3), stop=(4, 11, 21)),)


def test_a_box_can_be_entered_without_the_mouse(made, monkeypatch):
    _, _, editing, choice = made()
    monkeypatch.setattr(BoxDialog, "exec", lambda _: QDialog.DialogCode.Accepted)
    radio(choice, "boxes").click()
    press(choice, "enter_box")
    assert editing.complete.boxes == (Box(start=(0, 0), stop=(32, 32)),)


def test_first_and_last_row_may_be_given_in_either_order(qtbot):
    dialog = BoxDialog((32, 32), [(9, 2), (4, 4)])
    qtbot.addWidget(dialog)
    assert dialog.box == Box(start=(2, 4), stop=(10, 5))


def test_full_masks_without_a_region_are_said_not_to_count(made):
    _, _, editing, choice = made()
    editing.paint(n_full=1)
    assert choice._sentence.sentence == (
        "The full masks do not count yet: say where they are complete."
    )


def test_removing_all_layers_does_not_bring_the_region_back(made):
    viewer, _, _, choice = made(ndim=3)
    radio(choice, "whole").click()
    viewer.layers.clear()
    assert len(viewer.layers) == 0


def test_the_layer_is_made_again_after_somebody_deleted_it(made):
    viewer, _, _, choice = made()
    radio(choice, "whole").click()
    viewer.layers.remove(NAME)
    radio(choice, "none").click()
    radio(choice, "whole").click()
    assert len(viewer.layers[NAME].data) == 1
