"""Task decomposition beside the rows of its paper, on real images.

    python -m benchmarks.task_decomposition --data ../shared/data/dsb2018 --quick
    python -m benchmarks.task_decomposition --data ../shared/data/acdc_scribble

Rows are the named variants of the method (the lower halves of the paper's Tables 1, 3
and 6; with --all those that compare networks too), all with the same width, patches,
batches, learning rates, steps and full masks. dsb2018 has three scenes, which all
training images are tagged with (its large images, of the third, are kept here);
acdc_scribble has none, so that its last row goes on with what the row before it learns.
With --weak they learn from partial masks and scribbles alone, beside the baseline on
the same paint. Below the tables: how well the disagreement of class head and
segmentation tells failed images. Masks of test images never enter a project.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.image_sets import ImageSet
from benchmarks.painted_projects import Paint
from benchmarks.row_command import (
    Plan,
    chosen_rows,
    header,
    parsed,
    plan_of,
    published,
    results_of,
    row_parser,
    steps_of,
)
from benchmarks.score_tables import (
    CLASS_ACCURACY,
    DICE,
    JACCARD,
    SCENE_ACCURACY,
    Ordering,
    ordering_table,
    rows_of,
    score_table,
    scores_of,
)
from benchmarks.trained_rows import Row
from napari_mtseg.metrics.failure import auroc

TASKS = ("Base", "Base+Class", "Base+Class+Sync", "Base+Class+Sync+Scene")
NETWORKS = ("ResNet34+Unet", "ResNet50+Unet", "VGG16+Unet", "VGG16+CE+Unet")
VOLUME_NETWORKS = ("Wnet+Unet", "Wnet+CE+Unet")
OURS = "all tasks, U-Net decoder (ours)"
WEAK_ROWS = ("baseline", "Base", TASKS[-1], OURS)

PAPER: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "ROBOT18: IoU / Dice": {
        "ResNet34+Unet": (74.28, 78.31),
        "ResNet50+Unet": (51.33, 55.27),
        "VGG16+Unet": (75.82, 79.17),
        "VGG16+CE+Unet": (75.90, 79.23),
        "Base": (77.81, 81.40),
        "Base+Class": (80.03, 83.73),
        "Base+Class+Sync": (81.99, 85.56),
        "Base+Class+Sync+Scene": (82.08, 85.70),
    },
    "BRATS18: Dice / HD (mm)": {
        "Wnet+Unet": (79.67, 17.09),
        "Wnet+CE+Unet": (79.69, 16.43),
        "Base": (80.15, 15.75),
        "Base+Class": (80.41, 10.30),
        "Base+Class+Sync": (80.87, 10.14),
        "Base+Class+Sync+Scene": (80.88, 9.74),
    },
    "REFUGE18: IoU / Dice": {
        "ResNet34+Unet": (75.04, 84.78),
        "ResNet50+Unet": (76.85, 85.98),
        "VGG16+Unet": (81.26, 89.13),
        "VGG16+CE+Unet": (82.47, 90.43),
        "Base": (82.67, 90.72),
        "Base+Class": (82.91, 91.02),
        "Base+Class+Sync": (83.44, 91.21),
        "Base+Class+Sync+Scene": (83.49, 91.29),
    },
}
"""Tables 1, 3 and 6, per cent"""

PLACE_OF_DICE = {
    "ROBOT18: IoU / Dice": 1,
    "BRATS18: Dice / HD (mm)": 0,
    "REFUGE18: IoU / Dice": 1,
}

ALL = 10**9
"""more than there is"""

FAILED_SHARE = 0.2
"""of the test images, those of the lowest Dice, count as failed (fixed beforehand)"""

SIZES: Mapping[int, Mapping[str, Any]] = {
    2: {"base_channels": 16, "width": 64, "hidden": 64, "patch": 128, "batch_size": 4},
    3: {
        "base_channels": 12,
        "width": 24,
        "hidden": 32,
        "patch": 80,
        "patch_depth": 6,
        "batch_size": 2,
        "low_memory": True,
        "rotate": 0.0,
        "rescale": 1.0,
    },
}
"""dimensions of the images -> settings that all rows share; volumes are mirrored only,
as in the paper"""
OWN = frozenset({"width", "hidden", "low_memory"})
"""those that the baseline does not have"""


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = row_parser(__doc__, steps=900, weak=True)
    parser.add_argument(
        "--all", action="store_true", help="the rows that compare networks too"
    )
    arguments = parsed(parser)
    plan = plan_of(arguments, "task_decomposition", ())
    images = replace(plan.images, max_pixels=ALL)
    if not arguments.quick:
        images = replace(images, n_train=n_train_of(arguments.data))
    known = rows_for(images, weak=arguments.weak, every=arguments.all)
    steps = steps_of(arguments)
    rows = [
        row_of(name, images, steps=steps, weak=arguments.weak)
        for name in chosen_rows(arguments, known)
    ]
    plan = replace(plan, images=images, rows=rows)
    results = results_of(arguments, plan)
    published(plan, tables_of(plan, results, weak=arguments.weak))


def n_train_of(data: Path) -> int:
    """Return the number of training images of a published set."""
    with (data / "split.csv").open(newline="") as file:
        return sum(row["split"] == "train" for row in csv.DictReader(file))


def rows_for(images: ImageSet, *, weak: bool, every: bool) -> tuple[str, ...]:
    """Return the rows of a run."""
    if weak:
        return WEAK_ROWS
    networks = NETWORKS if images.ndim == 2 else VOLUME_NETWORKS
    return (*networks, *TASKS, OURS) if every else (*TASKS, OURS)


def row_of(name: str, images: ImageSet, *, steps: int, weak: bool) -> Row:
    """Return the row of a named variant, or the baseline's."""
    paint: Paint = "weak" if weak else "all full"
    shared = {**SIZES[images.ndim], "learning_rate": 1e-3, "steps": steps}
    if name == "baseline":
        shared = {k: v for k, v in shared.items() if k not in OWN}
        shared |= {"levels": 5 if images.ndim == 2 else 3}
        return Row(title=name, method="baseline", shared=shared, paint=paint)
    values = {"encoder_weights": "none", "norm": "batch"}
    return Row(
        title=name,
        method="task_decomposition",
        variant=TASKS[-1] if name == OURS else name,
        shared=shared,
        values={**values, "decoder": "unet"} if name == OURS else values,
        paint=paint,
    )


def tables_of(plan: Plan, results: list[dict[str, Any]], *, weak: bool) -> list[str]:
    """Return the lines of the scores beside the paper's, of orderings and failures."""
    beside = {
        table: {row: "{:.2f} / {:.2f}".format(*pair) for row, pair in rows.items()}
        for table, rows in PAPER.items()
    }
    painted = "partial masks and scribbles only" if weak else "full masks"
    columns = (DICE, JACCARD, CLASS_ACCURACY, SCENE_ACCURACY)
    return [
        *header(plan, results, painted),
        *score_table(results, columns, beside=None if weak else beside),
        "",
        *ordering_table(results, orderings(weak=weak), (DICE, JACCARD)),
        "",
        *failure_table(results),
    ]


def orderings(*, weak: bool) -> list[Ordering]:
    """Return what the paper says of its rows; of weak labels it says nothing."""
    ours = Ordering(first=OURS, second=TASKS[-1])
    if weak:
        against = [Ordering(first=row, second="baseline") for row in WEAK_ROWS[1:]]
        return [*against, Ordering(first=TASKS[-1], second="Base"), ours]
    steps = zip(TASKS[1:], TASKS, strict=False)
    found = [_ordering(first, second) for first, second in steps]
    found.append(_ordering(TASKS[-1], TASKS[0]))
    chains = ((*NETWORKS, "Base"), (*VOLUME_NETWORKS, "Base"))
    for chain in chains:
        found += [_ordering("Base", second) for second in chain[:-1]]
    return [*found, ours]


def failure_table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines that say how well disagreement tells failed images.

    The images of all seeds stand side by side: each seed has failures of its own.
    """
    lines = [
        f"Failed are the {FAILED_SHARE:.0%} of the test images of the lowest Dice, for "
        "each seed anew. AUROC with a 95 % bootstrap interval; 0.5 is chance.",
        "",
        "| row | disagreement of failed images | of the others | AUROC |",
        "|---|---|---|---|",
    ]
    for row in rows_of(results):
        dice = scores_of(results, row, "dice")
        doubt = scores_of(results, row, "disagreement")
        if np.isnan(doubt).any():
            continue
        limits = np.quantile(dice, FAILED_SHARE, axis=1, keepdims=True)
        failed = dice <= limits
        found = auroc(doubt.ravel(), failed.ravel(), rng=np.random.default_rng(0))
        means = [f"{doubt[kind].mean():.4f}" for kind in (failed, ~failed)]
        area = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
        cells = [row, *means, f"{area}, {found.n_failed} of {found.n} failed"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _ordering(first: str, second: str) -> Ordering:
    differences = [
        f"{table.split(':')[0]} {rows[first][place] - rows[second][place]:+.2f}"
        for table, rows in PAPER.items()
        if {first, second} <= set(rows)
        for place in (PLACE_OF_DICE[table],)
    ]
    return Ordering(
        first=first,
        second=second,
        paper=f"Dice (%): {', '.join(differences)}" if differences else "",
    )


if __name__ == "__main__":
    main()
