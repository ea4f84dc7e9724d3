"""What the commands that train rows and tabulate their scores have in common."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.image_sets import IMAGE_SETS, ImageSet, prepared
from benchmarks.jobs import Job, run_jobs
from benchmarks.trained_rows import Row, Trial, train_and_score

N_QUICK = 16
"""training images of a quick run, at most"""
QUICK_STEPS = 60
"""optimiser steps of a quick run, at most"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a command is to measure."""

    images: ImageSet
    rows: Sequence[Row]
    n_seeds: int
    steps: int
    quick: bool
    out: Path
    """folder of what is made"""


def row_parser(
    description: str | None, *, steps: int, weak: bool = False
) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all of these commands take.

    With ``weak`` there is also --weak, to learn from weak paint alone.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help=f"one of {', '.join(IMAGE_SETS)}"
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="some rows only")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    if weak:
        parser.add_argument(
            "--weak", action="store_true", help="partial masks and scribbles only"
        )
    return parser


def parsed(
    parser: argparse.ArgumentParser, words: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse the arguments; ends the program if there is no such image set."""
    arguments = parser.parse_args(words)
    known = ", ".join(IMAGE_SETS)
    if arguments.data.name not in IMAGE_SETS:
        parser.error(f"--data is '{arguments.data}' but must be a folder of: {known}")
    if not (arguments.data / "split.csv").exists():
        parser.error(f"there is no '{arguments.data / 'split.csv'}'; choose --data")
    return arguments


def images_of(arguments: argparse.Namespace) -> ImageSet:
    """Return the image set, with fewer training images in a quick run."""
    images = IMAGE_SETS[arguments.data.name]
    if not arguments.quick:
        return images
    return replace(images, n_train=min(images.n_train, N_QUICK))


def chosen_rows(arguments: argparse.Namespace, rows: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``rows`` that were asked for, all of them by default.

    Ends the program if there is no such row.
    """
    if not arguments.rows:
        return tuple(rows)
    if unknown := set(arguments.rows) - set(rows):
        raise SystemExit(
            f"there is no row {', '.join(sorted(unknown))}; the rows of this run are: "
            f"{', '.join(rows)}"
        )
    return tuple(row for row in rows if row in arguments.rows)


def steps_of(arguments: argparse.Namespace) -> int:
    """Return the number of steps, fewer in a quick run."""
    steps: int = arguments.steps
    return min(steps, QUICK_STEPS) if arguments.quick else steps


def plan_of(arguments: argparse.Namespace, benchmark: str, rows: Sequence[Row]) -> Plan:
    """Return the plan of a benchmark that also runs on weak paint alone."""
    images, steps = images_of(arguments), steps_of(arguments)
    kind = "quick" if arguments.quick else "published"
    paint = "-weak" if arguments.weak else ""
    return Plan(
        images=images,
        rows=rows,
        n_seeds=1 if arguments.quick else arguments.seeds,
        steps=steps,
        quick=arguments.quick,
        out=arguments.out / benchmark / images.name / f"{kind}{paint}-{steps}-steps",
    )


def results_of(
    arguments: argparse.Namespace, plan: Plan, job: Job[Trial] = train_and_score
) -> list[dict[str, Any]]:
    """Train every row with every seed and return the results.

    What is done already is not done again.
    """
    prepared(arguments.data, plan.out / "data", plan.images)
    trials = [
        Trial(
            row=row,
            seed=seed,
            images=plan.images,
            data=arguments.data,
            out=plan.out,
            device=arguments.device,
        )
        for seed in range(plan.n_seeds)
        for row in plan.rows
    ]
    return run_jobs(job, trials, results=plan.out / "results", n_at_once=arguments.jobs)


def header(plan: Plan, results: Sequence[dict[str, Any]], painted: str) -> list[str]:
    """Return the lines above a table: licence, sizes, what the intervals mean."""
    images = plan.images
    n_test = len(results[0]["test"]["dice"])
    shrunk = f", shrunk {images.shrink} times" if images.shrink > 1 else ""
    classes = len(images.classes)
    averaged = f", {classes} classes averaged within each image" if classes > 1 else ""
    lines = [
        f"Data: {images.licence}{shrunk}. {n_test} test images{averaged}; "
        f"{images.n_train} training images with {painted}; {plan.n_seeds} seed(s), "
        f"{plan.steps} steps. Intervals: 95 %, bootstrap over test images, seeds "
        "averaged.",
        "",
    ]
    if plan.quick:
        lines += ["Quick run: it shows that the command works, nothing more.", ""]
    return lines


def published(plan: Plan, lines: Sequence[str]) -> None:
    """Print the tables and keep them beside the results."""
    text = "\n".join(lines) + "\n"
    (plan.out / "table.md").write_text(text)
    print(text)
