"""Several workers, here or on other machines, that do the tasks of a prediction.

dask.distributed starts, watches and feeds them; there is no queue of our own.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from textwrap import shorten
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

from napari_mtseg.domain.errors import ClusterError, LostTaskError
from napari_mtseg.workflows.cluster_client import connected_client
from napari_mtseg.workflows.cluster_worker import (
    Order,
    do_task,
    forget_models,
    paths_in,
    with_absolute_paths,
)
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.task_runner import ModelSource, TaskRunner

Task = TypeVar("Task")
Result = TypeVar("Result")

PATIENCE_WITHOUT_WORKERS = 60.0
"""seconds that tasks wait when all workers are gone: new ones may start"""

TASKS_PER_THREAD = 2
"""tasks that a worker has at a time: one in work and one to go on with"""

COUNT_EVERY = 2.0
"""seconds after which the workers are counted again"""


@contextmanager
def open_cluster(
    *, scheduler: str | None, n_workers: int, device: str = "auto"
) -> Iterator[TaskRunner]:
    """Yield what gives tasks to several workers.

    Each worker is a process that does one task at a time and loads the model once.
    What a lost worker had in hand is done again by another. Ctrl-C or an error takes
    back the tasks that have not begun, and ends the workers that were started here.

    Parameters
    ----------
    scheduler : str or None
        Address of a running dask scheduler, such as 'tcp://node1:8786', or the path of
        its scheduler file. None starts workers on this machine.
    n_workers : int
        How many to start, at least 1; ignored with a scheduler. They share the cores
        evenly, and take the GPUs in turn.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where the workers will compute: with 'auto' and 'cuda' each sees one GPU.

    Yields
    ------
    TaskRunner
        Works as long as the block lasts.

    Raises
    ------
    ClusterError
        If dask.distributed is not installed, no scheduler answers within 10
        seconds, it has no worker, or a worker has no napari-mtseg of this version.
    SettingsError
        If ``n_workers`` is below 1.
    """
    with connected_client(scheduler, n_workers=n_workers, device=device) as client:
        place = "this machine" if scheduler is None else f"the scheduler '{scheduler}'"
        try:
            yield _Cluster(client, place)
        finally:
            # Workers that live on would keep the model in the memory of their GPU.
            if scheduler is not None and client.status == "running":
                client.run(forget_models, on_error="ignore")


class _Cluster:
    """Gives tasks to the workers of one dask scheduler."""

    def __init__(self, client: Any, place: str) -> None:
        self._client = client
        self._place = place
        self._session = uuid4().hex

    def run(
        self,
        work: Callable[[Model, Task], Result],
        tasks: Iterable[Task],
        source: ModelSource,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result as it is done, in any order.

        A task that ended workers is tried again when all others are done, alone: when
        a worker is lost, dask blames everything that it had been given.

        Raises
        ------
        LostTaskError
            If a task ends every worker that begins it.
        ClusterError
            If a worker does not see a file of a task, or no worker is left.
        MtsegError
            What ``work`` raises; tasks that have not begun are dropped.
        """
        whole = with_absolute_paths(source)
        given = _GivenTasks(self._client, self._place, self._session)
        suspects: list[Task] = []
        waiting = iter(tasks)
        try:
            while given.fill(work, waiting, whole):
                task, future = given.next_done()
                if _ended_its_workers(future):
                    suspects.append(task)
                else:
                    yield task, _result_of(future)
            for task in suspects:
                given.give(work, task, whole)
                _, future = given.next_done()
                if _ended_its_workers(future):
                    raise LostTaskError(
                        f"Every worker that began {_shown(task)} was lost. It may need "
                        "more memory than a worker has: use fewer workers or a smaller "
                        "--memory.",
                        task,
                    )
                yield task, _result_of(future)
        finally:
            given.drop()


class _GivenTasks:
    """The tasks that are with the workers at one time."""

    def __init__(self, client: Any, place: str, session: str) -> None:
        self._client = client
        self._place = place
        self._session = session
        self._tasks: dict[str, tuple[Any, Any]] = {}
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._room = 0
        self._counted_at = -math.inf
        self._had_workers_at = monotonic()

    def fill(
        self,
        work: Callable[[Model, Task], Result],
        waiting: Iterator[Task],
        source: ModelSource,
    ) -> bool:
        """Give as many tasks as the workers can use; tell whether they have any.

        So a batch of 100,000 files costs the scheduler as little as one of ten.
        """
        if monotonic() - self._counted_at > COUNT_EVERY:
            self._count_workers()
        for task in islice(waiting, max(0, self._room - len(self._tasks))):
            self.give(work, task, source)
        return bool(self._tasks)

    def give(
        self, work: Callable[[Model, Task], Result], task: Task, source: ModelSource
    ) -> None:
        """Give one task."""
        paths = {str(p) for p in paths_in((task, source)) if p.is_absolute()}
        order = Order(
            session=self._session,
            source=source,
            paths=tuple(sorted(path for path in paths if os.path.lexists(path))),
        )
        key = f"mtseg-{uuid4().hex}"
        future = self._client.submit(do_task, order, work, task, key=key, pure=False)
        self._tasks[key] = task, future
        future.add_done_callback(self._done.put)

    def next_done(self) -> tuple[Any, Any]:
        """Wait until a task has ended, well or not, and return it with its future.

        Raises
        ------
        ClusterError
            If the scheduler, or every worker, is gone.
        """
        while True:
            try:
                future = self._done.get(timeout=COUNT_EVERY)
            except Empty:
                self._count_workers()
                continue
            if future.status == "cancelled":
                raise self._connection_lost()
            if future.status in {"finished", "error"}:
                return self._tasks.pop(future.key)
            # Its worker was lost together with the result: it is being done again.
            future.add_done_callback(self._done.put)

    def drop(self) -> None:
        """Take back what has not begun."""
        futures = [future for _, future in self._tasks.values()]
        if futures and self._client.status == "running":
            self._client.cancel(futures)
        self._tasks.clear()

    def _count_workers(self) -> None:
        try:
            n_threads = sum(self._client.nthreads().values())
        except (OSError, CancelledError, RuntimeError):
            raise self._connection_lost() from None
        self._counted_at = monotonic()
        if n_threads:
            self._had_workers_at = monotonic()
        elif monotonic() - self._had_workers_at > PATIENCE_WITHOUT_WORKERS:
            raise ClusterError(
                f"All workers of {self._place} are gone, and none has come back for "
                f"{PATIENCE_WITHOUT_WORKERS:g} seconds. Start workers and predict "
                "again; what is done is kept."
            )
        self._room = max(1, TASKS_PER_THREAD * n_threads)

    def _connection_lost(self) -> ClusterError:
        return ClusterError(
            f"The connection to {self._place} was lost. Look whether it still runs, "
            "and predict again; what is done is kept."
        )


def _ended_its_workers(future: Any) -> bool:
    from distributed.scheduler import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _result_of(future: Any) -> Any:
    """Return what a task gave, or raise what it raised, as if done here."""
    try:
        return future.result()
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"A worker has no module '{error.name}'. Install the same napari-mtseg "
            "with the same extras on all machines and start the workers again."
        ) from None


def _shown(task: object) -> str:
    """Return the file of a task, which is its first path, or else the task."""
    path = next(paths_in(task), None)
    return shorten(str(task), 200) if path is None else f"'{path}'"
