import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from napari_mtseg.uncertainty.entropy import predictive_entropy
from napari_mtseg.uncertainty.quality import (
    image_scores,
    outline_band,
    region_sums,
    slice_scores,
)

NAMES = {"boundary_entropy", "inside_entropy", "low_confidence"}


def band_of(objects, *spacing):
    objects = np.asarray(objects)
    return outline_band(objects, spacing=spacing or (1.0,) * objects.ndim)


def scored(objects, foreground, *, expected=True, spacing=None):
    """Return the scores of an image and of its planes, of two classes."""
    objects = np.asarray(objects, np.uint32)
    p = np.asarray(foreground, np.float32)
    probabilities = np.stack([1 - p, p])
    uncertainty = predictive_entropy(probabilities)
    band = outline_band(objects, spacing=spacing or (1.0,) * objects.ndim)
    sums = region_sums(probabilities, uncertainty, objects, band)
    image = image_scores(sums, probabilities, uncertainty, expected=expected)
    return image, slice_scores(sums, probabilities, uncertainty)


def test_the_band_reaches_two_pixels_to_both_sides_of_an_outline():
    found = band_of([[0, 0, 0, 0, 7, 7, 7, 7, 7]])
    assert found.astype(int).tolist() == [[0, 0, 1, 1, 1, 1, 0, 0, 0]]


def test_between_touching_objects_is_an_outline_and_the_image_edge_is_none():
    found = band_of([[1, 1, 1, 2, 2, 2]])
    assert found.astype(int).tolist() == [[0, 1, 1, 1, 1, 0]]
    assert not band_of(np.ones((4, 4), np.uint32)).any()


def test_a_corner_is_reached_in_two_steps_over_faces():
    objects = np.zeros((5, 5), np.uint32)
    objects[2, 2] = 1
    rows = ["00100", "01110", "11111", "01110", "00100"]
    assert band_of(objects).astype(int).tolist() == [list(map(int, r)) for r in rows]


@pytest.mark.parametrize(("size", "planes"), [(1, 2), (2, 1), (5, 0)])
def test_between_planes_the_band_is_as_wide_as_their_distance_allows(size, planes):
    objects = np.zeros((9, 1, 1), np.uint32)
    objects[4:] = 1
    found = band_of(objects, size, 1, 1).ravel()
    expected = np.abs(np.arange(9) - 3.5) < planes
    assert found.tolist() == expected.tolist()


def test_in_the_plane_outlines_count_whatever_the_pixel_is_like():
    assert band_of([[0, 0, 1, 1]], 1, 9).tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("shape", [(9, 11), (5, 9, 11)])
def test_the_band_does_not_depend_on_the_parts_it_is_made_in(shape, monkeypatch):
    objects = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint32)
    objects[:, 3:] = 4
    whole = band_of(objects)
    monkeypatch.setattr(
        "napari_mtseg.uncertainty.quality.slabs",
        lambda shape: (slice(i, i + 1) for i in range(shape[0])),
    )
    assert (band_of(objects) == whole).all()


def test_a_sure_image_has_no_doubt():
    objects = np.zeros((12, 12), np.uint32)
    objects[3:9, 3:9] = 1
    image, _ = scored(objects, objects)
    assert image == pytest.approx(dict.fromkeys(NAMES, 0), abs=1e-6)


def test_doubt_at_outlines_and_inside_are_told_apart():
    objects = np.zeros((16, 16), np.uint32)
    objects[4:12, 4:12] = 1
    at_outline, inside = objects.astype(float), objects.astype(float)
    at_outline[band_of(objects)] = 0.5
    inside[7:9, 7:9] = 0.5
    image, _ = scored(objects, at_outline)
    assert image["boundary_entropy"] == pytest.approx(1, abs=1e-6)
    assert image["inside_entropy"] == pytest.approx(0, abs=1e-6)
    image, _ = scored(objects, inside)
    assert image["boundary_entropy"] == pytest.approx(0, abs=1e-6)
    assert image["inside_entropy"] == pytest.approx(4 / 16, abs=1e-6)


def test_low_confidence_is_one_where_all_classes_are_equally_probable():
    objects = np.zeros((8, 8), np.uint32)
    objects[2:6, 2:6] = 1
    for n_outputs in (2, 3, 5):
        probabilities = np.full((n_outputs, 8, 8), 1 / n_outputs, np.float32)
        uncertainty = predictive_entropy(probabilities)
        sums = region_sums(probabilities, uncertainty, objects, band_of(objects))
        found = image_scores(sums, probabilities, uncertainty)
        assert found == pytest.approx(dict.fromkeys(NAMES, 1), abs=1e-6)


def test_low_confidence_leaves_out_background_far_from_objects():
    objects = np.zeros((30, 30), np.uint32)
    objects[2:6, 2:6] = 1
    foreground = objects.astype(float)
    foreground[20:] = 0.5
    assert scored(objects, foreground)[0]["low_confidence"] == pytest.approx(0)


def test_thin_objects_have_an_inside():
    objects = np.zeros((5, 5), np.uint32)
    objects[2, 2] = 1
    foreground = np.where(objects > 0, 0.5, 0)
    assert scored(objects, foreground)[0]["inside_entropy"] == pytest.approx(1)


def test_an_object_that_fills_the_image_has_an_outline_as_doubtful_as_its_inside():
    image, _ = scored(np.ones((4, 4)), np.full((4, 4), 0.75))
    assert image["boundary_entropy"] == image["inside_entropy"] > 0.5


def test_nothing_found_where_objects_were_expected_is_the_worst():
    image, _ = scored(np.zeros((4, 4)), np.zeros((4, 4)))
    assert image == dict.fromkeys(NAMES, 1)


def test_nothing_found_where_nothing_is_expected_is_as_doubtful_as_its_worst_pixel():
    sure, _ = scored(np.zeros((4, 4)), np.zeros((4, 4)), expected=False)
    assert sure == pytest.approx(dict.fromkeys(NAMES, 0), abs=1e-6)
    foreground = np.zeros((4, 4))
    foreground[1, 1] = 0.4
    unsure, _ = scored(np.zeros((4, 4)), foreground, expected=False)
    assert unsure["low_confidence"] == pytest.approx(0.8)
    assert unsure["boundary_entropy"] == unsure["inside_entropy"] > 0.9


def test_expectation_changes_nothing_where_objects_were_found():
    objects = np.zeros((8, 8), np.uint32)
    objects[2:6, 2:6] = 1
    foreground = np.linspace(0, 1, 64).reshape(8, 8)
    one, other = (scored(objects, foreground, expected=e)[0] for e in (True, False))
    assert one == other


IMAGES = hnp.arrays(np.int64, (4, 5), elements=st.integers(0, 2)).flatmap(
    lambda objects: st.tuples(
        st.just(objects),
        hnp.arrays(np.float64, (4, 5), elements=st.floats(0, 1, width=16)),
        st.booleans(),
    )
)


@given(IMAGES, st.integers(0, 9))
def test_the_size_of_an_image_changes_no_score(image, margin):
    small, foreground, expected = image
    objects, p = np.pad(small, 3), np.pad(foreground, 3)
    one, _ = scored(objects, p, expected=expected)
    tiled, _ = scored(np.tile(objects, (2, 2)), np.tile(p, (2, 2)), expected=expected)
    padded, _ = scored(np.pad(objects, margin), np.pad(p, margin), expected=expected)
    assert tiled == pytest.approx(one, abs=1e-6)
    assert padded == pytest.approx(one, abs=1e-6)
    assert all(0 <= value <= 1 for value in one.values())


@given(IMAGES)
def test_scores_of_planes_are_those_of_images(image):
    """Far planes: no outline lies between them."""
    small, foreground, _ = image
    objects, p = np.pad(small, 3), np.pad(foreground, 3)
    far = (9.0, 1.0, 1.0)
    one, planes = scored(np.stack([objects] * 3), np.stack([p] * 3), spacing=far)
    flat, _ = scored(objects, p, expected=False)
    for name in NAMES:
        assert np.isfinite(planes[name]).all()
        if objects.any():
            assert planes[name].tolist() == pytest.approx([flat[name]] * 3, abs=1e-6)
            assert one[name] == pytest.approx(flat[name], abs=1e-6)
    assert planes["plane"].tolist() == [0, 1, 2]
    assert planes["n_object_pixels"].tolist() == [np.count_nonzero(objects)] * 3


def test_a_plane_where_an_object_was_missed_is_more_doubtful_than_an_empty_one():
    objects = np.zeros((4, 12, 12), np.uint32)
    objects[:2, 4:8, 4:8] = 1
    foreground = np.where(objects, 0.95, 0.0)
    foreground[2, 4:8, 4:8] = 0.45
    foreground[3, 0, 0] = 0.45
    _, planes = scored(objects, foreground, spacing=(9.0, 1.0, 1.0))
    for name in NAMES:
        missed, speck = planes[name][2:]
        assert missed > planes[name][0] > speck > 0
