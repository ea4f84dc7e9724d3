"""Measurements of objects whose true size and outline are known."""

import math

import numpy as np
import pytest

from napari_mtseg.geometry.measurements import measurements
from napari_mtseg.geometry.object_sums import object_sums


def measured(labels, *, spacing=None, unit="micrometer", names=None, **values):
    labels = np.asarray(labels)
    return measurements(
        object_sums(labels, **values),
        class_of=dict.fromkeys(np.unique(labels).tolist(), 1),
        class_names=names or {1: "cell"},
        spacing=spacing or (1.0,) * labels.ndim,
        unit=unit,
    )


def ellipsoid(semi_axes, spacing=None):
    """Return an ellipse or ellipsoid with these semi-axes in units of ``spacing``."""
    spacing = spacing or (1.0,) * len(semi_axes)
    half = [int(a / s) + 2 for a, s in zip(semi_axes, spacing, strict=True)]
    axes = np.ogrid[tuple(slice(-n, n + 1) for n in half)]
    far = [(x * s / a) ** 2 for x, s, a in zip(axes, spacing, semi_axes, strict=True)]
    return (sum(far) <= 1).astype(np.uint32)


def ellipse_perimeter(a: float, b: float) -> float:
    """Ramanujan's second approximation."""
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def spheroid_surface(a: float, c: float) -> float:
    """Return the area of an ellipsoid with axes a, a and a longer one, c."""
    e = math.sqrt(1 - (a / c) ** 2)
    return 2 * math.pi * a**2 * (1 + c / (a * e) * math.asin(e))


def test_a_disk_has_the_size_and_outline_of_a_disk():
    found = measured(ellipsoid((40.0, 40.0)))
    assert found["area_um2"][0] == pytest.approx(math.pi * 40**2, rel=0.005)
    assert found["perimeter_um"][0] == pytest.approx(2 * math.pi * 40, rel=0.02)
    assert found["diameter_um"][0] == pytest.approx(80, rel=0.005)
    assert found["circularity"][0] == pytest.approx(1, abs=0.02)
    assert found["elongation"][0] == pytest.approx(1, abs=0.001)


def test_a_ball_has_the_size_and_surface_of_a_ball():
    found = measured(ellipsoid((20.0, 20.0, 20.0)))
    assert found["volume_um3"][0] == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert found["surface_um2"][0] == pytest.approx(4 * math.pi * 20**2, rel=0.02)
    assert found["sphericity"][0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.5), (0.25, 1.0)])
def test_an_ellipse_keeps_its_outline_under_any_pixel_size(spacing):
    found = measured(ellipsoid((40.0, 20.0), spacing), spacing=spacing)
    assert found["area_um2"][0] == pytest.approx(math.pi * 800, rel=0.01)
    assert found["perimeter_um"][0] == pytest.approx(
        ellipse_perimeter(40, 20), rel=0.05
    )
    assert found["major_axis_um"][0] == pytest.approx(80, rel=0.01)
    assert found["minor_axis_um"][0] == pytest.approx(40, rel=0.01)
    assert found["elongation"][0] == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5)])
def test_an_ellipsoid_keeps_its_surface_under_any_voxel_size(spacing):
    found = measured(ellipsoid((24.0, 12.0, 12.0), spacing), spacing=spacing)
    assert found["volume_um3"][0] == pytest.approx(4 / 3 * math.pi * 24 * 144, rel=0.01)
    assert found["surface_um2"][0] == pytest.approx(spheroid_surface(12, 24), rel=0.06)
    axes = [found[f"{name}_axis_um"][0] for name in ("major", "middle", "minor")]
    assert axes == pytest.approx([48, 24, 24], rel=0.02)


def test_places_are_in_the_unit_and_boxes_in_pixels():
    labels = np.zeros((4, 6), int)
    labels[1:3, 2:5] = 3
    found = measured(labels, spacing=(2.0, 0.5))
    assert found["object"].tolist() == [3]
    assert found["pixels"].tolist() == [6]
    assert found["area_um2"].tolist() == [6]
    assert (found["centroid_y_um"][0], found["centroid_x_um"][0]) == (3, 1.5)
    box = [found[f"bbox_{a}_{b}"][0] for a in "yx" for b in ("from", "to")]
    assert box == [1, 3, 2, 5]


def test_columns_name_the_unit():
    flat = measured([[1]], unit="pixel")
    assert {"area_px2", "perimeter_px", "centroid_x_px"} <= set(flat)
    volume = measured([[[1]]], unit="millimeter")
    assert {"volume_mm3", "surface_mm2", "centroid_z_mm"} <= set(volume)


def test_the_first_four_columns_are_those_of_every_table():
    names = {1: "cell, alive", 2: "rest"}
    found = measurements(
        object_sums(np.array([[5, 0, 2]])),
        class_of={2: 2, 5: 1, 9: 1},
        class_names=names,
        spacing=(1.0, 1.0),
        unit="pixel",
    )
    assert list(found)[:4] == ["object", "class", "class_name", "pixels"]
    assert found["class_name"].tolist() == ["rest", "cell, alive"]


def test_intensities_are_told_by_channel_and_uncertainty_once():
    light = np.array([[[1.0, 3, 50]], [[10, 10, 50]]])
    found = measured([[1, 1, 0]], intensities=light, uncertainty=light[0] / 10)
    of_first = ["mean", "std", "min", "max"]
    assert [found[f"{k}_intensity_0"][0] for k in of_first] == [2, 1, 1, 3]
    assert found["std_intensity_1"].tolist() == [0]
    assert found["mean_uncertainty"] == pytest.approx([0.2])
    assert "mean_uncertainty" not in measured([[1]])


def test_an_image_without_objects_has_the_same_columns():
    some, none = measured([[1, 0]]), measured([[0, 0]])
    assert list(some) == list(none)
    assert all(len(column) == 0 for column in none.values())
