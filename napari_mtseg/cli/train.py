"""`mtseg train`: train a method on a project."""

import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mtseg.cli.output import console, say
from napari_mtseg.cli.stopping import EXIT_INTERRUPTED, stopping_on_ctrl_c
from napari_mtseg.cli.train_together import run_of_lead, train_together
from napari_mtseg.domain import events
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import from_assignments
from napari_mtseg.domain.shell_line import shell_line
from napari_mtseg.workflows.event_sentences import beginning_of, sentence_of

if TYPE_CHECKING:
    from rich.console import Console

    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import RunFolder


def run_train(  # noqa: PLR0913 - one argument per option
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="Method; see 'mtseg methods'.  [default: that of --from, else "
            "recursive_approximation]"
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Size (fast, balanced, paper), a variant, or once for each.  "
            "[default: fast]",
        ),
    ] = None,
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
            help="Start from the weights and grown labels of this run, or 'last'; or "
            "from the weights of a model: its path, or an example of 'mtseg models'.",
            metavar="RUN|MODEL",
        ),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="GPUs of each machine to train on at once."),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(min=1, help="Machines, where SLURM or torchrun starts this."),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print events as JSON lines on stdout.")
    ] = False,
) -> None:
    """Train a method on what is painted in a project.

    Ctrl-C stops after the current step, a second Ctrl-C at once, both with exit code
    130; `--resume last` goes on as if nothing had happened.

    Example: `mtseg train cells.mtseg --method recursive_approximation --preset fast`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.processes import check_launch, n_processes

    check_launch(devices, nodes)
    opened = Project.open(project)

    def run_asked_for() -> "tuple[RunFolder, tuple[str, ...]]":
        if resume is None:
            return _new_run(
                opened,
                method,
                presets or ["fast"],
                values=from_assignments(assignments or []),
                seed=seed,
                device=device,
                start_from=start_from,
                devices=devices or 1,
            )
        if presets or assignments or start_from:
            raise SettingsError(
                "--resume goes on with a run's own settings. Leave out --preset, --set "
                "and --from, or start a new run."
            )
        from napari_mtseg.workflows.run_requests import run_to_resume

        return run_to_resume(opened, resume), ()

    if n_processes() > 1:
        run, notices = run_of_lead(run_asked_for)
    else:
        run, notices = run_asked_for()
    noticed: list[events.Event] = [events.Noticed(message=notice) for notice in notices]
    if n_processes() == 1 and devices is not None and devices > 1:
        _tell(noticed, json_lines=json_lines)
        train_together(opened, run, devices, json_lines=json_lines)
        return
    from napari_mtseg.workflows.train import train

    _show(chain(noticed, train(opened, run)), run, json_lines=json_lines)


def _new_run(  # noqa: PLR0913 - one argument per option
    project: "Project",
    method: str | None,
    presets: list[str],
    *,
    values: dict[str, Any],
    seed: int,
    device: str,
    start_from: str | None,
    devices: int,
) -> "tuple[RunFolder, tuple[str, ...]]":
    from napari_mtseg.methods.catalog import preset_and_variant
    from napari_mtseg.workflows.run_requests import (
        RunRequest,
        method_to_train,
        requested_run,
    )

    chosen = method_to_train(project, method, start_from)
    preset, variant = preset_and_variant(chosen, presets)
    request = RunRequest(
        method=chosen,
        preset=preset,
        variant=variant,
        values=values,
        seed=seed,
        device=device,
        parent=start_from,
    )
    return requested_run(project, request, devices=devices)


def _show(
    happened: Iterator[events.Event], run: "RunFolder", *, json_lines: bool
) -> None:
    from napari_mtseg.workflows.processes import is_lead

    if not is_lead():
        # The lead hears Ctrl-C as well, and all stop after the same step.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        deque(happened, maxlen=0)
        return
    ended = ""
    with stopping_on_ctrl_c(run) as pressed:
        try:
            ended = (_print_lines if json_lines else show_progress)(happened, run)
        except KeyboardInterrupt:
            pressed.set()
    project = os.path.relpath(run.path.parents[1])
    if ended == "done":
        if not json_lines:
            predict = shell_line("mtseg", "predict", project)
            export = shell_line("mtseg", "export", project, "--out", "MODEL")
            say(f"next: {predict}, or {export}")
        return
    resume = shell_line("mtseg", "train", project, "--resume", run.path.name)
    say(f"go on with: {resume}")
    if pressed.is_set():
        raise typer.Exit(EXIT_INTERRUPTED)


def _tell(happened: Iterable[events.Event], *, json_lines: bool) -> None:
    """Tell what happened before the processes begin that train together."""
    for event in happened:
        if json_lines:
            _print_json_line(event)
        else:
            _print(console(), sentence_of(event))


def _print_json_line(event: events.Event) -> None:
    sys.stdout.write(events.to_json_line(event) + "\n")
    sys.stdout.flush()


def _print_lines(happened: Iterator[events.Event], _run: "RunFolder") -> str:
    ended = ""
    for event in happened:
        _print_json_line(event)
        if isinstance(event, events.TrainingFinished):
            ended = event.reason
    return ended


def show_progress(happened: Iterator[events.Event], run: "RunFolder") -> str:
    """Show the events of a training as a progress bar with sentences above it.

    Returns
    -------
    str
        How it ended: 'done' or 'stopped'.
    """
    ended = ""
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
    shown_on = console()
    hidden = not shown_on.is_terminal
    with Progress(*columns, console=shown_on, disable=hidden) as bar:
        task = bar.add_task("preparing", total=None)
        for event in happened:
            if isinstance(event, events.RunStarted):
                bar.update(task, total=event.total_steps, completed=event.resumed_at)
                _print(bar.console, beginning_of(event, run.path.name))
            elif isinstance(event, events.StageStarted):
                bar.update(task, description=event.name)
            elif isinstance(event, events.StepFinished):
                bar.update(task, completed=event.step)
            elif text := sentence_of(event):
                _print(bar.console, text)
            if isinstance(event, events.TrainingFinished):
                ended = event.reason
    return ended


def _print(shown_on: "Console", text: str) -> None:
    """Print one line as it is: the terminal may wrap it, a file must not."""
    shown_on.print(text, highlight=False, markup=False, soft_wrap=True)
