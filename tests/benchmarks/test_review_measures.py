"""Measures of how well scores find failures, on answers that are made up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from benchmarks.review_measures import (
    AREA,
    AUROC,
    AUROC_WITHIN,
    N_RESAMPLES,
    SPEARMAN,
    SPEARMAN_WITHIN,
    Answers,
    answers_of,
    auroc_rows,
    best,
    mean_auroc,
    spearman_rows,
)
from napari_mtseg.metrics.failure import auroc


def answers_with(dice, **scores):
    """Return answers; each score is (seeds, images) as ``dice`` is."""
    dice = np.atleast_2d(np.array(dice, np.float64))
    facts = {"dice": dice, "seconds": np.ones_like(dice)}
    made = {name: np.atleast_2d(np.array(v, float)) for name, v in scores.items()}
    return Answers(facts=facts, scores=made)


def many(**scores):
    """Return answers for 60 images, 12 of which fail; scores are made from Dice."""
    dice = np.linspace(0, 1, 60)
    return answers_with(dice, **{name: make(dice) for name, make in scores.items()})


def test_a_fifth_of_the_predictions_fails():
    answers = many()
    assert answers.failed.sum() == 12
    assert answers.is_enough
    assert not answers_with(np.linspace(0, 1, 20)).is_enough


def test_a_perfect_score_has_the_best_of_every_measure():
    answers = many(perfect=lambda dice: 1 - dice)
    found = answers.estimates("perfect")
    assert found[SPEARMAN].value == pytest.approx(-1)
    assert found[AUROC].value == 1
    assert found[AREA].value == pytest.approx(answers.best_area())
    assert found[SPEARMAN].ends == pytest.approx((-1, -1))


def test_random_order_risks_the_mean_error():
    answers = many(constant=np.zeros_like)
    found = answers.estimates("constant")
    assert found[AREA].value == pytest.approx(answers.random_area().value)
    assert found[AUROC].value == 0.5
    assert np.isnan(found[SPEARMAN].value)
    assert np.isnan(found[SPEARMAN].ends).all()


def test_differences_are_paired_by_image():
    answers = many(one=lambda dice: 1 - dice, same=lambda dice: 2 - 2 * dice)
    difference = answers.estimates("one")[AREA] - answers.estimates("same")[AREA]
    assert difference.samples.shape == (N_RESAMPLES,)
    assert difference.ends == (0, 0)


def test_images_are_drawn_with_all_their_seeds():
    once = answers_with([[0.1, 0.5, 0.9]], doubt=[[0.3, 0.1, 0.2]])
    twice = answers_with([[0.1, 0.5, 0.9]] * 2, doubt=[[0.3, 0.1, 0.2]] * 2)
    samples = [a.estimates("doubt")[SPEARMAN].samples for a in (once, twice)]
    np.testing.assert_allclose(*samples)


def test_runs_of_another_level_count_alike_within_a_run():
    dice = [[0.1, 0.2, 0.3], [0.7, 0.8, 0.9]]
    answers = answers_with(dice, doubt=[[0.3, 0.2, 0.1], [0.9, 0.8, 0.7]])
    found = answers.estimates("doubt")
    assert found[SPEARMAN_WITHIN].value == pytest.approx(-1)
    assert found[AUROC_WITHIN].value == 1
    assert found[SPEARMAN].value > 0
    assert answers.failed_within.tolist() == [[True, False, False]] * 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3))
def test_rows_agree_with_the_program_and_with_scipy(pairs):
    doubt, dice = np.array(pairs, np.float64).T
    failed = dice < np.median(dice)
    rng = np.random.default_rng(0)
    ours = auroc_rows(doubt[None], failed[None])[0]
    theirs = auroc(doubt, failed, rng=rng, n_resamples=1).value
    assert ours == pytest.approx(theirs, nan_ok=True)
    if len(set(doubt)) > 1 and len(set(dice)) > 1:
        expected = spearmanr(doubt, dice).statistic
        assert spearman_rows(doubt[None], dice[None])[0] == pytest.approx(expected)


def test_source_and_score_are_chosen_over_all_sets_together():
    good, bad = (lambda dice: 1 - dice), (lambda dice: dice)
    middle = np.zeros_like
    sets = {
        "one": {"once": many(a=good, b=middle, only=good), "more": many(a=bad)},
        "two": {"once": many(a=bad, b=good), "more": many(a=bad)},
    }
    assert best(sets, ["once", "more"]) == ("once", "b")
    assert mean_auroc(sets, "once", "b") == pytest.approx(0.75)
    assert best(sets, ["more"]) == ("more", "a")


def test_too_few_failures_choose_nothing():
    few = answers_with(np.linspace(0, 1, 20), a=np.linspace(1, 0, 20))
    assert best({"one": {"once": few}}, ["once"]) is None


def test_results_become_answers_by_seed_and_image():
    def result(seed, *scores):
        table = {"name": ["a", "b"], "dice": [0.5, 0.25], "scores": list(scores)}
        return {"source": "once", "seed": seed, "splits": {"test": table}}

    results = [
        result(0, {"x": 1.0, "y": 0.5}, {"x": 2.0, "y": 0.5}),
        result(1, {"x": 3.0, "y": 0.5}, {"x": 4.0}),
    ]
    found = answers_of(results, source="once", split="test")
    assert found.scores["x"].tolist() == [[1, 2], [3, 4]]
    assert list(found.scores) == ["x"]
    assert found.dice.shape == (2, 2)
    assert found.facts["name"].tolist() == [["a", "b"]] * 2
