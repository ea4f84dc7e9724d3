"""All predicted images of a run with their scores and verdicts, quick for thousands.

What each ``prediction.json`` says of its image is kept in
``predictions/RUN/index.json`` with the time and size of the file, and read again where
these do not fit any more. The index can be deleted at any time.
"""

import base64
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.errors import MtsegError, StorageError
from napari_mtseg.domain.prediction import ONE_PASS
from napari_mtseg.domain.project import Split
from napari_mtseg.domain.review import ReviewRecord
from napari_mtseg.geometry.outliers import Population
from napari_mtseg.storage.prediction_files import FACTS, load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.write import write_bytes_atomically

INDEX = "index.json"
INDEX_VERSION = 1

MOST_UNSAVED = 100
"""predictions that may be newer than the index before it is written again (ours)"""


@dataclass(frozen=True, kw_only=True)
class ReviewedImage:
    """One predicted image: how doubtful its result is, and what a person said."""

    id: str
    """id of the image"""
    name: str
    """file name"""
    split: Split
    """what the image is used for"""
    scores: Mapping[str, float]
    """score by name, finite; higher is more doubtful"""
    n_objects: int
    """objects that were found"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from, in words"""
    descriptor: tuple[float, ...] = ()
    """what the image looks like, to choose unlike ones; empty where not known"""
    verdict: ReviewRecord | None = None
    """what counts now; None if no person has judged it"""
    problem: str = ""
    """sentence that says why its prediction cannot be read; '' where it can"""


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What one prediction.json says, and of which file it was read."""

    mtime_ns: int
    size: int
    scores: Mapping[str, float]
    n_objects: int
    uncertainty_from: str
    statistics: Mapping[str, float]
    descriptor: str
    """its numbers as float32, in base 64: texts are read from JSON much faster"""
    problem: str


class ReviewIndex:
    """Lists predicted images; keeps what it read, so that later lists are quicker."""

    def __init__(self) -> None:
        self._folder = Path()
        self._known: dict[str, _Facts] = {}
        self._outliers: dict[str, dict[str, float]] = {}

    def images(
        self, project: Project, run: str, *, log: ReviewLog | None = None
    ) -> tuple[ReviewedImage, ...]:
        """Return the predicted images of a run, as :func:`reviewed_images` does.

        Parameters
        ----------
        project : Project
            The project.
        run : str
            Name of the run.
        log : ReviewLog, optional
            The same one every time saves reading the log.
        """
        facts = self._facts(project, project.path / "predictions" / run)
        verdicts = (log or ReviewLog(project.path)).verdicts(run)
        return tuple(
            ReviewedImage(
                id=entry.id,
                name=entry.name,
                split=entry.split,
                scores={**facts[entry.id].scores, **self._outliers[entry.id]},
                n_objects=facts[entry.id].n_objects,
                uncertainty_from=facts[entry.id].uncertainty_from,
                descriptor=_unpacked(facts[entry.id].descriptor),
                verdict=verdicts.get(entry.id),
                problem=facts[entry.id].problem,
            )
            for entry in project.images
            if entry.id in facts
        )

    def _facts(self, project: Project, folder: Path) -> dict[str, _Facts]:
        if folder != self._folder:
            self._folder, self._known = folder, _saved(folder / INDEX)
            self._outliers = {}
        found, n_new = {}, 0
        for entry in project.images:
            try:
                stat = os.stat(f"{folder}/{entry.id}/{FACTS}")  # noqa: PTH116 - quick
            except OSError:
                continue
            known = self._known.get(entry.id)
            state = (stat.st_mtime_ns, stat.st_size)
            if known is None or (known.mtime_ns, known.size) != state:
                known = _read(folder / entry.id, state)
                n_new += 1
            found[entry.id] = known
        if n_new or found.keys() != self._outliers.keys():
            self._outliers = _outliers(found)
        self._known = found
        if n_new > MOST_UNSAVED:
            _save(folder / INDEX, found)
        return found


def reviewed_images(project: Project, run: str) -> tuple[ReviewedImage, ...]:
    """Return all images of the project that a run predicted, in the order of their ids.

    Parameters
    ----------
    project : Project
        The project.
    run : str
        Name of the run.

    Returns
    -------
    tuple of ReviewedImage
        'size_outlier' and 'shape_outlier', which say how unlike all others an image
        is, are among the scores. A prediction that cannot be read has no score but a
        problem.
    """
    return ReviewIndex().images(project, run)


def _outliers(facts: Mapping[str, _Facts]) -> dict[str, dict[str, float]]:
    """Return how unusual the objects of each image are, among all images.

    An image without objects is one standard deviation worse than the worst other.
    """
    told = {key: one.statistics for key, one in facts.items() if one.statistics}
    population = Population.of(told.values())
    columns = {
        "size_outlier": {k: population.size_outlier(s) for k, s in told.items()},
        "shape_outlier": {k: population.shape_outlier(s) for k, s in told.items()},
    }
    worst = {name: _largest(values.values()) + 1 for name, values in columns.items()}
    return {
        key: {
            name: min(values[key], worst[name])
            for name, values in columns.items()
            if key in values
        }
        for key in facts
    }


def _largest(values: Iterable[float]) -> float:
    return max((v for v in values if math.isfinite(v)), default=0.0)


def _read(folder: Path, state: tuple[int, int]) -> _Facts:
    problem, answer = "", None
    try:
        answer = load_answer(folder)
    except MtsegError as error:
        problem = str(error)
    scores = {} if answer is None else answer.scores
    return _Facts(
        mtime_ns=state[0],
        size=state[1],
        scores={name: v for name, v in scores.items() if math.isfinite(v)},
        n_objects=0 if answer is None else sum(answer.n_objects.values()),
        uncertainty_from=ONE_PASS if answer is None else answer.uncertainty_from,
        statistics={} if answer is None else answer.statistics,
        descriptor=_packed(() if answer is None else answer.descriptor),
        problem=problem,
    )


def _saved(file: Path) -> dict[str, _Facts]:
    """Return what the index holds; nothing where it is missing, damaged or newer."""
    try:
        content: Any = json.loads(file.read_bytes())
        if content["version"] != INDEX_VERSION:
            return {}
        return {
            key: _Facts(
                mtime_ns=int(one[0]),
                size=int(one[1]),
                scores=_numbers(one[2]),
                n_objects=int(one[3]),
                uncertainty_from=str(one[4]),
                statistics=_numbers(one[5]),
                descriptor=str(one[6]),
                problem=str(one[7]),
            )
            for key, one in content["images"].items()
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return {}


def _packed(values: Sequence[float]) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    """Return the numbers; none where somebody changed the text."""
    try:
        return tuple(np.frombuffer(base64.b64decode(text), "<f4").tolist())
    except ValueError:
        return ()


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _save(file: Path, facts: Mapping[str, _Facts]) -> None:
    """Write the index; where the project cannot be written, the next list is slower."""
    images = {
        key: [
            one.mtime_ns,
            one.size,
            dict(one.scores),
            one.n_objects,
            one.uncertainty_from,
            dict(one.statistics),
            one.descriptor,
            one.problem,
        ]
        for key, one in facts.items()
    }
    # No indent: with one, 10,000 images take seconds.
    text = json.dumps({"version": INDEX_VERSION, "images": images})
    with suppress(StorageError, OSError):
        write_bytes_atomically(file, text.encode())
