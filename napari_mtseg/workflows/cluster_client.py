"""The connection to a dask scheduler: one that runs already, or one of our own."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from napari_mtseg import __version__
from napari_mtseg.domain.errors import ClusterError, SettingsError
from napari_mtseg.storage.main_memory import WORKERS_VARIABLE
from napari_mtseg.workflows.cluster_worker import version_problem

PATIENCE = 10.0
"""seconds to wait for a scheduler, and for its first worker"""

PATIENCE_WITH_OWN_WORKERS = 120.0
"""seconds to wait for workers that are started here"""

OWN_WORKERS = {
    # After two lost workers a task is set apart, to be tried again alone.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.preload": ["napari_mtseg.workflows.cluster_preload"],
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "logging": {"distributed": "critical", "distributed.client": "critical"},
}
"""settings of dask for workers on this machine; it logs nothing"""

VERSION = "napari_mtseg:__version__"
"""where a worker finds its version"""

HERE = "127.0.0.1"
"""address of this machine that no other reaches"""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

NOISY_LOGGERS = ("distributed", "distributed.client", "tornado", "asyncio")


@contextmanager
def connected_client(
    scheduler: str | None, *, n_workers: int, device: str
) -> Iterator[Any]:
    """Yield a dask client whose workers are fit to predict.

    Arguments and errors are those of
    :func:`~napari_mtseg.workflows.cluster.open_cluster`.
    """
    if scheduler is None and n_workers < 1:
        raise SettingsError(
            f"The number of workers is {n_workers} but must be at least 1. Choose "
            "another one with --workers."
        )
    try:
        import distributed  # noqa: F401 - here it is seen whether it is installed
    except ModuleNotFoundError:
        raise ClusterError(
            "Several workers need dask.distributed, which is not installed. Install it "
            "with: pip install 'napari-mtseg[cluster]'."
        ) from None
    with _quiet():
        if scheduler is None:
            with _own_client(n_workers, device) as client:
                yield client
        else:
            with _client_of(scheduler) as client:
                _check_workers(client, scheduler)
                yield client


@contextmanager
def _own_client(n_workers: int, device: str) -> Iterator[Any]:
    import dask
    from dask.system import CPU_COUNT

    distributed: Any = import_module("distributed")  # which has no types

    share = str(max(1, CPU_COUNT // n_workers))
    threads = os.environ.get("OMP_NUM_THREADS", share)
    environment = dict.fromkeys(THREAD_VARIABLES, threads)
    # dask always serves HTTP: here from a port that it finds, with nothing to see.
    local = {"host": HERE, "dashboard": False, "dashboard_address": f"{HERE}:0"}
    workers = {
        i: {
            "cls": distributed.Nanny,
            "options": {
                **local,
                "nthreads": 1,
                # The engine watches the memory itself; dask would pause or kill.
                "memory_limit": 0,
                "env": {**environment, **gpu, WORKERS_VARIABLE: str(n_workers)},
                "silence_logs": logging.CRITICAL,
            },
        }
        for i, gpu in enumerate(gpus_in_turn(n_workers, device))
    }
    settings = {**OWN_WORKERS, "distributed.nanny.pre-spawn-environ": {}}
    with (
        _unchanged_environment(),
        dask.config.set(settings),
        distributed.SpecCluster(
            workers=workers,
            scheduler={"cls": distributed.Scheduler, "options": {**local, "port": 0}},
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, timeout=PATIENCE) as client,
    ):
        _wait_for_own_workers(client, n_workers)
        yield client


def _wait_for_own_workers(client: Any, n_workers: int) -> None:
    try:
        client.wait_for_workers(n_workers, timeout=PATIENCE_WITH_OWN_WORKERS)
    except TimeoutError:
        raise ClusterError(
            f"The {n_workers} workers did not start within "
            f"{PATIENCE_WITH_OWN_WORKERS:g} seconds. Use fewer workers; in a script of "
            "your own, open the cluster below \"if __name__ == '__main__':\"."
        ) from None


def gpus_in_turn(n_workers: int, device: str) -> list[dict[str, str]]:
    """Return the environment that shows each worker one GPU, if there is any."""
    import torch

    n_gpus = torch.cuda.device_count() if device in {"auto", "cuda"} else 0
    if not n_gpus:
        return [{}] * n_workers
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(i) for i in range(n_gpus)]
    return [{"CUDA_VISIBLE_DEVICES": names[i % n_gpus]} for i in range(n_workers)]


def _client_of(scheduler: str) -> Any:
    distributed: Any = import_module("distributed")
    if Path(scheduler).is_file():
        place = {"scheduler_file": scheduler}
    elif ":" in scheduler:
        place = {"address": scheduler}
    else:
        raise ClusterError(
            f"'{scheduler}' is neither the address of a dask scheduler, such as "
            "tcp://node1:8786, nor a scheduler file that exists. Start one with 'dask "
            f"scheduler --scheduler-file {scheduler}', or give its address."
        )
    try:
        return distributed.Client(**place, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"No dask scheduler answers at '{scheduler}' ({_first_line(error)}). Start "
            "one with 'dask scheduler', or check the address."
        ) from None


def _check_workers(client: Any, scheduler: str) -> None:
    """Refuse a scheduler without workers, or with one that cannot work with us."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(
            f"The scheduler '{scheduler}' has no worker, and none came within "
            f"{PATIENCE:g} seconds. Start some with 'dask worker {scheduler}'."
        ) from None
    # A function of Python itself, which a worker without napari-mtseg has as well.
    from pkgutil import resolve_name

    found = client.run(resolve_name, VERSION, on_error="return")
    for address, version in found.items():
        if isinstance(version, BaseException):
            raise ClusterError(
                f"The worker at '{address}' has no napari-mtseg "
                f"({_first_line(version)}). Install napari-mtseg {__version__} where "
                "the workers run and start them again."
            )
        problem = version_problem(address, version, __version__)
        if problem is not None:
            raise ClusterError(problem)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep dask from telling on the terminal what the errors here say in a sentence."""
    levels = {name: logging.getLogger(name).level for name in NOISY_LOGGERS}
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _unchanged_environment() -> Iterator[None]:
    """Put back what dask sets in this process so that its workers inherit it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
