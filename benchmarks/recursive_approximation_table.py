"""The tables of the recursive approximation benchmark, as Markdown."""

from typing import Any

import numpy as np

from benchmarks.image_sets import ImageSet
from benchmarks.score_tables import (
    DICE,
    OBJECT_DICE,
    OBJECT_HAUSDORFF,
    interval_text,
    rows_of,
    score_table,
    scores_of,
)
from napari_mtseg.metrics.intervals import bootstrap_paired_difference

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
    rows = rows_of(results)
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
    columns = (DICE, OBJECT_DICE, OBJECT_HAUSDORFF)
    lines += score_table(results, columns, titles=TITLES)
    lines += ["", *_differences(results, rows), "", *_growth(results)]
    return "\n".join(lines) + "\n"


def _differences(results: list[dict[str, Any]], rows: list[str]) -> list[str]:
    lines = []
    for row in (r for r in OURS if r in rows):
        ours = scores_of(results, row, "dice")
        lines += [f"| {TITLES[row]} minus | Dice | interval excludes 0 |"]
        lines += ["|---|---|---|"]
        for other in (r for r in COMPARED if r in rows):
            theirs = scores_of(results, other, "dice")
            difference = bootstrap_paired_difference(ours, theirs, rng=_rng())
            verdict = "yes" if difference.excludes_zero else "no"
            cell = interval_text(difference, 3)
            lines.append(f"| {TITLES[other]} | {cell} | {verdict} |")
        if "full" in rows:
            full = float(np.mean(scores_of(results, "full", "dice")))
            share = float(np.mean(ours)) / full
            lines += ["", f"Share of full supervision's Dice: {share:.3f}.", ""]
    return lines


def _growth(results: list[dict[str, Any]]) -> list[str]:
    curves = {
        row: np.mean([r["grown"] for r in results if r["row"] == row], axis=0)
        for row in dict.fromkeys(r["row"] for r in results if r["grown"])
    }
    if not curves:
        return []
    n = len(next(iter(curves.values())))
    lines = ["Dice of the growing labels of weakly annotated images, by iteration:", ""]
    lines += ["| row | " + " | ".join(str(i) for i in range(n)) + " |"]
    lines += ["|" + "---|" * (n + 1)]
    for row, curve in curves.items():
        cells = " | ".join(f"{value:.3f}" for value in curve)
        lines.append(f"| {TITLES[row]} | {cells} |")
    return lines


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
