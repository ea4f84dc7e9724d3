"""An image too large to be painted on as a whole, in a window without a canvas."""

from dataclasses import replace

import numpy as np
import pytest

from napari_mtseg.domain.annotation import Box, CompleteRegion, Tags
from napari_mtseg.gui import (
    image_levels,
    image_pixels,
    painted_places,
    work_area,
)
from napari_mtseg.gui.image_pixels import read_shown_image
from napari_mtseg.gui.state import SAVED
from napari_mtseg.gui.work_areas import ZOOM_IN
from napari_mtseg.storage import label_arrays
from napari_mtseg.storage.class_edits import remove_class
from napari_mtseg.storage.project import Project
from tests.gui.painted_projects import on_disk, open_window, plain_project

SHAPE = (200, 300)
SPACING = 0.5
ZOOM = 50
"""at which 24 x 32 pixels are in view"""
FIRST, SECOND = (30, 40), (170, 250)


@pytest.fixture
def _everything_is_large(monkeypatch):
    for module in (work_area, image_pixels):
        monkeypatch.setattr(module, "PLANE_LIMIT", 1000)
    for module in (work_area, label_arrays, painted_places):
        monkeypatch.setattr(module, "CHUNK_2D", (20, 20))
        monkeypatch.setattr(module, "CHUNK_3D", (2, 20, 20))
    monkeypatch.setattr(work_area, "SIDES_2D", (60, 60))
    monkeypatch.setattr(work_area, "SIDES_3D", (4, 60, 60))
    monkeypatch.setattr(image_levels, "OVERVIEW_SIDE", 80)


@pytest.fixture
def project(tmp_path, _everything_is_large):
    return plain_project(tmp_path, shape=SHAPE, n_images=1)


def move_to(viewer, place):
    """Move the view so that a pixel of the image is in its middle."""
    viewer.scene.camera.zoom = ZOOM
    viewer.scene.camera.center = (0, *(SPACING * n for n in place[-2:]))


def go_to(viewer, editing, qtbot, place):
    """Move there, and wait until one can paint there."""
    move_to(viewer, place)
    layer = viewer.layers["Partial masks"]

    def can_paint():
        world = (0.0,) * (layer.ndim - 2) + tuple(SPACING * n for n in place[-2:])
        found = layer.world_to_data(world)[-2:]
        sides = zip(found, layer.data.shape[-2:], strict=True)
        return layer.editable and all(10 < n < size - 10 for n, size in sides)

    qtbot.waitUntil(can_paint)
    assert editing.hint == ""


def paint_at(viewer, place, *, name="Partial masks"):
    """Paint one pixel of the image as the next stroke would; return its id."""
    layer = viewer.layers[name]
    scale = np.array(layer.scale)
    here = np.rint((np.array(place) * scale - layer.translate) / scale)
    label = layer.selected_label
    layer.brush_size = 1
    layer.paint(here, label)
    return label


def test_zoomed_out_nobody_can_paint_and_a_sentence_says_why(project, qtbot):
    with open_window(project, qtbot) as (viewer, _, editing):
        assert editing.hint == ZOOM_IN
        assert not viewer.layers["Partial masks"].editable
        go_to(viewer, editing, qtbot, FIRST)
        viewer.scene.camera.zoom = 1
        qtbot.waitUntil(lambda: editing.hint == ZOOM_IN)
        assert not viewer.layers["Scribbles"].editable


def test_zoomed_out_the_painted_places_are_seen_coarsely(project, qtbot):
    with open_window(project, qtbot) as (viewer, _, editing):
        places = viewer.layers["Painted places"]
        assert places.visible
        assert not places.data.any()
        for place in (FIRST, SECOND):
            go_to(viewer, editing, qtbot, place)
            assert not places.visible
            paint_at(viewer, place)
        go_to(viewer, editing, qtbot, FIRST)
        viewer.scene.camera.zoom = 1
        qtbot.waitUntil(lambda: places.visible)
        # One pixel is a chunk of 20 x 20.
        assert np.argwhere(places.data).tolist() == [[1, 2], [8, 12]]
        corner = places.data_to_world((7.5, 11.5))
        np.testing.assert_allclose(corner, [SPACING * 159.5, SPACING * 239.5])
        assert viewer.layers.selection.active is viewer.layers["Partial masks"]


def test_paint_of_two_areas_is_on_disk_without_clashing_ids(project, qtbot):
    with open_window(project, qtbot) as (viewer, state, editing):
        ids = []
        for place in (FIRST, SECOND):
            go_to(viewer, editing, qtbot, place)
            ids.append(paint_at(viewer, place))
            paint_at(viewer, place, name="Scribbles")
            qtbot.waitUntil(lambda: state.saving == SAVED)
        # Read while the window lives, as after a kill.
        saved = on_disk(project)
    assert ids[0] != ids[1]
    assert [saved.partial.objects[place] for place in (FIRST, SECOND)] == ids
    assert np.count_nonzero(saved.partial.objects) == 2
    assert np.count_nonzero(saved.scribbles) == 2
    assert [saved.partial.class_of[i] for i in ids] == [1, 1]


def test_reopened_paint_is_where_it_was(project, qtbot):
    with open_window(project, qtbot) as (viewer, _, editing):
        go_to(viewer, editing, qtbot, SECOND)
        label = paint_at(viewer, SECOND)
    with open_window(project, qtbot) as (viewer, _, editing):
        go_to(viewer, editing, qtbot, SECOND)
        layer = viewer.layers["Partial masks"]
        world = tuple(SPACING * n for n in SECOND)
        assert layer.get_value(world, world=True) == label
        assert layer.selected_label != label
        assert editing.counts.n_partial == 1
        assert editing.counts.is_of_part


def test_a_stroke_just_before_the_view_moves_on_is_kept(project, qtbot):
    with open_window(project, qtbot) as (viewer, _, editing):
        go_to(viewer, editing, qtbot, FIRST)
        near = (FIRST[0] + 12, FIRST[1] + 12)
        paint_at(viewer, near)
        # The next area overlaps this one.
        go_to(viewer, editing, qtbot, (FIRST[0] + 40, FIRST[1] + 40))
        paint_at(viewer, (FIRST[0] + 41, FIRST[1] + 41))
    saved = on_disk(project).partial.objects
    assert np.argwhere(saved).tolist() == [[42, 52], [71, 81]]


def test_regions_and_tags_are_those_of_the_image(project, qtbot):
    region = CompleteRegion(boxes=(Box(start=(150, 20), stop=(190, 60)),))
    with open_window(project, qtbot) as (viewer, _, editing):
        editing.set_complete(region)
        editing.set_tags(Tags(present={2: False}))
        for place in (FIRST, SECOND):
            go_to(viewer, editing, qtbot, place)
            paint_at(viewer, place)
            assert editing.complete == region
    saved = on_disk(project)
    assert saved.complete == region
    assert saved.tags == Tags(present={2: False})


def test_a_brush_that_is_chosen_zoomed_out_is_ready_after_zooming_in(project, qtbot):
    with open_window(project, qtbot) as (viewer, state, editing):
        layer = viewer.layers["Full masks"]
        assert layer.mode == "pan_zoom"
        state.draw_as = "full"
        assert layer.mode == "pan_zoom"
        go_to(viewer, editing, qtbot, FIRST)
        assert layer.mode == "paint"


def test_an_area_that_cannot_be_saved_is_not_left(project, qtbot, monkeypatch):
    with open_window(project, qtbot) as (viewer, _, editing):
        go_to(viewer, editing, qtbot, FIRST)
        label = paint_at(viewer, FIRST)
        layer = viewer.layers["Partial masks"]
        before = tuple(layer.translate)
        with monkeypatch.context() as patch:
            patch.setattr(editing._autosave, "flush", lambda: False)
            move_to(viewer, SECOND)
            qtbot.wait(400)
            assert tuple(layer.translate) == before
            assert layer.editable
    assert on_disk(project).partial.objects[FIRST] == label


def test_a_class_can_be_removed_while_a_part_is_shown(project, qtbot):
    with open_window(project, qtbot) as (viewer, state, editing):
        go_to(viewer, editing, qtbot, SECOND)
        label = paint_at(viewer, SECOND)
        assert editing.flush()
        layer = viewer.layers["Partial masks"]
        before = tuple(layer.translate), layer.data.shape
        remove_class(state.project, 2)
        state.classes_changed.emit()
        world = tuple(SPACING * n for n in SECOND)
        assert layer.get_value(world, world=True) == label
        assert (tuple(layer.translate), layer.data.shape) == before


def test_the_image_is_shown_in_levels_of_every_nth_pixel(project):
    entry = project.images[0]
    shown = read_shown_image(project, entry)
    pixels = project.read_pixels(entry)[0]
    assert shown.is_multiscale
    first, second = shown.layers[0]
    np.testing.assert_array_equal(np.asarray(first), pixels)
    np.testing.assert_array_equal(np.asarray(second), pixels[::4, ::4])
    low, high = shown.contrast[0]
    assert pixels.min() <= low < high <= pixels.max()


def test_a_small_image_is_shown_and_painted_on_as_a_whole(tmp_path, qtbot):
    project = plain_project(tmp_path, shape=SHAPE, n_images=1)
    assert not read_shown_image(project, project.images[0]).is_multiscale
    with open_window(project, qtbot) as (viewer, _, editing):
        assert not editing.is_in_parts
        assert editing.hint == ""
        assert viewer.layers["Partial masks"].data.shape == SHAPE


@pytest.mark.usefixtures("_everything_is_large")
def test_in_a_volume_the_area_follows_the_plane(tmp_path, qtbot):
    shape = (40, *SHAPE)
    project = plain_project(tmp_path, shape=shape, n_images=1)
    with open_window(project, qtbot) as (viewer, _, editing):
        for plane in (3, 30):
            viewer.dims.set_point(0, 2.0 * plane)
            go_to(viewer, editing, qtbot, (plane, *SECOND))
            layer = viewer.layers["Partial masks"]
            qtbot.waitUntil(
                lambda layer=layer, plane=plane: (
                    0 <= plane - layer.translate[0] / 2 < layer.data.shape[0]
                )
            )
            qtbot.waitUntil(lambda: editing.hint == "")
            paint_at(viewer, (plane, *SECOND))
    saved = on_disk(project).partial.objects
    assert np.argwhere(saved).tolist() == [[3, *SECOND], [30, *SECOND]]
    assert len(np.unique(saved)) == 3


def test_all_paint_is_replaced_of_whole_images_only(project, qtbot):
    with open_window(project, qtbot) as (_, state, editing):
        assert editing.is_in_parts
        annotation = Project.open(project.path).annotation(state.entry)
        with pytest.raises(ValueError, match="painted on as a whole"):
            editing.replace_annotation(replace(annotation))


def test_a_canvas_that_becomes_larger_shows_more(project, qtbot):
    with open_window(project, qtbot) as (viewer, _, editing):
        go_to(viewer, editing, qtbot, FIRST)
        viewer.canvas.size = (4000, 6000)
        qtbot.waitUntil(lambda: editing.hint == ZOOM_IN)
