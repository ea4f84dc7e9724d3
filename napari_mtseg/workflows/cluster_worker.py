"""What a worker of a cluster does with one task; it keeps the model between tasks."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from threading import Lock
from typing import Any, TypeVar

import torch

from napari_mtseg import __version__
from napari_mtseg.domain.errors import ClusterError
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.task_runner import ModelSource

Task = TypeVar("Task")
Result = TypeVar("Result")

_ONE_AT_A_TIME = Lock()
"""A worker that dask gave several threads uses them all for one task: two at a time
would share one model and take twice the memory."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every task of one prediction brings along."""

    session: str
    """of the client: models of an earlier one may be outdated"""
    source: ModelSource
    """the model, with absolute paths"""
    paths: tuple[str, ...]
    """files and folders that the client sees and the worker must see as well"""
    version: str = __version__
    """of napari-mtseg where the client runs"""


def do_task(order: Order, work: Callable[[Model, Task], Result], task: Task) -> Result:
    """Do one task in this worker.

    Parameters
    ----------
    order : Order
        What belongs to it.
    work : callable
        A function of a model and a task.
    task : Task
        What is to be done.

    Raises
    ------
    ClusterError
        If this worker is of another version, or does not see a file of the task.
    MtsegError
        What loading the model or ``work`` raises.
    """
    from distributed import get_worker

    problem = version_problem(gethostname(), __version__, order.version)
    if problem is not None:
        raise ClusterError(problem)
    _check_seen(order.paths)
    n_threads = get_worker().state.nthreads
    with _ONE_AT_A_TIME:
        # dask tells torch to use one thread, whatever it gives the worker itself.
        if torch.get_num_threads() < n_threads:
            torch.set_num_threads(n_threads)
        return work(_model(order.session, order.source), task)


def version_problem(worker: str, found: str, needed: str) -> str | None:
    """Return why a worker of another version cannot be used; None if it can."""
    if found == needed:
        return None
    return (
        f"The worker at '{worker}' has napari-mtseg {found} but {needed} is needed, as "
        "here. Install the same version on all machines and start the workers again."
    )


def forget_models() -> None:
    """Let go of the model, and of the memory that it takes on a GPU."""
    _model.cache_clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def paths_in(value: object) -> Iterator[Path]:
    """Return the paths inside a task: of its fields, tuples, lists and mappings."""
    if isinstance(value, Path):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from paths_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from paths_in(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from paths_in(part)


def with_absolute_paths(source: ModelSource) -> ModelSource:
    """Return the source as a process with another working directory needs it."""
    members = tuple(_absolute(m) for m in source.uncertainty.members)
    return replace(
        source,
        path=source.path.absolute(),
        uncertainty=replace(source.uncertainty, members=members),
    )


@lru_cache(maxsize=1)
def _model(_session: str, source: ModelSource) -> Model:
    return source.load()


def _check_seen(paths: tuple[str, ...]) -> None:
    for path in paths:
        if not os.path.lexists(path):
            raise ClusterError(
                f"The worker on '{gethostname()}' does not see '{path}'. Put model, "
                "images and results into folders that all machines share under the "
                "same path."
            )


def _absolute(member: Any) -> Any:
    if isinstance(member, RunFolder):
        return RunFolder(member.path.absolute())
    return Path(member).absolute()
