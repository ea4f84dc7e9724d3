"""Editing: the annotation of the current image, and how it follows the window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.gui.painted_image import n_strokes_in
from napari_mtseg.storage.class_edits import add_class, remove_class
from napari_mtseg.storage.image_files import content_fingerprint
from tests.gui.painted_projects import on_disk, open_window, plain_project


def test_paint_tags_and_regions_join_in_one_annotation(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, _, editing):
        viewer.layers["Partial masks"].paint((5, 5), 2)
        viewer.layers["Scribbles"].paint((15, 5), 1)
        viewer.layers["Full masks"].paint((15, 25), 1)
        editing.set_tags(Tags(present={1: True}, exhaustive=True))
        editing.set_complete(CompleteRegion(boxes=(Box(start=(0, 0), stop=(9, 9)),)))
        found = editing.annotation
        assert found.partial.objects[5, 5] == 2
        assert found.scribbles[15, 5] == 1
        assert found.tags.exhaustive
        assert editing.flush()
    saved = on_disk(project)
    assert dict(saved.partial.class_of) == {2: 2}
    assert dict(saved.full.class_of) == {1: 1}
    assert saved.scribbles[15, 5] == 1
    assert saved.tags == Tags(present={1: True}, exhaustive=True)
    assert saved.complete.boxes == (Box(start=(0, 0), stop=(9, 9)),)


def test_each_image_has_its_own_paint(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert not viewer.layers["Partial masks"].data.any()
        assert on_disk(project, 0).partial.objects[5, 5] == 1
        state.step_image(-1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert viewer.layers["Partial masks"].data[5, 5] == 1


def test_a_stroke_while_the_next_image_is_read_belongs_to_the_former(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        state.step_image(1)
        assert editing.annotation is None
        viewer.layers["Partial masks"].paint((5, 5), 1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert editing.annotation.is_empty
    assert on_disk(project, 0).partial.objects[5, 5] == 1
    assert on_disk(project, 1).is_empty


def test_the_newest_choice_of_image_is_the_one_that_is_shown(tmp_path, qtbot):
    project = plain_project(tmp_path, n_images=3)
    with open_window(project, qtbot) as (viewer, state, editing):
        state.step_image(1)
        state.step_image(1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        wanted = np.asarray(project.open_image(project.images[2]).pixels)[0]
        assert np.array_equal(viewer.layers["Image"].data, wanted)


@pytest.mark.parametrize("shape", [(20, 30), (4, 20, 30)])
def test_objects_and_strokes_are_counted(tmp_path, qtbot, shape):
    with open_window(plain_project(tmp_path, shape=shape), qtbot) as (viewer, _, edit):
        z = (1,) * (len(shape) - 2)
        for name in ("Partial masks", "Scribbles", "Full masks"):
            viewer.layers[name].brush_size = 2
        viewer.layers["Partial masks"].paint((*z, 5, 5), 1)
        viewer.layers["Partial masks"].paint((*z, 15, 5), 255)
        viewer.layers["Full masks"].paint((*z, 15, 25), 1)
        viewer.layers["Scribbles"].paint((*z, 5, 5), 1)
        viewer.layers["Scribbles"].paint((*z, 5, 7), 3)
        qtbot.waitUntil(lambda: edit.counts.n_strokes == 2)
        assert (edit.counts.n_partial, edit.counts.n_full) == (2, 1)


def test_strokes_of_one_kind_that_touch_are_one():
    scribbles = np.zeros((5, 9), np.uint8)
    scribbles[1, 1:4] = scribbles[2, 4] = 3
    scribbles[4, 0:2] = scribbles[4, 7:9] = 1
    assert n_strokes_in(scribbles) == 3


def test_pages_are_told_of_every_change(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, editing):
        calls = []
        editing.changed.connect(lambda: calls.append(editing.counts.n_partial))
        editing.set_tags(Tags(exhaustive=True))
        assert calls == [0]
        viewer.layers["Partial masks"].paint((5, 5), 1)
        qtbot.waitUntil(lambda: 1 in calls)
        state.step_image(1)
        qtbot.waitUntil(lambda: calls[-1] == 0 and editing.annotation is not None)


def test_all_paint_of_an_image_can_be_replaced(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, _, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        editing.flush()
        editing.replace_annotation(empty_annotation((20, 30)))
        assert not viewer.layers["Partial masks"].data.any()
        editing.flush()
        assert on_disk(project).is_empty
        with pytest.raises(ValueError, match="is not"):
            editing.replace_annotation(empty_annotation((3, 3)))


def test_labels_given_to_a_layer_become_objects_of_the_current_class(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        state.paint_code = 4
        given = np.zeros((20, 30), np.int64)
        given[3:6, 3:6], given[10:12, 3:6] = 7, 9
        viewer.layers["Partial masks"].data = given
        editing.flush()
        saved = on_disk(project).partial
        assert set(saved.class_of.values()) == {2}
        assert np.array_equal(saved.objects > 0, given > 0)
        viewer.layers["Partial masks"].paint((18, 28), 2)
        editing.flush()
    assert on_disk(project).partial.objects[18, 28] == 2


def test_labels_of_another_size_are_refused_with_a_sentence(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, _, editing):
        from napari.utils.notifications import notification_manager

        before = editing.annotation.partial.objects
        viewer.layers["Partial masks"].data = np.zeros((3, 3), np.uint32)
        assert viewer.layers["Partial masks"].data.shape == before.shape
        sentence = notification_manager.records[-1].message
        assert sentence.startswith("The new labels of 'Partial masks' are 3 x 3 pixels")


def test_a_class_that_is_removed_takes_its_paint_along(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        viewer.layers["Partial masks"].paint((15, 25), 2)
        editing.flush()
        remove_class(state.project, 1)
        state.classes_changed.emit()
        editing.apply_classes()
        assert editing.annotation.partial.objects[5, 5] == 0
        kept = int(editing.annotation.partial.objects[15, 25])
        assert editing.annotation.partial.class_of[kept] == 1


def test_a_new_class_can_be_painted_at_once(tmp_path, qtbot):
    with open_window(plain_project(tmp_path), qtbot) as (viewer, state, _):
        add_class(state.project, "c")
        state.classes_changed.emit()
        state.paint_code = 5
        layer = viewer.layers["Partial masks"]
        assert layer.selected_label == 3
        assert layer.get_color(3).tolist() != layer.get_color(2).tolist()


def test_an_image_that_cannot_be_read_is_said_and_nothing_is_painted(tmp_path, qtbot):
    from napari.utils.notifications import notification_manager

    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        missing = project.source_path(project.images[1])
        missing.unlink()
        n_before = len(notification_manager.records)
        state.step_image(1)
        qtbot.waitUntil(lambda: len(notification_manager.records) > n_before)
        assert "missing" in notification_manager.records[-1].message
        assert editing.annotation is None
        assert not viewer.layers["Partial masks"].editable
        state.step_image(-1)
        qtbot.waitUntil(lambda: editing.annotation is not None)
        assert viewer.layers["Partial masks"].mode == "paint"


def test_images_are_never_written(tmp_path, qtbot):
    project = plain_project(tmp_path)
    file = project.source_path(project.images[0])
    before = content_fingerprint(file)
    with open_window(project, qtbot) as (viewer, _, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        editing.flush()
    assert content_fingerprint(file) == before


def test_an_image_that_is_let_go_is_saved_and_cannot_be_painted_on(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, _, editing):
        viewer.layers["Partial masks"].paint((5, 5), 1)
        assert editing.let_go()
        assert on_disk(project).partial.objects[5, 5] == 1
        assert not editing.is_shown
        assert not viewer.layers["Partial masks"].editable


def test_what_others_wrote_is_shown_when_the_image_is_read_again(tmp_path, qtbot):
    project = plain_project(tmp_path)
    with open_window(project, qtbot) as (viewer, state, editing):
        viewer.layers["Scribbles"].paint((5, 5), 1)
        editing.let_go()
        entry, other = project.images[0], on_disk(project)
        objects = np.zeros((20, 30), np.uint32)
        objects[3:6, 3:6] = 4
        full = ObjectMasks(objects=objects, class_of={4: 1})
        state.project.save_annotation(entry, replace(other, full=full))
        editing.read_again()
        qtbot.waitUntil(lambda: editing.is_shown)
        assert viewer.layers["Full masks"].data[4, 4] > 0
        assert viewer.layers["Scribbles"].data[5, 5] == 1
        viewer.layers["Scribbles"].paint((15, 5), 1)
        assert editing.flush()
    saved = on_disk(project)
    assert saved.full.objects[4, 4] == 4
    assert saved.scribbles[15, 5] == 1
