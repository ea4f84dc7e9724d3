"""How much main memory this process may still take."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

WORKERS_VARIABLE = "MTSEG_WORKERS_HERE"
"""environment variable: processes that share the memory of this machine, 1 or more"""

_FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}
"""of control groups of both versions: limit, usage, and what of it files take that the
kernel drops when the memory is needed"""


def free_main_memory(*, root: Path = Path("/")) -> int:
    """Return the bytes that this process may still take.

    What is free on the machine, or within the limit of a container or a job of a
    cluster (control groups of Linux) if that is less; shared among the workers that
    were started together on this machine.

    Parameters
    ----------
    root : Path
        Folder in which ``proc`` and ``sys`` are.
    """
    free = min([int(psutil.virtual_memory().available), *_left_in_groups(root)])
    n_workers = os.environ.get(WORKERS_VARIABLE, "1")
    return free // max(int(n_workers) if n_workers.isdigit() else 1, 1)


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what is left in each group that limits this process."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers:
            yield from _left_in_parents(mounts, place, *_FILES["cgroup2"])
        elif "memory" in controllers.split(","):
            yield from _left_in_parents(mounts / "memory", place, *_FILES["cgroup"])


def _left_in_parents(
    mount: Path, place: str, limit: str, usage: str, cached: str
) -> Iterator[int]:
    """Yield what is left in a group and in those around it.

    Inside a container its own group may be what is mounted, whatever its name.
    """
    group = mount / place.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(mount):
            return
        try:
            most = (folder / limit).read_text().strip()
            used = int((folder / usage).read_text())
            facts = dict(
                line.split(maxsplit=1)
                for line in (folder / "memory.stat").read_text().splitlines()
            )
        except (OSError, ValueError):
            continue
        if most.isdigit():
            yield max(int(most) - used + int(facts.get(cached, 0)), 0)
