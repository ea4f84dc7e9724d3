"""Benchmark jobs: each in a process of its own, its result kept, done only once."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Named(Protocol):
    """What a job is given; it can be pickled."""

    @property
    def name(self) -> str:
        """Name of the result file; a name of its own."""
        ...


T = TypeVar("T", bound=Named)
Job = Callable[[T], dict[str, Any]]


def run_jobs(
    job: Job[T], trials: Sequence[T], *, results: Path, n_at_once: int
) -> list[dict[str, Any]]:
    """Run ``job(trial)`` for each trial that has no result yet.

    Every process computes on one thread: two one-thread trainings on two cores do
    more than one two-thread training, and disturb each other less.

    Parameters
    ----------
    job : callable
        A function of a module; returns what JSON can hold.
    trials : sequence of Named
        What each call is given.
    results : Path
        Folder of the result files; deleting one has its job done again.
    n_at_once : int
        Processes at the same time.

    Returns
    -------
    list of dict
        The results in the order of ``trials``.
    """
    results.mkdir(parents=True, exist_ok=True)
    missing = [t for t in trials if not _file(results, t).exists()]
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
    context = multiprocessing.get_context("spawn")
    begin = time.monotonic()
    with ProcessPoolExecutor(n_at_once, mp_context=context) as pool:
        futures = {pool.submit(_timed, job, trial): trial for trial in missing}
        for n_done, future in enumerate(as_completed(futures), start=1):
            trial = futures[future]
            file = _file(results, trial)
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps(future.result()))
            partial.replace(file)
            minutes = (time.monotonic() - begin) / 60
            line = f"{n_done}/{len(missing)} {trial.name} ({minutes:.1f} min)\n"
            sys.stderr.write(line)
    return [json.loads(_file(results, t).read_text()) for t in trials]


def _timed(job: Job[T], trial: T) -> dict[str, Any]:
    begin = time.monotonic()
    result = job(trial)
    return {**result, "seconds": time.monotonic() - begin}


def _file(results: Path, trial: Named) -> Path:
    return results / f"{trial.name}.json"
