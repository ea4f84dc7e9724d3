"""HMEDN beside the rows of its paper, on real images.

    python -m benchmarks.high_resolution --data ../shared/data/hc18 --quick
    python -m benchmarks.high_resolution --data ../shared/data/dsb2018
    python -m benchmarks.high_resolution --data ../shared/data/hc18 --weak

Rows are the named variants of the method: the paper's Tables I-IV on masks of classes,
Table VII (nuclei mode) on masks of objects. All have the same width, patches, batches,
learning rate, steps and full masks. With --weak they learn from partial masks and
scribbles alone, beside the baseline on the same paint. Masks of test images never
enter a project.
"""

from typing import Any

from benchmarks.image_sets import ImageSet
from benchmarks.row_command import (
    Plan,
    chosen_rows,
    header,
    images_of,
    parsed,
    plan_of,
    published,
    results_of,
    row_parser,
    steps_of,
)
from benchmarks.score_tables import (
    ASSD,
    DICE,
    HAUSDORFF,
    HD95,
    JACCARD,
    OBJECT_COLUMNS,
    Column,
    Ordering,
    ordering_table,
    score_table,
)
from benchmarks.trained_rows import Row

Figures = tuple[float, float, float]

REGION_ROWS = (
    "DilNet2",
    "DstNet1",
    "HRDN-L1",
    "HRDN-L3",
    "HRDN-L3 difficulty",
    "HRDN-L3 contour",
    "HMEDN",
)
NUCLEI_ROWS = (
    "baseline",
    "DstNet1 nuclei",
    "HRDN-L3 nuclei",
    "HRDN-L3 nuclei, no watershed",
)
QUICK_ROWS = ("DstNet1", "HRDN-L3", "HMEDN")
QUICK_NUCLEI_ROWS = ("baseline", "DstNet1 nuclei", "HRDN-L3 nuclei")
WEAK_ROWS = ("baseline", "HMEDN")
WEAK_NUCLEI_ROWS = ("baseline", "HMEDN", "HMEDN nuclei")
SHARED: dict[str, Any] = {
    "base_channels": 8,
    "levels": 5,
    "patch": 128,
    "batch_size": 4,
    "learning_rate": 2e-3,
}

ORGANS = ("prostate", "bladder", "rectum")
REGION_FIGURES: dict[str, dict[str, Figures]] = {
    "Dice (%)": {
        "DilNet2": (83.4, 88.5, 81.9),
        "DstNet1": (86.2, 93.1, 84.9),
        "HRDN-L1": (87.5, 93.2, 85.9),
        "HRDN-L3": (87.9, 94.0, 86.8),
        "HMEDN": (88.3, 94.4, 87.2),
    },
    "symmetric ASD (mm)": {
        "DstNet1": (1.585, 1.334, 1.543),
        "HRDN-L1": (1.434, 1.542, 1.395),
        "HRDN-L3": (1.427, 1.282, 1.397),
        "HMEDN": (1.357, 1.175, 1.357),
    },
    "Hausdorff (mm)": {"HRDN-L3": (17.2, 21.6, 20.5), "HMEDN": (15.3, 17.5, 17.2)},
}
"""Tables I to IV: metric -> row -> the three organs; HRDN of Table II is HRDN-L1"""
NUCLEI_METRICS = ("F1 (%)", "object Dice (%)", "Hausdorff (mm)")
NUCLEI_FIGURES: dict[str, tuple[str, Figures]] = {
    "baseline": ("U-Net, watershed", (87.9, 86.8, 6.93)),
    "DstNet1 nuclei": ("ResNet-34, watershed", (88.5, 87.2, 6.50)),
    "HRDN-L3 nuclei": ("ResNet34+HR-L3, watershed", (91.1, 89.1, 5.07)),
}
"""Table VII: row -> its counterpart in the paper, and that one's figures"""


def main() -> None:
    """Run the benchmark and print its tables."""
    arguments = parsed(row_parser(__doc__, steps=250, weak=True))
    steps, weak = steps_of(arguments), arguments.weak
    names = row_names(images_of(arguments), quick=arguments.quick, weak=weak)
    names = chosen_rows(arguments, names)
    rows = [row_of(name, steps=steps, weak=weak) for name in names]
    plan = plan_of(arguments, "high_resolution", rows)
    published(plan, tables_of(plan, results_of(arguments, plan), weak=weak))


def row_names(images: ImageSet, *, quick: bool, weak: bool) -> tuple[str, ...]:
    """Return the rows of a run."""
    if images.values == "objects":
        if weak:
            return WEAK_NUCLEI_ROWS
        return QUICK_NUCLEI_ROWS if quick else NUCLEI_ROWS
    if weak:
        return WEAK_ROWS
    return QUICK_ROWS if quick else REGION_ROWS


def row_of(name: str, *, steps: int, weak: bool) -> Row:
    """Return the row of a named variant, in nuclei mode if its name says so."""
    network = name.removesuffix(", no watershed")
    variant = network.removesuffix(" nuclei")
    plain = name == "baseline"
    return Row(
        title=name,
        method="baseline" if plain else "high_resolution",
        variant="" if plain else variant,
        shared={**SHARED, "steps": steps},
        values={"nuclei": True} if variant != network else {},
        paint="weak" if weak else "all full",
        pieces=network != name,
    )


def tables_of(plan: Plan, results: list[dict[str, Any]], *, weak: bool) -> list[str]:
    """Return the lines of the scores beside the paper's, and of the orderings."""
    nuclei = plan.images.values == "objects"
    columns: tuple[Column, ...] = (DICE, JACCARD, ASSD, HD95, HAUSDORFF)
    if nuclei:
        columns = (*OBJECT_COLUMNS, DICE, ASSD)
    beside = nuclei_beside() if nuclei else region_beside()
    claims = nuclei_orderings() if nuclei else region_orderings()
    if weak:
        names = row_names(plan.images, quick=plan.quick, weak=True)
        claims = [Ordering(first=name, second="baseline") for name in names[1:]]
    painted = "partial masks and scribbles only" if weak else "full masks"
    return [
        *header(plan, results, painted),
        *score_table(results, columns, beside=None if weak else beside),
        "",
        *ordering_table(results, claims, columns),
    ]


def region_beside() -> dict[str, dict[str, str]]:
    """Return the paper's columns of Tables I to IV."""
    return {
        f"paper, {title} of {', '.join(ORGANS)}": {
            row: " / ".join(f"{x:g}" for x in values) for row, values in known.items()
        }
        for title, known in REGION_FIGURES.items()
    }


def nuclei_beside() -> dict[str, dict[str, str]]:
    """Return the paper's columns of Table VII."""
    return {
        "paper's counterpart": {row: name for row, (name, _) in NUCLEI_FIGURES.items()},
        f"paper, {', '.join(NUCLEI_METRICS)}": {
            row: " / ".join(f"{x:g}" for x in values)
            for row, (_, values) in NUCLEI_FIGURES.items()
        },
    }


def region_orderings() -> list[Ordering]:
    """Return what Tables I to IV say; difficulty and contour alone are ours."""
    pairs = (
        ("DstNet1", "DilNet2"),
        ("HRDN-L1", "DstNet1"),
        ("HRDN-L3", "DstNet1"),
        ("HRDN-L3", "HRDN-L1"),
        ("HMEDN", "HRDN-L3"),
    )
    return [
        *(Ordering(first=a, second=b, paper=_region_text(a, b)) for a, b in pairs),
        Ordering(first="HRDN-L3 difficulty", second="HRDN-L3"),
        Ordering(first="HRDN-L3 contour", second="HRDN-L3"),
    ]


def nuclei_orderings() -> list[Ordering]:
    """Return what Table VII says; what the watershed adds is ours."""
    first = "HRDN-L3 nuclei"
    return [
        *(
            Ordering(first=first, second=second, paper=_nuclei_text(first, second))
            for second in ("DstNet1 nuclei", "baseline")
        ),
        Ordering(first=first, second=f"{first}, no watershed"),
    ]


def _region_text(first: str, second: str) -> str:
    """Return the paper's differences of each metric, organ by organ."""
    return "; ".join(
        f"{title} {_differences(known[first], known[second])}"
        for title, known in REGION_FIGURES.items()
        if first in known and second in known
    )


def _nuclei_text(first: str, second: str) -> str:
    """Return the paper's differences, metric by metric."""
    pairs = zip(NUCLEI_FIGURES[first][1], NUCLEI_FIGURES[second][1], strict=True)
    return "; ".join(
        f"{metric} {ours - other:+.3g}"
        for metric, (ours, other) in zip(NUCLEI_METRICS, pairs, strict=True)
    )


def _differences(first: Figures, second: Figures) -> str:
    pairs = zip(first, second, strict=True)
    return " / ".join(f"{ours - other:+.3g}" for ours, other in pairs)


if __name__ == "__main__":
    main()
