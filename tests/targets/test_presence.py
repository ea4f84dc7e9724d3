"""What is known of whole images: absence only where paint or a tag tells it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_SEPARATOR,
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.targets.class_map import known_classes
from napari_mtseg.targets.presence import (
    NO_SCENE,
    NOT_SAID,
    contradicted_tags,
    occurring_classes,
    presence_facts,
)

NOTHING = empty_annotation((1, 4))
WHOLE = CompleteRegion(whole=True)
NONE, ALL = [0, 0, 0, 0], [1, 1, 1, 1]


def scribbled(*classes: int, **tags) -> Annotation:
    """Return an image of four pixels, the first of which are painted as classes."""
    scribbles = NOTHING.scribbles.copy()
    codes = [SCRIBBLE_BACKGROUND if k == BACKGROUND else k + 2 for k in classes]
    scribbles[0, : len(codes)] = codes
    return replace(NOTHING, scribbles=scribbles, tags=Tags(**tags))


def outlined(complete: CompleteRegion, **tags) -> Annotation:
    """Return an image with one full mask of class 2."""
    full = ObjectMasks(objects=np.array([[7, 0, 0, 0]], np.uint32), class_of={7: 2})
    return replace(NOTHING, full=full, complete=complete, tags=Tags(**tags))


def fact(name: str, annotation: Annotation) -> list[int]:
    return presence_facts(annotation, n_classes=3)[name].tolist()


def test_facts_are_whole_numbers_of_one_shape_for_all_images():
    for annotation in (NOTHING, scribbled(1, scene=2), outlined(WHOLE)):
        facts = presence_facts(annotation, n_classes=3)
        shapes = {name: values.shape for name, values in facts.items()}
        assert shapes == {"scene": (), "settled": (4,), "tagged": (4,)}
        assert {values.dtype for values in facts.values()} == {np.dtype(np.int64)}


def test_an_image_without_a_scene_is_of_no_scene():
    assert fact("scene", scribbled(scene=0)) == 0
    assert fact("scene", NOTHING) == NO_SCENE


def test_unpainted_pixels_settle_nothing():
    assert fact("settled", NOTHING) == NONE
    assert fact("settled", scribbled(0, 1, 2)) == NONE


def test_an_image_known_in_every_pixel_settles_all_classes():
    assert fact("settled", scribbled(0, 0, 1, 2)) == ALL
    assert fact("settled", outlined(WHOLE)) == ALL
    assert fact("settled", outlined(CompleteRegion())) == NONE


def test_a_class_that_is_tagged_absent_is_settled():
    annotation = scribbled(0, 1, present={2: False, 1: True})
    assert fact("settled", annotation) == [0, 0, 1, 0]
    assert fact("tagged", annotation) == [NOT_SAID, 1, 0, NOT_SAID]


def test_tags_hold_of_images_without_paint():
    assert fact("settled", scribbled(present={2: False})) == [0, 0, 1, 0]


def test_classes_without_a_mark_are_settled_where_every_object_is_marked():
    assert fact("settled", scribbled(1, exhaustive=True)) == [0, 0, 1, 1]
    assert fact("settled", scribbled(0, exhaustive=True)) == [0, 1, 1, 1]


def test_full_masks_are_marks_even_where_they_do_not_count():
    annotation = outlined(CompleteRegion(), exhaustive=True)
    assert fact("settled", annotation) == [0, 1, 0, 1]


def test_every_object_is_marked_says_nothing_before_anything_is_painted():
    assert fact("settled", scribbled(exhaustive=True)) == NONE


def test_a_class_that_is_tagged_present_is_not_settled_for_want_of_a_mark():
    annotation = scribbled(1, exhaustive=True, present={2: True})
    assert fact("settled", annotation) == [0, 0, 0, 1]
    assert fact("tagged", annotation) == [NOT_SAID, NOT_SAID, 1, NOT_SAID]
    assert contradicted_tags(annotation) == set()


@pytest.mark.parametrize(
    "painted",
    [
        scribbled(2, present={2: False, 3: False}),
        outlined(CompleteRegion(), present={2: False, 3: False}),
    ],
)
def test_paint_wins_over_a_tag_that_the_class_is_absent(painted):
    assert contradicted_tags(painted) == {2}
    assert fact("settled", painted) == [0, 0, 0, 1]
    assert fact("tagged", painted) == [NOT_SAID, NOT_SAID, NOT_SAID, 0]


def test_paint_of_every_pixel_wins_over_a_tag_that_the_class_is_present():
    painted = outlined(WHOLE, present={1: True, 2: True})
    assert contradicted_tags(painted) == {1}
    assert fact("tagged", painted) == [NOT_SAID, NOT_SAID, 1, NOT_SAID]


def test_paint_that_stronger_paint_hides_contradicts_nothing():
    partial = ObjectMasks(objects=np.array([[7, 0, 0, 0]], np.uint32), class_of={7: 2})
    painted = replace(scribbled(1, present={2: False}), partial=partial)
    assert contradicted_tags(painted) == set()


def test_tags_of_classes_that_a_project_lacks_are_left_out():
    assert fact("tagged", scribbled(present={9: True, 0: True})) == [NOT_SAID] * 4


def test_unknown_is_no_class():
    assert occurring_classes(np.array([[IGNORE, 3, 0]], np.uint8)) == {0, 3}


@given(
    arrays(np.uint8, (1, 2, 2), elements=st.integers(0, 5)),
    st.dictionaries(st.integers(1, 3), st.booleans()),
    st.booleans(),
)
def test_what_is_settled_follows_from_paint_and_tags(scribbles, present, exhaustive):
    tags = Tags(present=present, exhaustive=exhaustive)
    annotation = replace(
        empty_annotation(scribbles.shape), scribbles=scribbles, tags=tags
    )
    known = known_classes(annotation)
    settled = fact("settled", annotation)
    if not (known == IGNORE).any():
        assert settled == ALL
        return
    assert not settled[BACKGROUND]
    for k in range(1, 4):
        absent = present.get(k) is False
        all_marked = exhaustive and scribbles.any() and not present.get(k)
        assert settled[k] == (k not in known and bool(absent or all_marked))


def test_a_separator_is_no_mark_of_a_class():
    scribbles = np.array([[SCRIBBLE_SEPARATOR, 0, 0, 0]], np.uint8)
    annotation = replace(NOTHING, scribbles=scribbles, tags=Tags(exhaustive=True))
    assert fact("settled", annotation) == [0, 1, 1, 1]
