import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from napari_mtseg.metrics.resampling import ranks_in_samples, resampled_counts


def counts_of(n, n_resamples):
    return list(
        resampled_counts(n, rng=np.random.default_rng(0), n_resamples=n_resamples)
    )


@pytest.mark.parametrize("n", [1, 7, 100_000])
def test_every_sample_is_as_large_as_the_set(n):
    drawn = np.concatenate(counts_of(n, 5))
    assert drawn.shape == (5, n)
    assert (drawn.sum(axis=1) == n).all()


def test_large_sets_are_drawn_in_several_blocks():
    assert len(counts_of(2**17, 5)) == 3


def test_no_image_can_be_drawn_from_none():
    assert counts_of(0, 5) == []


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 9))
def test_ranks_are_those_of_the_sample_written_out(values, seed):
    numbers = np.array(values, float)
    n = len(values)
    (counts,) = resampled_counts(n, rng=np.random.default_rng(seed), n_resamples=1)
    places = np.repeat(np.arange(n), counts[0])
    expected = rankdata(numbers[places])
    assert ranks_in_samples(numbers, counts)[0][places].tolist() == expected.tolist()
