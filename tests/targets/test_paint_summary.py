"""What is counted, and the sentences that follow, word for word."""

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
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    added_up,
    shared_notices,
    shared_problems,
    summarise,
    summary_of,
)

NOTHING = empty_annotation((4, 80))


def scribbled(*values: int, **rest) -> Annotation:
    scribbles = np.zeros((4, 80), np.uint8)
    scribbles[0, : len(values)] = values
    return replace(NOTHING, scribbles=scribbles, **rest)


def masked(*ids: int, class_of=None) -> Annotation:
    objects = np.zeros((4, 80), np.uint32)
    objects[1, : len(ids)] = ids
    return replace(
        NOTHING,
        partial=ObjectMasks(
            objects=objects, class_of=class_of or dict.fromkeys(ids, 1)
        ),
    )


def test_paint_is_counted_over_images():
    full = replace(NOTHING, full=masked(5).partial, complete=CompleteRegion(whole=True))
    paint = summarise([NOTHING, scribbled(1, 2), masked(4, 4, 9), full])
    assert paint == PaintSummary(
        n_images=3,
        n_unpainted=1,
        n_full=1,
        n_whole=1,
        n_object_pixels=1,
        n_background_pixels=4 * 80 - 1,
        n_full_open=0,
        n_partial=1,
        n_partial_objects=2,
        n_scribbled=1,
        has_strokes=False,
        n_separated=1,
        classes=frozenset({1}),
        has_background=True,
        has_far_background=False,
        n_conflicts=0,
    )


@pytest.mark.parametrize(
    ("strokes", "n_whole"), [((), 1), ((3,), 1), ((1,), 0), ((2,), 0), ((4,), 0)]
)
@pytest.mark.parametrize(
    "everywhere",
    [
        CompleteRegion(whole=True),
        CompleteRegion(boxes=(Box(start=(0, 0), stop=(4, 80)),)),
    ],
)
def test_an_image_is_whole_unless_a_scribble_contradicts_or_separates(
    strokes, n_whole, everywhere
):
    objects = np.zeros((4, 80), np.uint32)
    objects[0, :2] = 5
    full = ObjectMasks(objects=objects, class_of={5: 1})
    paint = summary_of(scribbled(*strokes, full=full, complete=everywhere))
    assert (paint.n_full, paint.n_whole) == (1, n_whole)


def test_a_complete_part_is_no_whole_image():
    part = CompleteRegion(boxes=(Box(start=(0, 0), stop=(4, 79)),))
    paint = summary_of(replace(NOTHING, complete=part))
    assert (paint.n_full, paint.n_whole) == (1, 0)


def test_counts_of_single_images_add_up():
    both = replace(masked(5, 5), scribbles=scribbled(0, 0).scribbles.copy())
    both.scribbles[1, 0] = 1
    images = [NOTHING, scribbled(1, 2, 4), masked(4, 4, 9), both]
    parts = [summary_of(image) for image in images]
    assert added_up(parts) == added_up(reversed(parts)) == summarise(images)
    assert added_up(parts).n_partial_objects == 3
    assert added_up([]) == summarise([]) == PaintSummary()


def test_full_masks_without_a_complete_region_do_not_count_and_that_is_said():
    open_masks = replace(NOTHING, full=masked(5).partial)
    paint = summarise([open_masks, scribbled(1, 3)])
    assert (paint.n_images, paint.n_full, paint.n_full_open) == (1, 0, 1)
    assert shared_notices(paint, n_classes=1) == (
        "The full masks of 1 image do not count yet: mark the region in which every "
        "object is outlined as complete.",
    )
    (notice,) = shared_notices(paint + summarise([open_masks]), n_classes=1)
    assert notice.startswith("The full masks of 2 images do not count yet:")


def test_strokes_of_a_class_are_told_from_background():
    assert summarise([scribbled(4)]).has_strokes
    assert summarise([scribbled(4)]).classes == {2}
    assert not summarise([scribbled(1)]).has_strokes


def test_far_background_respects_the_voxel_size():
    scribbles = np.zeros((4, 20), np.uint8)
    scribbles[0, 0] = 3
    drawn = replace(
        empty_annotation((4, 20)), scribbles=scribbles, tags=Tags(exhaustive=True)
    )
    assert not summarise([drawn]).has_far_background
    assert summarise([drawn], spacing=(12.0, 1.0)).has_far_background


@pytest.mark.parametrize(
    ("annotations", "n_classes", "sentences"),
    [
        (
            [NOTHING],
            1,
            [
                "Nothing is painted on the training images. Paint at least one object "
                "and some background."
            ],
        ),
        (
            [scribbled(1)],
            1,
            ["Only background is painted. Paint at least one object of a class."],
        ),
        (
            [masked(5)],
            1,
            [
                "Only one class is painted and no background. Paint one background "
                "stroke, or tick 'every object is marked'."
            ],
        ),
        (
            [masked(5)],
            2,
            [
                "Labels of one class only and no background were found. Paint one "
                "background stroke or another class."
            ],
        ),
        ([scribbled(1, 3)], 1, []),
        ([scribbled(3, 4)], 2, []),
        ([scribbled(3, tags=Tags(exhaustive=True))], 1, []),
    ],
)
def test_what_is_missing_is_said(annotations, n_classes, sentences):
    paint = summarise(annotations)
    assert list(shared_problems(paint, n_classes=n_classes)) == sentences


def test_background_is_not_asked_for_where_the_rest_will_be_background():
    paint = summarise([masked(5)])
    assert shared_problems(paint, n_classes=1, needs_background=False) == ()


def test_missing_classes_are_named():
    assert shared_notices(summarise([scribbled(1, 4)]), n_classes=4) == (
        "No paint for classes 1, 3, 4: they cannot be learned.",
    )


def test_one_missing_class_is_named():
    named = shared_notices(
        summarise([scribbled(1, 4)]), n_classes=2, names=("nucleus", "debris")
    )
    assert named == ("No paint for class nucleus: it cannot be learned.",)
    assert shared_notices(summarise([scribbled(1, 4)]), n_classes=2) == (
        "No paint for class 1: it cannot be learned.",
    )


def test_disagreements_are_counted():
    both = replace(masked(5, 5), scribbles=scribbled(0, 0).scribbles.copy())
    both.scribbles[1, 0] = 1
    assert shared_notices(summarise([both]), n_classes=1) == (
        "Annotations disagree on 1 pixel; there a scribble wins over a full mask, and "
        "a full mask over a partial mask.",
    )


def test_inferred_background_is_said():
    paint = summarise([scribbled(3, tags=Tags(exhaustive=True))])
    assert shared_notices(paint, n_classes=1) == (
        "No background is painted: pixels far from every mark count as background at a "
        "low weight.",
    )


def test_scenes_are_counted_with_and_without_paint():
    tagged = [scribbled(tags=Tags(scene=1)), scribbled(1, tags=Tags(scene=1))]
    tagged.append(scribbled(1, 3, tags=Tags(scene=0)))
    paint = summarise([NOTHING, *tagged])
    assert (paint.n_images, paint.scenes) == (2, {0, 1})
    assert paint.painted_scenes == {0, 1}
    assert summarise(tagged[:1]).painted_scenes == frozenset()
    assert (paint.n_scene_tagged, paint.n_tagged_only) == (3, 1)


def test_unpainted_images_with_a_scene_or_class_tag_are_counted_once():
    tagged = [
        Tags(scene=0),
        Tags(present={1: False}),
        Tags(scene=0, present={1: True}),
        Tags(exhaustive=True),
    ]
    paint = summarise([replace(NOTHING, tags=tags) for tags in tagged])
    assert (paint.n_images, paint.n_tagged_only, paint.n_scene_tagged) == (0, 3, 2)


def test_tags_that_paint_contradicts_are_counted():
    absent = Tags(present={1: False, 2: False})
    wrong = scribbled(3, 4, tags=absent)
    paint = summarise([wrong, scribbled(1, tags=absent), NOTHING])
    assert paint.n_tag_conflicts == 1
