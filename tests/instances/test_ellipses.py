"""Discs and cups become whole ellipses; what is no ellipse stays as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.instances.ellipses import as_ellipses


def ellipse(shape, centre, axes, degrees=0.0):
    y, x = (i - c for i, c in zip(np.indices(shape), centre, strict=True))
    turn = np.deg2rad(degrees)
    along = (y * np.cos(turn) + x * np.sin(turn)) / axes[0]
    across = (x * np.cos(turn) - y * np.sin(turn)) / axes[1]
    return along**2 + across**2 <= 1


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_bite_out_of_an_ellipse_is_mended():
    whole = ellipse((100, 120), (50, 60), (42, 28), 30)
    bite = ellipse((100, 120), (20, 70), (14, 14))
    assert (whole & bite).sum() > 0.05 * whole.sum()
    found = as_ellipses((whole & ~bite).astype(np.uint8))
    assert found.dtype == np.uint8
    assert overlap(found == 1, whole) > 0.97


@given(st.floats(12, 40), st.floats(0.5, 1), st.floats(0, 180), st.floats(-0.5, 0.5))
def test_an_ellipse_stays_as_it_is(longer, ratio, degrees, shift):
    whole = ellipse((90, 92), (45 + shift, 46), (longer, longer * ratio), degrees)
    found = as_ellipses(whole.astype(np.uint8) * 3)
    assert overlap(found == 3, whole) > 0.95


def test_a_cup_lies_in_its_disc():
    disc = ellipse((80, 90), (40, 45), (35, 30), 20)
    cup = ellipse((80, 90), (42, 45), (15, 18))
    drawn = np.where(cup, 2, disc).astype(np.uint8)
    found = as_ellipses(drawn)
    assert overlap(found == 2, cup) > 0.97
    assert overlap(found > 0, disc) > 0.97
    swapped = as_ellipses(np.where(cup, 1, disc * 2).astype(np.uint8))
    assert np.array_equal(swapped, np.array([0, 2, 1])[found]), "size decides, not code"


def test_an_ellipse_that_the_image_edge_cuts_follows_its_visible_outline():
    whole = ellipse((60, 60), (20, 30), (30, 20))
    found = as_ellipses(whole.astype(np.uint8))
    assert whole[0].any()
    assert overlap(found == 1, whole) > 0.97


def test_only_the_largest_piece_is_drawn():
    disc = ellipse((60, 90), (30, 30), (20, 25))
    speck = ellipse((60, 90), (30, 75), (5, 5))
    found = as_ellipses((disc | speck).astype(np.uint8))
    assert not found[speck].any()
    assert overlap(found == 1, disc) > 0.97


def test_a_piece_of_few_outline_pixels_stays():
    for side, n_outline in ((1, 1), (2, 4)):
        drawn = np.zeros((9, 9), np.uint8)
        drawn[3 : 3 + side, 3 : 3 + side] = 4
        assert (drawn > 0).sum() == n_outline
        assert np.array_equal(as_ellipses(drawn), drawn)


def test_what_no_ellipse_fits_stays():
    line = np.zeros((40, 40), np.uint8)
    line[20, 2:38] = 1
    bent = np.zeros((60, 60), np.uint8)
    bent[5:55, 5:8], bent[52:55, 5:55] = 1, 1
    stripe = np.zeros((20, 20), np.uint8)
    stripe[:, :7] = 1
    full = np.full((8, 8), 2, np.uint8)
    for drawn in (bent, stripe, full, np.zeros((5, 6), np.uint8)):
        assert np.array_equal(as_ellipses(drawn), drawn)
    assert overlap(as_ellipses(line) > 0, line > 0) > 0.5


def test_a_circle_gives_no_warning(recwarn):
    disc = ellipse((41, 41), (20, 20), (15, 15))
    assert overlap(as_ellipses(disc.astype(np.uint8)) > 0, disc) > 0.97
    assert not recwarn.list


def test_volumes_are_refused():
    with pytest.raises(ValueError, match="ellipses are for 2D class maps"):
        as_ellipses(np.zeros((2, 3, 4), np.uint8))
