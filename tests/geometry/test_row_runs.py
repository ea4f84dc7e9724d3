import numpy as np
import pytest

from napari_mtseg.geometry.row_runs import (
    coordinate_pairs,
    coordinate_sums,
    ellipse_axes,
    row_run_starts,
)


def test_a_run_ends_with_its_label_with_a_gap_and_with_its_row():
    labels = np.array([[1, 1, 2, 0, 2], [2, 0, 0, 0, 0]])
    where = np.flatnonzero(labels)
    assert where[row_run_starts(labels, where)].tolist() == [0, 2, 4, 5]


def test_nothing_has_no_run():
    nothing = np.zeros(0, np.intp)
    assert row_run_starts(np.zeros((2, 3), int), nothing).tolist() == []


def test_sums_over_a_run_are_those_of_its_pixels():
    first, length = np.array([[4], [7]]), np.array([3])
    rows, columns = np.array([4, 4, 4]), np.array([7, 8, 9])
    pairs = [(rows, rows), (rows, columns), (columns, columns)]
    expected = [rows.sum(), columns.sum(), *(np.sum(a * b) for a, b in pairs)]
    assert [int(v[0]) for v in coordinate_sums(first, length)] == expected
    assert coordinate_pairs(2) == [(0, 0), (0, 1), (1, 1)]


def test_the_axes_of_a_rectangle_are_those_of_its_ellipse():
    """A side of length a has the variance a**2 / 12; an axis is twice its root."""
    sums = np.array(list(coordinate_sums(np.array([[5], [2]]), np.array([6]))))
    axes = ellipse_axes(np.array([6]), sums, spacing=(2.0, 0.5))
    assert axes[0] == pytest.approx([2 * 2 / 12**0.5, 2 * 3 / 12**0.5], rel=1e-9)
