"""Classes and scenes that change after people painted, also across a crash."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import (
    AnnotationError,
    ProjectError,
    SettingsError,
    StorageError,
)
from napari_mtseg.storage import annotation_parts, class_edits, label_arrays
from napari_mtseg.storage.class_edits import (
    add_class,
    add_scene,
    finish_class_edit,
    images_with_class,
    recolour_class,
    remove_class,
    remove_scene,
    rename_class,
    rename_scene,
    without_class,
)
from napari_mtseg.storage.image_tags import TagChange, set_each_tags, tags_of
from napari_mtseg.storage.project import Project
from tests.tiny_run import write_image

SHAPE = (4, 6)


def painted(*codes: int, objects: dict[int, int] | None = None, **facts) -> Annotation:
    """Scribbles in the first row, an object per column of the second."""
    drawn = empty_annotation(SHAPE)
    drawn.scribbles[0, : len(codes)] = codes
    for column, key in enumerate(objects or {}):
        drawn.partial.objects[1, column] = key
    masks = ObjectMasks(objects=drawn.partial.objects, class_of=objects or {})
    return replace(drawn, partial=masks, **facts)


@pytest.fixture
def project(tmp_path):
    """Three classes; image 0 has the first, image 1 the second and third, 2 none."""
    made = Project.create(tmp_path / "cells", classes=["a", "b", "c"], scenes=["day"])
    drawn = [
        painted(1, 2, 3, objects={7: 1}),
        painted(1, 4, 5, objects={4: 2, 9: 3}, tags=Tags(present={1: False, 3: True})),
        None,
    ]
    for seed, annotation in enumerate(drawn):
        file = write_image(tmp_path / f"{seed}.tif", SHAPE, seed=seed)
        entry = made.add_image(file)
        if annotation is not None:
            made.save_annotation(entry, annotation)
    return made


def again(project: Project) -> Project:
    return Project.open(project.path)


def names(project: Project) -> list[str]:
    return [c.name for c in project.info.classes]


def row(project: Project, image: int) -> list[int]:
    annotation = project.annotation(project.images[image])
    return annotation.scribbles[0, :3].tolist()


# --- Names and colours ---------------------------------------------------------


def test_a_class_is_added_behind_the_others_in_a_colour_of_its_own(project):
    assert add_class(project, " nerve ") == 4
    assert names(project) == names(again(project)) == ["a", "b", "c", "nerve"]
    assert len({c.colour for c in again(project).info.classes}) == 4
    add_class(project, "vessel", colour="#ABCDEF")
    assert again(project).info.classes[4].colour == "#abcdef"


def test_a_class_is_renamed_and_recoloured(project):
    rename_class(project, 2, "nucleus")
    recolour_class(project, 2, "#010203")
    found = again(project).info.classes[1]
    assert (found.name, found.colour) == ("nucleus", "#010203")
    assert project.info == again(project).info


def test_scenes_are_added_and_renamed(project):
    assert add_scene(project, "night") == 1
    rename_scene(project, 0, "noon")
    assert project.info.scenes == again(project).info.scenes == ("noon", "night")


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda p: add_class(p, " "), "The class has no name. Type one."),
        (
            lambda p: rename_class(p, 1, "b"),
            "The class names b, b, c are not all different. Rename one.",
        ),
        (lambda p: add_scene(p, ""), "The scene has no name. Type one."),
        (
            lambda p: add_scene(p, "day"),
            "The scene names day, day are not all different. Rename one.",
        ),
    ],
)
def test_a_bad_name_is_refused_and_nothing_changes(project, edit, sentence):
    with pytest.raises(SettingsError) as refused:
        edit(project)
    assert str(refused.value) == sentence
    assert project.info == again(project).info
    assert names(project) == ["a", "b", "c"]


def test_what_is_no_colour_is_refused(project):
    with pytest.raises(SettingsError, match="colour"):
        recolour_class(project, 1, "blue")


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: rename_class(p, 4, "x"),
        lambda p: images_with_class(p, 0),
        lambda p: remove_class(p, 9),
        lambda p: rename_scene(p, 1, "x"),
        lambda p: remove_scene(p, 1),
        lambda p: remove_scene(p, -1),
    ],
)
def test_a_number_that_is_none_is_a_callers_mistake(project, edit):
    with pytest.raises(ValueError, match="there is no"):
        edit(project)


# --- Removal -------------------------------------------------------------------


def test_a_removed_class_is_unpainted_and_later_ones_move_up():
    drawn = painted(
        1, 2, 3, 4, 5,
        objects={7: 1, 8: 2, 9: 3},
        tags=Tags(scene=1, present={1: True, 2: False, 3: True}, exhaustive=True),
        complete=CompleteRegion(whole=True),
        origin="imported",
    )  # fmt: skip
    left = without_class(drawn, 2)
    assert left.scribbles[0].tolist() == [1, 2, 3, 0, 4, 0]
    assert left.partial.objects[1, :3].tolist() == [7, 0, 9]
    assert left.partial.class_of == {7: 1, 9: 2}
    assert left.tags == Tags(scene=1, present={1: True, 2: True}, exhaustive=True)
    assert (left.complete, left.origin) == (drawn.complete, "imported")
    assert drawn.scribbles[0].tolist() == [1, 2, 3, 4, 5, 0]
    assert drawn.partial.objects[1, :3].tolist() == [7, 8, 9]


def test_full_masks_of_a_removed_class_go_too():
    drawn = replace(empty_annotation(SHAPE), full=painted(objects={5: 1, 6: 2}).partial)
    left = without_class(drawn, 1).full
    assert left.objects[1, :2].tolist() == [0, 6]
    assert left.class_of == {6: 1}


def test_an_annotation_that_mentions_no_such_class_is_left_alone():
    drawn = painted(1, 2, 3, objects={7: 1})
    assert without_class(drawn, 2) is drawn


def test_it_is_said_before_which_images_lose_paint(project):
    first, second, _ = project.images
    assert images_with_class(project, 1) == (first, second)
    assert images_with_class(project, 2) == (second,)
    assert images_with_class(project, 3) == (second,)


def test_erased_objects_in_a_table_are_no_paint(project):
    entry = project.images[2]
    nothing = empty_annotation(SHAPE)
    masks = ObjectMasks(objects=nothing.partial.objects, class_of={3: 2})
    project.save_annotation(entry, replace(nothing, partial=masks))
    assert entry not in images_with_class(project, 2)


def test_a_class_is_removed_from_the_whole_project(project):
    expected = images_with_class(project, 2)
    assert remove_class(project, 2) == expected
    for found in (project, again(project)):
        assert names(found) == ["a", "c"]
        assert row(found, 0) == [1, 2, 3]
        assert row(found, 1) == [1, 0, 4]
        second = found.annotation(found.images[1])
        assert second.partial.objects[1, :2].tolist() == [0, 9]
        assert second.partial.class_of == {9: 2}
        assert second.tags.present == {1: False, 2: True}
    assert not (project.path / "class_edit").exists()
    assert not project.annotation_folder(project.images[2]).exists()


def test_the_only_class_stays(project):
    remove_class(project, 1)
    remove_class(project, 1)
    with pytest.raises(SettingsError) as refused:
        remove_class(project, 1)
    assert str(refused.value) == (
        "'c' is the only class and a project needs one. Rename it instead, or add "
        "another class first."
    )


class _Crash(BaseException):
    pass


def crash_at(monkeypatch, name: str, call: int) -> None:
    """Let the ``call``-th call of a function of class_edits end the process."""
    really, calls = getattr(class_edits, name), []

    def counted(*args, **kwargs):
        calls.append(args)
        if len(calls) == call:
            raise _Crash
        return really(*args, **kwargs)

    monkeypatch.setattr(class_edits, name, counted)


# Image 1 is laid down, the note written, image 1 saved, project.json and note written.
@pytest.mark.parametrize(
    ("name", "call", "removed"),
    [
        ("save_annotation", 1, False),
        ("write_json", 1, False),
        ("save_annotation", 2, True),
        ("write_json", 2, True),
        ("write_json", 3, True),
    ],
)
def test_a_crash_leaves_the_class_everywhere_or_nowhere(
    project, monkeypatch, name, call, removed
):
    with monkeypatch.context() as patched:
        crash_at(patched, name, call)
        with pytest.raises(_Crash):
            remove_class(project, 2)
    found = again(project)
    assert names(found) == (["a", "c"] if removed else ["a", "b", "c"])
    assert row(found, 1) == ([1, 0, 4] if removed else [1, 4, 5])
    if not removed:
        remove_class(found, 2)
        assert row(again(project), 1) == [1, 0, 4]


def test_carrying_out_twice_is_as_once(project, monkeypatch):
    with monkeypatch.context() as patched:
        crash_at(patched, "save_annotation", 2)
        with pytest.raises(_Crash):
            remove_class(project, 2)
    copy = project.path.with_name("copy.mtseg")
    shutil.copytree(project.path, copy)
    finish_class_edit(copy)
    finish_class_edit(copy)
    assert row(Project.open(copy), 1) == row(again(project), 1) == [1, 0, 4]


def test_while_a_class_is_being_removed_nobody_else_opens_the_project(
    project, monkeypatch
):
    with monkeypatch.context() as patched:
        crash_at(patched, "save_annotation", 2)
        with pytest.raises(_Crash):
            remove_class(project, 2)
    with (
        project.annotation_lock(),
        pytest.raises(ProjectError, match="already being written"),
    ):
        again(project)


def test_a_full_disk_changes_nothing(project, monkeypatch):
    def full(*_args, **_boxes):
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(class_edits, "save_annotation", full)
        with pytest.raises(StorageError):
            remove_class(project, 2)
    assert names(project) == names(again(project)) == ["a", "b", "c"]
    assert row(again(project), 1) == [1, 4, 5]


# --- Scenes --------------------------------------------------------------------


def scenes_of(project: Project) -> list[int | None]:
    return [tags_of(project, entry).scene for entry in project.images]


@pytest.fixture
def tagged(project):
    """Scenes day, dusk and night, one of each on the three images."""
    add_scene(project, "dusk")
    add_scene(project, "night")
    said = {e.id: TagChange(scene=i) for i, e in enumerate(project.images)}
    set_each_tags(project, said)
    return project


def test_a_removed_scene_is_no_tag_any_more_and_later_ones_move_up(tagged):
    assert remove_scene(tagged, 1) == (tagged.images[1],)
    for found in (tagged, again(tagged)):
        assert found.info.scenes == ("day", "night")
        assert scenes_of(found) == [0, None, 1]
    assert not (tagged.path / "class_edit").exists()


def test_removing_a_scene_leaves_paint_and_other_tags_alone(tagged):
    labels = sorted(tagged.path.glob("annotations/*/*/**/*"))
    before = [file.stat().st_mtime_ns for file in labels]
    remove_scene(tagged, 1)
    assert [file.stat().st_mtime_ns for file in labels] == before
    assert row(tagged, 1) == [1, 4, 5]
    assert tags_of(tagged, tagged.images[1]) == Tags(present={1: False, 3: True})


def test_removing_a_scene_writes_nothing_for_images_without_annotation(project):
    remove_scene(project, 0)
    assert project.info.scenes == again(project).info.scenes == ()
    assert not project.annotation_folder(project.images[2]).exists()


# Note written, two tags (of dusk and night), project.json, note cleared.
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_a_crash_leaves_the_scene_everywhere_or_nowhere(tagged, monkeypatch, call):
    with monkeypatch.context() as patched:
        patched.setattr(class_edits, "N_THREADS", 1)
        crash_at(patched, "write_json", call)
        with pytest.raises(_Crash):
            remove_scene(tagged, 1)
    found, removed = again(tagged), call > 1
    assert found.info.scenes == (
        ("day", "night") if removed else ("day", "dusk", "night")
    )
    assert scenes_of(found) == ([0, None, 1] if removed else [0, 1, 2])
    assert row(found, 1) == [1, 4, 5]


def test_a_damaged_annotation_keeps_every_scene(tagged):
    file = tagged.annotation_folder(tagged.images[2]) / "annotation.json"
    file.write_text("{}")
    with pytest.raises(AnnotationError, match="is damaged"):
        remove_scene(tagged, 1)
    assert again(tagged).info.scenes == ("day", "dusk", "night")
    assert tags_of(tagged, tagged.images[1]).scene == 1


def test_a_class_leaves_a_large_image_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(annotation_parts, "LARGE", 10)
    monkeypatch.setattr(label_arrays, "CHUNK_2D", (4, 4))
    project = Project.create(tmp_path / "p", classes=["a", "b", "c"])
    tifffile.imwrite(tmp_path / "0.tif", np.arange(120, dtype=np.uint8).reshape(10, 12))
    entry = project.add_image(tmp_path / "0.tif")
    objects = np.zeros((10, 12), np.uint32)
    objects[0, 0], objects[9, 11], objects[5, 5] = 1, 2, 3
    scribbles = np.zeros((10, 12), np.uint8)
    scribbles[9, 0], scribbles[0, 11] = SCRIBBLE_FIRST_CLASS, SCRIBBLE_FIRST_CLASS + 2
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(9, 9)),))
    annotation = replace(
        empty_annotation((10, 12)),
        partial=ObjectMasks(objects=objects, class_of={1: 1, 2: 2, 3: 3}),
        scribbles=scribbles,
        complete=region,
    )
    project.save_annotation(entry, annotation)
    assert images_with_class(project, 1) == (entry,)
    assert remove_class(project, 1) == (entry,)
    found = Project.open(project.path).annotation(entry)
    assert np.argwhere(found.partial.objects).tolist() == [[5, 5], [9, 11]]
    assert dict(found.partial.class_of) == {2: 1, 3: 2}
    assert np.argwhere(found.scribbles).tolist() == [[0, 11]]
    assert found.scribbles[0, 11] == SCRIBBLE_FIRST_CLASS + 1
    assert found.complete == region
