import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.metrics.failure import auroc, flag_worst


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


def test_flagging_half_of_the_images_in_the_best_order_finds_all_failures():
    found = flag_worst([0.9, 0.1, 0.8, 0.2], [True, False, True, False], share=0.5)
    assert (found.n_flagged, found.found, found.best, found.chance) == (2, 1, 1, 0.5)


def test_few_flags_cannot_find_many_failures():
    found = flag_worst(np.arange(10), np.arange(10) >= 5, share=0.1)
    assert (found.found, found.best, found.chance) == (0.2, 0.2, 0.1)


def test_the_number_of_flags_is_rounded_up_to_whole_images():
    shares = (0.1, 0.3, 1.0)
    bad = [False] * 9 + [True]
    flags = [flag_worst(np.arange(10), bad, share=s).n_flagged for s in shares]
    assert flags == [1, 3, 10]
    assert flag_worst([1, 2], [False, True], share=0.01).n_flagged == 1


def test_flags_among_images_with_the_same_score_find_what_chance_finds():
    found = flag_worst([0.5] * 8, [True] * 2 + [False] * 6, share=0.25)
    assert found.found == pytest.approx(found.chance) == 0.25


def test_without_a_failure_nothing_can_be_found():
    found = flag_worst([1, 2], [False, False], share=0.5)
    assert np.isnan([found.found, found.best]).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_no_flags_find_more_than_the_best_and_all_flags_find_all(pairs):
    scores, failed = zip(*pairs, strict=True)
    if not any(failed):
        return
    for share in (0.05, 0.3, 0.8):
        found = flag_worst(scores, failed, share=share)
        assert 0 <= found.found <= found.best + 1e-12
    assert flag_worst(scores, failed, share=1).found == pytest.approx(1)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match="share is 10"):
        flag_worst([1, 2], [True, False], share=10)
    with pytest.raises(ValueError, match="no image"):
        flag_worst([], [], share=0.1)
