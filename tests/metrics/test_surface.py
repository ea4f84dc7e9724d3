"""Surface distances against hand counts, brute force and MONAI."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.metrics.surface import surface_distances, surface_of


def surface_points(mask: np.ndarray) -> list[tuple[int, ...]]:
    """Pixels with a face neighbour outside the mask or the image."""

    def is_inside(point: tuple[int, ...]) -> bool:
        in_image = all(0 <= p < n for p, n in zip(point, mask.shape, strict=True))
        return in_image and bool(mask[point])

    def neighbours(point: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [
            tuple(p + step * (a == axis) for a, p in enumerate(point))
            for axis, step in product(range(mask.ndim), (-1, 1))
        ]

    points = [tuple(int(i) for i in p) for p in np.argwhere(mask)]
    return [p for p in points if not all(map(is_inside, neighbours(p)))]


def brute_distances(sources, targets, spacing) -> list[float]:
    scale = np.array(spacing)
    return [
        min(float(np.linalg.norm((np.array(p) - q) * scale)) for q in np.array(targets))
        for p in sources
    ]


def shifted_squares() -> tuple[np.ndarray, np.ndarray]:
    prediction, reference = np.zeros((2, 40, 40), bool)
    prediction[5:15, 7:17] = True
    reference[5:15, 5:15] = True
    return prediction, reference


@st.composite
def masks_and_spacing(draw: st.DrawFn):
    shape = draw(array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=5))
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.0]) for _ in shape]))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape)), spacing


def test_surface_is_the_inner_boundary():
    mask = np.zeros((5, 5), bool)
    mask[:, 1:4] = True
    expected = mask.copy()
    expected[1:4, 2] = False
    np.testing.assert_array_equal(surface_of(mask), expected)


@given(masks_and_spacing())
def test_surface_equals_looking_at_each_pixel(case):
    mask, _, _ = case
    assert [tuple(p) for p in np.argwhere(surface_of(mask))] == surface_points(mask)


def test_shifted_squares_of_the_toy():
    distances = surface_distances(*shifted_squares())
    assert distances.hausdorff == 2
    assert distances.hausdorff95 == 2
    assert distances.symmetric_mean == pytest.approx(1)


def test_equal_masks_are_at_distance_zero():
    _, reference = shifted_squares()
    distances = surface_distances(reference, reference)
    assert distances.hausdorff == distances.hausdorff95 == 0
    assert distances.symmetric_mean == 0


def test_one_way_mean_starts_at_the_prediction():
    prediction, reference = np.zeros((2, 1, 9), bool)
    prediction[0, 1] = True
    reference[0, [1, 7]] = True
    distances = surface_distances(prediction, reference)
    assert distances.mean_to_reference == 0
    assert distances.mean_to_prediction == 3
    assert distances.symmetric_mean == 1.5
    assert distances.hausdorff == 6
    assert distances.hausdorff95 == pytest.approx(0.9 * 6)


@pytest.mark.parametrize("empty_one", [0, 1])
def test_one_empty_mask_is_undefined_and_counted(empty_one):
    masks = list(shifted_squares())
    masks[empty_one] = np.zeros((40, 40), bool)
    distances = surface_distances(*masks)
    assert distances.one_empty
    assert not distances.both_empty
    assert math.isnan(distances.hausdorff)
    assert math.isnan(distances.hausdorff95)
    assert math.isnan(distances.mean_to_reference)
    assert math.isnan(distances.symmetric_mean)


def test_two_empty_masks_are_undefined_but_no_failure():
    distances = surface_distances(np.zeros((4, 4), bool), np.zeros((4, 4), bool))
    assert distances.both_empty
    assert not distances.one_empty
    assert math.isnan(distances.hausdorff)


def test_distances_follow_the_spacing():
    prediction, reference = np.zeros((2, 3, 5, 5), bool)
    prediction[0, 2, 2] = True
    reference[2, 2, 3] = True
    distances = surface_distances(prediction, reference, spacing=(3.0, 1.0, 2.5))
    assert distances.hausdorff == 6.5


def test_one_plane_scores_like_the_image_in_2d():
    prediction, reference = shifted_squares()
    flat = surface_distances(prediction, reference, spacing=(2, 0.5))
    plane = surface_distances(prediction[None], reference[None], spacing=(9, 2, 0.5))
    np.testing.assert_array_equal(plane.to_reference, flat.to_reference)
    np.testing.assert_array_equal(plane.to_prediction, flat.to_prediction)


def test_one_pixel_image_has_a_distance():
    assert (
        surface_distances(np.ones((1, 1), bool), np.ones((1, 1), bool)).hausdorff == 0
    )


@given(masks_and_spacing())
def test_distances_equal_brute_force(case):
    prediction, reference, spacing = case
    assume(prediction.any() and reference.any())
    ours, theirs = surface_points(prediction), surface_points(reference)
    distances = surface_distances(prediction, reference, spacing=spacing)
    there = brute_distances(ours, theirs, spacing)
    back = brute_distances(theirs, ours, spacing)
    np.testing.assert_allclose(distances.to_reference, there, rtol=1e-6)
    np.testing.assert_allclose(distances.to_prediction, back, rtol=1e-6)
    assert distances.hausdorff == pytest.approx(max(there + back))
    assert distances.hausdorff95 == pytest.approx(np.percentile(there + back, 95))
    assert distances.symmetric_mean == pytest.approx(
        (np.mean(there) + np.mean(back)) / 2
    )


@given(masks_and_spacing())
def test_two_way_scores_are_symmetric(case):
    prediction, reference, spacing = case
    one = surface_distances(prediction, reference, spacing=spacing)
    other = surface_distances(reference, prediction, spacing=spacing)
    for name in ("hausdorff", "hausdorff95", "symmetric_mean"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
    assert one.mean_to_reference == pytest.approx(other.mean_to_prediction, nan_ok=True)


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, -1.0), (1.0, math.nan)])
def test_spacing_that_does_not_fit_is_refused(spacing):
    with pytest.raises(ValueError, match="spacing"):
        surface_distances(*shifted_squares(), spacing=spacing)


def test_masks_that_do_not_fit_are_refused():
    prediction, reference = shifted_squares()
    with pytest.raises(ValueError, match="differ"):
        surface_distances(prediction, reference[1:])
    with pytest.raises(ValueError, match="not bool"):
        surface_distances(prediction.astype(np.uint8), reference)


def test_hausdorff_and_one_way_mean_equal_monai():
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    prediction, reference = np.zeros((2, 12, 20, 24), bool)
    prediction[2:9, 3:15, 4:20] = rng.random((7, 12, 16)) < 0.9
    reference[3:10, 5:17, 6:19] = rng.random((7, 12, 13)) < 0.9
    spacing = (2.5, 1.0, 0.7)
    one, other = (torch.from_numpy(m[None, None]) for m in (prediction, reference))
    distances = surface_distances(prediction, reference, spacing=spacing)
    hausdorff = metrics.compute_hausdorff_distance(
        one, other, include_background=True, spacing=spacing
    )
    mean = metrics.compute_average_surface_distance(
        one, other, include_background=True, spacing=spacing
    )
    assert distances.hausdorff == pytest.approx(float(hausdorff), rel=1e-5)
    assert distances.mean_to_reference == pytest.approx(float(mean), rel=1e-5)
