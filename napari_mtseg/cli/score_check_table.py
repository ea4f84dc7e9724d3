"""How well the scores of doubt find failures, as a table for people."""

import typer

from napari_mtseg.cli.output import print_table, say
from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.storage.score_checks import (
    BEST,
    CHANCE,
    SHARES,
    ScoreCheck,
    score_label,
)
from napari_mtseg.storage.score_figures import Reliability

_UNDEFINED = "undefined"


def show_score_check(check: ScoreCheck) -> None:
    """Print a row per score, and whether there are enough images to believe it."""
    if not check.scores or check.best is None or check.chance is None:
        return
    n = check.n_images
    typer.echo(
        f"do the scores of doubt find failures? {check.n_failed} of {n} "
        f"image{'s' * (n != 1)} failed: Dice below {check.failure_below:g}"
    )
    order = sorted(check.scores.items(), key=lambda item: item[1].curve.area)
    rows = [
        (
            score_label(name),
            _cell(found.spearman, found.spearman_low, found.spearman_high),
            _cell(found.auroc, found.auroc_low, found.auroc_high),
            f"{found.curve.area:.3f}",
        )
        for name, found in order
    ]
    rows.append((BEST, "", "", f"{check.best.area:.3f}"))
    rows.append((CHANCE, "", "0.50", f"{check.chance:.3f}"))
    print_table(("score", "Spearman with Dice", "AUROC of failure", "AURC"), rows)
    typer.echo("share of the failures found by flagging the worst of the images")
    found_by = [(score_label(name), found.found) for name, found in order]
    found_by += [(BEST, check.found_best), (CHANCE, check.found_chance)]
    print_table(
        ("score", *(f"worst {100 * share:g} %" for share in SHARES)),
        [(name, *(_percent(share) for share in found)) for name, found in found_by],
    )
    _show_calibration("all pixels", check.pixels)
    _show_calibration("pixels called object", check.object_pixels)
    score = DEFAULT_SCORE if DEFAULT_SCORE in check.scores else order[0][0]
    say(f"note: {check.sentence(score)}")


def _show_calibration(what: str, found: Reliability | None) -> None:
    if found is not None:
        typer.echo(
            f"calibration error of {what}: {found.expected_error:.3f} expected, "
            f"{found.largest_error:.3f} at most"
        )


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return _UNDEFINED
    if low is None or high is None:
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _percent(share: float | None) -> str:
    return _UNDEFINED if share is None else f"{100 * share:.0f} %"
