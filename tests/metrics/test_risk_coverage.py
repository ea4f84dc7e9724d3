from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.metrics.risk_coverage import doubt_counts, risk_coverage

FEW = st.integers(1, 30)


@st.composite
def doubts_and_errors(draw):
    """Draw doubts with ties, multiples of 1/8, and errors of 0..1."""
    n = draw(FEW)
    doubt = draw(arrays(np.int64, n, elements=st.integers(0, 8))) / 8
    error = draw(arrays(np.float64, n, elements=st.floats(0, 1, width=16)))
    return doubt, error


def test_giving_away_the_most_doubtful_item_takes_its_error_out_of_the_risk():
    found = risk_coverage([0.1, 0.9, 0.5, 0.2], [0, 1, 1, 0])
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert found.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert found.area == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert found.excess == 0


def test_the_wrong_order_has_an_excess():
    found = risk_coverage([0.9, 0.1], [0, 1])
    assert found.area == pytest.approx((1 + 1 / 2) / 2)
    assert found.excess == pytest.approx(found.area - (0 + 1 / 2) / 2)


def test_items_of_the_same_doubt_are_one_level_of_their_mean_error():
    found = risk_coverage([0.5, 0.5, 0.1], [1, 0, 0])
    assert found.coverage.tolist() == pytest.approx([1 / 3, 1])
    assert found.risk.tolist() == pytest.approx([0, 1 / 3])


@given(doubts_and_errors())
def test_constant_doubt_gives_a_flat_risk(items):
    _, error = items
    found = risk_coverage(np.zeros(error.size), error)
    assert found.coverage.tolist() == [1]
    assert found.risk[0] == pytest.approx(error.mean(), abs=1e-12)
    assert found.area == pytest.approx(error.mean(), abs=1e-12)


@given(doubts_and_errors())
def test_no_order_is_better_than_that_of_the_errors(items):
    doubt, error = items
    best = risk_coverage(error, error)
    assert best.excess == 0
    found = risk_coverage(doubt, error)
    assert found.area >= best.area - 1e-12
    assert found.excess == pytest.approx(found.area - best.area, abs=1e-12)


@given(doubts_and_errors(), st.randoms(use_true_random=False))
def test_the_order_in_which_items_come_does_not_matter(items, random):
    doubt, error = items
    order = list(range(doubt.size))
    random.shuffle(order)
    found, shuffled = (
        risk_coverage(doubt, error),
        risk_coverage(*(values[order] for values in items)),
    )
    assert shuffled.area == pytest.approx(found.area, abs=1e-12)
    assert shuffled.risk == pytest.approx(found.risk, abs=1e-12)


@pytest.mark.parametrize("doubt", [(0, 1, 1, 1), (0, 0, 2, 2), (1, 0, 0, 1)])
def test_ties_count_as_their_mean_over_all_orders(doubt):
    error = np.array([0.1, 0.9, 0.4, 0.2])
    areas = []
    for order in permutations(range(4)):
        if all(doubt[a] <= doubt[b] for a, b in pairwise(order)):
            kept = np.cumsum(error[list(order)]) / np.arange(1, 5)
            areas.append(kept.mean())
    assert risk_coverage(doubt, error).area == pytest.approx(np.mean(areas))


@given(doubts_and_errors())
def test_counted_pixels_give_what_single_pixels_give(items):
    doubt, error = items
    wrong = error > 0.5
    found = doubt_counts(doubt, wrong).risk_coverage()
    exact = risk_coverage(doubt, wrong)
    assert found.area == pytest.approx(exact.area, abs=1e-12)
    assert found.excess == pytest.approx(exact.excess, abs=1e-12)
    assert found.coverage == pytest.approx(exact.coverage)


def test_counts_of_two_images_are_those_of_both_together():
    rng = np.random.default_rng(0)
    doubt, wrong = rng.random((2, 8, 8)), rng.random((2, 8, 8)) < 0.2
    one, other = (doubt_counts(d, w) for d, w in zip(doubt, wrong, strict=True))
    assert (one + other).risk_coverage().area == pytest.approx(
        doubt_counts(doubt, wrong).risk_coverage().area
    )


def test_tiny_doubts_are_told_apart():
    doubt = np.array([1e-8, 2e-8, 1e-3, 1.0])
    found = doubt_counts(doubt, np.array([False, False, True, True]))
    assert found.risk_coverage().excess == 0


@pytest.mark.parametrize(
    ("doubt", "error"),
    [([], []), ([1], [1, 0]), ([np.nan], [1]), ([1], [np.inf]), ([[1]], [[0]])],
)
def test_items_without_a_finite_doubt_and_error_each_are_refused(doubt, error):
    with pytest.raises(ValueError, match=r"doubt"):
        risk_coverage(doubt, error)


def test_pixels_that_cannot_be_counted_are_refused():
    wrong = np.array([False])
    with pytest.raises(ValueError, match="not negative"):
        doubt_counts(np.array([-1.0]), wrong)
    with pytest.raises(ValueError, match="differ in shape"):
        doubt_counts(np.array([1.0, 2.0]), wrong)
    with pytest.raises(ValueError, match="no pixel was counted"):
        doubt_counts(np.array([]), wrong[:0]).risk_coverage()
