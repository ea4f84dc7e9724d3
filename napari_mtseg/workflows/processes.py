"""Several processes that train one run together, a device each.

torchrun (which ``mtseg train --devices N`` starts) and SLURM's srun tell each process
its place in the environment; here both are read. Only the lead (rank 0) writes and
reports.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from napari_mtseg.domain.errors import SettingsError

FIRST_PORT = 15000
"""of 10000 ports, of which each SLURM job takes one"""


@dataclass(frozen=True)
class Place:
    """Where a process stands among those that train together."""

    rank: int = 0
    """number among all, 0 of the lead and of a lone one"""
    n: int = 1
    """processes in all"""
    rank_here: int = 0
    """number among those of its machine"""
    n_here: int = 1
    """processes of its machine"""
    lead_address: str = "127.0.0.1"
    """host of the lead"""
    lead_port: int = 29500
    """port at which the lead waits for the others"""
    in_slurm: bool = False
    """True if srun started it, which may show each process a GPU of its own alone"""

    @property
    def node(self) -> int:
        """Number of its machine."""
        return self.rank // self.n_here

    @property
    def n_nodes(self) -> int:
        """Machines."""
        return self.n // self.n_here


def place() -> Place:
    """Return the place of this process, as its launcher tells.

    Raises
    ------
    SettingsError
        If SLURM started other numbers of processes on different nodes.
    """
    return place_in(os.environ)


def place_in(environment: Mapping[str, str]) -> Place:
    """Return the place that an environment tells.

    A SLURM step of one task is a lone process, and so are the script of a job and a
    shell of ``salloc``: their SLURM_NTASKS counts what a later srun would start.

    Raises
    ------
    SettingsError
        If SLURM started other numbers of processes on different nodes.

    Examples
    --------
    >>> place_in({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}).rank
    1
    >>> place_in({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}).n
    1
    """
    if "WORLD_SIZE" in environment and "RANK" in environment:
        return _of_torchrun(environment)
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return _of_slurm(environment)
    return Place()


def rank() -> int:
    """Return the number of this process, 0 for the lead and for a lone one."""
    return place().rank


def n_processes() -> int:
    """Return how many processes train together, 1 for a lone one."""
    return place().n


def is_lead() -> bool:
    """Tell whether this process writes and reports."""
    return rank() == 0


def part_of_batch(batch_size: int) -> slice:
    """Return the patches of a batch that this process trains on.

    Raises
    ------
    SettingsError
        If the batch cannot be shared out evenly.
    """
    share = share_of_batch(batch_size, n_processes())
    return slice(rank() * share, (rank() + 1) * share)


def share_of_batch(batch_size: int, n: int) -> int:
    """Return how many patches each of ``n`` devices gets.

    Raises
    ------
    SettingsError
        If the batch cannot be shared out evenly.
    """
    if batch_size % n:
        raise SettingsError(
            f"batch_size is {batch_size} but {n} devices train together. "
            f"Set it to a multiple of {n}."
        )
    return batch_size // n


def check_launch(devices: int | None, nodes: int | None) -> None:
    """Refuse numbers of devices and nodes that nobody started processes for.

    Parameters
    ----------
    devices, nodes : int, optional
        What was asked for: processes per node, and nodes.

    Raises
    ------
    SettingsError
        If they are not what the launcher started, or there are several nodes and no
        launcher.
    """
    here = place()
    if here.n == 1:
        if nodes is not None and nodes > 1:
            raise SettingsError(_how_to_launch(devices or 1, nodes))
        return
    started = {"--devices": (devices, here.n_here), "--nodes": (nodes, here.n_nodes)}
    for option, (asked, found) in started.items():
        if asked is not None and asked != found:
            raise SettingsError(
                f"{option} is {asked} but the launcher started {here.n} processes, "
                f"{here.n_here} on each of {here.n_nodes} nodes. Leave {option} out, "
                "or start as many as it says."
            )


def _how_to_launch(devices: int, nodes: int) -> str:
    return (
        f"--nodes {nodes} needs processes on {nodes} machines, which SLURM or torchrun "
        f"starts. In a SLURM job: 'srun --nodes={nodes} --ntasks-per-node={devices} "
        "mtseg train PROJECT ...'. Elsewhere, on each machine: 'torchrun "
        f"--nnodes={nodes} --nproc-per-node={devices} --rdzv-backend=c10d "
        "--rdzv-endpoint=FIRST_MACHINE:29500 -m napari_mtseg.cli.main train PROJECT "
        "...'."
    )


def _of_torchrun(environment: Mapping[str, str]) -> Place:
    return Place(
        rank=int(environment["RANK"]),
        n=int(environment["WORLD_SIZE"]),
        rank_here=int(environment.get("LOCAL_RANK", "0")),
        n_here=int(environment.get("LOCAL_WORLD_SIZE", "1")),
        lead_address=environment.get("MASTER_ADDR", Place.lead_address),
        lead_port=int(environment.get("MASTER_PORT", Place.lead_port)),
    )


def _of_slurm(environment: Mapping[str, str]) -> Place:
    n = int(environment["SLURM_STEP_NUM_TASKS"])
    per_node = environment.get("SLURM_STEP_TASKS_PER_NODE", str(n))
    counts = re.fullmatch(r"(\d+)(?:\(x\d+\))?", per_node)
    if counts is None:
        raise SettingsError(
            f"srun started {n} processes, {per_node} on its nodes, but each node must "
            "have as many. Start them with --ntasks-per-node."
        )
    nodes = environment.get("SLURM_STEP_NODELIST") or environment["SLURM_NODELIST"]
    job, step = (environment.get(f"SLURM_{of}_ID", "0") for of in ("JOB", "STEP"))
    return Place(
        rank=int(environment["SLURM_PROCID"]),
        n=n,
        rank_here=int(environment["SLURM_LOCALID"]),
        n_here=int(counts[1]),
        lead_address=environment.get("MASTER_ADDR", first_node(nodes)),
        lead_port=int(
            environment.get("MASTER_PORT", FIRST_PORT + (int(job) + int(step)) % 10_000)
        ),
        in_slurm=True,
    )


def first_node(nodes: str) -> str:
    """Return the first host of a list as SLURM writes it.

    Examples
    --------
    >>> first_node("gpu[07-09,12],big1")
    'gpu07'
    >>> first_node("alpha,beta")
    'alpha'
    """
    found = re.match(r"([^,\[]*)(?:\[(\w+)[^\]]*\]([^,]*))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes
