"""The line between processes that train one run together."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from socket import gethostname
from typing import Any, TypeVar

import torch
from lightning_fabric.plugins.environments.cluster_environment import (
    ClusterEnvironment,
)
from torch import distributed

from napari_mtseg.domain.errors import MtsegError, RunError, SettingsError
from napari_mtseg.workflows.processes import is_lead, n_processes, place

Made = TypeVar("Made")

TIMEOUT = timedelta(minutes=20)
"""after which a process gives up waiting for another; more than the longest thing
that one does alone, such as checking and freezing the annotations of a new run"""

SHARED_FOLDER_PATIENCE = 60.0
"""seconds after which a network file system shows what another machine wrote"""

_LOST = ("connection closed", "connection reset", "timed out", "timeout", "broken pipe")


class LaunchedProcesses(ClusterEnvironment):
    """Tells Fabric what :mod:`napari_mtseg.workflows.processes` reads.

    So Fabric guesses nothing of its own, such as that a SLURM script is one of many.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._place = place()
        self._n_devices = n_devices_here(device)

    @property
    def creates_processes_externally(self) -> bool:
        """True: they run already."""
        return True

    @property
    def main_address(self) -> str:
        """Host of the lead."""
        return self._place.lead_address

    @property
    def main_port(self) -> int:
        """Port of the lead."""
        return self._place.lead_port

    @staticmethod
    def detect() -> bool:
        """Tell that it is never chosen unasked."""
        return False

    def world_size(self) -> int:
        """Return how many processes there are."""
        return self._place.n

    def set_world_size(self, size: int) -> None:
        """Leave it as it is."""

    def global_rank(self) -> int:
        """Return the number of this process."""
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        """Leave it as it is."""

    def local_rank(self) -> int:
        """Return the number of the device of this process."""
        return self._place.rank_here % self._n_devices

    def node_rank(self) -> int:
        """Return the number of the machine."""
        return self._place.rank // self._n_devices


def n_devices_here(device: torch.device) -> int:
    """Return of how many devices Fabric is to think on this machine.

    SLURM may show each process a GPU of its own alone: then there is one.

    Raises
    ------
    SettingsError
        If there are fewer GPUs than processes.
    """
    here = place()
    check_gpus(device, here.n_here)
    alone = here.in_slurm and torch.cuda.device_count() == 1
    return 1 if device.type == "cuda" and alone else here.n_here


def check_gpus(device: torch.device, n_here: int) -> None:
    """Refuse more processes on this machine than it has GPUs, unless on its CPU.

    Parameters
    ----------
    device : torch.device
        Where they train.
    n_here : int
        Processes, where a launcher has not started more already.

    Raises
    ------
    SettingsError
        If there are fewer GPUs; SLURM may show each process one of its own alone.
    """
    n, n_gpus = max(n_here, place().n_here), torch.cuda.device_count()
    if device.type != "cuda" or n_gpus >= n or (n_gpus == 1 and place().in_slurm):
        return
    raise SettingsError(
        f"{n} processes are to train on a machine with {n_gpus} GPU"
        f"{'' if n_gpus == 1 else 's'}. Start one for each GPU, or use --device cpu."
    )


def open_group() -> None:
    """Join the other processes, once; nothing where there is one alone.

    Raises
    ------
    RunError
        If they do not come.
    """
    if n_processes() == 1 or distributed.is_initialized():
        return
    here = place()
    os.environ["MASTER_ADDR"] = here.lead_address
    os.environ["MASTER_PORT"] = str(here.lead_port)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(
            backend, rank=here.rank, world_size=here.n, timeout=TIMEOUT
        )
    except RuntimeError as error:
        raise RunError(
            f"The {here.n} processes did not find each other at {here.lead_address}:"
            f"{here.lead_port} ({str(error).splitlines()[0]}). Set MASTER_ADDR and "
            "MASTER_PORT to a host and a free port that all machines reach."
        ) from None


def made_by_lead(make: Callable[[], Made]) -> Made | None:
    """Return what the lead makes, in every process.

    Parameters
    ----------
    make : callable
        Called in the lead alone; what it returns can be sent.

    Returns
    -------
    Made or None
        None in the others if the lead could not make it: it tells why.

    Raises
    ------
    MtsegError
        What ``make`` raises, in the lead alone.
    RunError
        If another process ended.
    """
    if n_processes() == 1:
        return make()
    open_group()
    made: Made | None = None
    failure: MtsegError | None = None
    if is_lead():
        try:
            made = make()
        except MtsegError as error:
            failure = error
    try:
        said: Made | None = lead_says(made)
    except RuntimeError as error:
        raise lost_process(error) or error from None
    if failure is not None:
        raise failure
    return said


def wait_until_seen(path: Path) -> None:
    """Wait for what another machine wrote to a shared folder: it may come late.

    Raises
    ------
    RunError
        If it does not come.
    """
    until = time.monotonic() + SHARED_FOLDER_PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            raise RunError(
                f"This machine, '{gethostname()}', does not see '{path}', which the "
                "first one wrote. Put the project into a folder that all machines "
                "share under the same path."
            )
        time.sleep(0.2)


def lead_says(value: Made) -> Made:
    """Return the lead's value in every process; one that can be sent."""
    if n_processes() == 1:
        return value
    box: list[Any] = [value]
    distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def all_say(value: Made) -> list[Made]:
    """Return the values of all processes, in their order; such as can be sent."""
    if n_processes() == 1:
        return [value]
    said: list[Any] = [None] * n_processes()
    distributed.all_gather_object(said, value)
    return said


def lost_process(error: RuntimeError) -> RunError | None:
    """Return what to tell if an error means that another process ended, else None."""
    text = str(error).lower()
    is_lost = isinstance(error, distributed.DistError) or any(w in text for w in _LOST)
    if n_processes() == 1 or not is_lost:
        return None
    return RunError(
        "Another of the processes that train together has ended or does not answer, so "
        "this one stops too. Look at what it said, then go on with --resume: the last "
        "checkpoint is kept."
    )
