"""What the table of predicted images says of an image, in words and signs."""

import math
from collections.abc import Mapping

from napari_mtseg.domain.review import MASK_VERDICTS, SCORES, Verdict, known_scores
from napari_mtseg.gui.image_answer import DOUBT
from napari_mtseg.gui.review_rows import FLAG, ReviewRow, Show, classes_disagree
from napari_mtseg.storage.review_index import ReviewedImage

NO_SCORE = "-"
"""stands where an image lacks the score"""
SIGNS: Mapping[Verdict, str] = {
    "accepted": "✔",
    "rejected": "✖",
    "corrected": "✎",
    "skipped": "»",
}


def name_cell(row: ReviewRow) -> str:
    """Return the name, with a sign before it, and below it what was found."""
    sign = f"{DOUBT} " * classes_disagree(row.image)
    return f"{sign}{row.image.name}\n{found_in_words(row.image)}"


def score_cell(row: ReviewRow) -> str:
    """Return such as '⚑ 0.412'; '-' without a score."""
    if math.isnan(row.score):
        return NO_SCORE
    return f"{FLAG} " * row.is_flagged + f"{row.score:.{row.n_digits}f}"


def verdict_cell(row: ReviewRow) -> str:
    """Return such as '✔ accepted'; '' where nothing was said."""
    if row.verdict is None:
        return ""
    told = f"{SIGNS[row.verdict]} {row.verdict}"
    if row.is_saving:
        return f"{told}\nsaving…"
    return f"{told}\nearlier run" if row.is_of_earlier_run else told


def row_in_words(row: ReviewRow) -> str:
    """Return all that is known of an image, a line each."""
    image = row.image
    scores = known_scores(image.scores)
    lines = [image.name, found_in_words(image)]
    lines += [f"{SCORES[name].label}: {value:.3g}" for name, value in scores.items()]
    lines += [f"uncertainty from {image.uncertainty_from}"] * bool(scores)
    is_odd = classes_disagree(image)
    lines += [f"{DOUBT} the segmentation shows other classes than expected"] * is_odd
    lines += [f"{FLAG} flagged: at or above the threshold"] * row.is_flagged
    lines += [image.problem] * bool(image.problem)
    return "\n".join([*lines, verdict_in_words(row)])


def verdict_in_words(row: ReviewRow) -> str:
    """Return who said what when, as a line."""
    record = row.image.verdict
    if row.is_saving:
        return f"{row.verdict}: is being saved"
    if record is None or record.verdict is None:
        return "not reviewed"
    when = record.when.replace("T", " ").removesuffix("+00:00").removesuffix("Z")
    mask = ", its masks are in use" * (record.verdict in MASK_VERDICTS)
    of = f" of run {record.run}{mask}" * row.is_of_earlier_run
    note = f": {record.note}" * bool(record.note)
    return f"{record.verdict} by {record.who}, {when} UTC{of}{note}"


def found_in_words(image: ReviewedImage) -> str:
    """Return such as '3 objects'."""
    n = image.n_objects
    if image.problem:
        return "✖ cannot be read"
    return f"{n:,} object{'s' * (n != 1)}" if n else "nothing found"


def counts_in_words(
    counts: Mapping[Show, int], *, n_saving: int, takes_back: bool
) -> str:
    """Return such as '12 of 30 reviewed · 5 flagged · saving 1…'.

    Parameters
    ----------
    counts : mapping
        How many images each filter shows.
    n_saving : int
        Verdicts that are not on the disk yet.
    takes_back : bool
        True while a verdict is being taken back.
    """
    n, skipped = counts[Show.ALL], counts[Show.SKIPPED]
    parts = [
        f"{n - counts[Show.UNREVIEWED] - skipped:,} of {n:,} reviewed",
        f"{counts[Show.FLAGGED]:,} flagged",
    ]
    parts += [f"{skipped:,} skipped"] * bool(skipped)
    if takes_back:
        parts.append("taking back the last verdict…")
    elif n_saving:
        parts.append(f"saving {n_saving:,}…")
    return " · ".join(parts)
