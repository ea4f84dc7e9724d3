"""Tables of scores as Markdown: intervals, paired differences, and what they decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.metrics.intervals import (
    Interval,
    bootstrap_mean,
    bootstrap_paired_difference,
)
from napari_mtseg.workflows.scores import LOWER_IS_BETTER

Result = Mapping[str, Any]
"""'row', 'seed', 'seconds', and 'test': metric -> score of each test image"""

Verdict = Literal["holds", "does not hold", "cannot tell"]

MIN_SEEDS = 3
"""fewer seeds decide nothing"""
NOTE = (
    "A verdict other than 'cannot tell' needs a 95 % interval (over images) on one "
    f"side of 0 and the same sign with each of at least {MIN_SEEDS} seeds; three seeds "
    "agree by chance in one of four cases. Rows said to be equal are so if the "
    "interval lies within 0.01, or 0.5 px (ASD) and 1 px (other distances)."
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of a table."""

    metric: str
    title: str
    digits: int = 3
    margin: float = 0.01
    """smaller differences are none, where rows are said to be equal; ours"""
    lower_is_better: bool = False
    """True for a metric of the benchmark's own that is; the program's are known"""


DICE = Column(metric="dice", title="Dice")
JACCARD = Column(metric="jaccard", title="Jaccard")
ASSD = Column(metric="assd", title="symmetric ASD (px)", digits=2, margin=0.5)
HD95 = Column(metric="hausdorff95", title="HD95 (px)", digits=1, margin=1.0)
ASSD_MM = Column(metric="assd", title="symmetric ASD (mm)", digits=2, margin=0.5)
HD95_MM = Column(metric="hausdorff95", title="HD95 (mm)", digits=1, margin=1.0)
HAUSDORFF = Column(metric="hausdorff", title="Hausdorff (px)", digits=1, margin=1.0)
CLASS_ACCURACY = Column(metric="class_accuracy", title="class accuracy")
SCENE_ACCURACY = Column(metric="scene_accuracy", title="scene accuracy")
OBJECT_F1 = Column(metric="object_f1", title="F1")
OBJECT_DICE = Column(metric="object_dice", title="object Dice")
OBJECT_HAUSDORFF = Column(
    metric="object_hausdorff", title="object Hausdorff (px)", digits=1, margin=1.0
)
OBJECT_COLUMNS = (OBJECT_F1, OBJECT_DICE, OBJECT_HAUSDORFF)


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """A claim about two rows: that the first is better, or that they are equal."""

    first: str
    second: str
    claim: Literal["better", "equal"] = "better"
    paper: str = ""
    """the paper's differences; empty if the paper does not compare these"""


def scores_of(results: Sequence[Result], row: str, metric: str) -> NDArray[np.floating]:
    """(seeds, images) scores of one row."""
    return np.array([r["test"][metric] for r in results if r["row"] == row], np.float64)


def interval_text(interval: Interval, digits: int) -> str:
    """Return 'mean (low to high)', with the number of images left out, if any.

    A dash where it is undefined for every image.
    """
    if interval.n == 0:
        return "-"
    low, mean, high = (
        f"{value:.{digits}f}" for value in (interval.low, interval.mean, interval.high)
    )
    undefined = f", {interval.n_undefined} undefined" if interval.n_undefined else ""
    return f"{mean} ({low} to {high}{undefined})"


def score_table(
    results: Sequence[Result],
    columns: Sequence[Column],
    *,
    titles: Mapping[str, str] | None = None,
    beside: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Return the lines of a table with a line per row of the benchmark.

    Parameters
    ----------
    results : sequence of Result
        One per row and seed.
    columns : sequence of Column
        The metrics.
    titles : mapping, optional
        Row -> how it is called in the table; its own name by default.
    beside : mapping, optional
        Title of a further column -> row -> its cell, such as the paper's figures;
        a dash where there is none.
    """
    others = beside or {}
    heads = ["row", *(c.title for c in columns), "seconds", *others]
    lines = [_line(heads), "|" + "---|" * len(heads)]
    for row in rows_of(results):
        cells = [
            interval_text(
                bootstrap_mean(scores_of(results, row, c.metric), rng=_rng()), c.digits
            )
            for c in columns
        ]
        seconds = np.mean([r["seconds"] for r in results if r["row"] == row])
        title = (titles or {}).get(row, row)
        further = [cells_of.get(row, "-") for cells_of in others.values()]
        lines.append(_line([title, *cells, f"{seconds:.0f}", *further]))
    return lines


def ordering_table(
    results: Sequence[Result], orderings: Sequence[Ordering], columns: Sequence[Column]
) -> list[str]:
    """Return the lines of a table of paired differences with a verdict in each cell.

    Orderings whose rows have no results are left out.
    """
    rows = rows_of(results)
    known = [o for o in orderings if {o.first, o.second} <= set(rows)]
    heads = ["first minus second", "claim", "paper", *(c.title for c in columns)]
    lines = [_line(heads), "|" + "---|" * len(heads)]
    for ordering in known:
        cells = [_difference_cell(results, ordering, column) for column in columns]
        lines.append(
            _line(
                [
                    f"{ordering.first} minus {ordering.second}",
                    "first is better" if ordering.claim == "better" else "equal",
                    ordering.paper or "not measured",
                    *cells,
                ]
            )
        )
    return [*lines, "", NOTE, "", *_tally(results, known, columns)]


def verdict(
    difference: Interval, by_seed: Sequence[float], ordering: Ordering, column: Column
) -> Verdict:
    """Tell whether a claim about two rows holds here.

    The interval is over images, and one lucky training must not decide: every seed
    has to say the same, and there have to be at least MIN_SEEDS of them. 'First is
    better' holds, or does not, if the interval and the mean of each seed lie on one
    side of 0. 'Equal' holds if the interval lies within the column's margin, and does
    not if the interval and the mean of each seed lie outside, on one side.

    Parameters
    ----------
    difference : Interval
        First minus second, over images, seeds averaged.
    by_seed : sequence of float
        Mean difference of each seed.
    ordering, column
        The claim, and the metric.
    """
    if len(by_seed) < MIN_SEEDS:
        return "cannot tell"
    values = np.array([difference.low, difference.high, *by_seed])
    if ordering.claim == "equal":
        if np.abs(values[:2]).max() <= column.margin:
            return "holds"
        outside = (values > column.margin).all() or (values < -column.margin).all()
        return "does not hold" if outside else "cannot tell"
    lower_is_better = column.lower_is_better or column.metric in LOWER_IS_BETTER
    gain = -values if lower_is_better else values
    if (gain > 0).all():
        return "holds"
    return "does not hold" if (gain < 0).all() else "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the scores say of a claim about two rows."""

    difference: Interval
    """first minus second, over images, seeds averaged"""
    by_seed: tuple[float, ...]
    """mean difference of each seed"""
    verdict: Verdict


def compared(
    results: Sequence[Result], ordering: Ordering, column: Column
) -> Comparison:
    """Return the paired difference of two rows and what it decides."""
    first = scores_of(results, ordering.first, column.metric)
    second = scores_of(results, ordering.second, column.metric)
    difference = bootstrap_paired_difference(first, second, rng=_rng())
    counted = ~np.isnan(first - second).any(axis=0)
    by_seed = tuple(
        float(seed[counted].mean()) if counted.any() else float("nan")
        for seed in first - second
    )
    said = verdict(difference, by_seed, ordering, column)
    return Comparison(difference=difference, by_seed=by_seed, verdict=said)


def rows_of(results: Sequence[Result]) -> list[str]:
    """Return the rows that have results, in order."""
    return list(dict.fromkeys(r["row"] for r in results))


def _difference_cell(
    results: Sequence[Result], ordering: Ordering, column: Column
) -> str:
    found = compared(results, ordering, column)
    mean = found.difference.mean
    n_same = sum(np.sign(seed) == np.sign(mean) for seed in found.by_seed)
    interval = interval_text(found.difference, column.digits)
    return f"{interval}, {n_same}/{len(found.by_seed)} seeds: **{found.verdict}**"


def _tally(
    results: Sequence[Result], orderings: Sequence[Ordering], columns: Sequence[Column]
) -> list[str]:
    """A line per metric: which of the paper's orderings hold, and which do not."""
    stated = [o for o in orderings if o.paper]
    lines = []
    for column in columns if stated else ():
        groups: dict[str, list[str]] = {
            "holds": [],
            "does not hold": [],
            "cannot tell": [],
        }
        for ordering in stated:
            said = compared(results, ordering, column).verdict
            between = ">" if ordering.claim == "better" else "="
            groups[said].append(f"{ordering.first} {between} {ordering.second}")
        parts = [f"{said}: {', '.join(o) or 'none'}" for said, o in groups.items()]
        lines.append(f"- The paper's orderings, by {column.title}: {'; '.join(parts)}.")
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
