"""What `mtseg predict` tells of each image, and of all of them at the end."""

import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import NowAndThen, progress_bar
from napari_mtseg.domain.prediction import ONE_PASS
from napari_mtseg.domain.review import DEFAULT_SCORE, SCORES

if TYPE_CHECKING:
    from napari_mtseg.workflows.image_outcome import ImageOutcome

REPORT = "report.html"
"""page about the images of a batch, beside their results"""

N_NAMED = 3
"""images that are named as the most doubtful"""


def shown(happened: "Iterator[ImageOutcome]", n: int) -> "list[ImageOutcome]":
    """Return all outcomes, telling of each as it happens."""
    outcomes = []
    pace = NowAndThen()
    with progress_bar("predicting") as show:
        show(0, n)
        for outcome in happened:
            outcomes.append(outcome)
            show(len(outcomes), n)
            if not sys.stderr.isatty():
                pace.say(f"{len(outcomes):,} of {n:,} images")
            if outcome.whole.is_told:
                say(f"{outcome.name}: {_in_words(outcome)}")
            for notice in outcome.notices:
                say(f"note: {outcome.name}: {notice}")
    return outcomes


def _in_words(outcome: "ImageOutcome") -> str:
    whole, parts = outcome.whole, []
    if whole.scene is not None:
        parts.append(f"scene {whole.scene} {100 * whole.scenes[whole.scene]:.0f} %")
    if whole.present:
        amount = "some" if whole.disagreeing else "none"
        if math.isfinite(whole.disagreement):
            amount = f"{whole.disagreement:.2f}"
        about = f" about {', '.join(whole.disagreeing)}" if whole.disagreeing else ""
        parts.append(f"disagreement {amount}{about}")
    if math.isfinite(whole.doubt):
        parts.append(_doubt_of(outcome))
    return "; ".join(parts)


def _doubt_of(outcome: "ImageOutcome") -> str:
    """Return the doubt in words; per object pixel, it is none without an object."""
    if not any(outcome.n_objects.values()):
        return "nothing found"
    return f"doubt {outcome.whole.doubt:.2f}"


def _as_json(outcome: "ImageOutcome") -> dict[str, object]:
    whole = outcome.whole
    return {
        "image": outcome.name,
        "objects": outcome.n_objects,
        "scene": whole.scene,
        "scenes": whole.scenes,
        "present": whole.present,
        "disagreeing": list(whole.disagreeing),
        "disagreement": _known(whole.disagreement),
        "doubt": _known(whole.doubt),
        "scores": outcome.scores,
        "uncertainty_from": outcome.uncertainty_from,
        "files": [str(file) for file in outcome.files],
        "seconds": round(outcome.seconds, 3),
        "notices": list(outcome.notices),
    }


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def report(outcomes: "list[ImageOutcome]", place: Path, *, as_json: bool) -> bool:
    """Tell how it went, and return True if no image failed."""
    failed = [o for o in outcomes if o.error is not None]
    done = [o for o in outcomes if o.error is None and not o.was_done_before]
    before = [o for o in outcomes if o.was_done_before]
    page = place / REPORT
    if as_json:
        print_json(
            {
                "out": str(place),
                "predicted": [_as_json(o) for o in done],
                "skipped": [_as_json(o) for o in before],
                "failed": [{"image": o.name, "error": o.error} for o in failed],
                "report": str(page) if page.exists() else None,
            }
        )
    else:
        say(_summary(done, before, failed, place))
    return not failed


def _summary(
    done: "list[ImageOutcome]",
    before: "list[ImageOutcome]",
    failed: "list[ImageOutcome]",
    place: Path,
) -> str:
    lines = [_counted(done, before, place)]
    done = [*done, *before]
    doubtful = sum(bool(o.whole.disagreeing) for o in done)
    if doubtful:
        lines.append(
            f"in {doubtful} of them, segmentation and class prediction disagree on "
            "what occurs: look at these first"
        )
    if done and done[0].uncertainty_from != ONE_PASS:
        lines.append(f"uncertainty from {done[0].uncertainty_from}")
    if len(done) > 1:
        lines.extend(_most_doubtful(done))
    if failed:
        lines.append(f"{len(failed)} failed:")
        lines.extend(f"  {_problem(outcome)}" for outcome in failed)
    if (place / REPORT).exists():
        lines.append(f"report: {place / REPORT}")
    return "\n".join(lines)


def _problem(outcome: "ImageOutcome") -> str:
    """Return what is wrong with an image, which the sentence may not name."""
    error = outcome.error or ""
    return error if outcome.name in error else f"{outcome.name}: {error}"


def _counted(
    done: "list[ImageOutcome]", before: "list[ImageOutcome]", place: Path
) -> str:
    """Return how many images were predicted, and what was found on them."""
    count: Counter[str] = Counter()
    for outcome in done:
        count.update(outcome.n_objects)
    objects = ", ".join(f"{n:,} {name}" for name, n in count.items())
    plural = "" if len(done) == 1 else "s"
    told = f"{len(done):,} image{plural} predicted: {objects}; see {place}"
    if not done:
        told = "no image was predicted"
    if before:
        told += f"; {len(before):,} had been done before"
    return told if done or not before else f"{told}; see {place}"


def _most_doubtful(done: "list[ImageOutcome]") -> list[str]:
    """Return the line that names the images to look at first, if they are known."""
    scored = [outcome for outcome in done if DEFAULT_SCORE in outcome.scores]
    scored.sort(key=lambda outcome: -outcome.scores[DEFAULT_SCORE])
    if not scored:
        return []
    named = ", ".join(
        f"{outcome.name} {outcome.scores[DEFAULT_SCORE]:.2f}"
        for outcome in scored[:N_NAMED]
    )
    return [f"most {SCORES[DEFAULT_SCORE].label}: {named}"]
