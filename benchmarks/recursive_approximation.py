"""Recursive approximation beside the rows of its paper, on real images.

    python -m benchmarks.recursive_approximation --data ../shared/data/dsb2018 --quick

Rows, all the same network and number of steps: WL (partial masks as if whole), SL (the
few full masks alone), PL (GrabCut pseudo labels), baseline on all paint, recursive
approximation, full supervision. Masks of test images never enter a project.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.painted_projects import Paint
from benchmarks.recursive_approximation_table import table_of
from benchmarks.row_command import (
    Plan,
    chosen_rows,
    images_of,
    parsed,
    results_of,
    row_parser,
)
from benchmarks.trained_rows import Row, Trained, Trial, scored, trained
from napari_mtseg.metrics.overlap import dice

BETA_LAST = 2.0
"""as in the preset fast"""
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "WL": ("baseline", {"labels": "partial", "dice_weight": 0.0}),
    "SL": ("baseline", {"labels": "full", "dice_weight": 0.0}),
    "PL": ("baseline", {"labels": "grabcut", "dice_weight": 0.0}),
    "all paint": ("baseline", {"labels": "all", "dice_weight": 0.0}),
    "recursive": (
        "recursive_approximation",
        {"supervision": "full", "beta_last": BETA_LAST},
    ),
    "recursive, paint": (
        "recursive_approximation",
        {"supervision": "paint", "beta_last": BETA_LAST},
    ),
    "full": ("baseline", {"labels": "full", "dice_weight": 0.0}),
}
QUICK_ROWS = ("WL", "SL", "recursive", "full")
N_ITERATIONS = 8
FIRST_SHARE = 0.3
"""share of the steps before the first growth"""
LAST_SHARE = 0.4
"""share of the steps in the last iteration; those between share the rest"""


def main() -> None:
    """Run the benchmark and print its tables."""
    arguments = parsed(row_parser(__doc__, steps=480))
    quick, images = arguments.quick, images_of(arguments)
    steps = min(arguments.steps, 80) if quick else arguments.steps
    names = chosen_rows(arguments, QUICK_ROWS if quick else tuple(ROWS))
    plan = Plan(
        images=images,
        rows=[_row(name, steps) for name in names],
        n_seeds=1 if quick else arguments.seeds,
        steps=steps,
        quick=quick,
        out=arguments.out / images.name / ("quick" if quick else "published"),
    )
    results = results_of(arguments, plan, train_score_and_follow)
    text = table_of(results, images, quick=quick, steps=steps)
    (plan.out / "table.md").write_text(text)
    print(text)


def train_score_and_follow(trial: Trial) -> dict[str, Any]:
    """Train one row with one seed, score it, and follow its growing labels."""
    done = trained(trial)
    grows = trial.row.method == "recursive_approximation"
    return {**scored(trial, done), "grown": _grown_dice(done) if grows else []}


def _row(name: str, steps: int) -> Row:
    method, values = ROWS[name]
    paint: Paint = "all full" if name == "full" else "few full"
    length = _growing(steps) if method == "recursive_approximation" else {}
    return Row(
        title=name,
        method=method,
        values={**values, **(length or {"steps": steps})},
        paint=paint,
    )


def _growing(steps: int) -> dict[str, int]:
    """Share the steps among the iterations."""
    last = round(steps * LAST_SHARE)
    each = round(steps * (1 - FIRST_SHARE - LAST_SHARE) / (N_ITERATIONS - 2))
    return {
        "iterations": N_ITERATIONS,
        "first_steps": steps - last - (N_ITERATIONS - 2) * each,
        "steps_per_iteration": each,
        "last_steps": last,
    }


def _grown_dice(done: Trained) -> list[float]:
    """Dice of the growing labels of weakly annotated images, iteration by iteration."""
    project, run = done.project, done.run
    masks: dict[str, Path] = {item.name: item.mask for item in done.items}
    weak = [e for e in project.images if not project.annotation(e).has_full]
    curve = []
    for iteration in range(run.last_iteration() + 1):
        found = []
        for entry in weak:
            grown = run.load_grown(iteration, entry.id)
            if grown is not None:
                truth = tifffile.imread(masks[entry.name.removesuffix(".tif")]) > 0
                found.append(dice(grown > 0, truth))
        curve.append(float(np.mean(found)))
    return curve


if __name__ == "__main__":
    main()
