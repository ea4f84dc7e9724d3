"""The tables of the annotation rounds, as Markdown: scores against effort."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.budgeted_annotator import Effort
from benchmarks.image_sets import ImageSet
from benchmarks.score_tables import Column, Ordering, ordering_table, score_table

START = "start"
"""name of what comes before the first round, the same for all ways"""
EVERYTHING = "everything"
"""name of a training on all images, all outlined, as long as all rounds together"""

METRICS = {"dice": "Dice", "object_f1": "object F1"}
COLUMNS = tuple(
    Column(metric=f"{when} {metric}", title=f"{title}, {words}")
    for metric, title in METRICS.items()
    for when, words in (("area", "mean over the effort"), ("last", "last round"))
)
TITLES = {
    "doubt": "doubt, with spread",
    "random": "random",
    "interval": "interval",
    EVERYTHING: "all images outlined",
}
ORDERINGS = (
    Ordering(first="doubt", second="random"),
    Ordering(first="doubt", second="interval"),
    Ordering(first="interval", second="random"),
)


def tables_of(
    results: Sequence[Mapping[str, Any]],
    images: ImageSet,
    effort: Effort,
    *,
    quick: bool,
) -> list[str]:
    """Return the lines of the tables.

    Parameters
    ----------
    results : sequence of mapping
        'row', 'seed', 'seconds' and 'rounds' of each trial.
    images : ImageSet
        The images.
    effort : Effort
        What was asked of the annotator.
    quick : bool
        True for a run that claims nothing.
    """
    curves = with_start(results)
    done = [*curves, *(r for r in results if r["row"] == EVERYTHING)]
    summaries = [summary_of(r) for r in done]
    seeds = {r["seed"] for r in results}
    lines = [
        f"Data: {images.licence}. {len(results[0]['rounds'][0]['dice'])} test images; "
        f"{_n_images(results)} training images to choose from; {effort.objects} "
        f"objects outlined at the start and in each of {effort.n_rounds} rounds; "
        f"{effort.first_steps} steps at the start, {effort.steps} in each round; "
        f"{len(seeds)} seed(s). Intervals: 95 %, bootstrap over test images, seeds "
        "averaged.",
        "",
    ]
    if quick:
        lines += ["Quick run: it shows that the command works, nothing more.", ""]
    for metric, title in METRICS.items():
        lines += [f"{title} after each round, mean over test images and seeds:", ""]
        lines += [*_curve_table(curves, metric), ""]
    lines += [*score_table(summaries, COLUMNS, titles=TITLES), ""]
    lines += [*ordering_table(summaries, ORDERINGS, COLUMNS), ""]
    return [*lines, *_choice_table(curves)]


def with_start(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the results of the ways, each with the start of its seed as round 0."""
    starts = {r["seed"]: r for r in results if r["row"] == START}
    return [
        {**r, "rounds": [*starts[r["seed"]]["rounds"], *r["rounds"]]}
        for r in results
        if r["row"] not in {START, EVERYTHING}
    ]


def efforts_of(result: Mapping[str, Any]) -> NDArray[np.float64]:
    """(rounds,) objects outlined so far."""
    per_round = [sum(r["outlined"].values()) for r in result["rounds"]]
    return np.cumsum(np.array(per_round, np.float64))


def summary_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the area under each curve and its end, for each test image.

    The area is divided by the effort between the first and the last round, so that it
    is a mean score. A single round has its score as mean.
    """
    test = {}
    for metric in METRICS:
        scores = np.array([r[metric] for r in result["rounds"]], np.float64)
        test[f"last {metric}"] = scores[-1].tolist()
        test[f"area {metric}"] = mean_over(efforts_of(result), scores).tolist()
    return {**result, "test": test}


def mean_over(
    efforts: NDArray[np.float64], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean score over the effort, by the trapezoidal rule.

    Parameters
    ----------
    efforts : (rounds,) float
        Ascending.
    scores : (rounds, images) float
        After each round.

    Returns
    -------
    (images,) float
        In the unit of the scores.
    """
    if len(scores) == 1:
        return scores[0]
    middles = (scores[1:] + scores[:-1]) / 2
    return np.average(middles, axis=0, weights=np.diff(efforts))


def _curve_table(curves: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    n = len(curves[0]["rounds"])
    heads = ["objects outlined", *(str(i) for i in range(n))]
    lines = [_line(["", *("start", *(f"round {i}" for i in range(1, n)))])]
    lines += ["|" + "---|" * len(heads)]
    for way in dict.fromkeys(r["row"] for r in curves):
        of_way = [r for r in curves if r["row"] == way]
        scores = np.array([[c[metric] for c in r["rounds"]] for r in of_way])
        means = np.nanmean(scores, axis=(0, 2))
        lines.append(_line([TITLES[way], *(f"{mean:.3f}" for mean in means)]))
    efforts = np.mean([efforts_of(r) for r in curves], axis=0)
    lines.append(_line(["objects outlined", *(f"{e:.0f}" for e in efforts)]))
    return lines


def _choice_table(curves: Sequence[Mapping[str, Any]]) -> list[str]:
    heads = ["", "objects", "images", "objects per image", "images by kind"]
    lines = ["What was outlined, start included, mean over seeds:", ""]
    lines += [_line(heads), "|" + "---|" * len(heads)]
    for way in dict.fromkeys(r["row"] for r in curves):
        of_way = [r for r in curves if r["row"] == way]
        objects = np.mean([efforts_of(r)[-1] for r in of_way])
        kinds: Counter[str] = Counter()
        for result in of_way:
            for done in result["rounds"]:
                kinds.update(done["scenes"])
        images = kinds.total() / len(of_way)
        means = {kind: n / len(of_way) for kind, n in sorted(kinds.items())}
        cells = [f"{objects:.0f}", f"{images:.1f}", f"{objects / images:.1f}"]
        by_kind = ", ".join(f"{kind} {mean:.1f}" for kind, mean in means.items())
        lines.append(_line([TITLES[way], *cells, by_kind]))
    return lines


def _n_images(results: Sequence[Mapping[str, Any]]) -> int:
    everything = [r for r in results if r["row"] == EVERYTHING]
    return len(everything[0]["rounds"][0]["outlined"])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
