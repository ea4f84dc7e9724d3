"""Distance transforms against their definition, pixel by pixel."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from napari_mtseg.geometry.distances import (
    distance_inside,
    distance_to,
    nearest_label,
    relative_spacing,
    signed_outline_distance,
    usable_cores,
)

SHAPES = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 7)),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
)
LABELS = SHAPES.flatmap(lambda s: hnp.arrays(np.uint32, s, elements=st.integers(0, 2)))
SPACINGS = (1.0, 0.5, 2.0, 3.25)


def drawn_spacing(data: st.DataObject, ndim: int) -> tuple[float, ...]:
    return data.draw(st.tuples(*[st.sampled_from(SPACINGS)] * ndim))


def all_distances(
    shape: tuple[int, ...], spacing: tuple[float, ...]
) -> NDArray[np.float64]:
    """(n, n) distance between every two pixels, in flat order."""
    points = np.indices(shape).reshape(len(shape), -1).T * np.array(spacing)
    return np.asarray(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1)))


@given(labels=LABELS, data=st.data())
def test_distance_to_is_the_smallest_distance_to_a_member(
    labels: NDArray[np.uint32], data: st.DataObject
) -> None:
    spacing = drawn_spacing(data, labels.ndim)
    members = labels > 0
    apart = all_distances(labels.shape, spacing)
    apart[:, ~members.ravel()] = np.inf
    found = distance_to(members, spacing=spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), apart.min(1), rtol=1e-6)


@given(labels=LABELS, data=st.data())
def test_distance_inside_is_the_smallest_distance_to_another_label(
    labels: NDArray[np.uint32], data: st.DataObject
) -> None:
    spacing = drawn_spacing(data, labels.ndim)
    apart = all_distances(labels.shape, spacing)
    flat = labels.ravel()
    apart[flat[:, None] == flat[None]] = np.inf
    expected = np.where(flat == 0, 0, apart.min(1))
    found = distance_inside(labels, spacing=spacing)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6)


@given(labels=LABELS, data=st.data())
def test_signed_outline_distance_is_that_to_labels_or_out_of_ones_own(
    labels: NDArray[np.uint32], data: st.DataObject
) -> None:
    spacing = drawn_spacing(data, labels.ndim)
    apart = all_distances(labels.shape, spacing)
    flat = labels.ravel()
    across = np.where(flat == 0, flat[:, None] != 0, flat[:, None] != flat)
    expected = np.where(across, apart, np.inf).min(0) * np.where(flat == 0, 1, -1)
    found = signed_outline_distance(labels, spacing=spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(
        signed_outline_distance(labels, spacing=spacing, threads=2), found
    )


def test_without_an_outline_its_distance_is_infinite() -> None:
    assert np.isposinf(signed_outline_distance(np.zeros((2, 3), bool))).all()
    assert np.isneginf(signed_outline_distance(np.full((2, 3), 7, np.uint32))).all()


@given(labels=LABELS, data=st.data())
def test_nearest_label_is_one_of_the_nearest(
    labels: NDArray[np.uint32], data: st.DataObject
) -> None:
    spacing = drawn_spacing(data, labels.ndim)
    found = nearest_label(labels, spacing=spacing)
    if not labels.any():
        assert not found.any()
        return
    apart = all_distances(labels.shape, spacing)
    flat = labels.ravel()
    to_any = apart[:, flat != 0].min(1)
    apart[flat[None] != found.ravel()[:, None]] = np.inf
    np.testing.assert_allclose(apart.min(1), to_any, rtol=1e-6)
    assert (found[labels != 0] == labels[labels != 0]).all()


def test_distance_to_nothing_is_infinite() -> None:
    assert np.isposinf(distance_to(np.zeros((4, 4), bool))).all()
    assert np.isposinf(distance_to(np.zeros((2, 3, 4), bool), spacing=(3, 1, 1))).all()


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 5), (1, 6), (1, 1)])
def test_a_full_mask_has_no_outside_because_the_image_border_is_none(
    shape: tuple[int, ...],
) -> None:
    assert np.isposinf(distance_inside(np.ones(shape, bool))).all()
    assert np.isposinf(distance_inside(np.full(shape, 7, np.uint32))).all()


def test_the_image_border_is_not_outside() -> None:
    row = np.array([[True, True, True, False]])
    assert distance_inside(row).tolist() == [[3, 2, 1, 0]]


def test_touching_labels_are_outside_of_each_other() -> None:
    labels = np.array([[1, 1, 2, 2]], np.uint32)
    assert distance_inside(labels).tolist() == [[2, 1, 1, 2]]


def test_spacing_follows_the_axes_of_the_array() -> None:
    members = np.zeros((2, 3, 3), bool)
    members[0, 0, 0] = True
    found = distance_to(members, spacing=(5, 2, 1))
    assert [found[1, 0, 0], found[0, 1, 0], found[0, 0, 1]] == [5, 2, 1]


def test_views_that_are_not_contiguous_are_measured_as_they_look() -> None:
    members = np.zeros((6, 8), bool)
    members[2, 3] = True
    turned = members[::-1].T
    np.testing.assert_array_equal(
        distance_to(turned, spacing=(2, 1)),
        distance_to(members, spacing=(1, 2))[::-1].T,
    )


def test_an_empty_array_stays_empty() -> None:
    assert distance_to(np.zeros((0, 5), bool)).shape == (0, 5)
    assert nearest_label(np.zeros((0, 5), np.uint32)).shape == (0, 5)


def test_relative_spacing_counts_in_pixels_of_the_last_axis() -> None:
    assert relative_spacing((3.0, 0.5), 2) == (6.0, 1.0)
    assert relative_spacing((6.0, 1.0), 2) == (6.0, 1.0)
    assert relative_spacing(None, 3) == (1.0, 1.0, 1.0)


def test_usable_cores_are_those_that_the_process_is_bound_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    assert usable_cores() == 3


@pytest.mark.parametrize(("counted", "usable"), [(6, 6), (None, 1)])
def test_where_cores_cannot_be_bound_all_are_usable(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, usable: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cores() == usable


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, -2.0), (1.0, np.nan)])
def test_a_spacing_that_does_not_fit_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        distance_to(np.ones((2, 2), bool), spacing=spacing)
    with pytest.raises(ValueError, match="does not fit"):
        nearest_label(np.ones((2, 2), np.uint32), spacing=spacing)
    with pytest.raises(ValueError, match="does not fit"):
        relative_spacing(spacing, 2)
