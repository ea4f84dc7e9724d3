"""Diameters of discs and balls as large as the objects."""

import numpy as np
import pytest

from napari_mtseg.geometry.sizes import diameters, mean_diameter


def test_a_disc_has_its_own_diameter():
    y, x = np.mgrid[-30:31, -30:31]
    disc = (np.hypot(y, x) <= 20).astype(np.uint32) * 4_000_000_000
    assert diameters(disc) == {4_000_000_000: pytest.approx(40, rel=0.01)}


def test_a_ball_of_thick_planes_has_its_own_diameter():
    z, y, x = np.mgrid[-6:7, -16:17, -16:17]
    ball = (np.sqrt((2.5 * z) ** 2 + y**2 + x**2) <= 14).astype(np.uint32)
    found = diameters(ball, spacing=(2.5, 1, 1))
    assert found == {1: pytest.approx(28, rel=0.02)}


def test_the_mean_is_over_objects():
    objects = np.zeros((20, 20), np.uint32)
    objects[0, 0], objects[:10, 5:15] = 3, 8
    each = diameters(objects)
    assert mean_diameter(objects) == pytest.approx((each[3] + each[8]) / 2)


def test_without_objects_the_mean_is_0():
    assert mean_diameter(np.zeros((3, 3), np.uint32)) == 0
