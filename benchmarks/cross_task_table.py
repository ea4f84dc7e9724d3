"""The tables of the cross-task benchmark, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.row_command import Plan, header
from benchmarks.score_tables import (
    ASSD_MM,
    DICE,
    HD95_MM,
    JACCARD,
    MIN_SEEDS,
    Ordering,
    Result,
    compared,
    interval_text,
    ordering_table,
    rows_of,
    score_table,
)

ROWS = ("V-Net", "UA-MT", "SASSNet", "DTC", "MTCTL")
CONTROL = "MTCTL alone"
"""row of MTCTL without the unlabelled volumes"""

PAPER: Mapping[float, Mapping[str, tuple[float, float]]] = {
    0.1: {
        "V-Net": (79.98, 68.14),
        "UA-MT": (84.25, 73.48),
        "SASSNet": (87.32, 77.72),
        "MTCTL": (89.28, 80.92),
    },
    0.2: {
        "V-Net": (85.64, 75.40),
        "UA-MT": (88.88, 80.20),
        "SASSNet": (89.54, 81.24),
        "MTCTL": (91.80, 84.80),
    },
}
"""Table 1, left atrium, 8 and 16 of 80 scans labelled: share -> row -> Dice, Jaccard,
per cent; its surface distances did not survive in the copy at hand"""
PAPER_TITLE = "paper, left atrium: Dice / Jaccard (%)"
COLUMNS = (DICE, JACCARD, HD95_MM, ASSD_MM)


def title_of(row: str, share: float) -> str:
    """Return how a row at a share of labelled volumes is called."""
    return f"{row}, {100 * share:g} %"


def tables_of(plan: Plan, results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of the scores beside the paper's, and what they decide."""
    row = plan.rows[0]
    shares = list(dict.fromkeys(r.labelled for r in plan.rows if r.labelled))
    drawn = "full masks" if row.paint == "all full" else "the scribbles of a person"
    percent = " or ".join(f"{100 * share:g} %" for share in shares)
    spacing = " x ".join(f"{size:g}" for size in plan.images.spacing or ())
    beside = {
        title_of(name, share): f"{pair[0]:.2f} / {pair[1]:.2f}"
        for share, rows in PAPER.items()
        for name, pair in rows.items()
    }
    return [
        *header(plan, results, f"{drawn} on {percent} of them"),
        f"Patches of {sizes_of(row.shared)}; voxels of {spacing} mm. The ASD is the "
        "symmetric one, the mean over the surface points of both masks; distances are "
        "undefined where a class is missing in one of them.",
        "",
        *score_table(results, COLUMNS, beside={PAPER_TITLE: beside}),
        "",
        *ordering_table(results, orderings(shares), COLUMNS),
        "",
        *help_lines(results, shares),
    ]


def sizes_of(shared: Mapping[str, Any]) -> str:
    """Return the size of patch, batch and network in words."""
    depth, patch = shared["patch_depth"], shared["patch"]
    return (
        f"{depth} x {patch} x {patch} voxels at most, {shared['batch_size']} per step, "
        f"{shared['base_channels']} channels and {shared['levels']} levels"
    )


def orderings(shares: Sequence[float]) -> list[Ordering]:
    """Return every row against V-Net, the paper's order, and the control."""
    pairs = [
        *((row, "V-Net") for row in ROWS[1:]),
        ("SASSNet", "UA-MT"),
        ("MTCTL", "UA-MT"),
        ("MTCTL", "SASSNet"),
        ("MTCTL", "DTC"),
        ("MTCTL", CONTROL),
        (CONTROL, "V-Net"),
    ]
    return [
        _ordering(first, second, share) for share in shares for first, second in pairs
    ]


def help_lines(results: Sequence[Result], shares: Sequence[float]) -> list[str]:
    """Return a sentence per share that says whether unlabelled volumes helped."""
    lines = ["Did unlabelled data help here? By Dice:", ""]
    for share in shares:
        percent = f"With {100 * share:g} % labelled"
        against_vnet = [_ordering(row, "V-Net", share) for row in ROWS[1:]]
        lines.append(f"- {percent}, against V-Net: {_said(results, against_vnet)}")
        control = [_ordering("MTCTL", CONTROL, share)]
        if set(rows_of(results)) >= {control[0].first, control[0].second}:
            said = _said(results, control)
            lines.append(f"- {percent}, against MTCTL without them: {said}")
    return lines


def _said(results: Sequence[Result], claims: Sequence[Ordering]) -> str:
    rows = set(rows_of(results))
    words = {"holds": "yes", "does not hold": "no, worse", "cannot tell": "cannot tell"}
    groups: dict[str, list[str]] = {word: [] for word in words.values()}
    n_seeds = 0
    for claim in claims:
        if {claim.first, claim.second} <= rows:
            found = compared(results, claim, DICE)
            n_seeds = len(found.by_seed)
            interval = interval_text(found.difference, DICE.digits)
            row = claim.first.rsplit(", ", 1)[0]
            groups[words[found.verdict]].append(f"{row} {interval}")
    parts = [f"**{word}**: {', '.join(r)}" for word, r in groups.items() if r]
    few = (
        f" (fewer than {MIN_SEEDS} seeds decide nothing)" if n_seeds < MIN_SEEDS else ""
    )
    return f"{'; '.join(parts) or 'not measured'}{few}."


def _ordering(first: str, second: str, share: float) -> Ordering:
    known = PAPER.get(share, {})
    paper = ""
    if {first, second} <= set(known):
        pairs = zip(("Dice", "Jaccard"), known[first], known[second], strict=True)
        paper = f"{', '.join(f'{name} {a - b:+.2f}' for name, a, b in pairs)} (%)"
    return Ordering(
        first=title_of(first, share), second=title_of(second, share), paper=paper
    )
