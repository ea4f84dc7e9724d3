"""Tables of the review benchmark, on answers that are made up."""

import numpy as np
import pytest

from benchmarks.review_measures import MAXIMUM_PROBABILITY, Answers
from benchmarks.review_score_tables import (
    ADDED,
    EMPTY,
    MISSED,
    choice,
    choices,
    failure_rows,
    held_out_table,
    kinds_of,
    source_table,
    tables_of,
    verdicts,
)

GOOD, POOR = "good", "poor"


def answers_with(n=60, *, scene="", **scores):
    """Return answers of one seed for ``n`` images; scores are made from Dice."""
    dice = np.linspace(0, 1, n)[None]
    scores = {MAXIMUM_PROBABILITY: np.zeros_like, **scores}
    facts = {
        "dice": dice,
        "seconds": np.ones_like(dice),
        "precision": np.ones_like(dice),
        "recall": dice,
        "n_objects": np.ones_like(dice),
        "scene": np.full(dice.shape, scene),
    }
    return Answers(facts=facts, scores={n: make(dice) for n, make in scores.items()})


def of_two_scores(n=60):
    return {"once": answers_with(n, good=lambda d: 1 - d, poor=lambda d: d)}


def test_a_table_has_every_score_between_random_and_best_order():
    lines = source_table("once", of_two_scores()["once"])
    assert "12 failures (Dice below 0.200) of 12 images" in lines[0]
    assert lines[5].startswith("| `good` | -1.00 (-1.00 to -1.00) | 1.00")
    assert lines[4].startswith(f"| `{MAXIMUM_PROBABILITY}` (maximum probability) | - ")
    assert lines[-2].startswith("| random order | 0 | 0.5 | 500 (")
    assert lines[-1].startswith("| order by Dice itself | -1 | 1 | ")


def test_few_failures_are_said_to_be_too_few():
    lines = source_table("once", of_two_scores(20)["once"])
    assert "fewer than 10" in lines[0]
    assert "too few to know" in lines[5]
    assert "too few failures to know" in str(
        verdicts(of_two_scores(20), ("once", GOOD))
    )


@pytest.mark.parametrize(
    ("score", "reached", "said"),
    [(GOOD, "**reached**", "better"), (POOR, "**not reached**", "worse")],
)
def test_verdicts_say_what_is_reached_and_what_is_better(score, reached, said):
    found = verdicts(of_two_scores(), ("once", score))
    wanted = [text for name, text in found.items() if ": at " in name]
    assert len(wanted) == 4
    assert all(text.endswith(reached) for text in wanted)
    auroc = found["AUROC minus that of maximum probability, once"]
    assert auroc.endswith(f"**{said}**")


def test_the_choice_is_made_on_held_out_and_shown_on_test_images():
    held_out = {"a": of_two_scores(), "b": of_two_scores()}
    swapped = {"once": answers_with(good=lambda d: d, poor=lambda d: 1 - d)}
    chosen = choices(held_out)["of once"]
    lines = choice("of all", chosen, held_out, {"a": swapped, "b": of_two_scores()})
    text = "\n".join(lines)
    assert "`good` from once (1.000)" in text
    wanted = next(line for line in lines if line.startswith("| AUROC: at least"))
    assert wanted.index("**not reached**") < wanted.index("**reached**")


def test_too_few_held_out_failures_choose_nothing():
    few = {"a": of_two_scores(20)}
    assert set(choices(few).values()) == {None}
    assert "too few failures" in choice("of all", None, few, few)[0]


def test_scores_of_the_program_are_also_chosen_by_themselves():
    found = choices({"a": of_two_scores()})
    assert found["of once"] == ("once", GOOD)
    assert found["of once and the program's scores"] == ("once", MAXIMUM_PROBABILITY)


def test_failures_are_told_apart_by_what_is_wrong():
    answers = answers_with(3)
    facts = dict(answers.facts)
    facts["n_objects"] = np.array([[0, 5, 5]])
    facts["precision"] = np.array([[0, 0.9, 0.2]])
    facts["recall"] = np.array([[0, 0.2, 0.9]])
    changed = Answers(facts=facts, scores=answers.scores)
    assert kinds_of(changed).tolist() == [[EMPTY, MISSED, ADDED]]


def test_failures_found_are_those_among_the_worst_fifth():
    perfect = answers_with(scene="tissue", good=lambda d: 1 - d)
    assert failure_rows(perfect, GOOD) == [
        ["all", "12", "12"],
        [MISSED, "12", "12"],
        ["tissue", "12", "12"],
    ]
    assert failure_rows(answers_with(poor=lambda d: d), POOR)[0] == ["all", "12", "0"]


def test_a_score_that_one_source_lacks_has_a_dash_there():
    held_out = {"a": {"once": answers_with(), "more": answers_with(more=np.zeros_like)}}
    line = next(x for x in held_out_table(held_out) if x.startswith("| `more`"))
    assert line == "| `more` | - | 0.50 (nan) |"


def test_all_tables_are_there():
    sets = {"a": of_two_scores()}
    text = "\n".join(tables_of(sets, sets))
    for part in ("a, test images", "Held-out", "The choice", "of once and"):
        assert part in text
