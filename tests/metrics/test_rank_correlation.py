import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from napari_mtseg.metrics.rank_correlation import spearman

PAIRS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20
)


def of(first, second, n_resamples=50):
    return spearman(
        first, second, rng=np.random.default_rng(0), n_resamples=n_resamples
    )


def test_the_same_order_is_one_and_the_reverse_is_minus_one():
    assert of([1, 2, 3, 9], [0.1, 0.2, 0.3, 0.4]).value == pytest.approx(1)
    assert of([1, 2, 3, 9], [0.4, 0.3, 0.2, 0.1]).value == pytest.approx(-1)


@pytest.mark.parametrize("values", [[1, 1, 1], [2], []])
def test_numbers_that_do_not_vary_have_no_correlation(values):
    found = of(values, list(range(len(values))))
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.n == len(values)


@given(PAIRS)
def test_ties_count_as_in_scipy(pairs):
    first, second = zip(*pairs, strict=True)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(of(first, second).value)
        return
    expected = spearmanr(first, second).statistic
    assert of(first, second).value == pytest.approx(expected)


@given(PAIRS)
def test_only_the_order_matters(pairs):
    first, second = (np.array(part, float) for part in zip(*pairs, strict=True))
    found, stretched = of(first, second).value, of(np.exp(first), 7 * second).value
    assert found == pytest.approx(stretched, nan_ok=True)


def test_the_interval_holds_the_value_and_repeats():
    rng = np.random.default_rng(1)
    doubt = rng.random(50)
    dice = 1 - doubt + rng.normal(size=50) / 3
    first, again = of(doubt, dice, 500), of(doubt, dice, 500)
    assert first == again
    assert first.low < first.value < first.high < 0


def test_more_images_than_a_block_holds_are_resampled_too():
    doubt = np.random.default_rng(1).random(2**18 + 1)
    assert of(doubt, -doubt, 2).low == pytest.approx(-1)


def test_a_number_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="finite"):
        of([np.nan, 1], [1, 2])
    with pytest.raises(ValueError, match="per image"):
        of([1, 2, 3], [1, 2])
