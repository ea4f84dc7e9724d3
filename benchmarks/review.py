"""Whether scores of doubt find the failures of networks that learned from few labels.

    python -m benchmarks.review --quick --data ../shared/data/dsb2018
    python -m benchmarks.review --data ../shared/data/dsb2018 ../shared/data/hc18

Each network learns from the full masks of the same few images, drawn anew by each seed,
for so few steps that there are failures to find. It answers training images without
labels and the test images, neither of which is in its project: once, with dropout,
together with the kept checkpoints of its run, and together with runs of other seeds. Of
each source and score the tables say how well it orders images by Dice and tells
failures. Source and score are chosen on the training images and then tested once.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.image_sets import IMAGE_SETS, prepared
from benchmarks.jobs import run_jobs
from benchmarks.review_answers import SOURCES, SPLITS, Question, ask, train_runs
from benchmarks.review_measures import FAILED_SHARE, answers_of
from benchmarks.review_score_tables import tables_of
from benchmarks.row_command import Plan
from benchmarks.trained_rows import Row, Trial

SETS = ("dsb2018", "hc18")
N_SEEDS = 3
N_RUNS = 3
"""of each project, of which an ensemble is made"""
N_PASSES = 10
STEPS = 200
QUICK_STEPS = 40
DROPOUT = 0.2
N_LABELLED = 8
PUBLISHED: Mapping[str, Any] = {"n_train": 60, "n_held_out": 40}
"""training images that are used, and those of them that enter no project; of the
others N_LABELLED are labelled"""
QUICK: Mapping[str, Any] = {"n_train": 15, "n_held_out": 5, "n_test": 6}
LARGEST = 10**7
"""pixels: no image of the sets is left out"""
METHODS = ("baseline", "joint_shape")


def main() -> None:
    """Run the benchmark and print its tables."""
    arguments = parsed_arguments()
    found = {}
    for folder in arguments.data:
        plan = plan_of_set(arguments, folder)
        found[plan.images.name] = (plan, results_of_set(arguments, plan, folder))
    lines = header(arguments, [plan for plan, _ in found.values()])
    held_out, test = (
        {name: by_source(results, split) for name, (_, results) in found.items()}
        for split in SPLITS
    )
    lines += tables_of(held_out, test)
    text = "\n".join(lines) + "\n"
    folder_of(arguments).mkdir(parents=True, exist_ok=True)
    (folder_of(arguments) / "table.md").write_text(text)
    print(text)


def parsed_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the arguments; ends the program if there is no such image set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help=f"folders of: {', '.join(SETS)}",
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few images")
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--runs", type=int, default=N_RUNS, help="of each ensemble")
    parser.add_argument("--passes", type=int, default=N_PASSES, help="with dropout")
    parser.add_argument("--steps", type=int, default=STEPS, help="optimiser steps")
    parser.add_argument("--base", type=int, default=8, help="channels of level one")
    parser.add_argument("--method", choices=METHODS, default="baseline")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    arguments = parser.parse_args(words)
    for folder in arguments.data:
        if folder.name not in SETS or not (folder / "split.csv").exists():
            parser.error(f"--data is '{folder}' but must be a folder of: {SETS}")
    if arguments.quick:
        arguments.seeds, arguments.runs, arguments.passes = 1, 2, 2
        arguments.steps = min(arguments.steps, QUICK_STEPS)
    return arguments


def folder_of(arguments: argparse.Namespace) -> Path:
    """Return the folder of what is made; runs of another size have another one."""
    kind = "quick" if arguments.quick else "published"
    size = f"{arguments.method}-{arguments.base}-channels-{arguments.steps}-steps"
    out: Path = arguments.out
    return out / "review" / f"{kind}-{size}"


def plan_of_set(arguments: argparse.Namespace, folder: Path) -> Plan:
    """Return what is measured on one image set."""
    sizes = QUICK if arguments.quick else PUBLISHED
    images = replace(IMAGE_SETS[folder.name], **sizes, max_pixels=LARGEST)
    n_project = images.n_train - images.n_held_out
    shared = {
        "base_channels": arguments.base,
        "levels": 4,
        "patch": 128,
        "batch_size": 8,
        "steps": arguments.steps,
        "dropout": DROPOUT,
        "dropout_place": "decoder",
    }
    row = Row(
        title="few labels",
        method=arguments.method,
        shared=shared,
        paint="all full",
        labelled=min(1.0, N_LABELLED / n_project),
        unlabelled=False,
    )
    return Plan(
        images=images,
        rows=[row],
        n_seeds=arguments.seeds,
        steps=arguments.steps,
        quick=arguments.quick,
        out=folder_of(arguments) / folder.name,
    )


def results_of_set(
    arguments: argparse.Namespace, plan: Plan, folder: Path
) -> list[dict[str, Any]]:
    """Train and ask what is not done yet; return a result per seed and source."""
    prepared(folder, plan.out / "data", plan.images)
    trials = [
        Trial(
            row=plan.rows[0],
            seed=seed,
            images=plan.images,
            data=folder,
            out=plan.out,
            device=arguments.device,
        )
        for seed in range(plan.n_seeds)
    ]
    questions = [
        Question(trial=trial, source=source, n_passes=arguments.passes)
        for trial in trials
        for source in SOURCES
    ]
    several = arguments.jobs
    train = partial(train_runs, n_runs=arguments.runs)
    run_jobs(train, trials, results=plan.out / "trained", n_at_once=several)
    return run_jobs(ask, questions, results=plan.out / "results", n_at_once=several)


def by_source(results: Sequence[Mapping[str, Any]], split: str) -> Mapping[str, Any]:
    """Return source -> answers on a split."""
    return {s: answers_of(results, source=s, split=split) for s in SOURCES}


def header(arguments: argparse.Namespace, plans: Sequence[Plan]) -> list[str]:
    """Return the lines above the tables: sizes, and what the figures mean."""
    licences = "; ".join(f"{p.images.name}: {p.images.licence}" for p in plans)
    quick = "Quick run: it shows that the command works, nothing more."
    images = plans[0].images
    return [
        f"Data: {licences}. Method {arguments.method}, {arguments.base} channels, "
        f"{arguments.steps} steps, full masks of {N_LABELLED} images, dropout "
        f"{DROPOUT} in the decoder; {arguments.seeds} seed(s), each with its own "
        f"labelled images; {images.n_held_out} held-out training images of each set; "
        f"{arguments.passes} passes with dropout, ensembles of {arguments.runs} runs.",
        "",
        "All pairs of seed and image are pooled; a failure is a prediction with a Dice "
        f"below the {FAILED_SHARE:.0%} quantile of the same source's predictions. "
        "Intervals: 95 %, bootstrap over images, each with all its seeds. AURC: area "
        "under risk (1 - Dice) and coverage of images, lower is better. 'Within a run' "
        "is the mean over seeds, each with the failures of its own quantile.",
        "",
        *((quick, "") if arguments.quick else ()),
    ]


if __name__ == "__main__":
    main()
