"""What `mtseg review` prints, for people and for scripts."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from napari_mtseg.cli.output import print_table, say
from napari_mtseg.domain.review import VERDICTS

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.review_index import ReviewedImage
    from napari_mtseg.storage.verdicts import Judged
    from napari_mtseg.workflows.review import Review

NOTHING = "-"

_STATES = ("unreviewed", *VERDICTS)


def show_images(
    project: "Project",
    review: "Review",
    images: Sequence["ReviewedImage"],
    score: str,
) -> None:
    """Print a table of images for people, below what is known of all of them."""
    from napari_mtseg.workflows.review import verdict_of

    counts = Counter(verdict_of(image) for image in review.images)
    told = [f"{len(review.images)} predicted", f"{_n_flagged(review)} flagged"]
    told += [f"{counts[name]} {name}" for name in _STATES if counts[name]]
    typer.echo(f"run {review.run}: {', '.join(told)}")
    rule = review.rule
    typer.echo(
        "no threshold is set; set one with "
        f"'mtseg review {project.path.name} --flag --worst 10%'"
        if rule is None
        else f"flagged from {rule.score} {rule.threshold:.4g} on (set by {rule.who})"
    )
    if not review.scores:
        say(
            "These predictions have no scores; predict again with 'mtseg predict "
            f"{project.path.name} --run {review.run}'."
        )
    if not images:
        say("No image is in this state.")
        return
    print_table(
        ("image", score, "flagged", "verdict", "by", "objects", "split"),
        [
            (
                image.name,
                _number(image.scores.get(score)),
                "yes" if review.is_flagged(image) else "",
                verdict_of(image),
                "" if image.verdict is None else image.verdict.who,
                str(image.n_objects),
                image.split,
            )
            for image in images
        ],
    )
    for image in images:
        if image.problem:
            say(f"{image.name}: {image.problem}")


def show_judged(project: "Project", run: str, judged: Sequence["Judged"]) -> None:
    """Print what came of verdicts, for people."""
    if not judged:
        say(f"No verdict of run {run} is left to take back.")
    for one in judged:
        name = project.image(one.record.image_id).name
        typer.echo(f"{name}: {one.record.verdict or 'last verdict taken back'}")
        for notice in one.notices:
            say(f"note: {notice}")


def json_of(review: "Review", images: Sequence["ReviewedImage"]) -> dict[str, Any]:
    """Return images of a review, ready for JSON."""
    from napari_mtseg.workflows.review import verdict_of

    rule = review.rule
    return {
        "run": review.run,
        "rule": None if rule is None else rule.model_dump(mode="json"),
        "n_predicted": len(review.images),
        "n_flagged": _n_flagged(review),
        "images": [
            {
                "id": image.id,
                "name": image.name,
                "split": image.split,
                "objects": image.n_objects,
                "uncertainty_from": image.uncertainty_from,
                "scores": dict(image.scores),
                "flagged": review.is_flagged(image),
                "verdict": verdict_of(image),
                "record": None
                if image.verdict is None
                else image.verdict.model_dump(mode="json"),
                "problem": image.problem,
            }
            for image in images
        ],
    }


def judged_json(one: "Judged") -> dict[str, Any]:
    """Return what came of one verdict, ready for JSON."""
    return {
        "record": one.record.model_dump(mode="json"),
        "notices": list(one.notices),
        "changed": one.changed,
    }


def _n_flagged(review: "Review") -> int:
    return len(review.chosen("flagged"))


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
