import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.metrics.failure import auroc


def of(scores, failed):
    return auroc(scores, failed, rng=np.random.default_rng(0), n_resamples=200)


def test_a_score_that_ranks_all_failures_first_has_area_one():
    assert of([0.1, 0.2, 0.8, 0.9], [False, False, True, True]).value == 1.0


def test_a_score_that_ranks_all_failures_last_has_area_zero():
    assert of([0.1, 0.2, 0.8, 0.9], [True, True, False, False]).value == 0.0


def test_a_score_that_is_alike_everywhere_is_chance():
    assert of([0.5] * 6, [True, False] * 3).value == 0.5


def test_pairs_in_the_wrong_order_count_as_a_share():
    # Of four pairs, (0.7 failed, 0.8 not) alone is wrong.
    assert of([0.7, 0.9, 0.8, 0.1], [True, True, False, False]).value == 0.75


def test_without_a_failure_there_is_no_area():
    found = of([0.1, 0.2], [False, False])
    assert np.isnan(found.value)
    assert np.isnan(found.low)
    assert found.n_failed == 0


def test_the_interval_holds_the_area_and_repeats():
    rng = np.random.default_rng(1)
    failed = rng.random(60) < 0.3
    scores = failed + rng.normal(size=60)
    first, again = of(scores, failed), of(scores, failed)
    assert first == again
    assert first.low < first.value < first.high


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=20))
def test_turning_the_score_round_mirrors_the_area(pairs):
    scores, failed = (np.array(part) for part in zip(*pairs, strict=True))
    if failed.all() or not failed.any():
        return
    assert of(-scores, failed).value == pytest.approx(1 - of(scores, failed).value)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        of([np.nan, 1.0], [True, False])
