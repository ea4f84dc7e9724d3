"""Cross-task consistency beside the rows of its paper, on real volumes.

    python -m benchmarks.cross_task --data ../shared/data/hippocampus_msd --quick
    python -m benchmarks.cross_task --data ../shared/data/hippocampus_msd
    python -m benchmarks.cross_task --data ../shared/data/acdc_scribble
    python -m benchmarks.cross_task --data DATA --device cuda --paper

Rows are the named variants of the method (the paper's Table 1, and DTC), each with 10
and with 20 % of the training volumes labelled: hippocampus_msd by full masks,
acdc_scribble by the scribbles that a person drew. The others are in the project without
any paint; V-Net, the row of the labelled share alone, does not look at them. Which are
labelled is drawn by the seed, alike for all rows. With --control there is also MTCTL
from a project that holds the labelled share alone, so that nothing but the unlabelled
volumes differs. Masks of test images never enter a project.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.cross_task_table import CONTROL, ROWS, tables_of, title_of
from benchmarks.painted_projects import Paint
from benchmarks.row_command import (
    Plan,
    images_of,
    parsed,
    published,
    results_of,
    row_parser,
)
from benchmarks.trained_rows import Row

SHARES = (0.1, 0.2)
QUICK_SHARES = (0.2,)
QUICK_STEPS = 60
PAPER_STEPS = 6000
LEARNING_RATE = 0.01
"""the code's; with the preset's, small classes are learned later (trials)"""
PASSES = 2
"""with dropout, by which doubt is measured while training; the code's 8 would take as
long as all else together"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large and long the trainings on one image set are."""

    steps: int
    base: int
    levels: int
    patch: int
    """height and width, pixels"""
    patch_depth: int
    """planes"""
    batch: int
    """patches; where unlabelled volumes teach, half of them are of these"""
    n_train: int
    """training volumes, labelled or not"""
    n_test: int | None
    """None for all"""
    spacing: tuple[float, ...]
    """voxel size as it is used, mm"""
    paint: Paint
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    """how patches are changed, where the preset's way does not suit the set"""


SIZES = {
    "hippocampus_msd": Size(
        steps=300,
        base=8,
        levels=4,
        patch=32,
        patch_depth=32,
        batch=4,
        n_train=80,
        n_test=33,
        spacing=(1.0, 1.0, 1.0),
        paint="all full",
        # Place alone tells anterior from posterior: mirrored, it would not any more.
        augmentation={"flip": False, "rotate": 15.0},
    ),
    "acdc_scribble": Size(
        steps=200,
        base=8,
        levels=4,
        patch=64,
        patch_depth=8,
        batch=4,
        n_train=30,
        n_test=None,
        # The set does not say it: slices 5-10 mm thick, pixels of about 1.5 mm halved.
        spacing=(10.0, 3.0, 3.0),
        paint="real scribbles",
    ),
}
QUICK: Mapping[str, Any] = {"steps": QUICK_STEPS, "n_train": 10, "n_test": 3}
PAPER: Mapping[str, Any] = {
    "steps": PAPER_STEPS,
    "base": 16,
    "levels": 5,
    "patch": 112,
    "patch_depth": 80,
}


def main() -> None:
    """Run the benchmark and print its tables."""
    arguments = parsed(cross_task_parser())
    if arguments.data.name not in SIZES:
        raise SystemExit(f"--data must be a folder of: {', '.join(SIZES)}")
    plan = plan_to_measure(arguments)
    published(plan, tables_of(plan, results_of(arguments, plan)))


def cross_task_parser() -> argparse.ArgumentParser:
    """Return a parser of the arguments; sizes are those of the set by default."""
    parser = row_parser(__doc__, steps=0)
    parser.set_defaults(steps=None)
    parser.add_argument(
        "--labelled", nargs="+", type=float, metavar="SHARE", help="0.1 0.2 by default"
    )
    parser.add_argument("--control", action="store_true", help="MTCTL without the rest")
    parser.add_argument("--paper", action="store_true", help="the paper's sizes")
    for name, what in (
        ("base", "channels of the first level"),
        ("patch", "height and width of patches"),
        ("patch-depth", "planes of patches"),
        ("batch", "patches per step"),
        ("n-train", "training volumes"),
        ("n-test", "test volumes"),
    ):
        parser.add_argument(f"--{name}", type=int, help=what)
    return parser


def size_of(arguments: argparse.Namespace) -> Size:
    """Return the sizes of a run: the set's, the paper's or a quick run's, and asked."""
    size = SIZES[arguments.data.name]
    if arguments.paper:
        size = replace(size, **PAPER)
    if arguments.quick:
        size = replace(size, **QUICK)
    names = ("steps", "base", "patch", "patch_depth", "batch", "n_train", "n_test")
    asked = {name: getattr(arguments, name) for name in names}
    return replace(size, **{k: v for k, v in asked.items() if v is not None})


def plan_to_measure(arguments: argparse.Namespace) -> Plan:
    """Return the rows, the images and the folder of a run."""
    size = size_of(arguments)
    images = replace(
        images_of(arguments),
        n_train=size.n_train,
        n_test=size.n_test,
        spacing=size.spacing,
    )
    return Plan(
        images=images,
        rows=rows_of_run(arguments, size),
        n_seeds=1 if arguments.quick else arguments.seeds,
        steps=size.steps,
        quick=arguments.quick,
        out=arguments.out / "cross_task" / images.name / folder_of(arguments, size),
    )


def rows_of_run(arguments: argparse.Namespace, size: Size) -> list[Row]:
    """Return the rows of a run, share by share."""
    shares = arguments.labelled or (QUICK_SHARES if arguments.quick else SHARES)
    known = (*ROWS, CONTROL)
    wanted = arguments.rows or ROWS
    if unknown := set(wanted) - set(known):
        raise SystemExit(
            f"there is no row {', '.join(sorted(unknown))}; the rows are: "
            f"{', '.join(known)}"
        )
    control = {CONTROL} if arguments.control else set()
    names = [name for name in known if name in {*wanted, *control}]
    return [
        row_of(name, share, size, paper=arguments.paper)
        for share in shares
        for name in names
    ]


def row_of(name: str, share: float, size: Size, *, paper: bool = False) -> Row:
    """Return the row of a named variant at a share of labelled volumes."""
    # Those of the preset 'paper' are not turned at all.
    kept = {"flip"} if paper else {"flip", "rotate"}
    return Row(
        title=title_of(name, share),
        method="cross_task",
        preset="paper" if paper else "fast",
        variant="MTCTL" if name == CONTROL else name,
        shared={
            "steps": size.steps,
            "base_channels": size.base,
            "levels": size.levels,
            "patch": size.patch,
            "patch_depth": size.patch_depth,
            "batch_size": size.batch,
            "normalisation": "zscore",
            **({} if paper else {"passes": PASSES, "learning_rate": LEARNING_RATE}),
            **{k: v for k, v in size.augmentation.items() if k in kept},
        },
        paint=size.paint,
        labelled=share,
        unlabelled=name != CONTROL,
    )


def folder_of(arguments: argparse.Namespace, size: Size) -> str:
    """Return the name of the results' folder, one per size: others are others'."""
    kind = "quick" if arguments.quick else "paper" if arguments.paper else "published"
    patch = f"{size.patch_depth}x{size.patch}x{size.patch}"
    return (
        f"{kind}-{size.steps}-steps-base-{size.base}-{size.batch}x{patch}-"
        f"{size.n_train}-train-{size.n_test or 'all'}-test"
    )


if __name__ == "__main__":
    main()
