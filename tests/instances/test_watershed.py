"""Each believed marker becomes an object, and no body pixel is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.geometry.components import connected_components
from napari_mtseg.instances.watershed import watershed_objects


def disks(shape, *centres, radius):
    squares = [
        sum((i - c) ** 2 for i, c in zip(np.indices(shape), centre, strict=True))
        for centre in centres
    ]
    return [s <= radius**2 for s in squares]


def nothing(like):
    return np.zeros(like.shape, bool)


@pytest.mark.parametrize("ndim", [2, 3])
def test_touching_disks_are_cut_midway(ndim):
    shape = (20,) * (ndim - 1) + (36,)
    rest = (10,) * (ndim - 1)
    body = np.logical_or(*disks(shape, (*rest, 10), (*rest, 25), radius=8))
    marker = np.logical_or(*disks(shape, (*rest, 10), (*rest, 25), radius=3))
    ids, class_of = watershed_objects(body.astype(np.uint8), nothing(body), marker)
    assert ids.dtype == np.uint32
    assert class_of == {1: 1, 2: 1}
    assert np.array_equal(ids > 0, body)
    columns = np.indices(shape)[-1]
    assert (columns[ids == 1] <= 18).all()
    assert (columns[ids == 2] >= 17).all()


def test_a_border_takes_a_marker_apart():
    body = np.ones((5, 9), np.uint8)
    border = nothing(body)
    border[:, 4] = True
    ids, _ = watershed_objects(body, border, ~nothing(body))
    assert (ids[:, :4] == 1).all()
    assert (ids[:, 5:] == 2).all()


def test_a_marker_outside_of_the_body_makes_no_object():
    body = np.zeros((5, 20), np.uint8)
    body[:, :8] = 1
    ids, class_of = watershed_objects(body, nothing(body), body == 0)
    assert class_of == {1: 1}
    assert np.array_equal(ids, body)


def test_small_markers_are_not_believed():
    body = np.ones((4, 12), np.uint8)
    marker = nothing(body)
    marker[:2, :2], marker[:2, 9:] = True, True
    sizes = [
        len(watershed_objects(body, nothing(body), marker, min_marker=n)[1])
        for n in (4, 5, 6, 7)
    ]
    assert sizes == [2, 1, 1, 1]


def test_a_body_without_marker_is_an_object_of_its_own():
    body = np.array([[1, 1, 1, 0, 2, 2, 0, 1]], np.uint8)
    marker = np.array([[1, 0, 0, 0, 0, 0, 0, 0]], bool)
    ids, class_of = watershed_objects(body, nothing(body), marker, min_marker=1)
    assert ids.tolist() == [[1, 1, 1, 0, 2, 2, 0, 3]]
    assert class_of == {1: 1, 2: 2, 3: 1}


def test_the_most_frequent_class_is_the_object_s():
    body = np.array([[2, 2, 3, 0, 3, 1]], np.uint8)
    _, class_of = watershed_objects(body, nothing(body), nothing(body))
    assert class_of == {1: 2, 2: 1}


def test_small_objects_become_background_if_asked():
    body = np.array([[1, 0, 2, 2, 2, 0, 1, 1]], np.uint8)
    ids, class_of = watershed_objects(body, nothing(body), nothing(body), min_size=2)
    assert ids.tolist() == [[0, 0, 1, 1, 1, 0, 2, 2]]
    assert class_of == {1: 2, 2: 1}


def test_no_body_is_no_object():
    for shape in ((4, 5), (0, 5), (2, 3, 4)):
        empty = np.zeros(shape, np.uint8)
        ids, class_of = watershed_objects(empty, nothing(empty), ~nothing(empty))
        assert ids.shape == shape
        assert not ids.any()
        assert class_of == {}


def test_thick_slices_are_farther_apart():
    """A plane beside the background is shallow only if planes are close."""
    body = np.zeros((3, 7, 21), np.uint8)
    body[1] = 1
    marker = nothing(body)
    marker[1, 3, 3], marker[1, 3, 10] = True, True
    body[1, 3:, 7] = 0

    def cut(spacing):
        ids, _ = watershed_objects(
            body, nothing(body), marker, min_marker=1, spacing=spacing
        )
        return ids

    assert np.array_equal(cut((1, 1, 1)), cut((2, 2, 2)))
    assert not np.array_equal(cut((1, 1, 1)), cut((9, 1, 1)))


small = arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 1, 2]))
flags = arrays(np.bool_, (6, 7))


@given(small, flags, flags, st.integers(0, 4))
def test_objects_are_all_of_the_body_without_gaps_in_their_ids(
    classes, border, marker, min_marker
):
    ids, class_of = watershed_objects(classes, border, marker, min_marker=min_marker)
    assert np.array_equal(ids > 0, classes > 0)
    assert sorted(class_of) == list(range(1, int(ids.max()) + 1))
    for i, k in class_of.items():
        assert connected_components(ids == i).max() == 1
        counts = np.bincount(classes[ids == i])
        assert counts[k] == counts.max()


def test_wrong_shapes_and_sizes_are_refused():
    body = np.ones((3, 3), np.uint8)
    with pytest.raises(ValueError, match="differ in shape"):
        watershed_objects(body, nothing(body)[1:], nothing(body))
    with pytest.raises(ValueError, match="must be at least 0"):
        watershed_objects(body, nothing(body), nothing(body), min_marker=-1)
