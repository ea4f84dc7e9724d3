"""The tables of the recursive approximation benchmark, as Markdown."""

from typing import Any

import numpy as np

from benchmarks.image_sets import ImageSet
from napari_mtseg.metrics.intervals import (
    Interval,
    bootstrap_mean,
    bootstrap_paired_difference,
)

COMPARED = ("WL", "SL", "PL", "all paint", "full")
OURS = ("recursive", "recursive, paint")
TITLES = {
    "WL": "WL: partial masks as if whole",
    "SL": "SL: the full masks alone",
    "PL": "PL: GrabCut pseudo labels",
    "all paint": "baseline on all paint",
    "recursive": "recursive approximation",
    "recursive, paint": "recursive approximation, all paint teaches (ours)",
    "full": "full supervision",
}


def table_of(
    results: list[dict[str, Any]], images: ImageSet, *, quick: bool, steps: int
) -> str:
    """Return the tables: scores per row, paired differences, growth per iteration."""
    rows = list(dict.fromkeys(r["row"] for r in results))
    n_seeds = len({r["seed"] for r in results})
    n_test = len(results[0]["test"]["dice"])
    lines = [
        f"Data: {images.licence}. {n_test} test images; {images.n_full} of "
        f"{images.n_train} training images with full masks; {n_seeds} seed(s), {steps} "
        "steps. Intervals: 95 %, bootstrap over test images, seeds averaged.",
        "",
    ]
    if quick:
        lines += ["Quick run: it shows that the command works, nothing more.", ""]
    lines += ["| row | Dice | object Dice | object Hausdorff (px) | seconds |"]
    lines += ["|---|---|---|---|---|"]
    for row in rows:
        cells = [
            _interval(bootstrap_mean(_scores(results, row, m), rng=_rng()), digits)
            for m, digits in (("dice", 3), ("object_dice", 3), ("hausdorff", 1))
        ]
        seconds = np.mean([r["seconds"] for r in results if r["row"] == row])
        lines.append(f"| {TITLES[row]} | {' | '.join(cells)} | {seconds:.0f} |")
    lines += ["", *_differences(results, rows), "", *_growth(results)]
    return "\n".join(lines) + "\n"


def _differences(results: list[dict[str, Any]], rows: list[str]) -> list[str]:
    lines = []
    for row in (r for r in OURS if r in rows):
        ours = _scores(results, row, "dice")
        lines += [f"| {TITLES[row]} minus | Dice | interval excludes 0 |"]
        lines += ["|---|---|---|"]
        for other in (r for r in COMPARED if r in rows):
            theirs = _scores(results, other, "dice")
            difference = bootstrap_paired_difference(ours, theirs, rng=_rng())
            verdict = "yes" if difference.excludes_zero else "no"
            cell = _interval(difference, 3)
            lines.append(f"| {TITLES[other]} | {cell} | {verdict} |")
        if "full" in rows:
            full = float(np.mean(_scores(results, "full", "dice")))
            share = float(np.mean(ours)) / full
            lines += ["", f"Share of full supervision's Dice: {share:.3f}.", ""]
    return lines


def _growth(results: list[dict[str, Any]]) -> list[str]:
    curves = {
        row: np.mean([r["grown"] for r in results if r["row"] == row], axis=0)
        for row in dict.fromkeys(r["row"] for r in results if r["grown"])
    }
    n = len(next(iter(curves.values())))
    lines = ["Dice of the growing labels of weakly annotated images, by iteration:", ""]
    lines += ["| row | " + " | ".join(str(i) for i in range(n)) + " |"]
    lines += ["|" + "---|" * (n + 1)]
    for row, curve in curves.items():
        cells = " | ".join(f"{value:.3f}" for value in curve)
        lines.append(f"| {TITLES[row]} | {cells} |")
    return lines


def _scores(results: list[dict[str, Any]], row: str, metric: str) -> Any:
    """(seeds, images) scores of one row."""
    return np.array([r["test"][metric] for r in results if r["row"] == row])


def _interval(interval: Interval, digits: int) -> str:
    low, mean, high = (
        f"{value:.{digits}f}" for value in (interval.low, interval.mean, interval.high)
    )
    undefined = f", {interval.n_undefined} undefined" if interval.n_undefined else ""
    return f"{mean} ({low} to {high}{undefined})"


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
