"""Cuts between touching objects are closed, and nothing else changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.growth.contacts import with_contacts_closed
from napari_mtseg.growth.level_set import grow_objects


@st.composite
def scenes(draw: st.DrawFn):
    shape = draw(array_shapes(min_dims=2, max_dims=3, max_side=6))
    ids = st.sampled_from([0, 0, 1, 2, 4_000_000_000])
    return draw(arrays(np.uint32, shape, elements=ids)), draw(arrays(bool, shape))


def closed(row: list[int]) -> list[int]:
    objects = np.array([row], np.uint32)
    return with_contacts_closed(objects, np.ones(objects.shape, bool))[0].tolist()


def test_gaps_of_one_and_two_pixels_are_closed():
    assert closed([1, 1, 0, 2, 2]) == [1, 1, 2, 2, 2]
    assert closed([1, 1, 0, 0, 2, 2]) == [1, 1, 1, 2, 2, 2]


def test_wider_gaps_and_free_sides_stay():
    assert closed([0, 1, 1, 0, 0, 0, 2, 0]) == [0, 1, 1, 0, 0, 0, 2, 0]
    assert closed([1, 0, 1, 0, 0]) == [1, 0, 1, 0, 0]


def test_gaps_outside_the_proposal_stay():
    objects = np.array([[1, 0, 2]], np.uint32)
    kept = with_contacts_closed(objects, objects > 0)
    assert kept.tolist() == [[1, 0, 2]]


def test_the_cut_through_a_slanted_contact_is_closed():
    y, x = np.mgrid[:30, :30]
    seeds = np.zeros((30, 30), np.uint32)
    seeds[4:12, 4:12], seeds[16:26, 18:26] = 1, 2
    proposal = (np.abs(y - x) < 12) & (y + x > 8) & (y + x < 50)
    grown = grow_objects(seeds, proposal, beta=5.0)
    contact = proposal & (y >= 12) & (y <= 16)
    assert np.count_nonzero(grown[contact] == 0) >= 10
    assert (with_contacts_closed(grown, proposal)[contact] > 0).all()


@given(scenes())
def test_no_pixel_changes_owner_and_none_leaves_the_proposal(case):
    objects, proposal = case
    final = with_contacts_closed(objects, proposal)
    added = final != objects
    assert (objects[added] == 0).all()
    assert proposal[added].all()
    assert set(np.unique(final)) <= set(np.unique(objects)) | {0}
