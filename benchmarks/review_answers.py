"""What the networks of the review benchmark answer, and how good and doubtful it is."""

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.candidate_scores import CANDIDATES
from benchmarks.dropout_place import truth_of
from benchmarks.image_sets import Item, prepared
from benchmarks.trained_rows import Trial, painted_of, settings_of_row
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.review import SCORES
from napari_mtseg.geometry.outliers import Population
from napari_mtseg.metrics.overlap import dice
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, runs_of
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import train
from napari_mtseg.workflows.uncertainty_source import FROM_ONE_PASS, UncertaintySource

ONE_PASS = "one pass"
PASSES = "dropout"
CHECKPOINTS = "checkpoints"
RUNS = "runs"
SOURCES = (ONE_PASS, PASSES, CHECKPOINTS, RUNS)
"""the network once; passes with dropout; the kept checkpoints of its run; and runs of
the same project with other seeds"""
SPLITS = ("held out", "test")

OUTLIERS = ("size_outlier", "shape_outlier")
"""scores that need all predictions of a run"""
_FURTHER_RUN = 100
"""what the seeds of a project's runs lie apart"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One source of uncertainty of the network of one training."""

    trial: Trial
    source: str
    """one of SOURCES"""
    n_passes: int
    """with dropout"""

    @property
    def name(self) -> str:
        """Name of the result file."""
        return f"{self.trial.name}-{self.source.replace(' ', '_')}"


def train_runs(trial: Trial, *, n_runs: int) -> dict[str, Any]:
    """Train several runs of one project, which differ by their seed alone."""
    project = painted_of(trial, prepared(trial.data, trial.out / "data", trial.images))
    begun = {run.info.seed: run for run in runs_of(project.path)}
    names = []
    for seed in seeds_of_runs(trial.seed, n_runs):
        run = begun.get(seed) or _started(project, trial, seed)
        deque(train(project, run), maxlen=0)
        names.append(run.path.name)
    return {"row": trial.row.title, "seed": trial.seed, "runs": names}


def seeds_of_runs(seed: int, n_runs: int) -> list[int]:
    """Return the seeds of the runs of a project; the first is that of its paint."""
    return [seed + _FURTHER_RUN * i for i in range(n_runs)]


def ask(question: Question) -> dict[str, Any]:
    """Return how good and how doubtful the answers are, on every split."""
    trial = question.trial
    items = prepared(trial.data, trial.out / "data", trial.images)
    model = model_of(question, painted_of(trial, items))
    splits = {
        split: answered(question, model, [i for i in items if i.split == split])
        for split in SPLITS
    }
    return {"source": question.source, "seed": trial.seed, "splits": splits}


def model_of(question: Question, project: Project) -> Model:
    """Return the first run of a project, answering as a source says."""
    runs = sorted(runs_of(project.path), key=lambda run: run.info.seed)
    source = _uncertainty(question, runs[1:])
    return load_model(runs[0], device=question.trial.device, uncertainty=source)


def answered(
    question: Question, model: Model, items: Sequence[Item]
) -> dict[str, list[Any]]:
    """Return name -> a value per image: 'name', 'scene', 'dice', 'scores' and so on."""
    rows: list[dict[str, Any]] = []
    statistics = []
    for item in items:
        begin = time.monotonic()
        prediction = model.predict_image(open_image(item.image), maps=("uncertainty",))
        facts = {
            "name": item.name,
            "scene": item.scene,
            "seconds": time.monotonic() - begin,
            "scores": scores_of(prediction),
        }
        truth = truth_of(item, question.trial.images)
        rows.append({**facts, **quality_of(prediction, truth)})
        statistics.append(prediction.statistics)
    for row, outliers in zip(rows, outliers_of(statistics), strict=True):
        row["scores"].update(outliers)
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}


def scores_of(prediction: Prediction) -> dict[str, float]:
    """Return the program's scores of an image, its doubt, and the candidates."""
    known = (*SCORES, "doubt")
    program = {n: value for n, value in prediction.scores.items() if n in known}
    return {**{n: score(prediction) for n, score in CANDIDATES.items()}, **program}


def outliers_of(statistics: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Return OUTLIERS of each image among all of them.

    Images without objects have the largest of the others, and 1 more.
    """
    population = Population.of(statistics)
    found = [
        {
            "size_outlier": population.size_outlier(one),
            "shape_outlier": population.shape_outlier(one),
        }
        for one in statistics
    ]
    for name in OUTLIERS:
        finite = [one[name] for one in found if math.isfinite(one[name])]
        for one in found:
            one[name] = min(one[name], max(finite, default=0.0) + 1)
    return found


def quality_of(
    prediction: Prediction, truth: NDArray[np.uint8]
) -> dict[str, float | int]:
    """Return the mean Dice over the classes that occur, and what is wrong.

    'precision' and 'recall' are of all objects against background, so that it shows
    whether objects are missed or made up; 0 where nothing was found.
    """
    classes = [int(c) for c in np.unique(truth) if c] or [1]
    found, exists = prediction.classes > 0, truth > 0
    both = int((found & exists).sum())
    return {
        "dice": float(
            np.mean([dice(prediction.classes == c, truth == c) for c in classes])
        ),
        "precision": both / max(int(found.sum()), 1),
        "recall": both / max(int(exists.sum()), 1),
        "n_objects": len(prediction.class_of),
    }


def _started(project: Project, trial: Trial, seed: int) -> RunFolder:
    settings = settings_of_row(trial.row, ndim=trial.images.ndim)
    run, _ = start_run(
        project, trial.row.method, settings, seed=seed, device=trial.device
    )
    return run


def _uncertainty(question: Question, others: Sequence[RunFolder]) -> UncertaintySource:
    if question.source == PASSES:
        return UncertaintySource("dropout", passes=question.n_passes)
    if question.source == CHECKPOINTS:
        return UncertaintySource("ensemble")
    if question.source == RUNS:
        return UncertaintySource("ensemble", members=tuple(others))
    return FROM_ONE_PASS
