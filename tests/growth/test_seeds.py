"""Growth begins at paint, at strokes, at eroded full masks, or where it had come to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.growth.seeds import (
    carried_over,
    with_eroded_full_masks,
    with_strokes_as_seeds,
)

WHOLE = CompleteRegion(whole=True)
ONE = (1.0, 1.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def masks(objects, class_of=None) -> ObjectMasks:
    objects = np.asarray(objects, np.uint32)
    ids = np.unique(objects[objects > 0]).tolist()
    return ObjectMasks(objects=objects, class_of=class_of or dict.fromkeys(ids, 1))


def annotation(partial, scribbles=None, class_of=None) -> Annotation:
    painted = masks(partial, class_of)
    drawn = empty_annotation(painted.objects.shape)
    strokes = drawn.scribbles if scribbles is None else np.array(scribbles, np.uint8)
    return replace(drawn, partial=painted, scribbles=strokes)


def full(objects, *, partial=None, complete=WHOLE) -> Annotation:
    exact = masks(objects)
    drawn = replace(
        empty_annotation(exact.objects.shape), full=exact, complete=complete
    )
    return drawn if partial is None else replace(drawn, partial=masks(partial))


def disc(radius: int, key: int = 1) -> np.ndarray:
    y, x = np.mgrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3]
    return np.where(np.hypot(y, x) <= radius, key, 0).astype(np.uint32)


# --- Strokes -------------------------------------------------------------------


def test_without_scribbles_nothing_changes():
    drawn = annotation([[0, 1, 1]])
    assert with_strokes_as_seeds(drawn) is drawn


def test_a_stroke_on_an_object_of_its_class_extends_it():
    found = with_strokes_as_seeds(annotation([[7, 7, 0, 0]], [[0, 3, 3, 0]]))
    assert found.partial.objects.tolist() == [[7, 7, 7, 0]]


def test_a_stroke_on_nothing_begins_an_object():
    found = with_strokes_as_seeds(annotation([[7, 0, 0, 0]], [[0, 0, 4, 4]]))
    assert found.partial.objects.tolist() == [[7, 0, 8, 8]]
    assert found.partial.class_of == {7: 1, 8: 2}


def test_separate_strokes_are_separate_objects():
    found = with_strokes_as_seeds(annotation(np.zeros((1, 5)), [[3, 0, 3, 0, 4]]))
    assert found.partial.objects.tolist() == [[1, 0, 2, 0, 3]]
    assert found.partial.class_of == {1: 1, 2: 1, 3: 2}


def test_strokes_that_meet_at_a_corner_are_one():
    found = with_strokes_as_seeds(annotation(np.zeros((2, 2)), [[3, 0], [0, 3]]))
    assert found.partial.objects.tolist() == [[1, 0], [0, 1]]


def test_strokes_of_another_class_and_of_background_win_over_a_mask():
    found = with_strokes_as_seeds(annotation([[7, 7, 7, 7]], [[0, 1, 4, 0]]))
    assert found.partial.objects.tolist() == [[7, 0, 8, 7]]
    assert found.partial.class_of[8] == 2


def test_a_stroke_joins_no_two_objects():
    found = with_strokes_as_seeds(annotation([[7, 7, 0, 9]], [[0, 3, 3, 3]]))
    assert found.partial.objects.tolist() == [[7, 7, 7, 9]]


def test_separators_are_no_seeds():
    found = with_strokes_as_seeds(annotation([[7, 7, 0]], [[0, 2, 2]]))
    assert found.partial.objects.tolist() == [[7, 7, 0]]


@given(st.data())
def test_every_class_stroke_is_painted_and_every_other_mask_stays(data):
    shape = data.draw(array_shapes(min_dims=2, max_dims=3, max_side=5))
    objects = data.draw(
        arrays(np.uint32, shape, elements=st.sampled_from([0, 0, 5, 9]))
    )
    strokes = data.draw(arrays(np.uint8, shape, elements=st.integers(0, 4)))
    drawn = annotation(objects, strokes, {5: 1, 9: 2})
    found = with_strokes_as_seeds(drawn).partial
    is_class = strokes >= 3
    assert (found.class_map()[is_class] == strokes[is_class] - 2).all()
    assert (found.objects[strokes == 1] == 0).all()
    left_alone = (strokes == 0) | (strokes == 2)
    assert (found.objects[left_alone] == objects[left_alone]).all()


# --- Eroded full masks ---------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_full_masks_are_eroded_by_a_share_of_their_inradius(seed):
    drawn = full(disc(20, key=9))
    found = with_eroded_full_masks(drawn, rng=rng(seed), spacing=ONE).partial
    seed_size = np.count_nonzero(found.objects)
    radius = np.sqrt(seed_size / np.pi)
    assert 20 * (1 - 0.5) - 1 < radius < 20 * (1 - 0.2) + 1
    assert (found.objects[found.objects > 0] == 9).all()
    assert found.class_of == {9: 1}


def test_the_inradius_is_measured_in_the_voxel_size():
    objects = np.ones((5, 41, 41), np.uint32)
    objects[[0, -1]] = objects[:, [0, -1]] = objects[:, :, [0, -1]] = 0
    found = with_eroded_full_masks(
        full(objects), rng=rng(), shares=(0.5, 0.5), spacing=(10.0, 1.0, 1.0)
    ).partial.objects
    assert not found[1].any()
    assert not found[3].any()
    assert np.array_equal(np.flatnonzero(found[2, 20]), np.arange(11, 30))


@pytest.mark.parametrize("seed", range(5))
def test_small_objects_are_eroded_too(seed):
    objects = np.zeros((9, 9), np.uint32)
    objects[2:8, 2:8] = 1
    found = with_eroded_full_masks(full(objects), rng=rng(seed), spacing=ONE)
    assert np.count_nonzero(found.partial.objects) < 36


def test_objects_of_one_pixel_keep_it():
    found = with_eroded_full_masks(full([[0, 1, 0, 2]]), rng=rng(), spacing=ONE)
    assert found.partial.objects.tolist() == [[0, 1, 0, 2]]


def test_an_object_that_fills_the_image_stays():
    found = with_eroded_full_masks(full(np.ones((3, 3))), rng=rng(), spacing=ONE)
    assert (found.partial.objects == 1).all()


def test_masks_outside_complete_regions_do_not_count():
    objects = np.tile(np.repeat([1, 0, 2], 5), (9, 1))
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(9, 6)),))
    found = with_eroded_full_masks(
        full(objects, complete=box), rng=rng(), spacing=ONE
    ).partial
    assert np.unique(found.objects).tolist() == [0, 1]
    unmarked = full(objects, complete=CompleteRegion())
    assert with_eroded_full_masks(unmarked, rng=rng(), spacing=ONE) is unmarked


def test_painted_objects_keep_their_paint_and_the_others_get_masks():
    objects = np.zeros((9, 20), np.uint32)
    objects[1:8, 1:8], objects[1:8, 11:18] = 3, 4
    painted = np.zeros((9, 20), np.uint32)
    painted[4, 2:5] = 3
    found = with_eroded_full_masks(
        full(objects, partial=painted), rng=rng(), spacing=ONE
    ).partial
    assert np.array_equal(found.objects == 3, painted == 3)
    new = found.objects[4, 14]
    assert new not in {0, 3, 4}
    assert not found.objects[:, 8:11].any()
    assert found.class_of[int(new)] == 1
    assert found.class_map().max() == 1


@given(
    arrays(
        np.uint32,
        array_shapes(min_dims=2, max_dims=3, max_side=7),
        elements=st.sampled_from([0, 1, 2, 4_000_000_000]),
    ),
    st.integers(0, 9),
)
def test_eroded_masks_lie_in_their_objects_and_none_is_lost(objects, seed):
    found = with_eroded_full_masks(
        full(objects), rng=rng(seed), spacing=(1.0,) * objects.ndim
    ).partial
    assert ((found.objects == 0) | (found.objects == objects)).all()
    assert np.array_equal(
        np.unique(found.objects[found.objects > 0]), np.unique(objects[objects > 0])
    )


# --- Carried over --------------------------------------------------------------

PAINT = [[1, 0, 0, 0, 2, 0, 0, 0]]
GROWN = np.array([[1, 1, 1, 0, 2, 2, 2, 2]], np.uint32)


def carried(now: Annotation, before: Annotation | None = None, grown=GROWN):
    before = annotation(PAINT) if before is None else before
    return carried_over(grown, before=before, now=now)[0].tolist()


def test_without_edits_all_growth_stays():
    assert carried(annotation(PAINT)) == GROWN[0].tolist()


def test_an_object_whose_paint_changed_starts_again():
    assert carried(annotation([[1, 0, 0, 0, 2, 2, 0, 0]])) == [1, 1, 1, 0, 2, 2, 0, 0]


def test_an_erased_object_is_gone():
    assert carried(annotation([[1, 0, 0, 0, 0, 0, 0, 0]])) == [1, 1, 1, 0, 0, 0, 0, 0]


def test_an_object_of_another_class_starts_again():
    now = annotation(PAINT, class_of={1: 1, 2: 2})
    assert carried(now) == [1, 1, 1, 0, 2, 0, 0, 0]


def test_a_new_object_keeps_its_paint_and_resets_what_had_grown_there():
    assert carried(annotation([[1, 0, 3, 0, 2, 0, 0, 0]])) == [1, 0, 3, 0, 2, 2, 2, 2]


def test_a_scribble_resets_the_object_that_had_grown_over_it():
    now = annotation(PAINT, [[0, 0, 0, 0, 0, 0, 1, 0]])
    assert carried(now) == [1, 1, 1, 0, 2, 0, 0, 0]


def test_a_scribble_elsewhere_resets_nothing():
    now = annotation(PAINT, [[0, 0, 0, 1, 0, 0, 0, 0]])
    assert carried(now) == GROWN[0].tolist()


def test_a_region_marked_complete_resets_what_had_grown_in_it():
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 2)),))
    now = replace(annotation(PAINT), complete=box)
    assert carried(now) == [1, 0, 0, 0, 2, 2, 2, 2]


def test_a_changed_full_mask_resets_what_had_grown_over_it():
    now = replace(annotation(PAINT), full=masks([[0, 0, 0, 0, 0, 0, 5, 0]]))
    assert carried(now) == [1, 1, 1, 0, 2, 0, 0, 0]


def test_objects_are_recognised_under_new_ids():
    now = annotation([[5, 0, 0, 0, 1, 0, 0, 0]])
    assert carried(now) == [5, 5, 5, 0, 1, 1, 1, 1]


def test_strokes_keep_their_growth_when_an_earlier_one_is_added():
    strokes = np.array([[0, 0, 0, 0, 3, 0, 0, 0]], np.uint8)
    more = strokes.copy()
    more[0, 0] = 3
    before, now = (
        with_strokes_as_seeds(annotation(np.zeros((1, 8)), s)) for s in (strokes, more)
    )
    grown = np.array([[0, 0, 0, 1, 1, 1, 0, 0]], np.uint32)
    assert carried(now, before, grown) == [1, 0, 0, 2, 2, 2, 0, 0]


@given(st.data())
def test_todays_paint_always_wins_and_only_old_growth_is_added(data):
    shape = data.draw(array_shapes(min_dims=2, max_dims=3, max_side=4))
    ids = arrays(np.uint32, shape, elements=st.sampled_from([0, 0, 1, 2]))
    strokes = arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2]))
    class_of = {1: 1, 2: 1}
    before, now = (
        annotation(data.draw(ids), data.draw(strokes), class_of) for _ in range(2)
    )
    grown = np.where(
        before.partial.objects > 0, before.partial.objects, data.draw(ids)
    ).astype(np.uint32)
    found = carried_over(grown, before=before, now=now)
    painted = now.partial.objects
    assert (found[painted > 0] == painted[painted > 0]).all()
    assert (grown[(found > 0) & (painted == 0)] > 0).all()
    changed = before.scribbles != now.scribbles
    assert (found[changed & (painted == 0)] == 0).all()
