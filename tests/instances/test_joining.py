import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_mtseg.instances.components import most_probable, separate_objects
from napari_mtseg.instances.islands import largest_objects
from napari_mtseg.instances.joining import (
    agreeing_pairs,
    block_objects,
    joined_objects,
    touching_pairs,
)


def cut(shape, sides):
    """Return the blocks of an image, and pairs of neighbours with their axis."""
    axes = [
        [slice(a, min(a + side, size)) for a in range(0, size, side)]
        for size, side in zip(shape, sides, strict=True)
    ]
    grid = [len(axis) for axis in axes]
    places = list(itertools.product(*map(range, grid)))
    neighbours = [
        (places.index(place), places.index(after), axis)
        for place in places
        for axis in range(len(shape))
        if (after := (*place[:axis], place[axis] + 1, *place[axis + 1 :])) in places
    ]
    return list(itertools.product(*axes)), neighbours


def in_blocks(classes, sides, **rule):
    """Label block by block and join."""
    blocks, neighbours = cut(classes.shape, sides)
    labelled, described = [], []
    for block in blocks:
        ids, class_of = separate_objects(classes[block])
        kinds = np.array([0, *class_of.values()], np.uint8)
        corner = [side.start for side in block]
        labelled.append(ids)
        described.append(block_objects(ids, kinds, corner=corner, shape=classes.shape))
    pairs = []
    for one, other, axis in neighbours:
        last, first = labelled[one].take(-1, axis), labelled[other].take(0, axis)
        kinds = described[one].classes, described[other].classes
        pairs.append((one, other, touching_pairs(last, first, *kinds)))
    joined = joined_objects(described, pairs, **rule)
    whole = np.zeros(classes.shape, np.uint32)
    for block, ids, final in zip(blocks, labelled, joined.ids, strict=True):
        whole[block] = final[ids]
    return whole, joined.class_of


shapes = st.one_of(
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 7)),
)


@given(st.data(), shapes, st.integers(0, 6), st.booleans())
@settings(max_examples=150, deadline=None)
def test_objects_of_any_blocks_are_those_of_the_whole(data, shape, least, largest):
    values = st.sampled_from([0, 0, 1, 1, 1, 2])
    classes = data.draw(arrays.arrays(np.uint8, shape, elements=values))
    sides = [data.draw(st.integers(1, size)) for size in shape]
    ids, class_of = in_blocks(classes, sides, min_size=least, only_largest=largest)
    wanted, classes_wanted = separate_objects(classes, min_size=least)
    if largest:
        likely = np.stack([classes == c for c in range(3)]).astype(np.float32)
        found = largest_objects(most_probable(likely, min_size=least))
        wanted, classes_wanted = found.instances, found.class_of
    np.testing.assert_array_equal(ids, wanted)
    assert class_of == dict(classes_wanted)


def test_objects_that_cross_a_corner_of_four_blocks_are_one():
    plus = np.zeros((8, 8), np.uint8)
    plus[3:5, 2:6] = plus[2:6, 3:5] = 1
    ids, class_of = in_blocks(plus, (4, 4))
    assert class_of == {1: 1}
    np.testing.assert_array_equal(ids, plus)


def test_objects_that_meet_in_a_corner_of_four_blocks_stay_apart():
    corners = np.zeros((4, 4), np.uint8)
    corners[:2, :2] = corners[2:, 2:] = 1
    ids, _ = in_blocks(corners, (2, 2))
    assert (ids[0, 0], ids[3, 3]) == (1, 2)


def test_a_spiral_through_all_blocks_is_one_object():
    spiral = np.array(
        [
            [1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 0, 1],
            [1, 0, 0, 1, 0, 1],
            [1, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1],
        ],
        np.uint8,
    )
    ids, class_of = in_blocks(spiral, (2, 3))
    assert class_of == {1: 1}
    assert (ids == spiral).all()


def test_a_piece_that_is_small_in_each_block_counts_whole():
    row = np.array([[0, 1, 1, 0, 1, 0]], np.uint8)
    ids, _ = in_blocks(row, (1, 2), min_size=2)
    assert ids.tolist() == [[0, 1, 1, 0, 0, 0]]


def test_labels_agree_where_each_is_the_others_largest_partner():
    one = np.array([[1, 1, 1, 1, 2, 2]], np.uint32)
    split = np.array([[3, 3, 3, 4, 5, 5]], np.uint32)
    assert agreeing_pairs(one, split).tolist() == [[1, 3], [2, 5]]
    nothing = np.zeros((1, 6), np.uint32)
    assert agreeing_pairs(one, nothing).shape == (0, 2)


def test_an_object_that_no_block_holds_is_dropped_and_joins_nothing():
    ids = np.array([[1, 0]], np.uint32)
    kinds = np.array([0, 1, 1], np.uint8)
    block = block_objects(ids, kinds, corner=(0, 0), shape=(1, 2))
    joined = joined_objects([block], [])
    assert joined.ids[0].tolist() == [0, 1, 0]
    assert joined.class_of == {1: 1}


@pytest.mark.parametrize("largest", [False, True])
def test_an_image_without_objects_has_none(largest):
    ids, class_of = in_blocks(np.zeros((5, 5), np.uint8), (2, 2), only_largest=largest)
    assert not ids.any()
    assert class_of == {}
