"""Simulated paint stays where a careful but lazy person would put it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    UNPAINTED,
)
from napari_mtseg.targets.simulated_paint import (
    simulate_partial_masks,
    simulate_scribbles,
)

crowded_images = arrays(
    np.uint32,
    array_shapes(min_dims=2, max_dims=3, max_side=7),
    elements=st.sampled_from([0, 0, 3, 7, 4_000_000_000]),
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_disks() -> np.ndarray:
    y, x = np.mgrid[:48, :96]
    objects = np.zeros((48, 96), np.uint32)
    objects[np.hypot(y - 24, x - 28) < 18] = 5
    objects[np.hypot(y - 24, x - 66) < 20.5] = 9
    return objects


def piece_count(mask: np.ndarray) -> int:
    return ndimage.label(mask, np.ones((3,) * mask.ndim))[1]


def touches_other(objects: np.ndarray) -> np.ndarray:
    """Object pixels with another object in their 3x3 (3x3x3) neighbourhood."""
    found = np.zeros(objects.shape, bool)
    for i in np.unique(objects[objects > 0]):
        others = ndimage.binary_dilation(
            (objects != i) & (objects > 0), np.ones((3,) * objects.ndim)
        )
        found |= others & (objects == i)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_painted_area_is_in_the_asked_range_and_in_one_piece(seed):
    objects = two_disks()
    painted = simulate_partial_masks(objects, rng=rng(seed), area_share=(0.3, 0.6))
    for i in (5, 9):
        share = (painted == i).sum() / (objects == i).sum()
        assert 0.299 <= share <= 0.601
        assert piece_count(painted == i) == 1


def test_shares_differ_between_objects_and_cover_the_range():
    objects = np.kron(
        np.arange(1, 101, dtype=np.uint32).reshape(10, 10), np.ones((9, 9))
    )
    objects = np.pad(objects, 1).astype(np.uint32)
    objects[::9] = 0
    objects[:, ::9] = 0
    painted = simulate_partial_masks(objects, rng=rng())
    shares = np.bincount(painted.ravel())[1:] / np.bincount(objects.ravel())[1:]
    assert 0.18 < shares.min() < 0.3
    assert 0.7 < shares.max() < 0.82


def test_boundary_is_painted_less_often_than_the_inside():
    objects = two_disks()
    depth = ndimage.distance_transform_edt(objects == 9)
    often = np.mean(
        [simulate_partial_masks(objects, rng=rng(s)) == 9 for s in range(20)], axis=0
    )
    assert often[depth > 8].mean() > 2 * often[(depth > 0) & (depth < 2)].mean()


def test_same_seed_same_paint_and_another_seed_other_paint():
    objects = two_disks()
    first = simulate_partial_masks(objects, rng=rng(1))
    assert np.array_equal(first, simulate_partial_masks(objects, rng=rng(1)))
    assert not np.array_equal(first, simulate_partial_masks(objects, rng=rng(2)))
    classes = {5: 1, 9: 2}
    strokes = simulate_scribbles(objects, classes, rng=rng(1))
    assert np.array_equal(strokes, simulate_scribbles(objects, classes, rng=rng(1)))


@given(objects=crowded_images, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_paint_stays_in_its_object_and_objects_never_touch(objects, seed):
    painted = simulate_partial_masks(objects, rng=rng(seed))
    assert np.isin(painted, (0, 3, 7, 4_000_000_000)).all()
    assert (objects[painted > 0] == painted[painted > 0]).all()
    assert not touches_other(painted).any()
    for i in np.unique(painted[painted > 0]):
        assert piece_count(painted == i) == 1
    apart = (objects > 0) & ~touches_other(objects)
    assert set(np.unique(objects[apart])) <= set(np.unique(painted))


def test_objects_of_a_few_pixels_get_at_least_one():
    objects = np.zeros((5, 12), np.uint32)
    objects[2, 1] = 1
    objects[2, 4:6] = 2
    objects[1:3, 8:10] = 3
    painted = simulate_partial_masks(objects, rng=rng(), area_share=(0.01, 0.1))
    assert [(painted == i).sum() for i in (1, 2, 3)] == [1, 1, 1]


def test_of_two_touching_single_pixels_one_is_painted():
    objects = np.array([[0, 1, 2, 0]], np.uint32)
    assert simulate_partial_masks(objects, rng=rng()).tolist() == [[0, 1, 0, 0]]


@pytest.mark.parametrize(("share", "left"), [(0.0, 20), (0.25, 15), (1.0, 0)])
def test_the_asked_share_of_objects_is_missed(share, left):
    objects = np.zeros((80, 4), np.uint32)
    for i in range(20):
        objects[4 * i : 4 * i + 3, :3] = i + 1
    painted = simulate_partial_masks(objects, rng=rng(), missed_share=share)
    assert len(np.unique(painted)) - 1 == left


def test_a_3d_object_gets_one_blob_over_several_planes():
    objects = np.zeros((8, 24, 24), np.uint32)
    objects[1:7, 3:21, 3:21] = 2
    painted = simulate_partial_masks(
        objects, rng=rng(), area_share=(0.5, 0.5), spacing=(3.0, 1.0, 1.0)
    )
    assert (painted == 2).sum() == objects.astype(bool).sum() // 2
    assert piece_count(painted > 0) == 1
    assert (painted.any(axis=(1, 2))).sum() > 2


@pytest.mark.parametrize("shape", [(6, 7), (3, 6, 7)])
def test_an_image_without_objects_gets_background_strokes_only(shape):
    objects = np.zeros(shape, np.uint32)
    assert not simulate_partial_masks(objects, rng=rng()).any()
    strokes = simulate_scribbles(objects, {}, rng=rng())
    assert set(np.unique(strokes)) == {UNPAINTED, SCRIBBLE_BACKGROUND}


def test_strokes_lie_where_their_code_says():
    objects = two_disks()
    strokes = simulate_scribbles(objects, {5: 1, 9: 2}, rng=rng())
    assert set(np.unique(strokes)) == {0, 1, 2, 3, 4}
    assert (objects[strokes == SCRIBBLE_FIRST_CLASS] == 5).all()
    assert (objects[strokes == SCRIBBLE_FIRST_CLASS + 1] == 9).all()
    away = ndimage.distance_transform_edt(objects == 0)
    assert away[strokes == SCRIBBLE_BACKGROUND].min() >= 4
    separator = strokes == SCRIBBLE_SEPARATOR
    assert touches_other(objects)[separator].all()
    assert set(np.unique(objects[separator])) == {5, 9}


@pytest.mark.parametrize(
    ("kind", "codes"),
    [("class", {0, 3, 4}), ("background", {0, 1}), ("separator", {0, 2})],
)
def test_only_the_asked_kinds_are_painted(kind, codes):
    strokes = simulate_scribbles(
        two_disks(), {5: 1, 9: 2}, rng=rng(), kinds=frozenset({kind})
    )
    assert set(np.unique(strokes)) == codes


def test_strokes_are_short_of_their_objects():
    objects = two_disks()
    strokes = simulate_scribbles(objects, {5: 1, 9: 1}, rng=rng())
    assert 0 < (strokes == SCRIBBLE_FIRST_CLASS).sum() < 0.3 * (objects > 0).sum()


def test_the_asked_share_of_objects_gets_strokes_at_least_one_of_each_class():
    objects = np.zeros((44, 8), np.uint32)
    for i in range(11):
        objects[4 * i : 4 * i + 3, 2:6] = i + 1
    class_of = dict.fromkeys(range(1, 11), 1) | {11: 2}
    strokes = simulate_scribbles(
        objects, class_of, rng=rng(), kinds=frozenset({"class"}), objects_share=0.3
    )
    touched = set(np.unique(objects[strokes > 0]).tolist())
    assert len(touched) == 4
    assert 11 in touched
    none = simulate_scribbles(objects, class_of, rng=rng(), objects_share=0.0)
    assert not (none >= SCRIBBLE_SEPARATOR).any()


def test_strokes_in_3d_lie_in_some_of_the_planes():
    objects = np.zeros((15, 30, 30), np.uint32)
    objects[2:13, 4:14, 4:26] = 1
    objects[2:13, 14:24, 4:26] = 2
    strokes = simulate_scribbles(
        objects, {1: 1, 2: 1}, rng=rng(), spacing=(4.0, 1.0, 1.0), background_gap=2.0
    )
    assert set(np.unique(strokes)) == {0, 1, 2, 3}
    separated = (strokes == SCRIBBLE_SEPARATOR).any(axis=(1, 2))
    assert 1 <= separated.sum() <= 3
    assert (objects[strokes >= SCRIBBLE_SEPARATOR] > 0).all()


@given(objects=crowded_images, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_strokes_never_contradict_the_objects(objects, seed):
    class_of = {3: 1, 7: 2, 4_000_000_000: 2}
    strokes = simulate_scribbles(objects, class_of, rng=rng(seed), background_gap=1.0)
    classes = np.zeros(objects.shape, np.uint8)
    for i, k in class_of.items():
        classes[objects == i] = k
    is_class = strokes >= SCRIBBLE_FIRST_CLASS
    assert (classes[is_class] + 2 == strokes[is_class]).all()
    assert (classes[strokes == SCRIBBLE_BACKGROUND] == 0).all()
    assert touches_other(objects)[strokes == SCRIBBLE_SEPARATOR].all()


def test_wrong_arguments_are_refused():
    objects = two_disks()
    with pytest.raises(ValueError, match="area_share"):
        simulate_partial_masks(objects, rng=rng(), area_share=(0.0, 0.5))
    with pytest.raises(ValueError, match="missed_share"):
        simulate_partial_masks(objects, rng=rng(), missed_share=1.5)
    with pytest.raises(ValueError, match="spacing"):
        simulate_partial_masks(objects, rng=rng(), spacing=(1.0,))
    with pytest.raises(ValueError, match=r"objects \[9\] have no class"):
        simulate_scribbles(objects, {5: 1}, rng=rng())
    with pytest.raises(ValueError, match="kinds"):
        simulate_scribbles(objects, {}, rng=rng(), kinds=frozenset({"dots"}))
    with pytest.raises(ValueError, match="thickness"):
        simulate_scribbles(objects, {}, rng=rng(), thickness=0)
