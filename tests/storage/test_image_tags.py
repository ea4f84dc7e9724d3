"""Tags of many images are saved without a look at their paint."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import (
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage import image_tags
from napari_mtseg.storage.annotation_files import FACTS
from napari_mtseg.storage.image_tags import (
    BlankLayers,
    TagChange,
    set_each_tags,
    set_tags,
    tags_in,
    tags_of,
)
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import take_snapshot
from tests.tiny_run import write_image

SHAPE = (4, 6)
DAY, NIGHT = 0, 1

TAGS = st.builds(
    Tags,
    scene=st.none() | st.integers(0, 3),
    present=st.dictionaries(st.integers(1, 4), st.booleans()),
    exhaustive=st.booleans(),
)
CHANGES = st.builds(
    TagChange,
    scene=st.just("keep") | st.none() | st.integers(0, 3),
    present=st.dictionaries(st.integers(1, 4), st.none() | st.booleans()),
    exhaustive=st.just("keep") | st.booleans(),
)


@pytest.fixture
def project(tmp_path):
    """Image 0 is painted on and tagged; nobody opened images 1 and 2."""
    made = Project.create(tmp_path / "p", classes=["a", "b"], scenes=["day", "night"])
    for seed in range(3):
        made.add_image(write_image(tmp_path / f"{seed}.tif", SHAPE, seed=seed))
    drawn = empty_annotation(SHAPE)
    drawn.partial.objects[1, 2] = 7
    drawn.scribbles[0, :3] = 1
    made.save_annotation(
        made.images[0],
        replace(
            drawn,
            partial=ObjectMasks(objects=drawn.partial.objects, class_of={7: 2}),
            complete=CompleteRegion(whole=True),
            tags=Tags(scene=DAY, present={2: True}, exhaustive=True),
            origin="imported",
        ),
    )
    return made


def files_below(folder):
    return {
        file.relative_to(folder).as_posix(): (
            file.read_bytes(),
            file.stat().st_mtime_ns,
        )
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_all_images_get_the_scene_and_keep_what_else_was_said(project):
    changed = set_tags(project, project.images, TagChange(scene=NIGHT))
    assert changed == project.images
    first, *others = (project.annotation(e).tags for e in project.images)
    assert first == Tags(scene=NIGHT, present={2: True}, exhaustive=True)
    assert others == [Tags(scene=NIGHT)] * 2


def test_each_image_can_get_tags_of_its_own(project):
    ids = [e.id for e in project.images]
    changes = {
        ids[0]: TagChange(scene=None, exhaustive=False),
        ids[2]: TagChange(present={1: False, 2: True}),
    }
    seen = []
    changed = set_each_tags(project, changes, progress=lambda *n: seen.append(n))
    assert [e.id for e in changed] == [ids[0], ids[2]]
    assert tags_of(project, project.images[0]) == Tags(present={2: True})
    assert tags_of(project, project.images[1]) == Tags()
    assert tags_of(project, project.images[2]) == Tags(present={1: False, 2: True})
    assert seen == [(1, 2), (2, 2)]


def test_paint_and_all_that_is_no_tag_stays(project):
    entry = project.images[0]
    folder = project.annotation_folder(entry)
    before, files = project.annotation(entry), files_below(folder)
    set_tags(project, [entry], TagChange(scene=NIGHT, present={1: True}))
    after = project.annotation(entry)
    assert (after.partial.objects == before.partial.objects).all()
    assert (after.scribbles == before.scribbles).all()
    assert after.partial.class_of == before.partial.class_of
    assert (after.complete, after.origin) == (before.complete, before.origin)
    now = files_below(folder)
    assert {name for name in now if now[name] != files.get(name)} == {FACTS}


def test_what_is_so_already_is_not_written(project):
    files = files_below(project.path)
    change = TagChange(scene=DAY, present={2: True, 1: None}, exhaustive=True)
    assert set_tags(project, project.images[:1], change) == ()
    assert set_tags(project, project.images[1:], TagChange(scene=None)) == ()
    assert files_below(project.path) == files


def test_an_image_with_tags_alone_counts_as_unpainted(project):
    entry = project.images[1]
    set_tags(project, [entry], TagChange(scene=NIGHT))
    annotation = project.annotation(entry)
    assert annotation.is_empty
    assert annotation.origin == "painted"
    assert not list(project.annotation_folder(entry).glob("*/c"))


@pytest.mark.parametrize("which", [1, 2])
def test_a_run_reads_the_tags_of_an_image_that_nobody_painted(project, which, tmp_path):
    # The second one gets copies of what was laid down for the first.
    set_tags(project, project.images[1:], TagChange(scene=NIGHT))
    frozen = take_snapshot(project, tmp_path / "snapshot.json")
    annotation = frozen.annotation(project.images[which])
    assert annotation.tags == Tags(scene=NIGHT)
    assert annotation.is_empty


def test_a_tagged_image_can_be_painted_on_later(project):
    set_tags(project, project.images[1:], TagChange(scene=NIGHT))
    entry = project.images[2]
    drawn = empty_annotation(SHAPE)
    drawn.scribbles[0, 0] = 3
    project.save_annotation(entry, drawn)
    assert np.array_equal(project.annotation(entry).scribbles, drawn.scribbles)


def test_label_arrays_of_a_size_are_described_once(project, monkeypatch):
    made = []
    save = image_tags.save_labels
    monkeypatch.setattr(
        image_tags,
        "save_labels",
        lambda *args: made.append(args[0].name) or save(*args),
    )
    blank = BlankLayers()
    for entry in project.images[1:]:
        set_tags(project, [entry], TagChange(scene=NIGHT), blank=blank)
    assert made == ["partial", "scribbles", "full"]


def test_nothing_is_changed_where_one_annotation_is_damaged(project):
    file = project.annotation_folder(project.images[0]) / FACTS
    file.write_text(json.dumps({"scene": 1}))
    with pytest.raises(AnnotationError, match="is damaged"):
        set_tags(project, project.images[::-1], TagChange(scene=NIGHT))
    assert tags_of(project, project.images[2]) == Tags()


@pytest.mark.parametrize(
    "change", [TagChange(scene=2), TagChange(scene=-1), TagChange(present={3: True})]
)
def test_a_scene_or_class_that_is_none_is_an_error_of_the_caller(project, change):
    with pytest.raises(ValueError, match="there is no"):
        set_tags(project, project.images, change)


def test_no_facts_are_no_tags():
    assert tags_in(None) == Tags()


def test_a_change_that_says_nothing_is_empty():
    assert TagChange().is_empty
    assert not TagChange(scene=None).is_empty
    assert not TagChange(exhaustive=False).is_empty


@given(TAGS, CHANGES)
def test_a_change_made_twice_is_as_good_as_once(tags, change):
    once = change.applied_to(tags)
    assert change.applied_to(once) == once


@given(TAGS)
def test_an_empty_change_keeps_all_tags(tags):
    assert TagChange().applied_to(tags) == tags


@given(TAGS, CHANGES)
def test_what_a_change_says_holds_afterwards(tags, change):
    after = change.applied_to(tags)
    assert all(after.present.get(k) == v for k, v in change.present.items())
    kept = tags.present.keys() - change.present.keys()
    assert all(after.present[k] == tags.present[k] for k in kept)
    assert after.scene == (tags.scene if change.scene == "keep" else change.scene)
