"""The tables of the review benchmark, as Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.review_measures import (
    AREA,
    AUROC,
    AUROC_WITHIN,
    MAXIMUM_PROBABILITY,
    MEASURES,
    MIN_FAILURES,
    SPEARMAN,
    SPEARMAN_WITHIN,
    Answers,
    Estimate,
    Sets,
    best,
    mean_auroc,
)
from napari_mtseg.domain.review import SCORES

WANTED_SPEARMAN = -0.6
"""at most"""
WANTED_AUROC = 0.85
"""at least"""
FLAGGED_SHARE = 0.2
"""share of the predictions that the table of failures flags"""
MISSED = "objects missed"
"""failures that leave out more than they add"""
ADDED = "too much"
EMPTY = "nothing found"

Chosen = tuple[str, str]
"""source and score"""


def tables_of(held_out: Sets, test: Sets) -> list[str]:
    """Return the lines of all tables, of the choice and of its verdicts.

    Parameters
    ----------
    held_out, test : mapping
        Image set -> source -> answers; the same sets and sources.
    """
    lines = []
    for name, of_set in test.items():
        lines += [f"### {name}, test images", ""]
        for source, answers in of_set.items():
            lines += [*source_table(source, answers), ""]
    lines += ["### Held-out training images", "", *held_out_table(held_out), ""]
    lines += ["### The choice", ""]
    by_chosen: dict[Chosen | None, list[str]] = {}
    for title, chosen in choices(held_out).items():
        by_chosen.setdefault(chosen, []).append(title)
    for chosen, titles in by_chosen.items():
        lines += choice(", ".join(titles), chosen, held_out, test)
    return lines


def choices(held_out: Sets) -> dict[str, Chosen | None]:
    """Return what is chosen: of everything, of one answer, of the program's scores."""
    sources = list(dict.fromkeys(s for of_set in held_out.values() for s in of_set))
    first = sources[:1]
    return {
        "of all sources and scores": best(held_out, sources),
        f"of {first[0]}": best(held_out, first),
        f"of {first[0]} and the program's scores": best(held_out, first, scores=SCORES),
    }


def source_table(source: str, answers: Answers) -> list[str]:
    """Return the lines of a table with a line per score of one source."""
    n_seeds, n_images = answers.dice.shape
    lines = [
        f"**{source}**: {n_seeds} x {n_images} predictions, Dice "
        f"{answers.dice.mean():.3f}; {failures_in_words(answers)}; "
        f"{np.mean(answers.facts['seconds']):.2f} s per image.",
        "",
        _line(["score", *_TITLES.values()]),
        "|" + "---|" * (len(_TITLES) + 1),
    ]
    for score in answers.scores:
        found = answers.estimates(score)
        cells = [_cell(name, found[name], answers) for name in _TITLES]
        lines.append(_line([title_of(score), *cells]))
    random = text_of(answers.random_area(), scale=1000, digits=0)
    lines.append(_line(["random order", "0", "0.5", random, "0", "0.5"]))
    best_area = f"{1000 * answers.best_area():.0f}"
    lines.append(_line(["order by Dice itself", "-1", "1", best_area, "-1", "1"]))
    return lines


def held_out_table(held_out: Sets) -> list[str]:
    """Return the lines of a table of AUROC (and Spearman) by score and source."""
    sources = list(dict.fromkeys(s for of_set in held_out.values() for s in of_set))
    columns = [(name, source) for name in held_out for source in sources]
    heads = [f"{name}, {source}" for name, source in columns]
    lines = [
        "AUROC (Spearman), without intervals; the choice is made of these.",
        "",
        _line(["score", *heads]),
        "|" + "---|" * (len(heads) + 1),
    ]
    known = [held_out[name].get(source) for name, source in columns]
    scores = dict.fromkeys(s for answers in known if answers for s in answers.scores)
    for score in scores:
        cells = []
        for answers in known:
            if answers is None or score not in answers.scores:
                cells.append("-")
                continue
            found = answers.estimates(score)
            cells.append(f"{found[AUROC].value:.2f} ({found[SPEARMAN].value:.2f})")
        lines.append(_line([title_of(score), *cells]))
    counts = [failures_in_words(answers) if answers else "-" for answers in known]
    return [*lines, _line(["", *counts])]


def choice(title: str, chosen: Chosen | None, held_out: Sets, test: Sets) -> list[str]:
    """Return how what was chosen does on the test images; ``title`` says of what."""
    if chosen is None:
        return [f"Chosen {title}: too few failures among the held-out images.", ""]
    source, score = chosen
    value = mean_auroc(held_out, source, score)
    lines = [
        f"Chosen {title} by the highest mean AUROC on the held-out training images: "
        f"`{score}` from {source} ({value:.3f}). On the test images:",
        "",
        "| | " + " | ".join(test) + " |",
        "|---|" + "---|" * len(test),
    ]
    by_set = [verdicts(of_set, chosen) for of_set in test.values()]
    lines += [_line([name, *(v[name] for v in by_set)]) for name in by_set[0]]
    lines += [
        "",
        f"Failures of each run that it finds, the worst {FLAGGED_SHARE:.0%} flagged:",
        "",
    ]
    lines += [
        "| set | kind | failures | found |",
        "|---|---|---|---|",
        *(
            _line([name, *row])
            for name, of_set in test.items()
            for row in failure_rows(of_set[source], score)
        ),
        "",
    ]
    return lines


def verdicts(of_set: Mapping[str, Answers], chosen: Chosen) -> dict[str, str]:
    """Return what is wanted -> what was found, and whether it is reached."""
    source, score = chosen
    answers = of_set[source]
    first_source = next(iter(of_set))
    found = answers.estimates(score)
    said = {}
    for name, wanted in _WANTED.items():
        value = found[name].value
        lower = name in _LOWER_IS_BETTER
        limit = f"{_TITLES[name]}: at {'most' if lower else 'least'} {wanted}"
        reached = value <= wanted if lower else value >= wanted
        said[limit] = (
            _reached(found[name], reached)
            if answers.is_enough
            else f"too few failures to know ({failures_in_words(answers)})"
        )
    for against in dict.fromkeys((source, first_source)):
        other = of_set[against].estimates(MAXIMUM_PROBABILITY)
        for name, title in _TITLES.items():
            label = f"{title} minus that of maximum probability, {against}"
            said[label] = _better(name, found[name] - other[name])
    return said


def failure_rows(answers: Answers, score: str) -> list[list[str]]:
    """Return kind, number, and number found of failures, by what is wrong and scene.

    Of each seed by itself: its worst FLAGGED_SHARE are flagged.
    """
    doubts, failed = answers.scores[score], answers.failed_within
    n_flagged = int(np.ceil(FLAGGED_SHARE * doubts.shape[1]))
    flagged = np.zeros(doubts.shape, bool)
    worst = np.argsort(-doubts, axis=1, kind="stable")[:, :n_flagged]
    np.put_along_axis(flagged, worst, True, axis=1)
    groups: dict[str, NDArray[np.bool_]] = {"all": np.ones(doubts.shape, bool)}
    kinds = kinds_of(answers)
    groups |= {kind: kinds == kind for kind in (EMPTY, MISSED, ADDED)}
    scenes = answers.facts["scene"]
    groups |= {str(scene): scenes == scene for scene in np.unique(scenes) if scene}
    return [
        [name, str((failed & where).sum()), str((failed & where & flagged).sum())]
        for name, where in groups.items()
        if (failed & where).any()
    ]


def kinds_of(answers: Answers) -> NDArray[np.str_]:
    """(seeds, images) EMPTY, MISSED where recall is below precision, else ADDED."""
    facts = answers.facts
    more = np.where(facts["recall"] < facts["precision"], MISSED, ADDED)
    kinds: NDArray[np.str_] = np.where(facts["n_objects"] == 0, EMPTY, more)
    return kinds


def failures_in_words(answers: Answers) -> str:
    """Return the number of failures, of how many images, and below which Dice."""
    n_failed = int(answers.failed.sum())
    n_images = int(answers.failed.any(axis=0).sum())
    few = f", fewer than {MIN_FAILURES}" if n_failed < MIN_FAILURES else ""
    return (
        f"{n_failed} failures (Dice below {answers.failure_below:.3f}) of {n_images} "
        f"images{few}"
    )


def title_of(score: str) -> str:
    """Return how a score is called in the tables."""
    name = f"`{score}`"
    return f"{name} (maximum probability)" if score == MAXIMUM_PROBABILITY else name


def text_of(estimate: Estimate, *, scale: float = 1, digits: int = 2) -> str:
    """Return 'value (low to high)'; a dash where it is undefined."""
    if np.isnan(estimate.value):
        return "-"
    value, low, high = (
        f"{scale * v:.{digits}f}" for v in (estimate.value, *estimate.ends)
    )
    return f"{value} ({low} to {high})"


def _reached(estimate: Estimate, reached: bool) -> str:
    return f"{text_of(estimate)}: **{'reached' if reached else 'not reached'}**"


def _better(measure: str, estimate: Estimate) -> str:
    """Return a difference to maximum probability, and whether it can be told."""
    low, high = estimate.ends
    if low <= 0 <= high or np.isnan(low):
        said = "cannot be told"
    else:
        said = "better" if (high < 0) == (measure in _LOWER_IS_BETTER) else "worse"
    return f"{_scaled(measure, estimate)}: **{said}**"


def _cell(measure: str, estimate: Estimate, answers: Answers) -> str:
    is_known = answers.is_enough or measure not in {AUROC, AUROC_WITHIN}
    return _scaled(measure, estimate) if is_known else "too few to know"


def _scaled(measure: str, estimate: Estimate) -> str:
    return (
        text_of(estimate, scale=1000, digits=0)
        if measure == AREA
        else text_of(estimate)
    )


_TITLES: Mapping[str, str] = dict(
    zip(
        MEASURES,
        (
            "Spearman",
            "AUROC",
            "AURC x 1000",
            "Spearman within a run",
            "AUROC within a run",
        ),
        strict=True,
    )
)
_WANTED: Mapping[str, float] = {
    SPEARMAN: WANTED_SPEARMAN,
    AUROC: WANTED_AUROC,
    SPEARMAN_WITHIN: WANTED_SPEARMAN,
    AUROC_WITHIN: WANTED_AUROC,
}
_LOWER_IS_BETTER = frozenset({SPEARMAN, SPEARMAN_WITHIN, AREA})


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
