"""The tables of the benchmark of dropout's place, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.row_command import Plan
from benchmarks.score_tables import (
    DICE,
    Column,
    Ordering,
    Result,
    interval_text,
    ordering_table,
    rows_of,
    score_table,
    scores_of,
)
from napari_mtseg.metrics.intervals import Interval
from napari_mtseg.metrics.risk_coverage import RiskCoverage, risk_coverage

NO_DROPOUT = "no dropout"
ONE_PASS = "one pass"
PASSES = "passes"
ENSEMBLE = "ensemble"
SPLITS = ("held out", "test")

DOUBTS = ("uncertainty", "expected_entropy", "mutual_information", "variance")
"""maps that order pixels"""
IN_WORDS: Mapping[str, str] = {
    "uncertainty": "predictive entropy",
    "expected_entropy": "mean entropy",
    "mutual_information": "mutual information",
    "variance": "variance",
}
N_RESAMPLES = 2000


def area_of(doubt: str) -> str:
    """Return the name of the area under risk and coverage of pixels."""
    return f"area {doubt}"


def excess_of(doubt: str) -> str:
    """Return the name of what of that area a better order would have saved."""
    return f"excess {doubt}"


METRICS = (
    "dice",
    "doubt",
    *(area_of(name) for name in DOUBTS),
    *(excess_of(name) for name in DOUBTS),
)
"""what is kept of each image"""


def _column(metric: str, title: str) -> Column:
    return Column(metric=metric, title=title, digits=2, lower_is_better=True)


DECIDING = _column(area_of("uncertainty"), "AURC, predictive entropy")
"""what the place is chosen by, fixed beforehand: errors that are left count as well as
how they are ordered, and the map is the one that the program shows"""
AREAS = tuple(_column(area_of(name), f"AURC, {IN_WORDS[name]}") for name in DOUBTS)
EXCESSES = tuple(
    _column(excess_of(name), f"E-AURC, {IN_WORDS[name]}") for name in DOUBTS
)


def tables_of(
    plan: Plan, results: Sequence[Mapping[str, Any]], *, share: float, n_passes: int
) -> list[str]:
    """Return the lines of all tables, and of the choice."""
    held_out, test = (of_split(results, split) for split in SPLITS)
    lines = [*_header(plan, test, share, n_passes)]
    for title, found in (("Held-out training images", held_out), ("Test images", test)):
        lines += [f"### {title}", "", *score_table(found, (DICE, *AREAS)), ""]
        lines += [*score_table(found, EXCESSES), "", *image_table(found), ""]
    chosen = best_place(held_out)
    if chosen is None:
        return lines
    columns = (DICE, DECIDING, EXCESSES[0])
    return [
        *lines,
        "### The choice",
        "",
        *choice(held_out, test, chosen),
        "",
        "On the test images:",
        "",
        *ordering_table(test, orderings(test, chosen), columns),
    ]


def of_split(results: Sequence[Mapping[str, Any]], split: str) -> list[Result]:
    """Return a result per row, way of answering and seed, with the scores of a split.

    Parameters
    ----------
    results : sequence of mapping
        'row', 'seed', and 'answers': way -> split -> 'seconds' and the metrics.
    split : str
        One of SPLITS.
    """
    return [
        {
            "row": f"{result['row']}, {way}",
            "seed": result["seed"],
            "seconds": answers[split]["seconds"],
            "test": {name: answers[split][name] for name in METRICS},
        }
        for result in results
        for way, answers in result["answers"].items()
    ]


def best_place(held_out: Sequence[Result]) -> str | None:
    """Return the row with passes of the least deciding area; None if there is none."""
    rows = _with_passes(held_out)
    areas = {row: scores_of(held_out, row, DECIDING.metric).mean() for row in rows}
    return min(areas, key=lambda row: areas[row]) if areas else None


def choice(
    held_out: Sequence[Result], test: Sequence[Result], chosen: str
) -> list[str]:
    """Return the sentences of the choice, and of how it does on the test images."""
    again = best_place(test)
    areas = sorted(
        (float(scores_of(test, row, DECIDING.metric).mean()), row)
        for row in _with_passes(test)
    )
    place = [row for _, row in areas].index(chosen) + 1
    margin = scores_of(held_out, chosen, DECIDING.metric).mean()
    confirmed = (
        "It is the least on the test images as well."
        if again == chosen
        else f"On the test images it comes {place}. of {len(areas)}; '{again}' is the "
        "least."
    )
    return [
        f"Chosen on the held-out training images by the least {DECIDING.title}: "
        f"**{chosen}** ({margin:.2f}). {confirmed} Whether the differences are more "
        "than chance is below."
    ]


def orderings(test: Sequence[Result], chosen: str) -> list[Ordering]:
    """Return what is claimed of the chosen row: that it is better than all others.

    Then that passes are better than one pass of the same network, row by row.
    """
    rows = rows_of(test)
    against = [row for row in rows if row != chosen]
    pairs = [(chosen, row) for row in against]
    for row in _with_passes(test):
        pair = (row, row.replace(f", {PASSES}", f", {ONE_PASS}"))
        if pair not in pairs:
            pairs.append(pair)
    pairs.append((f"{NO_DROPOUT}, {ENSEMBLE}", f"{NO_DROPOUT}, {ONE_PASS}"))
    return [Ordering(first=first, second=second) for first, second in pairs]


def image_table(results: Sequence[Result]) -> list[str]:
    """Return the lines of how well the doubt about images orders them by 1 - Dice."""
    lines = [
        "Images ordered by their doubt, risk 1 - Dice, times 1000:",
        "",
        "| row | AURC | E-AURC |",
        "|---|---|---|",
    ]
    for row in rows_of(results):
        risks = 1 - scores_of(results, row, "dice")
        doubts = scores_of(results, row, "doubt")
        area, excess = (
            interval_text(image_interval(doubts, risks, name), 1)
            for name in ("area", "excess")
        )
        lines.append(f"| {row} | {area} | {excess} |")
    return lines


def image_interval(
    doubts: NDArray[np.floating], risks: NDArray[np.floating], name: str
) -> Interval:
    """Return the mean over seeds of an area, and its bootstrap interval over images.

    Parameters
    ----------
    doubts, risks : (seeds, images) float
        Images for which one of them is NaN are left out.
    name : {'area', 'excess'}
        Which field of RiskCoverage, times 1000.
    """
    counted = ~(np.isnan(doubts) | np.isnan(risks)).any(axis=0)
    doubts, risks = doubts[:, counted], risks[:, counted]
    n = int(counted.sum())
    if n == 0:
        nan = float("nan")
        return Interval(mean=nan, low=nan, high=nan, n=0, n_undefined=len(counted))

    def mean_of(chosen: NDArray[np.integer]) -> float:
        curves: list[RiskCoverage] = [
            risk_coverage(d[chosen], r[chosen])
            for d, r in zip(doubts, risks, strict=True)
        ]
        return 1000 * float(np.mean([getattr(curve, name) for curve in curves]))

    rng = np.random.default_rng(0)
    means = [mean_of(rng.integers(n, size=n)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(
        mean=mean_of(np.arange(n)),
        low=float(low),
        high=float(high),
        n=n,
        n_undefined=len(counted) - n,
    )


def _with_passes(results: Sequence[Result]) -> list[str]:
    return [row for row in rows_of(results) if row.endswith(f", {PASSES}")]


def _header(
    plan: Plan, test: Sequence[Result], share: float, n_passes: int
) -> list[str]:
    images = plan.images
    n_test = len(test[0]["test"]["dice"])
    quick = "Quick run: it shows that the command works, nothing more."
    return [
        f"Data: {images.licence}. A quarter of {images.n_train - images.n_held_out} "
        f"training images have full masks and are learned from; {images.n_held_out} "
        f"others are held out; {n_test} test images. {plan.n_seeds} seed(s), "
        f"{plan.steps} steps, {share:g} of the maps dropped, {n_passes} passes.",
        "",
        "AURC: area under the curve of risk and coverage of the pixels of an image, "
        "risk is the share of wrong ones, times 1000; E-AURC: what of it a perfect "
        "order of the same pixels would have saved. Lower is better. Intervals: 95 %, "
        "bootstrap over images, seeds averaged. Seconds to answer all images, scores "
        "not included.",
        "",
        *((quick, "") if plan.quick else ()),
    ]
