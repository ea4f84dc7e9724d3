"""Training in two processes beside one: the largest difference of the loss.

Run ``python -m benchmarks.two_processes [--steps 20] [--methods NAME ...]
[--optimizer NAME] [--learning-rate X] [--json]``.
Each method trains the same run twice on a CPU, once in this process and once in two
that talk through gloo and share each batch, from the same weights and patches. Batch
norm, dropout, adversary and running averages are those of the method's fast preset;
the networks are small. Beside it stands what rounding alone does: one process again,
from weights that differ in their last digit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

from benchmarks.generated_images import discs
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    no_objects,
)
from napari_mtseg.domain.events import StepFinished
from napari_mtseg.methods.catalog import CATALOG, settings_of
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.learner import Learner
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import train

SMALL: dict[str, Any] = {
    "base_channels": 4,
    "levels": 3,
    "patch": 48,
    "batch_size": 4,
    "average": 0.9,
}

SMALL_OF: dict[str, dict[str, Any]] = {
    "high_resolution": {"pathway": 1, "pathway_width": 4},
    "task_decomposition": {
        "levels": 6,
        "width": 8,
        "hidden": 8,
        "encoder_weights": "none",
        "norm": "batch",
        "low_memory": True,
    },
    "cross_task": {
        "adversary": "cross_entropy",
        "adversary_channels": 4,
        "passes": 2,
        "dropout": 0.1,
        "decoders": 1,
    },
    "baseline": {"dropout": 0.1},
}
"""what makes the networks small, and adds what is hard to share"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method, trained both ways."""

    method: str
    steps: int
    loss: tuple[float, float]
    """total loss of the first and the last step, in one process"""
    first_difference: float
    """largest absolute difference of any loss term at the first step"""
    difference: float
    """the same at any step"""
    rounding: float
    """the same of one process that began with weights rounded otherwise"""


def painted_project(folder: Path) -> Project:
    """Make four images of discs: two with full masks, one with partial, one without."""
    project = Project.create(folder / "discs", classes=["disc"])
    for seed in range(4):
        pixels, objects = discs(96, seed=seed)
        file = folder / f"{seed}.tif"
        tifffile.imwrite(file, pixels[0])
        entry = project.add_image(file, split="train")
        if seed < 3:
            project.save_annotation(entry, _painted(objects, exact=seed < 2))
    return project


def rows(
    folder: Path, methods: Sequence[str], *, steps: int, values: Mapping[str, Any]
) -> list[Row]:
    """Return a row per method."""
    project = painted_project(folder)
    alone = {m: _started(project, m, steps, values) for m in methods}
    together = {m: _started(project, m, steps, values) for m in methods}
    rounded = {m: _started(project, m, steps, values) for m in methods}
    for run in alone.values():
        take_steps(project, run, steps)
    with _weights_rounded_otherwise():
        for run in rounded.values():
            take_steps(project, run, steps)
    take_steps_together(project, list(together.values()), steps)
    return [_row(m, alone[m], together[m], rounded[m]) for m in methods]


def take_steps(project: Project, run: RunFolder, steps: int) -> None:
    """Train a run for the first ``steps`` steps."""
    for event in train(project, run):
        if isinstance(event, StepFinished) and event.step == steps:
            break


def take_steps_together(
    project: Project, runs: Sequence[RunFolder], steps: int
) -> None:
    """Do the same with several runs, one after the other, in two processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    torchrun += ["-m", "benchmarks.two_processes"]
    paths = [str(folder) for folder in (project.path, *(run.path for run in runs))]
    subprocess.run(
        [sys.executable, *torchrun, *("--steps", str(steps)), "--of", *paths],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
    )


def _started(
    project: Project, method: str, steps: int, values: Mapping[str, Any]
) -> RunFolder:
    small = {**SMALL, **SMALL_OF.get(method, {}), **values}
    if method != "recursive_approximation":  # whose iterations have steps of their own
        small["steps"] = steps
    settings = settings_of(method, preset_name="fast", ndim=2, values=small)
    run, _ = start_run(project, method, settings.model_dump(), device="cpu")
    return run


@contextmanager
def _weights_rounded_otherwise() -> Iterator[None]:
    """Let trainings begin with weights that differ in their last digit."""
    name = "load_some_weights"
    load = getattr(Learner, name)

    def load_rounded(learner: Learner, weights: Mapping[str, torch.Tensor]) -> None:
        load(learner, weights)
        up = torch.tensor(torch.inf)
        drawn = learner.network.named_parameters()
        load(learner, {key: torch.nextafter(w.detach(), up) for key, w in drawn})

    setattr(Learner, name, load_rounded)
    try:
        yield
    finally:
        setattr(Learner, name, load)


def _row(method: str, alone: RunFolder, together: RunFolder, rounded: RunFolder) -> Row:
    ours = _losses(alone)
    differences = _differences(ours, _losses(together))
    return Row(
        method=method,
        steps=len(differences),
        loss=(ours[0]["total"], ours[-1]["total"]),
        first_difference=differences[0],
        difference=max(differences),
        rounding=max(_differences(ours, _losses(rounded))),
    )


def _losses(run: RunFolder) -> list[dict[str, float]]:
    return [e.losses for e in run.events() if isinstance(e, StepFinished)]


def _differences(
    ours: list[dict[str, float]], theirs: list[dict[str, float]]
) -> list[float]:
    """Return the largest absolute difference of any loss term, a step each."""
    return [
        max(abs(a[name] - b[name]) for name in a)
        for a, b in zip(ours, theirs, strict=True)
    ]


def _painted(objects: np.ndarray, *, exact: bool) -> Annotation:
    class_of = {int(i): 1 for i in np.unique(objects) if i}
    nothing = np.zeros(objects.shape, np.uint8)
    if exact:
        return Annotation(
            partial=no_objects(objects.shape),
            scribbles=nothing,
            full=ObjectMasks(objects=objects, class_of=class_of),
            complete=CompleteRegion(whole=True),
        )
    rough = objects.copy()
    rough[::3] = 0
    return Annotation(
        partial=ObjectMasks(objects=rough, class_of=class_of),
        scribbles=nothing,
        full=no_objects(objects.shape),
        tags=Tags(exhaustive=True),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=list(CATALOG))
    parser.add_argument("--optimizer", choices=["adam", "sgd"], help="the method's own")
    parser.add_argument("--learning-rate", type=float, help="the method's own")
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    parser.add_argument("--of", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.of:
        path, *names = arguments.of
        project = Project.open(Path(path))
        for name in names:
            take_steps(project, RunFolder(Path(name)), arguments.steps)
        return
    asked = {
        "optimizer": arguments.optimizer,
        "learning_rate": arguments.learning_rate,
    }
    values = {name: value for name, value in asked.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        found = rows(
            Path(folder), arguments.methods, steps=arguments.steps, values=values
        )
    if arguments.json:
        print(json.dumps([asdict(row) for row in found]))
        return
    print(
        f"{'method':<24} steps  first loss  last loss  difference: first  largest  "
        "rounding"
    )
    for row in found:
        first, last = row.loss
        print(
            f"{row.method:<24} {row.steps:>5}  {first:>10.4f}  {last:>9.4f}  "
            f"{row.first_difference:>17.1e}  {row.difference:>7.1e}  "
            f"{row.rounding:>8.1e}"
        )


if __name__ == "__main__":
    main()
