"""Joint shape learning beside the rows of its paper, on real images.

    python -m benchmarks.joint_shape --data ../shared/data/hc18 --quick
    python -m benchmarks.joint_shape --data ../shared/data/hc18 --weak

Rows are the named variants of the method (the paper's Tables 1 and 3), all with the
same width, levels, patches, batches, learning rate, steps and full masks. With --weak
they learn from partial masks and scribbles alone, beside the baseline on the same
paint. Masks of test images never enter a project.
"""

from typing import Any

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
    ASSD,
    DICE,
    HD95,
    JACCARD,
    OBJECT_COLUMNS,
    Column,
    Ordering,
    ordering_table,
    score_table,
)
from benchmarks.trained_rows import Row

ROWS = (
    "1Enc1Dec-M",
    "1Enc2Dec-MC",
    "1Enc2Dec-MD",
    "Conv-MC",
    "Conv-MD",
    "Conv-MD-D1",
    "Conv-MD-D2",
    "Conv-MCD",
)
QUICK_ROWS = ("1Enc1Dec-M", "1Enc2Dec-MD", "Conv-MC", "Conv-MD")
WEAK_ROWS = ("baseline", "1Enc1Dec-M", "Conv-MC", "Conv-MD")

PAPER = {
    "1Enc1Dec-M": ((0.8655, 0.7712), (0.9586, 0.9215), (0.8125, 0.7323)),
    "1Enc2Dec-MC": ((0.8715, 0.7803), (0.9646, 0.9324), (0.8151, 0.7391)),
    "1Enc2Dec-MD": ((0.8723, 0.7807), (0.9665, 0.9358), (0.8283, 0.7482)),
    "Conv-MC": ((0.8717, 0.7798), (0.9643, 0.9318), (0.8152, 0.7383)),
    "Conv-MD": ((0.8721, 0.7805), (0.9662, 0.9348), (0.8291, 0.7514)),
    "Conv-MD-D1": ((0.8727, 0.7812), (0.9667, 0.9362), (0.7891, 0.7020)),
    "Conv-MD-D2": ((0.8704, 0.7779), (0.9667, 0.9362), (0.8222, 0.7396)),
    "Conv-MD-D3": ((0.8736, 0.7831), (0.9666, 0.9361), (0.8291, 0.7514)),
}
"""(Dice, Jaccard) of cup, disc and polyp in Table 1, and of the distances in Table 3,
whose D3 is not quite the Conv-MD of Table 1"""
ORGANS = ("cup", "disc", "polyp")


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = row_parser(__doc__, steps=250, weak=True)
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    arguments = parsed(parser)
    steps, weak = steps_of(arguments), arguments.weak
    known = WEAK_ROWS if weak else QUICK_ROWS if arguments.quick else ROWS
    names = chosen_rows(arguments, known)
    rows = [row_of(name, steps=steps, weak=weak, norm=arguments.norm) for name in names]
    plan = plan_of(arguments, f"joint_shape-{arguments.norm}", rows)
    published(plan, tables_of(plan, results_of(arguments, plan), weak=weak))


def row_of(name: str, *, steps: int, weak: bool, norm: str = "batch") -> Row:
    """Return the row of a named variant, or the baseline's."""
    paint: Paint = "weak" if weak else "all full"
    return Row(
        title=name,
        method="baseline" if name == "baseline" else "joint_shape",
        variant="" if name == "baseline" else name,
        shared={
            "base_channels": 16,
            "levels": 5,
            "patch": 128,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "norm": norm,
            "steps": steps,
        },
        paint=paint,
    )


def tables_of(plan: Plan, results: list[dict[str, Any]], *, weak: bool) -> list[str]:
    """Return the lines of the scores beside the paper's, and of the orderings."""
    columns: tuple[Column, ...] = (DICE, JACCARD, ASSD, HD95)
    if plan.images.values == "objects":
        columns += OBJECT_COLUMNS
    beside = {
        f"paper, {organ}: Dice / Jaccard": {
            row: "{:.4f} / {:.4f}".format(*organs[i]) for row, organs in PAPER.items()
        }
        for i, organ in enumerate(ORGANS)
    }
    painted = "partial masks and scribbles only" if weak else "full masks"
    return [
        *header(plan, results, painted),
        *score_table(results, columns, beside=None if weak else beside),
        "",
        *ordering_table(results, orderings(weak=weak), columns),
    ]


def orderings(*, weak: bool) -> list[Ordering]:
    """Return what the paper says of its rows; of weak labels it says nothing."""
    if weak:
        return [
            Ordering(first=row, second=second)
            for second in ("baseline", "1Enc1Dec-M")
            for row in WEAK_ROWS
            if WEAK_ROWS.index(row) > WEAK_ROWS.index(second)
        ]
    return [
        _ordering("Conv-MC", "1Enc1Dec-M"),
        _ordering("Conv-MD", "1Enc1Dec-M"),
        _ordering("1Enc2Dec-MC", "Conv-MC", equal=True),
        _ordering("1Enc2Dec-MD", "Conv-MD", equal=True),
        _ordering("Conv-MD", "Conv-MD-D1", paper_first="Conv-MD-D3"),
        _ordering("Conv-MD", "Conv-MD-D2", paper_first="Conv-MD-D3"),
        Ordering(first="Conv-MCD", second="Conv-MD"),
        Ordering(first="Conv-MCD", second="Conv-MC"),
    ]


def _ordering(
    first: str, second: str, *, equal: bool = False, paper_first: str = ""
) -> Ordering:
    pairs = zip(ORGANS, PAPER[paper_first or first], PAPER[second], strict=True)
    differences = [f"{organ} {ours[0] - other[0]:+.4f}" for organ, ours, other in pairs]
    return Ordering(
        first=first,
        second=second,
        claim="equal" if equal else "better",
        paper=f"Dice: {', '.join(differences)}",
    )


if __name__ == "__main__":
    main()
