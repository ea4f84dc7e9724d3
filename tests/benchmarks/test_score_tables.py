import numpy as np
import pytest

from benchmarks.score_tables import (
    ASSD,
    DICE,
    Column,
    Ordering,
    interval_text,
    ordering_table,
    score_table,
    verdict,
)
from napari_mtseg.metrics.intervals import Interval

BETTER = Ordering(first="a", second="b", paper="+1")
EQUAL = Ordering(first="a", second="b", claim="equal", paper="+0")


def interval(low, high, n_undefined=0):
    return Interval(
        mean=(low + high) / 2, low=low, high=high, n=9, n_undefined=n_undefined
    )


def results(**scores):
    """Make results from row=[scores of seed 0, scores of seed 1, ...]."""
    return [
        {"row": row, "seed": seed, "seconds": 2.0, "test": {"dice": s, "assd": s}}
        for row, seeds in scores.items()
        for seed, s in enumerate(seeds)
    ]


@pytest.mark.parametrize(
    ("low", "high", "seeds", "expected"),
    [
        (0.01, 0.03, [0.01, 0.02, 0.03], "holds"),
        (-0.03, -0.01, [-0.01, -0.02, -0.03], "does not hold"),
        (-0.01, 0.03, [0.01, 0.01, 0.01], "cannot tell"),
        (0.01, 0.03, [-0.01, 0.05, 0.02], "cannot tell"),
        (0.01, 0.03, [0.01, 0.03], "cannot tell"),
        (np.nan, np.nan, [0.02, 0.02, 0.02], "cannot tell"),
    ],
)
def test_first_is_better_only_if_interval_and_each_of_three_seeds_say_so(
    low, high, seeds, expected
):
    assert verdict(interval(low, high), seeds, BETTER, DICE) == expected


def test_a_smaller_distance_is_better():
    assert verdict(interval(-2, -1), [-1.5, -1, -2], BETTER, ASSD) == "holds"
    assert verdict(interval(1, 2), [1.5, 1, 2], BETTER, ASSD) == "does not hold"
    own = Column(metric="area", title="area", lower_is_better=True)
    assert verdict(interval(-2, -1), [-1.5, -1, -2], BETTER, own) == "holds"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.004, 0.009, "holds"),
        (0.002, 0.009, "holds"),
        (-0.004, 0.012, "cannot tell"),
        (0.011, 0.020, "does not hold"),
        (-0.020, -0.011, "does not hold"),
        (np.nan, np.nan, "cannot tell"),
    ],
)
def test_rows_are_equal_only_if_the_whole_interval_lies_within_the_margin(
    low, high, expected
):
    assert verdict(interval(low, high), [low] * 3, EQUAL, DICE) == expected


def test_rows_are_not_unequal_while_one_seed_finds_them_equal():
    found = verdict(interval(0.011, 0.03), [0.005, 0.03, 0.03], EQUAL, DICE)
    assert found == "cannot tell"


def test_an_interval_says_how_many_images_it_leaves_out():
    assert interval_text(interval(1.0, 2.0), 1) == "1.5 (1.0 to 2.0)"
    assert interval_text(interval(1.0, 2.0, 3), 1) == "1.5 (1.0 to 2.0, 3 undefined)"


def test_a_score_table_has_a_line_per_row_and_the_papers_cells_beside():
    lines = score_table(
        results(a=[[0.5, 0.5], [0.7, 0.7]], b=[[0.25, 0.25]]),
        [DICE],
        beside={"paper": {"a": "0.9"}},
    )
    assert lines == [
        "| row | Dice | seconds | paper |",
        "|---|---|---|---|",
        "| a | 0.600 (0.600 to 0.600) | 2 | 0.9 |",
        "| b | 0.250 (0.250 to 0.250) | 2 | - |",
    ]


def test_an_ordering_table_says_difference_seeds_and_verdict():
    lines = ordering_table(
        results(a=[[0.5, 0.7], [0.6, 0.8], [0.6, 0.8]], b=[[0.4, 0.6]] * 3),
        [BETTER],
        [DICE],
    )
    assert lines[2] == (
        "| a minus b | first is better | +1 | "
        "0.167 (0.167 to 0.167), 3/3 seeds: **holds** |"
    )
    assert lines[-1] == (
        "- The paper's orderings, by Dice: holds: a > b; does not hold: none; "
        "cannot tell: none."
    )


def test_an_ordering_whose_rows_were_not_trained_is_left_out():
    lines = ordering_table(results(a=[[0.5, 0.7]]), [BETTER], [DICE])
    assert len([line for line in lines if line.startswith("|")]) == 2


def test_what_the_paper_does_not_compare_is_not_counted_as_its_ordering():
    ordering = Ordering(first="a", second="b")
    lines = ordering_table(results(a=[[0.5, 0.7]], b=[[0.4, 0.6]]), [ordering], [DICE])
    assert "| not measured |" in lines[2]
    assert "paper's orderings" not in "".join(lines)


def test_an_image_that_is_undefined_in_one_row_does_not_count_in_the_difference():
    lines = ordering_table(
        results(a=[[2.0, 5.0, np.nan]] * 3, b=[[1.0, 4.0, 0.0]] * 3),
        [BETTER],
        [Column(metric="dice", title="Dice", digits=1)],
    )
    assert "1.0 (1.0 to 1.0, 1 undefined), 3/3 seeds: **holds**" in lines[2]
