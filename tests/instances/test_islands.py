"""Enclosed islands take the class around them, and specks go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.geometry.components import connected_components
from napari_mtseg.instances.islands import without_islands, without_small_pieces

small = arrays(np.uint8, (7, 8), elements=st.sampled_from([0, 1, 1, 1, 2]))


def picture(*rows) -> np.ndarray:
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows], np.uint8)


def test_background_and_other_classes_inside_a_piece_take_its_class():
    drawn = picture(
        ".......",
        ".11111.",
        ".1.121.",
        ".1.111.",
        ".11111.",
        ".......",
    )
    assert np.array_equal(without_islands(drawn) == 1, np.pad(np.ones((4, 5)), 1) == 1)


def test_what_touches_the_image_edge_is_not_enclosed():
    drawn = picture(
        "11.11",
        "1...1",
        "11111",
    )
    assert np.array_equal(without_islands(drawn), drawn)
    assert (without_islands(np.pad(drawn[1:], ((1, 0), (0, 0)))) == 0).any()


def test_an_island_with_a_way_out_over_a_corner_stays():
    drawn = picture(
        "1111.",
        "1.1.1",
        "11.11",
        "11111",
    )
    assert np.array_equal(without_islands(drawn), drawn)


def test_an_island_that_two_pieces_enclose_together_stays():
    drawn = picture(
        "11222",
        "1...2",
        "1...2",
        "11222",
    )
    assert np.array_equal(without_islands(drawn), drawn)


def test_objects_in_the_background_stay():
    drawn = np.zeros((9, 9), np.uint8)
    drawn[3:5, 3:5], drawn[6, 6] = 1, 2
    assert np.array_equal(without_islands(drawn), drawn)


def test_a_hole_as_large_as_its_ring_stays():
    for side, is_filled in ((3, True), (4, True), (5, False)):
        ring = np.ones((side + 2, side + 2), np.uint8)
        ring[1:-1, 1:-1] = 0
        assert without_islands(ring).all() == is_filled, "12 > 9, 20 > 16, 24 < 25"


def test_what_lies_in_a_hole_goes_with_the_hole():
    nested = np.full((11, 11), 1, np.uint8)
    nested[3:8, 3:8] = 0
    nested[4:7, 4:7] = 2
    nested[5, 5] = 0
    assert (without_islands(nested) == 1).all()


def test_in_a_hole_that_stays_islands_are_filled():
    nested = np.full((13, 13), 1, np.uint8)
    nested[1:-1, 1:-1] = 0
    nested[4:8, 4:8] = 2
    nested[5, 5] = 1
    expected = nested.copy()
    expected[5, 5] = 2
    assert np.array_equal(without_islands(nested), expected)


def test_in_3d_an_island_is_enclosed_from_above_and_below_too():
    block = np.ones((3, 5, 5), np.uint8)
    block[1, 2, 2] = 0
    assert (without_islands(block) == 1).all()
    block[0, 2, 2] = 0
    assert np.array_equal(without_islands(block), block)


@given(small)
def test_filling_makes_no_background_and_leaves_the_image_edge(classes):
    before = classes.copy()
    once = without_islands(classes)
    assert np.array_equal(classes, before)
    assert once.dtype == np.uint8
    changed = once != classes
    assert (once[changed] > 0).all(), "nothing becomes background"
    assert not changed[[0, -1]].any()
    assert not changed[:, [0, -1]].any()


def test_small_isolated_pieces_become_background():
    drawn = picture(
        "1.......",
        "...11...",
        ".2.11..2",
        ".....1.2",
    )
    assert np.array_equal(
        without_small_pieces(drawn, min_size=3),
        drawn * (drawn == 1) * (np.indices(drawn.shape)[1] > 0),
    )
    assert np.array_equal(without_small_pieces(drawn, min_size=0), drawn)


def test_a_small_piece_that_touches_a_large_one_stays():
    drawn = picture("1112.2")
    assert without_small_pieces(drawn, min_size=2).tolist() == [[1, 1, 1, 2, 0, 0]]


@given(small, st.integers(0, 6))
def test_only_whole_pieces_are_removed(classes, min_size):
    kept = without_small_pieces(classes, min_size=min_size)
    pieces = connected_components(classes > 0)
    for piece in range(1, pieces.max() + 1):
        inside = pieces == piece
        stays = inside.sum() >= min_size
        assert np.array_equal(kept[inside], classes[inside] * stays)


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="min_size is -1"):
        without_small_pieces(picture("1"), min_size=-1)
