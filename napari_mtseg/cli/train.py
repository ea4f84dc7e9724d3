"""`mtseg train`: train a method on a project."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import console, say
from napari_mtseg.domain import events
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import from_assignments

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import RunFolder


def run_train(  # noqa: PLR0913 - one argument per option
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
    method: Annotated[
        str, typer.Option(help="Method; see 'mtseg methods'.")
    ] = "recursive_approximation",
    preset: Annotated[
        str, typer.Option(help="Size: fast, balanced, paper, or a variant.")
    ] = "fast",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run, or 'last'.", metavar="RUN")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start from the weights and grown labels of this run, or 'last'.",
            metavar="RUN",
        ),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print events as JSON lines on stdout.")
    ] = False,
) -> None:
    """Train a method on what is painted in a project.

    Ctrl-C stops; `--resume last` goes on as if nothing had happened.

    Example: `mtseg train cells.mtseg --method recursive_approximation --preset fast`
    """
    from napari_mtseg.storage.project import Project

    opened = Project.open(project)
    if resume is not None:
        if assignments or start_from:
            raise SettingsError(
                "--resume goes on with a run's own settings. Leave out --set and "
                "--from, or start a new run."
            )
        run = _resumed(opened, resume)
    else:
        run, notices = _new_run(
            opened, method, preset, assignments or [], seed, device, start_from
        )
        if not json_lines:
            for notice in notices:
                say(f"note: {notice}")
    from napari_mtseg.workflows.train import train

    show = _print_lines if json_lines else show_progress
    show(train(opened, run), run)


def _new_run(  # noqa: PLR0913 - one argument per option
    project: "Project",
    method: str,
    preset: str,
    assignments: list[str],
    seed: int,
    device: str,
    start_from: str | None,
) -> "tuple[RunFolder, tuple[str, ...]]":
    from napari_mtseg.methods.catalog import settings_of

    values = from_assignments(assignments)
    ndim = len(project.images[0].spacing) if project.images else 2
    settings = settings_of(method, preset_name=preset, ndim=ndim, values=values)
    project.n_channels()
    from napari_mtseg.storage.run_folder import find_run
    from napari_mtseg.workflows.runs import start_run

    if start_from == "last":
        start_from = find_run(project.path, None).path.name
    return start_run(
        project,
        method,
        settings.model_dump(),
        seed=seed,
        device=device,
        parent=start_from,
    )


def _resumed(project: "Project", name: str) -> "RunFolder":
    from napari_mtseg.storage.run_folder import find_run

    run = find_run(project.path, None if name == "last" else name)
    control = run.control()
    if control.stop:
        run.set_control(control.changed({"stop": False}))
    return run


def _print_lines(happened: Iterator[events.Event], run: "RunFolder") -> None:
    for event in happened:
        sys.stdout.write(events.to_json_line(event) + "\n")
        sys.stdout.flush()


def show_progress(happened: Iterator[events.Event], run: "RunFolder") -> None:
    """Show the events of a training as a progress bar with sentences above it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task("preparing", total=None)
        for event in happened:
            if isinstance(event, events.RunStarted):
                bar.update(task, total=event.total_steps, completed=event.resumed_at)
                bar.console.print(_started(event, run))
            elif isinstance(event, events.StageStarted):
                bar.update(task, description=event.name)
            elif isinstance(event, events.StepFinished):
                bar.update(task, completed=event.step)
            else:
                text = _sentence(event, run)
                if text:
                    bar.console.print(text, highlight=False)


def _started(event: events.RunStarted, run: "RunFolder") -> str:
    what = f"{event.method}, {event.total_steps} steps on {event.device}"
    resumed = f", resumed at step {event.resumed_at}" if event.resumed_at else ""
    return f"run {run.path.name}: {what}{resumed}"


def _sentence(event: events.Event, run: "RunFolder") -> str:
    if isinstance(event, events.Noticed):
        return f"note: {event.message}"
    if isinstance(event, events.LabelsGrown):
        return (
            f"labels grown, iteration {event.iteration}: {event.grown_share:+.0%} "
            f"on {len(event.files)} images"
        )
    if isinstance(event, events.ValidationFinished):
        best = ", the best so far" if event.is_best else ""
        return f"step {event.step}: validation Dice {event.metrics['score']:.3f}{best}"
    if isinstance(event, events.TrainingFinished):
        score = event.metrics.get("score")
        result = "" if score is None else f", validation Dice {score:.3f}"
        go_on = (
            f"; go on with --resume {run.path.name}" if event.reason != "done" else ""
        )
        return f"{event.reason} at step {event.step}{result}{go_on}"
    return ""
