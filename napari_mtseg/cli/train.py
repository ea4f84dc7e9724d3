"""`mtseg train`: train a method on a project."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import console, say
from napari_mtseg.domain import events
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import from_assignments
from napari_mtseg.workflows.event_sentences import beginning_of, sentence_of

if TYPE_CHECKING:
    from rich.console import Console

    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import RunFolder

EXIT_INTERRUPTED = 130
"""exit code after Ctrl-C, as shells have it"""

STDERR = 2


def run_train(  # noqa: PLR0913 - one argument per option
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
    method: Annotated[
        str, typer.Option(help="Method; see 'mtseg methods'.")
    ] = "recursive_approximation",
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
            help="Start from the weights and grown labels of this run, or 'last'.",
            metavar="RUN",
        ),
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Train on several GPUs at once.")
    ] = 1,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print events as JSON lines on stdout.")
    ] = False,
) -> None:
    """Train a method on what is painted in a project.

    Ctrl-C stops after the current step, a second Ctrl-C at once, both with exit code
    130; `--resume last` goes on as if nothing had happened.

    Example: `mtseg train cells.mtseg --method recursive_approximation --preset fast`
    """
    from napari_mtseg.methods.catalog import preset_and_variant
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.run_requests import (
        RunRequest,
        requested_run,
        run_to_resume,
    )

    opened = Project.open(project)
    notices: tuple[str, ...] = ()
    if resume is not None:
        if presets or assignments or start_from:
            raise SettingsError(
                "--resume goes on with a run's own settings. Leave out --preset, --set "
                "and --from, or start a new run."
            )
        run = run_to_resume(opened, resume)
    else:
        preset, variant = preset_and_variant(method, presets or ["fast"])
        request = RunRequest(
            method=method,
            preset=preset,
            variant=variant,
            values=from_assignments(assignments or []),
            seed=seed,
            device=device,
            parent=start_from,
        )
        run, notices = requested_run(opened, request)
    if devices > 1:
        _train_together(opened, run, devices, json_lines=json_lines)
        return
    from napari_mtseg.workflows.train import train

    noticed = (events.Noticed(message=notice) for notice in notices)
    _show(chain(noticed, train(opened, run)), run, json_lines=json_lines)


def _train_together(
    project: "Project", run: "RunFolder", n_devices: int, *, json_lines: bool
) -> None:
    """Start a process per device through torchrun; the first one speaks."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={n_devices}", "-m", "napari_mtseg.cli.main"]
    command += ["train", str(project.path), "--resume", run.path.name]
    done = subprocess.run(command + ["--json"] * json_lines, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def _show(
    happened: Iterator[events.Event], run: "RunFolder", *, json_lines: bool
) -> None:
    from napari_mtseg.workflows.processes import is_lead

    if not is_lead():
        deque(happened, maxlen=0)
        return
    ended = ""
    with _stopping_on_ctrl_c(run) as pressed:
        try:
            ended = (_print_lines if json_lines else show_progress)(happened, run)
        except KeyboardInterrupt:
            pressed.set()
    project = os.path.relpath(run.path.parents[1])
    if ended == "done":
        if not json_lines:
            say(f"next: mtseg predict {project}, or mtseg export {project} --out MODEL")
        return
    say(f"go on with: mtseg train {project} --resume {run.path.name}")
    if pressed.is_set():
        raise typer.Exit(EXIT_INTERRUPTED)


@contextmanager
def _stopping_on_ctrl_c(run: "RunFolder") -> Iterator[threading.Event]:
    """Let the first Ctrl-C stop the run in order and the second end it at once.

    What is yielded is set by the first one. Where Ctrl-C is ignored, as it is behind
    ``nohup``, it stays so.
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(_signal: int, _frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not through sys.stderr, which this may have interrupted in a write.
        os.write(STDERR, b"\nstopping; press Ctrl-C again to end at once\n")
        run.set_control(run.control().changed({"stop": True}))

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _print_lines(happened: Iterator[events.Event], _run: "RunFolder") -> str:
    ended = ""
    for event in happened:
        sys.stdout.write(events.to_json_line(event) + "\n")
        sys.stdout.flush()
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
