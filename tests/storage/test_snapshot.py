from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.annotation import ObjectMasks, Tags, empty_annotation
from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.storage import snapshot as snapshot_module
from napari_mtseg.storage.frozen_labels import chunk_name, freeze
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import load_snapshot, take_snapshot
from napari_mtseg.storage.write import read_json, write_json

SHAPE = (4, 6)


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "p", classes=["cell"])
    for i, name in enumerate("ab"):
        array = np.random.default_rng(i).integers(0, 99, SHAPE).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", array)
        made.add_image(tmp_path / f"{name}.tif")
    return made


@pytest.fixture
def file(project):
    (project.path / "runs" / "r1").mkdir(parents=True)
    return project.path / "runs" / "r1" / "snapshot.json"


def paint(project, image_id, object_id):
    entry = project.image(image_id)
    objects = np.zeros(SHAPE, np.uint32)
    objects[1, 2:4] = object_id
    annotation = replace(
        empty_annotation(SHAPE),
        partial=ObjectMasks(objects=objects, class_of={object_id: 1}),
        tags=Tags(scene=object_id),
    )
    project.save_annotation(entry, annotation)
    return annotation


def painted_ids(snapshot, image_id):
    entry = next(e for e in snapshot.images if e.id == image_id)
    found = snapshot.annotation(entry)
    return np.unique(found.partial.objects).tolist(), found.tags.scene


def chunks_of(project):
    return [f for f in (project.path / "chunks").rglob("*") if f.is_file()]


def test_a_snapshot_never_changes_whatever_is_painted_later(project, file):
    paint(project, "a", 5)
    taken = take_snapshot(project, file)
    paint(project, "a", 7)
    paint(project, "b", 8)
    project.update_image(project.image("a").changed({"split": "test"}))
    for snapshot in (taken, load_snapshot(Project.open(project.path), file)):
        assert painted_ids(snapshot, "a") == ([0, 5], 5)
        assert painted_ids(snapshot, "b") == ([0], None)
        assert [e.split for e in snapshot.images] == ["train", "train"]


def test_a_snapshot_can_hold_some_images_only(project, file):
    taken = take_snapshot(project, file, images=[project.image("b")])
    assert [e.id for e in taken.images] == ["b"]
    with pytest.raises(KeyError):
        taken.annotation(project.image("a"))


def test_identical_chunks_are_stored_once(project, file):
    paint(project, "a", 5)
    paint(project, "b", 5)
    take_snapshot(project, file)
    n = len(chunks_of(project))
    assert n == 3  # metadata of the two types of label, and one painted chunk
    take_snapshot(project, file.with_name("again.json"))
    assert len(chunks_of(project)) == n
    paint(project, "b", 6)
    take_snapshot(project, file.with_name("third.json"))
    assert len(chunks_of(project)) == n + 1


def test_a_stroke_in_the_middle_never_parts_pixels_from_their_class(
    project, file, monkeypatch
):
    paint(project, "a", 5)
    strokes = iter([6, 7])

    def freeze_while_painting(folder, chunks):
        for stroke in strokes:
            paint(project, "a", stroke)
            break
        return freeze(folder, chunks)

    monkeypatch.setattr(snapshot_module, "freeze", freeze_while_painting)
    taken = take_snapshot(project, file)
    found = taken.annotation(project.image("a")).partial
    found.class_map()
    assert dict(found.class_of) == {7: 1}
    assert np.unique(found.objects).tolist() == [0, 7]


def test_a_run_without_snapshot_is_one_sentence(project, file):
    with pytest.raises(RunError) as caught:
        load_snapshot(project, file)
    assert str(caught.value) == (
        "The run 'r1' has no snapshot.json: it was stopped before it began. Start a "
        "new run."
    )


@pytest.mark.parametrize("content", [[], {}, {"images": [1]}, {"images": [{}]}])
def test_a_file_that_is_no_snapshot_is_one_sentence(project, file, content):
    write_json(file, content)
    with pytest.raises(ProjectError, match=r"snapshot\.json' is damaged: it is no"):
        load_snapshot(project, file)


def test_a_damaged_entry_names_the_file(project, file):
    take_snapshot(project, file)
    content = read_json(file)
    del content["images"][0]["entry"]["shape"]
    write_json(file, content)
    with pytest.raises(ProjectError, match=r"snapshot\.json.*'shape' is missing"):
        load_snapshot(project, file)


def test_a_lost_chunk_is_one_sentence_that_names_it(project, file):
    paint(project, "a", 5)
    snapshot = take_snapshot(project, file)
    digest = read_json(file)["images"][0]["layers"]["partial"]["c/0/0"]
    lost = project.path / "chunks" / chunk_name(digest)
    lost.unlink()
    with pytest.raises(ProjectError) as caught:
        snapshot.annotation(project.image("a"))
    assert str(caught.value) == (
        f"'{lost}', a part of the labels that a run was trained on, is missing. Put "
        "back a copy of the file, or start a new run."
    )


def test_a_part_of_a_snapshot_is_that_part_of_the_whole(project):
    paint(project, "a", 7)
    entry = project.image("a")
    snapshot = take_snapshot(project, project.path / "s.json")
    whole = snapshot.annotation(entry).partial.objects
    (box,) = snapshot.extent(entry).boxes
    assert box == project.extent(entry).boxes[0]
    part = snapshot.annotation(entry, box=box).partial.objects
    np.testing.assert_array_equal(part, whole[box.slices])
    assert np.count_nonzero(part) == np.count_nonzero(whole)
