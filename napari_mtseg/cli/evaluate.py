"""`mtseg evaluate`: how good a run's predictions are."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, print_table, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.cli.project_labels import MaskMeaning, ProjectPath, ValuesChoice

if TYPE_CHECKING:
    from napari_mtseg.metrics.intervals import Interval
    from napari_mtseg.workflows.scores import Evaluation

_LABELS = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "precision": "precision",
    "recall": "recall",
    "ravd": "RAVD",
    "hausdorff": "Hausdorff",
    "hausdorff95": "Hausdorff 95 %",
    "asd": "ASD",
    "assd": "ASSD",
    "object_dice": "object Dice",
    "object_hausdorff": "object Hausdorff",
    "object_f1": "object F1",
}
_DISTANCES = ("hausdorff", "hausdorff95", "asd", "assd", "object_hausdorff")
_ANSWERS = {
    "class_accuracy": "classes rightly told to occur or not, share",
    "scene_accuracy": "scenes rightly told, share",
    "disagreement": "disagreement of classes told and shown, 0 to 1",
}


class ScoredSplit(StrEnum):
    """Which images are scored."""

    test = "test"
    validate = "validate"
    held_out = "held-out"
    train = "train"
    all = "all"


def run_evaluate(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    run: Annotated[
        str | None, typer.Option(help="The run; default the newest.", metavar="RUN")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of complete masks, named like the images; without it the "
            "project's full masks count.",
        ),
    ] = None,
    split: Annotated[
        ScoredSplit,
        typer.Option(help="Which images are scored; held-out: validate and test."),
    ] = ScoredSplit.test,
    mask_values: MaskMeaning = ValuesChoice.objects,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for per_image.csv, per_object.csv, evaluation.json, "
            "scores.csv and scores.png.",
            metavar="DIR",
        ),
    ] = None,
    failure_below: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="A result failed if its Dice, mean over classes, is below this; "
            "asks how well the scores of doubt find failures.",
            metavar="DICE",
        ),
    ] = 0.8,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the bootstrap intervals.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on stdout.")
    ] = False,
) -> None:
    """Score predictions against held-out masks, with 95 % intervals over images.

    And say how well the scores of doubt find the results that failed; on held-out
    images the window shows it too. Run `mtseg predict` first.

    Example: `mtseg evaluate cells.mtseg --masks test_masks --out scores`
    """
    from napari_mtseg.cli.score_check_table import show_score_check
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.evaluate import evaluate_project
    from napari_mtseg.workflows.evaluation_tables import as_json as json_of
    from napari_mtseg.workflows.evaluation_tables import write_evaluation
    from napari_mtseg.workflows.score_check import check_of_run

    opened = Project.open(project)
    with progress_bar("scoring") as progress:
        evaluation = evaluate_project(
            opened,
            run,
            masks,
            split=split.value,
            values=mask_values.value,
            seed=seed,
            progress=progress,
        )
    check = check_of_run(opened, evaluation, failure_below=failure_below)
    if as_json:
        print_json(_without_nan(json_of(evaluation, check=check)))
    else:
        _show(evaluation)
        show_score_check(check)
    for notice in (*evaluation.notices, *check.notices):
        say(f"note: {notice}")
    if out is not None:
        for file in write_evaluation(evaluation, out, check=check):
            say(f"wrote {file}")


def _show(evaluation: "Evaluation") -> None:
    summary = evaluation.summary()
    split = evaluation.split
    n = len(evaluation.images)
    title = (
        f"run {evaluation.run}, {n} {split} image{'s' * (n != 1)}, "
        f"against {evaluation.truth}"
    )
    typer.echo(title)
    rows = []
    for metric, label in _LABELS.items():
        unit = f" ({evaluation.unit})" if metric in _DISTANCES else ""
        rows.append((label + unit, *(_cell(row[metric]) for row in summary.values())))
    print_table(("mean over images [95 % interval]", *summary), rows)
    for name, interval in evaluation.answers().items():
        typer.echo(f"{_ANSWERS[name]}: {_cell(interval)}")
    for c, name in enumerate(evaluation.class_names, start=1):
        one, both = evaluation.n_empty(c)
        if one:
            say(
                f"note: {name}: on {one} of {n} images exactly one of prediction and "
                "mask is empty; Dice counts 0 there, distances are left out."
            )
        if both:
            say(
                f"note: {name}: {both} of {n} images have none and none predicted: "
                "Dice counts 1 there, distances are left out."
            )


def _cell(interval: "Interval") -> str:
    if interval.n == 0:
        return "undefined"
    text = f"{interval.mean:.3f}"
    if interval.n > 1:
        text += f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{text} on {interval.n}" if interval.n_undefined else text


def _without_nan(value: object) -> object:
    """JSON has no NaN: undefined scores become null."""
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
