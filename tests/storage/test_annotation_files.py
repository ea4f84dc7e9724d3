import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError, StorageError
from napari_mtseg.storage import annotation_files
from napari_mtseg.storage.annotation_files import (
    FACTS,
    LAYERS,
    annotation_from,
    facts_of,
    load_annotation,
    load_complete,
    read_unchanged,
    save_annotation,
)

SHAPES = [(4, 6), (3, 4, 6)]


def painted(shape, class_of=None, complete=None):
    """Objects 1 and 9, each a pixel, in both object layers."""
    objects = np.zeros(shape, np.uint32)
    ids = sorted(class_of or {1: 1, 9: 2})
    objects.reshape(-1)[: len(ids)] = ids
    scribbles = np.zeros(shape, np.uint8)
    scribbles.reshape(-1)[-3:] = (1, 2, 3)
    masks = ObjectMasks(objects=objects, class_of=class_of or {1: 1, 9: 2})
    region = CompleteRegion() if complete is None else complete
    return Annotation(partial=masks, scribbles=scribbles, full=masks, complete=region)


def assert_same(found, expected):
    for a, b in ((found.partial, expected.partial), (found.full, expected.full)):
        assert np.array_equal(a.objects, b.objects)
        assert a.objects.dtype == np.uint32
        assert dict(a.class_of) == dict(b.class_of)
    assert np.array_equal(found.scribbles, expected.scribbles)
    assert found.scribbles.dtype == np.uint8
    assert found.complete == expected.complete
    assert found.tags == expected.tags
    assert found.origin == expected.origin


@pytest.mark.parametrize("shape", SHAPES)
def test_an_annotation_comes_back_whole(tmp_path, shape):
    n = len(shape)
    annotation = replace(
        painted(shape),
        complete=CompleteRegion(
            boxes=(Box(start=(0,) * n, stop=(2,) * n), Box(start=(1,) * n, stop=shape)),
            slices=(0, 2),
        ),
        tags=Tags(scene=1, present={1: True, 3: False}, exhaustive=True),
        origin="accepted run-a",
    )
    save_annotation(tmp_path / "a", annotation)
    assert_same(load_annotation(tmp_path / "a", shape), annotation)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_that_nobody_painted_has_an_empty_annotation(tmp_path, shape):
    assert_same(load_annotation(tmp_path / "a", shape), empty_annotation(shape))


def test_numpy_integers_can_be_saved(tmp_path):
    one, two = np.uint32(1), np.int64(2)
    annotation = replace(
        painted((4, 6), {one: np.uint8(1), two: np.uint8(2)}),
        complete=CompleteRegion(
            whole=np.bool_(False), boxes=(Box(start=(one, one), stop=(two, two)),)
        ),
        tags=Tags(scene=np.int64(0), present={np.uint8(1): np.bool_(True)}),
    )
    save_annotation(tmp_path / "a", annotation)
    assert_same(load_annotation(tmp_path / "a", (4, 6)), annotation)


def test_saving_again_writes_no_chunk(tmp_path):
    assert save_annotation(tmp_path / "a", painted((4, 6))) == len(LAYERS)
    before = (tmp_path / "a" / FACTS).stat().st_ino
    assert save_annotation(tmp_path / "a", painted((4, 6))) == 0
    assert (tmp_path / "a" / FACTS).stat().st_ino == before


def test_a_changed_tag_writes_no_chunk(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6)))
    tagged = replace(painted((4, 6)), tags=Tags(exhaustive=True))
    assert save_annotation(tmp_path / "a", tagged) == 0
    assert load_annotation(tmp_path / "a", (4, 6)).tags.exhaustive


BEFORE = {1: 1, 9: 2}
AFTER = {2: 2, 9: 1}
WHOLE = CompleteRegion(whole=True)


class CrashError(Exception):
    """The process dies here."""


def crash_at(monkeypatch, n):
    """Let the ``n``-th file that is put in its place be the last one."""
    replace_file = os.replace
    calls = iter(range(n))

    def crashing(source, target):
        if next(calls, None) is None:
            raise CrashError
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", crashing)


@pytest.mark.parametrize("n_written", range(5))
def test_a_crash_never_leaves_pixels_without_class(tmp_path, monkeypatch, n_written):
    save_annotation(tmp_path / "a", painted((4, 6), BEFORE))
    crash_at(monkeypatch, n_written)
    if n_written < 4:
        with pytest.raises(CrashError):
            save_annotation(tmp_path / "a", painted((4, 6), AFTER))
    else:
        save_annotation(tmp_path / "a", painted((4, 6), AFTER))
    found = load_annotation(tmp_path / "a", (4, 6))
    found.partial.class_map()
    found.full.class_map()


@pytest.mark.parametrize("n_written", range(8))
def test_a_crash_never_leaves_a_complete_region_without_its_masks(
    tmp_path, monkeypatch, n_written
):
    crash_at(monkeypatch, n_written)
    try:
        save_annotation(tmp_path / "a", painted((4, 6), BEFORE, WHOLE))
    except CrashError:
        found = load_annotation(tmp_path / "a", (4, 6))
        assert found.complete.is_empty
    else:
        found = load_annotation(tmp_path / "a", (4, 6))
        assert found.complete.whole
        assert found.full.objects.any()


def test_objects_that_were_erased_leave_the_table(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6), BEFORE))
    save_annotation(tmp_path / "a", painted((4, 6), AFTER))
    assert load_annotation(tmp_path / "a", (4, 6)).partial.class_of == AFTER


def test_a_full_disk_is_one_sentence_and_the_old_annotation_still_loads(
    tmp_path, monkeypatch
):
    save_annotation(tmp_path / "a", painted((4, 6), BEFORE, WHOLE))

    def full(*args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match=r"is full .* what was saved before is unto"):
        save_annotation(tmp_path / "a", painted((4, 6), AFTER))
    monkeypatch.undo()
    found = load_annotation(tmp_path / "a", (4, 6))
    assert_same(found, painted((4, 6), BEFORE, WHOLE))


def test_a_disk_that_fills_up_after_the_table_keeps_the_old_pixels(
    tmp_path, monkeypatch
):
    save_annotation(tmp_path / "a", painted((4, 6), BEFORE))
    replace_file = os.replace

    def full_for_chunks(source, target):
        if target.name != FACTS:
            raise OSError(errno.ENOSPC, "full")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", full_for_chunks)
    with pytest.raises(StorageError):
        save_annotation(tmp_path / "a", painted((4, 6), {3: 1}))
    monkeypatch.undo()
    found = load_annotation(tmp_path / "a", (4, 6)).partial
    assert found.class_map().tolist() == painted((4, 6)).partial.class_map().tolist()


def test_an_annotation_of_another_shape_is_refused_before_anything_is_written(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6)))
    with pytest.raises(ValueError, match=r"is \[4, 6\], not \[4, 7\]"):
        save_annotation(tmp_path / "a", painted((4, 7)))
    assert_same(load_annotation(tmp_path / "a", (4, 6)), painted((4, 6)))


def test_labels_that_do_not_fit_their_image_are_one_sentence(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6)))
    with pytest.raises(AnnotationError) as caught:
        load_annotation(tmp_path / "a", (5, 6))
    assert str(caught.value) == (
        f"The partial labels in '{tmp_path / 'a'}' are 4 x 6 pixels but their image is "
        "5 x 6. Relink the image that was painted on, or delete this annotation folder."
    )


def test_facts_that_are_no_json_are_refused(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6)))
    (tmp_path / "a" / FACTS).write_text("{")
    with pytest.raises(ProjectError, match="is damaged"):
        load_annotation(tmp_path / "a", (4, 6))


@pytest.mark.parametrize(
    "change",
    [
        {"complete": None},
        {"complete": {"whole": True, "boxes": [[1]], "slices": []}},
        {"partial_classes": {"a": 1}},
        {"full_classes": [1]},
        {"scene": "day"},
    ],
)
def test_facts_of_another_kind_are_refused(tmp_path, change):
    facts = {**facts_of(painted((4, 6))), **change}
    with pytest.raises(AnnotationError, match=r"'mine\.json' is damaged"):
        annotation_from(facts, {}, name="mine.json")


def test_facts_without_an_entry_are_refused():
    with pytest.raises(AnnotationError, match="KeyError 'complete'"):
        annotation_from({}, {})


def test_a_stroke_that_comes_while_reading_is_read_with_its_class(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6), BEFORE))
    strokes = iter([{4: 1}, {5: 2}])

    def read():
        for stroke in strokes:
            save_annotation(tmp_path / "a", painted((4, 6), stroke))
            return stroke
        return None

    facts, found = read_unchanged(tmp_path / "a", read)
    assert found is None
    assert facts["partial_classes"] == {"5": 2}


def test_facts_that_never_hold_still_are_one_sentence(tmp_path):
    save_annotation(tmp_path / "a", painted((4, 6)))
    file = tmp_path / "a" / FACTS
    n = iter(range(annotation_files._TRIES + 1))
    with pytest.raises(ProjectError, match="faster than it can be read"):
        read_unchanged(
            tmp_path / "a", lambda: file.write_text(json.dumps({"n": next(n)}))
        )


def test_a_part_is_read_with_the_region_in_its_own_indices(tmp_path):
    region = CompleteRegion(boxes=(Box(start=(1, 1), stop=(4, 3)),))
    save_annotation(tmp_path / "a", painted((4, 6), complete=region))
    box = Box(start=(2, 2), stop=(4, 6))
    found = load_annotation(tmp_path / "a", (4, 6), box=box)
    assert found.shape == (2, 4)
    assert found.scribbles.tolist() == [[0] * 4, [0, 1, 2, 3]]
    assert found.complete.boxes == (Box(start=(0, 0), stop=(2, 1)),)
    assert load_complete(tmp_path / "a") == region


def test_a_part_is_saved_without_touching_the_rest(tmp_path):
    folder, shape = tmp_path / "a", (4, 6)
    save_annotation(folder, painted(shape))
    box = Box(start=(2, 0), stop=(4, 2))
    part = painted((2, 2), class_of={1: 1, 9: 2, 5: 1})
    save_annotation(folder, part, box=box, shape=shape)
    found = load_annotation(folder, shape)
    assert found.partial.objects[2].tolist() == [1, 5, 0, 0, 0, 0]
    assert found.partial.objects[0].tolist() == [1, 9, 0, 0, 0, 0]
    assert dict(found.partial.class_of) == {1: 1, 5: 1, 9: 2}
    assert found.scribbles.ravel()[-3:].tolist() == [1, 2, 3]


def test_the_complete_region_of_nothing_is_empty(tmp_path):
    assert load_complete(tmp_path / "a").is_empty
