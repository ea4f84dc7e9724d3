"""Pieces of classes: the same as with any labels, in another order and less memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_mtseg.geometry import slabs as slabs_module
from napari_mtseg.geometry.class_pieces import first_places, pieces_of_classes
from napari_mtseg.geometry.components import connected_pieces
from napari_mtseg.geometry.slabs import slabs

CLASS_MAPS = arrays.arrays(
    np.uint8,
    arrays.array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.integers(0, 3),
)


@given(CLASS_MAPS, st.sampled_from(["faces", "full"]))
def test_pieces_are_those_of_any_labels(classes, connectivity):
    pieces, class_of = pieces_of_classes(classes, connectivity=connectivity)
    expected = connected_pieces(classes, connectivity=connectivity)
    pairs = set(zip(pieces.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len(np.unique(pieces)) == len(np.unique(expected))
    assert pieces.dtype == np.int32
    np.testing.assert_array_equal(class_of[pieces], classes)
    assert (np.diff(class_of[1:].astype(int)) >= 0).all()


@given(CLASS_MAPS)
def test_the_first_place_is_found_across_slabs(classes):
    n = int(classes.max())
    small = list(slabs(classes.shape, n_pixels=1))
    assert len(small) == classes.shape[0]
    found = first_places(classes, n)
    for number in range(n + 1):
        places = np.flatnonzero(classes == number)
        assert found[number] == (places[0] if len(places) else -1)


def test_first_places_do_not_depend_on_the_slabs(monkeypatch):
    classes = np.random.default_rng(0).integers(0, 5, (9, 4)).astype(np.uint8)
    whole = first_places(classes, 4)
    monkeypatch.setattr(
        "napari_mtseg.geometry.class_pieces.slabs",
        lambda shape: slabs_module.slabs(shape, n_pixels=8),
    )
    np.testing.assert_array_equal(first_places(classes, 4), whole)


def test_an_image_without_a_class_has_no_piece():
    pieces, class_of = pieces_of_classes(np.zeros((2, 3), np.uint8))
    assert not pieces.any()
    assert class_of.tolist() == [0]
