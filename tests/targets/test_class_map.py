"""Unpainted is unknown; scribble wins over full mask over partial mask."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.targets.class_map import (
    far_background,
    full_classes,
    known_classes,
    known_objects,
    n_conflicting_pixels,
    partial_classes,
    scribbled_classes,
    undisputed_complete,
    undisputed_partial,
    with_far_background,
)

WHOLE = CompleteRegion(whole=True)


def masks(rows, class_of=None) -> ObjectMasks:
    objects = np.array(rows, np.uint32)
    ids = np.unique(objects[objects > 0]).tolist()
    return ObjectMasks(objects=objects, class_of=class_of or dict.fromkeys(ids, 1))


def annotation(*, partial=None, scribbles=None, full=None, **rest) -> Annotation:
    shape = next(np.shape(x) for x in (partial, scribbles, full) if x is not None)
    drawn = empty_annotation(shape)
    return Annotation(
        partial=drawn.partial if partial is None else masks(partial),
        scribbles=drawn.scribbles
        if scribbles is None
        else np.array(scribbles, np.uint8),
        full=drawn.full if full is None else masks(full),
        **rest,
    )


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    shape = draw(st.sampled_from([(4, 5), (2, 3, 4)]))
    ids = st.sampled_from([0, 0, 1, 2, 4_000_000_000])
    class_of = {1: 1, 2: 2, 4_000_000_000: 1}
    return Annotation(
        partial=ObjectMasks(
            objects=draw(arrays(np.uint32, shape, elements=ids)), class_of=class_of
        ),
        full=ObjectMasks(
            objects=draw(arrays(np.uint32, shape, elements=ids)), class_of=class_of
        ),
        scribbles=draw(arrays(np.uint8, shape, elements=st.integers(0, 4))),
        complete=draw(
            st.sampled_from(
                [
                    CompleteRegion(),
                    WHOLE,
                    CompleteRegion(
                        boxes=(Box(start=(0,) * len(shape), stop=(2,) * len(shape)),)
                    ),
                ]
            )
        ),
    )


def test_scribbles_say_class_background_or_nothing():
    said = scribbled_classes(np.array([[0, 1, 2, 3, 4]], np.uint8))
    assert said.tolist() == [[IGNORE, BACKGROUND, IGNORE, 1, 2]]


def test_full_masks_count_in_complete_regions_only():
    full = [[0, 7, 0, 7]]
    assert (full_classes(annotation(full=full)) == IGNORE).all()
    assert full_classes(annotation(full=full, complete=WHOLE)).tolist() == [
        [BACKGROUND, 1, BACKGROUND, 1]
    ]
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 2)),))
    assert full_classes(annotation(full=full, complete=box)).tolist() == [
        [BACKGROUND, 1, IGNORE, IGNORE]
    ]


def test_a_complete_plane_says_nothing_of_the_others():
    drawn = annotation(full=[[[5, 0]], [[5, 0]]], complete=CompleteRegion(slices=(1,)))
    assert full_classes(drawn).tolist() == [[[IGNORE, IGNORE]], [[1, BACKGROUND]]]


def test_outside_partial_masks_nothing_is_known():
    assert partial_classes(annotation(partial=[[0, 3, 3]])).tolist() == [[IGNORE, 1, 1]]


def test_scribble_wins_over_full_mask_over_partial_mask():
    drawn = annotation(
        partial=[[1, 1, 1, 0]],
        full=[[0, 0, 1, 0]],
        scribbles=[[3, 0, 1, 0]],
        complete=WHOLE,
    )
    assert known_classes(drawn).tolist() == [[1, BACKGROUND, BACKGROUND, BACKGROUND]]
    assert n_conflicting_pixels(drawn) == 3


@given(annotations())
def test_every_pixel_is_of_the_strongest_layer_that_knows_it(drawn):
    layers = (
        scribbled_classes(drawn.scribbles),
        full_classes(drawn),
        partial_classes(drawn),
    )
    known = known_classes(drawn)
    for place in np.ndindex(drawn.shape):
        said = [int(layer[place]) for layer in layers if layer[place] != IGNORE]
        assert known[place] == (said[0] if said else IGNORE)


@given(annotations())
def test_separators_and_unpainted_pixels_change_nothing(drawn):
    quiet = replace(drawn, scribbles=np.where(drawn.scribbles == 2, 0, drawn.scribbles))
    assert np.array_equal(known_classes(quiet), known_classes(drawn))


@given(annotations())
def test_known_foreground_bears_an_object_or_stroke_of_its_class(drawn):
    known, objects = known_classes(drawn), known_objects(drawn)
    foreground = (known != IGNORE) & (known != BACKGROUND)
    assert (objects[foreground] > 0).all()


def test_undisputed_masks_give_way_to_scribbles_that_contradict_and_to_separators():
    ones, strokes = [[1] * 5], [[1, 2, 3, 4, 0]]
    drawn = annotation(partial=ones, scribbles=strokes)
    assert undisputed_partial(drawn).tolist() == [[0, 0, 1, 0, 1]]
    drawn = annotation(full=ones, scribbles=strokes, complete=WHOLE)
    assert undisputed_complete(drawn).tolist() == [[0, 0, 1, 0, 1]]
    drawn = annotation(full=[[0] * 5], scribbles=strokes, complete=WHOLE)
    assert undisputed_complete(drawn).tolist() == [[1, 0, 0, 0, 1]]


def test_undisputed_partial_masks_give_way_to_full_masks_that_count():
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 2)),))
    drawn = annotation(partial=[[7, 7, 7]], full=[[0, 7, 7]], complete=box)
    assert undisputed_partial(drawn).tolist() == [[0, 0, 7]]
    assert undisputed_complete(drawn).tolist() == [[1, 1, 0]]


@given(annotations())
def test_undisputed_masks_say_what_is_known_and_scribbles_that_agree_are_idle(drawn):
    partial, complete = undisputed_partial(drawn), undisputed_complete(drawn)
    known = known_classes(drawn)
    inside = partial > 0
    assert not (inside & complete).any()
    assert (known[inside] == partial_classes(drawn)[inside]).all()
    assert (known[complete] == full_classes(drawn)[complete]).all()
    said = scribbled_classes(drawn.scribbles)
    agrees = (said != IGNORE) & np.where(
        drawn.complete.mask(drawn.shape),
        said == full_classes(drawn),
        said == partial_classes(drawn),
    )
    quiet = replace(drawn, scribbles=np.where(agrees, 0, drawn.scribbles))
    assert np.array_equal(undisputed_partial(quiet), partial)
    assert np.array_equal(undisputed_complete(quiet), complete)


def test_objects_of_three_layers_have_different_ids():
    drawn = annotation(
        partial=[[4_294_967_295, 0, 0, 0]],
        full=[[0, 4_294_967_295, 0, 0]],
        scribbles=[[0, 0, 0, 3]],
        complete=WHOLE,
    )
    found = known_objects(drawn)[0]
    assert found[2] == 0
    assert len(set(found.tolist())) == 4


def test_full_masks_win_over_the_ids_of_partial_masks():
    drawn = annotation(partial=[[1, 1, 0]], full=[[0, 9, 9]], complete=WHOLE)
    first, *others = known_objects(drawn)[0].tolist()
    assert others[0] == others[1] != first


@pytest.mark.parametrize("layer", ["partial", "full"])
def test_a_stroke_belongs_to_each_object_of_its_class_that_it_runs_over(layer):
    drawn = annotation(
        **{layer: [[8, 8, 9, 9, 0, 0]]},
        scribbles=[[0, 3, 3, 0, 0, 0]],
        complete=CompleteRegion(whole=layer == "full"),
    )
    first, also_first, second, also_second, *rest = known_objects(drawn)[0]
    assert 0 < first == also_first != second == also_second > 0
    assert rest == [0, 0]


def test_a_stroke_is_an_object_of_its_own_beside_masks_and_against_them():
    strokes = [[3, 3, 3, 3, 4, 4]]
    drawn = annotation(partial=[[0, 8, 0, 0, 8, 8]], scribbles=strokes)
    before, on, after, _, against, _ = known_objects(drawn)[0]
    assert before == after == against > 0
    assert 0 < on != before


def test_a_stroke_on_a_partial_mask_that_a_full_mask_denies_is_its_own():
    drawn = annotation(
        partial=[[8, 8, 8]], full=[[0, 0, 0]], scribbles=[[0, 3, 0]], complete=WHOLE
    )
    left, middle, _ = known_objects(drawn)[0]
    assert middle not in (0, left)


@given(annotations())
def test_strokes_that_agree_with_masks_leave_their_objects_whole(drawn):
    said = scribbled_classes(drawn.scribbles)
    masks = replace(drawn, scribbles=np.zeros_like(drawn.scribbles))
    agrees = (said != IGNORE) & (said == known_classes(masks))
    objects, of_masks = known_objects(drawn), known_objects(masks)
    assert np.array_equal(objects[agrees], of_masks[agrees])
    unscribbled = drawn.scribbles == 0
    assert np.array_equal(objects[unscribbled], of_masks[unscribbled])


@pytest.mark.parametrize("exhaustive", [False, True])
def test_far_background_needs_the_tag(exhaustive):
    scribbles = np.zeros((1, 100), np.uint8)
    scribbles[0, 0] = 3
    drawn = annotation(scribbles=scribbles, tags=Tags(exhaustive=exhaustive))
    expected = (np.arange(100) > 32) & exhaustive
    assert far_background(drawn).tolist() == [expected.tolist()]


def test_far_background_keeps_two_diameters_of_large_objects():
    partial = np.zeros((41, 200), np.uint32)
    y, x = np.mgrid[:41, :200]
    partial[np.hypot(y - 20, x) <= 20] = 1
    drawn = annotation(partial=partial, tags=Tags(exhaustive=True))
    area = np.count_nonzero(partial)
    reach = 2 * 2 * np.sqrt(area / np.pi)
    assert far_background(drawn)[20].tolist() == (np.arange(200) > 20 + reach).tolist()


def test_strokes_inside_a_mask_do_not_shrink_the_reach_of_its_background():
    partial, scribbles = np.zeros((41, 200), np.uint32), np.zeros((41, 200), np.uint8)
    partial[:, :20] = 1
    masked = annotation(partial=partial, tags=Tags(exhaustive=True))
    scribbles[5::10, 2:18] = 3
    both = replace(masked, scribbles=scribbles)
    assert np.array_equal(far_background(both), far_background(masked))


def test_far_background_measures_thick_planes_as_thick():
    scribbles = np.zeros((6, 1, 1), np.uint8)
    scribbles[0] = 3
    drawn = annotation(scribbles=scribbles, tags=Tags(exhaustive=True))
    far = far_background(drawn, spacing=(5.0, 0.5, 0.5))
    assert far[:, 0, 0].tolist() == [False] * 4 + [True] * 2


def test_a_background_stroke_is_no_mark_of_an_object():
    scribbles = np.ones((1, 100), np.uint8)
    drawn = annotation(scribbles=scribbles, tags=Tags(exhaustive=True))
    assert not far_background(drawn).any()


def test_inferred_background_weighs_less_and_never_overrides_paint():
    known = np.array([[1, IGNORE, IGNORE, BACKGROUND]], np.uint8)
    far = np.array([[True, True, False, True]])
    classes, weights = with_far_background(known, far)
    assert classes.tolist() == [[1, BACKGROUND, IGNORE, BACKGROUND]]
    np.testing.assert_allclose(weights, [[1, 0.3, 1, 1]])
