"""D1, D2 and D3 against their definition, and how they become 0..1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.geometry.boundaries import inner_boundary
from napari_mtseg.geometry.distances import distance_inside, distance_to
from napari_mtseg.targets.distance_maps import (
    distance_map,
    normalised,
    signed_boundary_distance,
    two_sided_distance,
)

KINDS = ("D1", "D2", "D3")
RULES = ("sym", "minmax", "trunc", "sides")
SHAPES = st.sampled_from([(1, 1), (5, 6), (3, 4, 5)])
LABELS = SHAPES.flatmap(lambda s: arrays(np.uint32, s, elements=st.integers(0, 2)))
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.5, 1.0)])


def nearest(members, spacing):
    """Distance of each pixel to the nearest member, from all pairs."""
    points = np.indices(members.shape).reshape(members.ndim, -1).T * np.array(spacing)
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    apart[:, ~members.ravel()] = np.inf
    return apart.min(1).reshape(members.shape)


@given(LABELS, SPACINGS, st.booleans())
def test_d3_is_the_distance_to_the_boundary_negative_inside(labels, spacing, at_edge):
    spacing = spacing[: labels.ndim]
    boundary = inner_boundary(labels, border_is_boundary=at_edge)
    expected = nearest(boundary, spacing) * np.where(labels, -1, 1)
    found = signed_boundary_distance(
        labels, spacing=spacing, border_is_boundary=at_edge
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(LABELS, SPACINGS, st.booleans())
def test_d1_and_d2_follow_from_d3(labels, spacing, at_edge):
    settings = {"spacing": spacing[: labels.ndim], "border_is_boundary": at_edge}
    d1, d2, d3 = (distance_map(labels, kind, **settings) for kind in KINDS)
    np.testing.assert_array_equal(d1, np.maximum(d3, 0))
    np.testing.assert_array_equal(d2, np.abs(d3))


def test_touching_objects_have_a_boundary_between_them():
    apart = signed_boundary_distance(np.array([[1, 1, 1, 2, 2, 2]]))
    assert apart.tolist() == [[-2, -1, 0, 0, -1, -2]]
    assert np.isneginf(signed_boundary_distance(np.ones((1, 6), bool))).all()


def test_boundary_pixels_are_plain_0():
    found = signed_boundary_distance(np.array([[0, 1, 0]]))
    assert not np.signbit(found).any()


def test_the_image_edge_ends_an_object_only_when_asked():
    row = np.array([[[1, 1, 1, 1, 0]]])
    assert signed_boundary_distance(row).tolist() == [[[-3, -2, -1, 0, 1]]]
    square = np.ones((3, 3), bool)
    framed = signed_boundary_distance(square, border_is_boundary=True)
    assert framed.tolist() == [[0, 0, 0], [0, -1, 0], [0, 0, 0]]


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_mask_is_1_everywhere(rule):
    for kind in KINDS:
        empty = distance_map(np.zeros((2, 3), np.uint32), kind)
        assert (normalised(empty, rule, kind=kind) == 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_full_mask_is_0_as_d1_and_d3_and_1_as_d2(rule):
    for kind, value in zip(KINDS, (0, 1, 0), strict=True):
        full = distance_map(np.ones((2, 2, 3), bool), kind)
        assert (normalised(full, rule, kind=kind) == value).all()


def test_rules_differ_in_where_the_boundary_comes_to_lie():
    d3 = np.array([[-2, -1, 0, 1, 2, 3, 4, 6]], np.float32)
    sym, minmax, trunc, sides = (normalised(d3, r, kind="D3", reach=2) for r in RULES)
    np.testing.assert_allclose(sym, 0.5 + d3 / 12)
    np.testing.assert_allclose(minmax, (d3 + 2) / 8, atol=1e-7)
    assert trunc.tolist() == [[0, 0.25, 0.5, 0.75, 1, 1, 1, 1]]
    np.testing.assert_allclose(sides, 0.5 + d3 / np.where(d3 < 0, 4, 12))


@pytest.mark.parametrize("kind", ["D1", "D2"])
def test_unsigned_maps_are_0_at_the_boundary(kind):
    distance = np.array([[0, 1, 2, 4]], np.float32)
    for rule in ("sym", "minmax", "sides"):
        found = normalised(distance, rule, kind=kind)
        assert found.tolist() == [[0, 0.25, 0.5, 1]]
    assert normalised(distance, "trunc", kind=kind, reach=2).tolist() == [
        [0, 0.5, 1, 1]
    ]


@given(LABELS, st.sampled_from(KINDS), st.sampled_from(RULES), st.booleans())
def test_normalised_maps_are_in_0_to_1_and_keep_the_order(labels, kind, rule, at_edge):
    distance = distance_map(labels, kind, border_is_boundary=at_edge)
    before = distance.copy()
    found = normalised(distance, rule, kind=kind, reach=1.5)
    np.testing.assert_array_equal(distance, before)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found.ravel()[np.argsort(distance, axis=None)]) >= 0).all()
    if kind == "D3" and rule != "minmax":
        assert (found[distance == 0] == 0.5).all()


def signed_shares(labels, **settings):
    """Return what a tanh can answer: each side in shares of its largest distance."""
    distance = two_sided_distance(labels, **settings)
    return 2 * normalised(distance, "sides", kind="D3") - 1


@given(LABELS.filter(lambda labels: labels.any() and not labels.all()))
def test_two_sides_are_those_of_the_public_code(labels):
    mask = labels > 0
    outside, inside = distance_to(mask), distance_inside(mask)
    expected = outside / outside.max() - inside / inside.max()
    expected[inner_boundary(mask)] = 0
    np.testing.assert_allclose(signed_shares(mask), expected, atol=1e-6)


@given(LABELS, SPACINGS)
def test_each_side_reaches_the_end_of_its_range(labels, spacing):
    found = signed_shares(labels, spacing=spacing[: labels.ndim])
    outside, inside = found[labels == 0], found[found < 0]
    assert (outside > 0).all()
    assert outside.size == 0 or outside.max() == pytest.approx(1)
    assert inside.size == 0 or inside.min() == pytest.approx(-1)


def test_each_side_is_measured_to_the_other_and_in_shares_of_its_own_largest():
    row = np.array([[0, 0, 7, 7, 7, 7, 7, 0, 0, 0, 0]])
    apart = two_sided_distance(row)
    assert apart.tolist() == [[2, 1, 0, -2, -3, -2, 0, 1, 2, 3, 4]]
    shares = [1 / 2, 1 / 4, 0, -2 / 3, -1, -2 / 3, 0, 1 / 4, 1 / 2, 3 / 4, 1]
    np.testing.assert_allclose(signed_shares(row), [shares], atol=1e-6)


@given(LABELS, SPACINGS, st.booleans())
def test_the_steep_sigmoid_of_a_two_sided_map_is_the_mask(labels, spacing, at_edge):
    z = signed_shares(
        labels, spacing=spacing[: labels.ndim], border_is_boundary=at_edge
    )
    with np.errstate(over="ignore"):
        soft = 1 / (1 + np.exp(1500 * z))
    np.testing.assert_array_equal(soft >= 0.5, labels > 0)


def test_without_objects_or_without_background_one_side_is_full():
    for shape in ((2, 3), (2, 2, 3)):
        assert (signed_shares(np.zeros(shape, np.uint32)) == 1).all()
        assert (signed_shares(np.ones(shape, np.uint32)) == -1).all()
    framed = signed_shares(np.ones((3, 3), bool), border_is_boundary=True)
    assert framed.tolist() == [[0, 0, 0], [0, -1, 0], [0, 0, 0]]


def test_objects_that_touch_have_two_sided_boundaries_between_them():
    touching = np.array([[1, 1, 1, 2, 2, 2]])
    assert two_sided_distance(touching).tolist() == [[-3, -2, 0, 0, -2, -3]]


def test_a_cut_map_of_a_crop_is_the_crop_of_the_map():
    labels = np.zeros((1, 40), np.uint32)
    labels[0, 10:16] = 1
    whole = normalised(distance_map(labels, "D3"), "trunc", kind="D3", reach=4)
    crop = normalised(distance_map(labels[:, 5:22], "D3"), "trunc", kind="D3", reach=4)
    np.testing.assert_array_equal(crop, whole[:, 5:22])


@pytest.mark.parametrize("reach", [0, -1, np.inf, np.nan])
def test_a_reach_that_is_not_positive_is_refused(reach):
    with pytest.raises(ValueError, match="reach"):
        normalised(np.zeros((1, 1), np.float32), "trunc", kind="D3", reach=reach)
