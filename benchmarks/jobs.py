"""Benchmark jobs: each in a process of its own, its result kept, done only once."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Job = Callable[..., dict[str, Any]]


def run_jobs(
    job: Job, arguments: Sequence[dict[str, Any]], *, results: Path, n_at_once: int
) -> list[dict[str, Any]]:
    """Run ``job(**arguments)`` for each set of arguments that has no result yet.

    Every process computes on one thread: two one-thread trainings on two cores do
    more than one two-thread training, and disturb each other less.

    Parameters
    ----------
    job : callable
        A function of a module; returns what JSON can hold. Its keyword ``name``
        names the result file.
    arguments : sequence of dict
        One dict per job, each with a 'name' of its own.
    results : Path
        Folder of the result files; deleting one has its job done again.
    n_at_once : int
        Processes at the same time.

    Returns
    -------
    list of dict
        The results in the order of ``arguments``.
    """
    results.mkdir(parents=True, exist_ok=True)
    missing = [a for a in arguments if not _file(results, a).exists()]
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
    context = multiprocessing.get_context("spawn")
    begin = time.monotonic()
    with ProcessPoolExecutor(n_at_once, mp_context=context) as pool:
        futures = {pool.submit(_timed, job, a): a for a in missing}
        for n_done, future in enumerate(as_completed(futures), start=1):
            argument = futures[future]
            file = _file(results, argument)
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps(future.result()))
            partial.replace(file)
            minutes = (time.monotonic() - begin) / 60
            line = f"{n_done}/{len(missing)} {argument['name']} ({minutes:.1f} min)\n"
            sys.stderr.write(line)
    return [json.loads(_file(results, a).read_text()) for a in arguments]


def _timed(job: Job, arguments: dict[str, Any]) -> dict[str, Any]:
    begin = time.monotonic()
    result = job(**arguments)
    return {**result, "seconds": time.monotonic() - begin}


def _file(results: Path, arguments: dict[str, Any]) -> Path:
    return results / f"{arguments['name']}.json"
