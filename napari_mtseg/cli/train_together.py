"""`mtseg train` in several processes: those it starts, and those a launcher started."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from napari_mtseg.cli.output import say
from napari_mtseg.cli.stopping import EXIT_INTERRUPTED, stopping_on_ctrl_c

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import RunFolder

SIGNALS_OF_TORCHRUN = "SIGTERM,SIGHUP,SIGQUIT"
"""what torchrun ends its processes at; not Ctrl-C, at which they first save"""


def train_together(
    project: "Project", run: "RunFolder", n_devices: int, *, json_lines: bool
) -> None:
    """Start a process per device through torchrun; the first one speaks.

    Raises
    ------
    SettingsError
        If the devices cannot share a batch evenly, or there are fewer GPUs.
    typer.Exit
        If the training failed or was stopped; its processes tell why.
    """
    from napari_mtseg.workflows.processes import share_of_batch

    share_of_batch(run.info.settings["batch_size"], n_devices)
    _silence_torch()
    from napari_mtseg.workflows.devices import best_device
    from napari_mtseg.workflows.process_group import check_gpus

    device = best_device(run.info.device)
    check_gpus(device, n_devices)
    say(f"{n_devices} processes train this run together")
    if device.type != "cuda":
        say(
            f"note: they share the {os.cpu_count() or 1} cores of this machine, since "
            "they do not train on GPUs: that rarely pays. Without --devices one "
            "process uses all cores."
        )
    threads = max(1, (os.cpu_count() or 1) // n_devices)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    command = ["--standalone", f"--nproc-per-node={n_devices}"]
    command += ["-m", "napari_mtseg.cli.main", "train", str(project.path)]
    command += ["--resume", run.path.name, *["--json"] * json_lines]
    arguments = torchrun.parse_args(command)
    arguments.signals_to_handle = SIGNALS_OF_TORCHRUN
    with stopping_on_ctrl_c(run) as pressed:
        try:
            torchrun.run(arguments)
        except KeyboardInterrupt:
            pressed.set()
        except ChildFailedError as error:
            _, first = error.get_first_failure()
            raise typer.Exit(max(first.exitcode, 1)) from None
    if pressed.is_set():
        raise typer.Exit(EXIT_INTERRUPTED)


def run_of_lead(
    make: "Callable[[], tuple[RunFolder, tuple[str, ...]]]",
) -> "tuple[RunFolder, tuple[str, ...]]":
    """Let the lead make the run: all processes were given the same command.

    Raises
    ------
    MtsegError
        What ``make`` raises, in the lead.
    typer.Exit
        In the others, if the lead could not make it.
    """
    _silence_torch()
    from napari_mtseg.workflows.process_group import made_by_lead, wait_until_seen

    made = made_by_lead(make)
    if made is None:
        raise typer.Exit(1)
    run, notices = made
    wait_until_seen(run.path / "run.json")
    return run, notices


def _silence_torch() -> None:
    """Hide hints for programmers; torch reads this when it is imported."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
