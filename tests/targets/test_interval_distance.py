"""Intervals hold the truth whatever is unpainted, and are it where all is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.geometry.distances import distance_inside, distance_to
from napari_mtseg.targets.distance_maps import (
    distance_map,
    normalised,
    two_sided_distance,
)
from napari_mtseg.targets.interval_distance import (
    distance_interval,
    distance_targets,
    interval_of_kind,
)

KINDS = ("D1", "D2", "D3")
WHOLE = CompleteRegion(whole=True)
SHAPES = st.sampled_from([(1, 1), (5, 6), (3, 4, 5)])
TRUTHS = SHAPES.flatmap(lambda s: arrays(np.uint32, s, elements=st.integers(0, 3)))
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.5, 1.0)])
"""the last axis is 1, so that distances are in pixels of it"""


def gap_distance(labels, spacing, *, at_edge):
    """Return D = d(x, m) - d(x, not m); beyond the edge is not m if ``at_edge``."""
    framed = np.pad(labels, int(at_edge))
    found = distance_to(framed != 0, spacing=spacing)
    found -= distance_inside(framed, spacing=spacing)
    return found[(slice(1, -1),) * labels.ndim] if at_edge else found


def known_part(data, mask):
    """Return some of the pixels of a mask: few, most or all."""
    usual = st.just(data.draw(st.booleans()))
    return mask & data.draw(arrays(np.bool_, mask.shape, fill=usual))


def assert_holds(low, high, true):
    """Round-off of single precision is let pass."""
    assert low.dtype == high.dtype == np.float32
    finite = np.where(np.isfinite(true), np.abs(true), 0)
    room = 1e-5 * (1 + finite)
    assert (low - room <= true).all()
    assert (true <= high + room).all()


def annotation(
    shape, *, full=None, partial=None, scribbles=None, class_of=None, **rest
):
    drawn = replace(empty_annotation(shape), **rest)
    for name, objects in (("full", full), ("partial", partial)):
        if objects is not None:
            ids = np.unique(objects[objects > 0]).tolist()
            masks = ObjectMasks(
                objects=objects.astype(np.uint32),
                class_of=class_of or dict.fromkeys(ids, 1),
            )
            drawn = replace(drawn, **{name: masks})
    return drawn if scribbles is None else replace(drawn, scribbles=scribbles)


def final(value, kind, scale=1.0):
    """Return what is learned from a 'trunc' map of an image enlarged by ``scale``."""
    if kind == "D3":
        return 0.5 + np.clip(scale * value, -1, 1) / 2
    return np.clip(scale * value, 0, 1)


@given(TRUTHS, SPACINGS, st.booleans(), st.data())
def test_intervals_hold_the_true_distance(truth, spacing, at_edge, data):
    spacing = spacing[-truth.ndim :]
    mask = truth > 0
    low, high = distance_interval(
        known_part(data, mask),
        known_part(data, ~mask),
        spacing=spacing,
        border_is_boundary=at_edge,
    )
    true = gap_distance(mask, spacing, at_edge=at_edge)
    assert_holds(low, high, true)
    for kind, of_kind in zip(
        KINDS, (np.maximum(true, 0), np.abs(true), true), strict=True
    ):
        assert_holds(*interval_of_kind(low, high, kind), of_kind)


@given(TRUTHS, SPACINGS, st.booleans(), st.data())
def test_intervals_of_touching_objects_hold_each_objects_distance(
    truth, spacing, at_edge, data
):
    spacing = spacing[-truth.ndim :]
    low, high = distance_interval(
        truth * known_part(data, truth > 0),
        known_part(data, truth == 0),
        spacing=spacing,
        border_is_boundary=at_edge,
    )
    assert_holds(low, high, gap_distance(truth, spacing, at_edge=at_edge))


@given(TRUTHS, SPACINGS, st.booleans())
def test_where_all_is_known_an_interval_is_the_distance(truth, spacing, at_edge):
    spacing, mask = spacing[-truth.ndim :], truth > 0
    low, high = distance_interval(
        mask, ~mask, spacing=spacing, border_is_boundary=at_edge
    )
    true = gap_distance(mask, spacing, at_edge=at_edge)
    np.testing.assert_array_equal(low, true)
    np.testing.assert_array_equal(high, true)


def test_nothing_known_bounds_nothing():
    low, high = distance_interval(np.zeros((3, 3), bool), np.zeros((3, 3), bool))
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()
    low, high = (
        side.ravel()
        for side in distance_interval(
            np.zeros((3, 3), bool), np.zeros((3, 3), bool), border_is_boundary=True
        )
    )
    assert low.tolist() == [-1, -1, -1, -1, -2, -1, -1, -1, -1]
    assert np.isposinf(high).all()


def test_a_pixel_that_is_both_is_refused():
    both = np.ones((1, 2), bool)
    with pytest.raises(ValueError, match="foreground and as background"):
        distance_interval(both, both)


@given(TRUTHS, SPACINGS, st.booleans(), st.sampled_from(KINDS))
def test_full_masks_everywhere_give_the_papers_map(truth, spacing, at_edge, kind):
    spacing = spacing[-truth.ndim :]
    drawn = annotation(truth.shape, full=truth, complete=WHOLE)
    settings = {"kind": kind, "spacing": spacing, "border_is_boundary": at_edge}
    paper = distance_map(truth, kind, spacing=spacing, border_is_boundary=at_edge)
    low, high = distance_targets(drawn, n_classes=1, reach=2.0, **settings)[1]
    assert low is high
    assert np.abs(low).max() <= 2
    np.testing.assert_allclose(
        final(low, kind), normalised(paper, "trunc", kind=kind, reach=2.0), atol=1e-6
    )
    for rule in ("sym", "minmax"):
        low, high = distance_targets(drawn, n_classes=1, rule=rule, **settings)[1]
        assert low is high
        np.testing.assert_array_equal(low, normalised(paper, rule, kind=kind))
    if kind == "D3":
        paper = two_sided_distance(truth, spacing=spacing, border_is_boundary=at_edge)
    low, high = distance_targets(drawn, n_classes=1, rule="sides", **settings)[1]
    assert low is high
    np.testing.assert_array_equal(low, normalised(paper, "sides", kind=kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_cut_map_can_be_enlarged(kind, scale):
    truth = np.zeros((1, 60), np.uint32)
    truth[0, 20:40] = 1
    drawn = annotation(truth.shape, full=truth, complete=WHOLE)
    low, _ = distance_targets(drawn, n_classes=1, kind=kind, reach=3)[1]
    enlarged = normalised(
        np.float32(scale) * distance_map(truth, kind), "trunc", kind=kind, reach=3
    )
    np.testing.assert_allclose(final(low, kind, scale), enlarged, atol=1e-6)


def test_each_class_has_the_map_of_its_own_objects():
    full = np.array([[0, 5, 5, 6, 6, 9, 9]])
    drawn = annotation(
        full.shape, full=full, class_of={5: 1, 6: 2, 9: 2}, complete=WHOLE
    )
    found = distance_targets(drawn, n_classes=3, reach=1)
    assert found[1][0].tolist() == [[1, 0, 0, 1, 2, 2, 2]]
    assert found[2][0].tolist() == [[2, 2, 1, 0, 0, 0, -1]]
    assert (found[3][0] == 2).all(), "a class that does not occur is far everywhere"


@given(TRUTHS, SPACINGS, st.booleans(), st.sampled_from(KINDS), st.data())
def test_weak_targets_hold_the_papers_map_to_a_voxel(
    truth, spacing, at_edge, kind, data
):
    """The paper counts from boundary pixels, the interval from the gap beside them."""
    n_axes = truth.ndim
    class_of = {1: 1, 2: 1, 3: 2}
    scribbles = known_part(data, truth == 3) * np.uint8(SCRIBBLE_FIRST_CLASS + 1)
    scribbles[known_part(data, truth == 0)] = SCRIBBLE_BACKGROUND
    drawn = annotation(
        truth.shape,
        partial=truth * known_part(data, truth > 0),
        full=truth,
        scribbles=scribbles,
        class_of=class_of,
        complete=CompleteRegion(boxes=(Box(start=(0,) * n_axes, stop=(2,) * n_axes),)),
    )
    settings = {"spacing": spacing[-n_axes:], "border_is_boundary": at_edge}
    found = distance_targets(drawn, n_classes=2, kind=kind, reach=50, **settings)
    voxel = (max(settings["spacing"]) + 1e-4) / 50
    for number, objects in ((1, truth * (truth < 3)), (2, truth * (truth == 3))):
        paper = np.clip(distance_map(objects, kind, **settings) / 50, -2, 2)
        low, high = found[number]
        assert (low - voxel <= paper).all()
        assert (paper <= high + voxel).all()


def test_an_unbounded_side_is_never_violated():
    partial = np.zeros((1, 30), np.uint32)
    partial[0, 10:13] = 1
    drawn = annotation(partial.shape, partial=partial)
    for kind, lowest in (("D1", 0), ("D2", 0), ("D3", -2)):
        low, high = distance_targets(drawn, n_classes=1, kind=kind, reach=4)[1]
        if kind != "D2":
            assert (low == lowest).all()
        assert (high.max(), high.min() >= lowest) == (2, True)
        assert (final(low, kind, 0.5)[low == lowest] == 0).all()
        assert (final(high, kind, 0.5)[high == 2] == 1).all()


def test_inside_a_partial_mask_d1_is_0():
    partial = np.zeros((1, 30), np.uint32)
    partial[0, 10:13] = 1
    drawn = annotation(partial.shape, partial=partial)
    low, high = distance_targets(drawn, n_classes=1, kind="D1", reach=4)[1]
    assert (low[0, 10:13] == 0).all()
    assert (high[0, 10:13] == 0).all()
    assert high[0, 13:17].tolist() == [0.25, 0.5, 0.75, 1]


def test_bounds_far_apart_are_as_good_as_none():
    scribbles = np.zeros((1, 60), np.uint8)
    scribbles[0, 0], scribbles[0, 59] = SCRIBBLE_FIRST_CLASS, SCRIBBLE_BACKGROUND
    drawn = annotation(scribbles.shape, scribbles=scribbles)
    low, high = (s[0] for s in distance_targets(drawn, n_classes=1, reach=10)[1])
    assert (low[25], high[25]) == (-2, 2)
    assert (high[0], low[59]) == (-0.1, pytest.approx(0.1))
    low, high = (s[0] for s in distance_targets(drawn, n_classes=1, reach=60)[1])
    assert (low[25], high[25]) == (pytest.approx(-34 / 60), pytest.approx(25 / 60))


def test_other_classes_are_background():
    scribbles = np.zeros((1, 9), np.uint8)
    scribbles[0, 1], scribbles[0, 7] = SCRIBBLE_FIRST_CLASS, SCRIBBLE_FIRST_CLASS + 1
    drawn = annotation(scribbles.shape, scribbles=scribbles)
    found = distance_targets(drawn, n_classes=2, reach=10)
    np.testing.assert_allclose(found[1][0][0, 1:8:6], [-0.6, 0.1])
    np.testing.assert_allclose(found[2][1][0, 1:8:6], [0.6, -0.1])


@pytest.mark.parametrize("rule", ["sym", "minmax", "sides"])
def test_only_rule_trunc_allows_pixels_on_which_full_masks_do_not_hold(rule):
    drawn = annotation((2, 2), full=np.eye(2), complete=WHOLE)
    agreed = np.eye(2, dtype=np.uint8) * SCRIBBLE_FIRST_CLASS
    for whole in (drawn, replace(drawn, scribbles=agreed)):
        distance_targets(whole, n_classes=1, rule=rule)
    contradicted, separated = (
        replace(drawn, scribbles=np.full((2, 2), code, np.uint8))
        for code in (SCRIBBLE_BACKGROUND, SCRIBBLE_SEPARATOR)
    )
    for weak in (empty_annotation((2, 2)), contradicted, separated):
        with pytest.raises(AnnotationError, match=f"^Distances normalised by '{rule}'"):
            distance_targets(weak, n_classes=1, rule=rule)


@pytest.mark.parametrize("kind", ["partial", "full"])
def test_a_stroke_that_agrees_with_masks_neither_cuts_nor_joins_them(kind):
    masks = np.array([[0, 0, 7, 7, 7, 8, 8, 8, 0, 0]], np.uint32)
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 9)),) * (kind == "full"))
    masked = annotation(masks.shape, complete=region, **{kind: masks})
    strokes = np.zeros(masks.shape, np.uint8)
    strokes[0, 3:7] = SCRIBBLE_FIRST_CLASS
    both = replace(masked, scribbles=strokes)
    found, expected = (
        distance_targets(drawn, n_classes=1, reach=1)[1] for drawn in (both, masked)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["partial", "full"])
def test_an_outline_may_run_where_a_separator_crosses_a_mask(kind):
    mask, scribbles = np.ones((1, 7), np.uint32), np.zeros((1, 7), np.uint8)
    scribbles[0, 3] = SCRIBBLE_SEPARATOR
    region = CompleteRegion(whole=kind == "full")
    drawn = annotation((1, 7), scribbles=scribbles, complete=region, **{kind: mask})
    found = distance_targets(drawn, n_classes=2, reach=1)
    assert found[1][1].tolist() == [[-2, -2, -1, 1, -1, -2, -2]]
    assert (found[1][0] == -2).all()
    assert (found[2][0][0, 3], found[2][1][0, 3]) == (-1, 2), "nor background there"


def test_distances_are_in_pixels_of_the_last_axis():
    full = np.array([[0, 0, 1, 0, 0, 0]])
    drawn = annotation(full.shape, full=full, complete=WHOLE)
    for spacing in (None, (0.2, 0.2), (7.0, 0.5)):
        low, _ = distance_targets(drawn, n_classes=1, reach=2, spacing=spacing)[1]
        assert low.tolist() == [[1, 0.5, 0, 0.5, 1, 1.5]]


def test_a_reach_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="reach"):
        distance_targets(empty_annotation((2, 2)), n_classes=1, reach=0)
