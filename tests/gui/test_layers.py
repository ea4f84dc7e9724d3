"""Layers: made once, filled anew, in the colours of the classes."""

import numpy as np
import pytest

from napari_mtseg.domain.annotation import Annotation, ObjectMasks, no_objects
from napari_mtseg.domain.project import palette
from napari_mtseg.gui.image_pixels import read_shown_image
from napari_mtseg.gui.layers import colours_of
from napari_mtseg.gui.object_ids import ObjectIds
from tests.gui.painted_projects import on_disk, open_window, plain_project

NAMES = ["Partial masks", "Scribbles", "Full masks"]


def _names(viewer):
    return [layer.name for layer in viewer.layers]


@pytest.mark.parametrize("shape", [(20, 30), (4, 20, 30)])
def test_layers_have_the_scale_units_and_axes_of_the_image(tmp_path, qtbot, shape):
    with open_window(plain_project(tmp_path, shape=shape), qtbot) as (viewer, _, _):
        assert _names(viewer) == ["Image", *NAMES]
        for layer in viewer.layers:
            assert layer.scale.tolist() == [2.0, 0.5, 0.5][-len(shape) :]
            assert {str(unit) for unit in layer.units} == {"micrometer"}
            assert layer.axis_labels == ("z", "y", "x")[-len(shape) :]
        assert viewer.dims.axis_labels == ("z", "y", "x")[-len(shape) :]


def test_channels_are_additive_layers_of_their_own(tmp_path, qtbot):
    with open_window(plain_project(tmp_path, channels=2), qtbot) as (viewer, _, _):
        assert _names(viewer) == ["Image (channel 1)", "Image (channel 2)", *NAMES]
        assert [viewer.layers[n].blending for n in (0, 1)] == ["additive"] * 2


def test_colours_are_one_layer(tmp_path, qtbot):
    with open_window(plain_project(tmp_path, rgb=True), qtbot) as (viewer, _, _):
        assert _names(viewer) == ["Image", *NAMES]
        assert viewer.layers["Image"].rgb


def test_switching_images_keeps_the_layers_and_what_was_set(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, editing):
        before = list(viewer.layers)
        partial = viewer.layers["Partial masks"]
        partial.brush_size, partial.opacity, partial.mode = 7, 0.3, "fill"
        viewer.layers["Scribbles"].visible = False
        viewer.layers["Image"].contrast_limits = (3, 77)
        pixels = viewer.layers["Image"].data
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert list(viewer.layers) == before
        assert viewer.layers["Image"].data is not pixels
        assert (partial.brush_size, partial.opacity, partial.mode) == (7, 0.3, "fill")
        assert viewer.layers.selection.active is partial
        assert not viewer.layers["Scribbles"].visible
        assert viewer.layers["Image"].contrast_limits == [3, 77]


def test_contrast_that_nobody_set_follows_the_image(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, editing):
        first = viewer.layers["Image"].contrast_limits
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert viewer.layers["Image"].contrast_limits != first


def test_a_layer_that_was_deleted_comes_back_with_the_next_image(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        del viewer.layers["Scribbles"]
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert _names(viewer) == ["Image", *NAMES]
        viewer.layers["Scribbles"].paint((5, 5), 1)
        editing.flush()
    assert on_disk(project, 1).scribbles[5, 5] == 1


def test_closing_the_project_takes_the_layers_away(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, _):
        state.close_project()
        assert not viewer.layers


def test_an_undo_never_brings_strokes_of_the_former_image(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        layer = viewer.layers["Partial masks"]
        layer.data[:] = 9
        layer.undo()
        assert (layer.data == 9).all()


def test_an_object_is_drawn_in_the_colour_of_its_class():
    classes = palette(("a", "b"))
    table = colours_of("partial", classes)
    assert not table[0].any()
    wanted = [int(classes[1].colour[i : i + 2], 16) for i in (1, 3, 5)]
    assert (255 * table[2, :3]).round().tolist() == wanted
    scribbles = colours_of("scribble", classes)
    assert scribbles[4].tolist() == table[2].tolist()
    assert len({tuple(row) for row in scribbles[:5].tolist()}) == 5


def test_stored_ids_that_do_not_fit_the_colours_stay_on_disk(tmp_path, qtbot):
    project = plain_project(tmp_path, n_images=1)
    objects = np.zeros((20, 30), np.uint32)
    objects[2:5, 2:5], objects[10:13, 2:5], objects[2:5, 10:13] = 1, 2, 700_000
    before = Annotation(
        partial=ObjectMasks(objects=objects, class_of={1: 2, 2: 2, 700_000: 1}),
        scribbles=np.zeros((20, 30), np.uint8),
        full=no_objects((20, 30)),
    )
    project.save_annotation(project.images[0], before)
    with open_window(project, qtbot) as (viewer, _, editing):
        layer = viewer.layers["Partial masks"]
        assert {int(i - 1) % 254 + 1 for i in np.unique(layer.data[2:5, 2:5])} == {2}
        assert np.array_equal(editing.annotation.partial.objects, objects)
        layer.paint((18, 28), layer.selected_label)
        editing.flush()
    after = on_disk(project).partial
    assert np.array_equal(after.objects[:14, :14], objects[:14, :14])
    new = int(after.objects[18, 28])
    assert dict(after.class_of) == {1: 2, 2: 2, 700_000: 1, new: 1}


def test_new_ids_are_never_those_of_stored_objects():
    ids = ObjectIds({1: 2, 255: 1, 2: 1})
    new = [ids.add_object(1) for _ in range(3)]
    assert not {1, 2, 255} & set(new)
    assert [ids.class_of(i) for i in new] == [1, 1, 1]


def test_ids_that_others_paint_never_join_a_stored_object():
    ids = ObjectIds({2: 1})
    ids.register([2, 3, 900], n_classes=2)
    stored = ids.stored_classes([2, 3, 900])
    assert len(stored) == 3
    assert sorted(stored.values()) == [2, 2, 2]
    assert 2 not in stored


def test_a_large_image_is_read_plane_by_plane(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mtseg.gui.image_pixels.IN_MEMORY", 10)
    project = plain_project(tmp_path, shape=(4, 20, 30), n_images=1)
    shown = read_shown_image(project, project.images[0])
    whole = np.asarray(project.open_image(project.images[0]).pixels)[0]
    assert not isinstance(shown.layers[0], np.ndarray)
    assert np.array_equal(shown.layers[0][2], whole[2])
    assert np.array_equal(shown.layers[0][..., 3], whole[..., 3])


def test_large_colour_images_have_their_colours_last(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mtseg.gui.image_pixels.IN_MEMORY", 10)
    project = plain_project(tmp_path, n_images=1, rgb=True)
    shown = read_shown_image(project, project.images[0])
    whole = np.moveaxis(np.asarray(project.open_image(project.images[0]).pixels), 0, -1)
    assert shown.layers[0].shape == (20, 30, 3)
    assert np.array_equal(shown.layers[0][2:5, :, 1], whole[2:5, :, 1])
