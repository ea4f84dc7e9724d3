"""Bootstrap intervals on values whose answer is known."""

import math

import numpy as np
import pytest

from napari_mtseg.metrics.intervals import bootstrap_mean, bootstrap_paired_difference


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_mean_lies_inside_its_interval():
    values = generator().normal(0.8, 0.1, 40)
    interval = bootstrap_mean(values, rng=generator())
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low < interval.mean < interval.high
    assert (interval.n, interval.n_undefined) == (40, 0)


def test_width_is_that_of_the_normal_theory():
    values = generator().normal(0, 1, 400)
    interval = bootstrap_mean(values, rng=generator(), n_resamples=4000)
    expected = 2 * 1.96 * values.std() / math.sqrt(values.size)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.08)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = generator()
    intervals = [
        bootstrap_mean(rng.random(40), rng=rng, confidence=0.9, n_resamples=300)
        for _ in range(300)
    ]
    covered = np.mean([i.low <= 0.5 <= i.high for i in intervals])
    assert 0.83 <= covered <= 0.95


def test_wider_confidence_is_a_wider_interval():
    values = generator().random(30)
    narrow = bootstrap_mean(values, rng=generator(), confidence=0.5)
    wide = bootstrap_mean(values, rng=generator(), confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_same_seed_gives_the_same_interval():
    values = generator().random(12)
    assert bootstrap_mean(values, rng=generator()) == bootstrap_mean(
        values, rng=generator()
    )


def test_undefined_images_are_left_out_and_counted():
    interval = bootstrap_mean([2.0, math.nan, 2.0, math.nan], rng=generator())
    assert (interval.mean, interval.low, interval.high) == (2, 2, 2)
    assert (interval.n, interval.n_undefined) == (2, 2)


@pytest.mark.parametrize("values", [[], [math.nan, math.nan]])
def test_no_defined_image_has_no_mean(values):
    interval = bootstrap_mean(values, rng=generator())
    assert math.isnan(interval.mean)
    assert math.isnan(interval.low)
    assert (interval.n, interval.n_undefined) == (0, len(values))


def test_one_image_has_a_mean_but_no_interval():
    interval = bootstrap_mean([0.25], rng=generator())
    assert interval.mean == 0.25
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert not interval.excludes_zero


def test_seeds_are_averaged_within_images():
    per_seed = np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]])
    assert bootstrap_mean(per_seed, rng=generator()) == bootstrap_mean(
        [1.0, 2.0, 3.0], rng=generator()
    )


def test_hard_images_cancel_out_of_a_paired_difference():
    difficulty = generator().random((3, 30))
    interval = bootstrap_paired_difference(
        difficulty + 0.25, difficulty, rng=generator()
    )
    assert interval.mean == pytest.approx(0.25)
    assert interval.low == pytest.approx(0.25)
    assert interval.high == pytest.approx(0.25)
    assert interval.excludes_zero


def test_swapping_the_two_ways_mirrors_the_interval():
    one, other = generator().random((2, 3, 20))
    forth = bootstrap_paired_difference(one, other, rng=generator())
    back = bootstrap_paired_difference(other, one, rng=generator())
    assert forth.mean == pytest.approx(-back.mean)
    assert forth.low == pytest.approx(-back.high)


def test_a_pair_undefined_for_one_seed_leaves_its_image_out():
    first = np.array([[1.0, 1.0, math.nan], [1.0, 1.0, 1.0]])
    second = np.array([[0.0, math.nan, 0.0], [0.0, 0.0, 0.0]])
    interval = bootstrap_paired_difference(first, second, rng=generator())
    assert interval.mean == 1
    assert (interval.n, interval.n_undefined) == (1, 2)


def test_large_sets_are_drawn_in_blocks():
    values = np.zeros(300_000)
    values[0] = 3.0
    interval = bootstrap_mean(values, rng=generator(), n_resamples=7)
    assert interval.mean == pytest.approx(1e-5)
    assert 0 <= interval.low <= interval.high


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, math.inf], {}, "infinities"),
        (np.zeros((2, 2, 2)), {}, "images"),
        ([1.0, 2.0], {"confidence": 1.0}, "confidence"),
        ([1.0, 2.0], {"n_resamples": 0}, "n_resamples"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(values, rng=generator(), **options)


def test_unpaired_scores_are_refused():
    with pytest.raises(ValueError, match="not paired"):
        bootstrap_paired_difference([1.0, 2.0], [1.0], rng=generator())
    with pytest.raises(ValueError, match="infinities"):
        bootstrap_paired_difference([math.inf, 1], [math.inf, 1], rng=generator())
