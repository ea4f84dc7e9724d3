import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from napari_mtseg.uncertainty.object_quality import object_scores
from napari_mtseg.uncertainty.quality import outline_band


def described(objects, uncertainty=None, *, class_of=None, spacing=None):
    objects = np.asarray(objects, np.uint32)
    spacing = spacing or (1.0,) * objects.ndim
    if class_of is None:
        class_of = {int(i): 1 for i in np.unique(objects) if i}
    if uncertainty is None:
        uncertainty = np.zeros(objects.shape, np.float32)
    band = outline_band(objects, spacing=spacing)
    return object_scores(
        objects, class_of, np.asarray(uncertainty, np.float32), band, spacing=spacing
    )


def ellipse(semi_axes, *, spacing=None, margin=3):
    """Return an ellipse (ellipsoid) with these semi-axes in units of ``spacing``."""
    spacing = spacing or (1.0,) * len(semi_axes)
    half = [int(a / s) + margin for a, s in zip(semi_axes, spacing, strict=True)]
    axes = np.ogrid[tuple(slice(-n, n + 1) for n in half)]
    far = sum(
        (axis * s / a) ** 2 for axis, s, a in zip(axes, spacing, semi_axes, strict=True)
    )
    return np.asarray(far <= 1, np.uint32)


def test_ids_may_be_large_and_have_gaps():
    objects = np.array([[5, 5, 0, 2**32 - 1, 3_000_000_000]], np.uint32)
    found = described(objects, class_of={5: 2, 2**32 - 1: 1, 3_000_000_000: 3, 9: 1})
    assert found["id"].tolist() == [5, 3_000_000_000, 2**32 - 1]
    assert found["class"].tolist() == [2, 3, 1]
    assert found["size"].tolist() == [2, 1, 1]
    assert {len(column) for column in found.values()} == {3}


def test_small_and_large_ids_are_counted_alike():
    objects = np.random.default_rng(0).integers(0, 4, (12, 9)).astype(np.uint32)
    doubt = np.random.default_rng(1).random((12, 9))
    large = objects * np.uint32(10**9)
    for name, values in described(objects, doubt).items():
        if name != "id":
            np.testing.assert_allclose(described(large, doubt)[name], values)


def test_an_image_without_objects_has_a_table_without_rows():
    found = described(np.zeros((4, 4)))
    assert {len(column) for column in found.values()} == {0}


def test_a_single_pixel_is_round_and_filled():
    found = described([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert found["elongation"].tolist() == [1]
    assert found["fill"].tolist() == pytest.approx([3 / np.pi])


@pytest.mark.parametrize(
    ("semi_axes", "spacing"),
    [
        ((20, 20), (1.0, 1.0)),
        ((30, 15), (1.0, 1.0)),
        ((30, 15), (0.5, 2.0)),
        ((15, 15, 15), (1.0, 1.0, 1.0)),
        ((12, 24, 12), (2.0, 0.8, 0.8)),
    ],
)
def test_ellipses_fill_themselves_and_are_as_long_as_they_are(semi_axes, spacing):
    found = described(ellipse(semi_axes, spacing=spacing), spacing=spacing)
    longest = max(semi_axes) / min(semi_axes)
    assert found["elongation"][0] == pytest.approx(longest, rel=0.03)
    assert found["fill"][0] == pytest.approx(1, rel=0.03)


def test_a_slanting_line_is_long():
    found = described(np.eye(20))
    assert found["elongation"][0] > 15


def test_a_ring_fills_its_ellipse_less():
    disc = ellipse((20, 20))
    ring = disc - np.pad(ellipse((12, 12)), 8)
    assert described(ring)["fill"][0] < 0.6 < described(disc)["fill"][0]


def test_sizes_are_told_in_pixels_and_in_units():
    found = described(np.ones((2, 3, 4)), spacing=(2.0, 0.5, 0.5))
    assert found["size"].tolist() == [24]
    assert found["physical_size"].tolist() == [12]


def test_doubt_at_outlines_and_inside_is_that_of_the_object_itself():
    objects = np.zeros((14, 28), np.uint32)
    objects[3:11, 3:11], objects[3:11, 17:25] = 1, 2
    doubt = np.ones((14, 28))  # outside is not counted
    doubt[objects > 0] = 0
    doubt[3:5, 3:11] = 0.75
    doubt[6, 20] = 0.8
    found = described(objects, doubt)
    n_band, n_inside = 64 - 16, 16
    assert found["boundary_entropy"] == pytest.approx([16 * 0.75 / n_band, 0])
    assert found["inside_entropy"] == pytest.approx([0, 0.8 / n_inside], abs=1e-6)


def test_thin_objects_are_as_doubtful_inside_as_at_their_outline():
    found = described([[0, 0, 1, 0, 0]], np.full((1, 5), 0.5))
    assert found["inside_entropy"] == found["boundary_entropy"] == pytest.approx([0.5])


def test_far_from_the_origin_shapes_are_as_exact():
    shape = np.pad(np.array([[1, 1, 1], [0, 1, 0]], np.uint32), 3)
    wide = np.zeros((len(shape), 100_000), np.uint32)
    wide[:, -shape.shape[1] :] = shape
    for name, values in described(shape, spacing=(0.3, 0.3)).items():
        found = described(wide, spacing=(0.3, 0.3))[name]
        assert found == pytest.approx(values, rel=1e-5)


@given(
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=5).flatmap(
        lambda shape: hnp.arrays(np.uint32, shape, elements=st.integers(0, 3))
    )
)
def test_shapes_are_those_of_the_covariance_of_all_pixels(objects):
    spacing = (2.0, 0.5, 1.0)[-objects.ndim :]
    found = described(objects, spacing=spacing)
    for row, key in enumerate(found["id"].tolist()):
        places = np.argwhere(objects == key) * np.array(spacing)
        centred = places - places.mean(axis=0)
        covariance = centred.T @ centred / len(places)
        covariance += np.diag(np.square(spacing)) / 12
        variances = np.linalg.eigvalsh(covariance)
        longest = np.sqrt(variances[-1] / variances[0])
        assert found["elongation"][row] == pytest.approx(longest, rel=1e-6)
