"""How well the scores of doubt find failures, as one picture."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mtseg.domain.project import PALETTE
from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.storage.score_checks import BEST, CHANCE, ScoreCheck, score_label
from napari_mtseg.storage.score_figures import Reliability, RiskCurve
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ORANGE, _SKY, _GREEN, _, _BLUE, _RED, _PINK, _GREY = PALETTE
_COLOURS = (_BLUE, _RED, _GREEN, _ORANGE, _SKY, _PINK)
"""of curves; yellow is too pale on white"""
_DASHES = ("-", "--", ":")
_DARK = "#404040"
_INCHES = (14.0, 4.6)
_DOTS_PER_INCH = 150


def save_score_picture(file: Path, check: ScoreCheck) -> None:
    """Draw what is known of the scores of a run into one PNG.

    From left to right: Dice of each image against its score; the error of the images
    that are kept if the most doubtful ones are given away, by score; and whether the
    probabilities of pixels mean what they say.

    Parameters
    ----------
    file : Path
        The picture; replaced if it exists.
    check : ScoreCheck
        What is known; panels without data say so.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white"
    )
    scatter, curves, diagram = figure.subplots(1, 3)
    _draw_scatter(scatter, check)
    _draw_curves(curves, check)
    _draw_reliability(diagram, check)
    n = check.n_images
    figure.suptitle(
        f"{check.run}: {n} {check.split} image{'s' * (n != 1)}, {check.n_failed} "
        f"failed (Dice below {check.failure_below:g})",
        fontsize=11,
    )
    for axes in (scatter, curves, diagram):
        axes.spines[["top", "right"]].set_visible(False)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": "napari-mtseg"})
    with clear_write_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(file, content.getbuffer())


def _draw_scatter(axes: "Axes", check: ScoreCheck) -> None:
    """Draw the score that images are sorted by; failed ones have another shape too."""
    score = DEFAULT_SCORE
    if score not in check.scores:
        score = next(iter(check.scores), score)
    axes.set(xlabel=score_label(score), ylabel="Dice", title="Score and Dice")
    if score not in check.scores:
        _say(axes, "no score was checked")
        return
    for failed, marker, colour, label in (
        (False, "o", _BLUE, "did not fail"),
        (True, "X", _RED, "failed"),
    ):
        images = [i for i in check.images if (i.dice < check.failure_below) == failed]
        axes.scatter(
            [image.scores[score] for image in images],
            [image.dice for image in images],
            s=28,
            marker=marker,
            c=colour,
            alpha=0.75,
            linewidths=0,
            label=f"{label} ({len(images)})",
        )
    axes.axhline(check.failure_below, color=_DARK, linewidth=0.8, linestyle=":")
    axes.set_ylim(-0.03, 1.03)
    ranks = check.scores[score].spearman
    if ranks is not None:
        axes.set_title(f"Score and Dice (rank correlation {ranks:.2f})")
    axes.legend(frameon=False, fontsize=8, loc="best")


def _draw_curves(axes: "Axes", check: ScoreCheck) -> None:
    """Draw the error of what is kept by each score, the best first in the legend."""
    axes.set(
        xlabel="share of the images kept, least doubtful first",
        ylabel="mean error of those (1 - Dice)",
        title="Risk and coverage (area)",
        xlim=(0, 1),
    )
    if check.best is None or check.chance is None:
        _say(axes, "no image was scored")
        return
    _draw_curve(axes, check.best, BEST, _DARK, "-", width=2.0)
    order = sorted(check.scores.items(), key=lambda item: item[1].curve.area)
    for place, (name, figures) in enumerate(order):
        turn, colour = divmod(place, len(_COLOURS))
        dash = _DASHES[turn % len(_DASHES)]
        _draw_curve(axes, figures.curve, score_label(name), _COLOURS[colour], dash)
    axes.axhline(
        check.chance,
        color=_GREY,
        linewidth=2.0,
        linestyle="--",
        label=f"{CHANCE} ({check.chance:.3f})",
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=7, loc="best")


def _draw_curve(
    axes: "Axes",
    curve: RiskCurve,
    label: str,
    colour: str,
    dash: str,
    *,
    width: float = 1.4,
) -> None:
    axes.plot(
        curve.coverage,
        curve.risk,
        color=colour,
        linestyle=dash,
        linewidth=width,
        label=f"{label} ({curve.area:.3f})",
    )


def _draw_reliability(axes: "Axes", check: ScoreCheck) -> None:
    axes.set(
        xlabel="probability of the chosen class",
        ylabel="share of right pixels",
        title="Reliability of pixels (ECE)",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    if check.pixels is None:
        _say(axes, "no pixel was scored")
        return
    axes.plot((0, 1), (0, 1), color=_GREY, linewidth=2.0, linestyle="--", label="ideal")
    _draw_bins(axes, check.pixels, "all pixels", _BLUE, "o")
    if check.object_pixels is not None:
        _draw_bins(axes, check.object_pixels, "pixels called object", _RED, "s")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _draw_bins(
    axes: "Axes", found: Reliability, label: str, colour: str, marker: str
) -> None:
    axes.plot(
        [b.confidence for b in found.bins],
        [b.right for b in found.bins],
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1.4,
        label=f"{label} ({found.expected_error:.3f})",
    )


def _say(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=_DARK)
