"""How far a folder of images is segmented, and how that ended, in words."""

from collections.abc import Sequence
from pathlib import Path

from napari_mtseg.gui.commands import CommandResult
from napari_mtseg.gui.durations import MEASURE_FOR, duration_text
from napari_mtseg.gui.sentence_label import Kind
from napari_mtseg.storage.batch_ledger import BatchProgress


def seconds_left(found: BatchProgress) -> float | None:
    """Return how long the rest takes at the pace so far; None if not known yet."""
    n = found.n_done + found.n_failed
    if not n or found.seconds < MEASURE_FOR:
        return None
    return found.seconds / n * (found.total - found.n_tried)


def bar_text(found: BatchProgress) -> str:
    """Return what stands in the bar, such as '12 / 200 · 3 min left'."""
    left = seconds_left(found)
    known = left is not None and found.n_tried < found.total
    told = f" · {duration_text(left)} left" if known and left is not None else ""
    return f"{found.n_tried:,} / {found.total:,}{told}"


def rest_text(found: BatchProgress) -> str:
    """Return how much is done of what was not ended, and how it goes on."""
    return f"{_done(found)} and kept; Start goes on with the rest."


def closing_text(found: BatchProgress | None) -> str:
    """Return what closing the window now stops; None if nothing is known yet."""
    done = "" if found is None else f" {_done(found)}."
    return (
        f"Images are being segmented.{done} Closing the window stops that. What is "
        "done is kept; Start on the Export page goes on with the rest."
    )


def end_text(result: CommandResult, found: BatchProgress | None) -> tuple[str, Kind]:
    """Return how it ended as a sentence, and which kind of news that is.

    Parameters
    ----------
    result : CommandResult
        How the command ended.
    found : BatchProgress, optional
        What its ledger says; None if it did not come as far as that.
    """
    if result.was_stopped and (found is None or not found.has_ended):
        rest = "Nothing was written yet." if found is None else rest_text(found)
        return f"Stopped. {rest}", "note"
    if found is None:
        return result.sentence or "Nothing was segmented. Try again.", "problem"
    if not found.has_ended:
        return f"{result.sentence} {rest_text(found)}".strip(), "problem"
    sentence = f"{_images(found.n_done)} segmented."
    if found.n_skipped == found.total:
        sentence = "Nothing was left to do."
    if found.n_skipped:
        sentence += f" {found.n_skipped:,} {_were(found.n_skipped)} done before."
    if found.n_failed:
        return f"{sentence} {found.n_failed:,} could not be:", (
            "note" if found.n_done + found.n_skipped else "problem"
        )
    return sentence, "ok"


def error_lines(errors: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return a sentence per image that failed, which names the image.

    Examples
    --------
    >>> error_lines([("/in/a.tif", "It is empty."), ("/in/b.tif", "'b.tif' is cut.")])
    ("'a.tif': It is empty.", "'b.tif' is cut.")
    """
    names = (Path(path).name for path, _ in errors)
    return tuple(
        why if name in why else f"'{name}': {why}"
        for name, (_, why) in zip(names, errors, strict=True)
    )


def _images(n: int) -> str:
    return f"{n:,} image{'' if n == 1 else 's'}"


def _done(found: BatchProgress) -> str:
    n = found.n_done + found.n_skipped
    return f"{n:,} of {_images(found.total)} {'is' if n == 1 else 'are'} done"


def _were(n: int) -> str:
    return "was" if n == 1 else "were"
