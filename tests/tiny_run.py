"""A project with small images and a run whose weights are drawn, not trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    no_objects,
)
from napari_mtseg.domain.project import Colour
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.storage.checkpoint import save_checkpoint
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, new_run_folder
from napari_mtseg.storage.snapshot import take_snapshot
from napari_mtseg.workflows.runs import task_of

SETTINGS = {"base_channels": 2, "levels": 2, "prediction_memory": 0.1}


def write_image(
    path: Path, shape: tuple[int, ...] = (24, 20), *, seed: int = 0, **facts: Any
) -> Path:
    """Write noise as a TIFF; the suffix may say otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    tifffile.imwrite(path, pixels, **facts)
    return path


def tiny_project(
    folder: Path,
    *,
    shape: tuple[int, ...] = (24, 20),
    classes: Sequence[str] = ("nucleus",),
    colour: Colour = "as_is",
    **facts: Any,
) -> Project:
    """Make a project of a training, a validation and a test image."""
    project = Project.create(folder / "cells.mtseg", classes=classes, colour=colour)
    for seed, split in enumerate(("train", "validate", "test")):
        file = write_image(folder / f"{split}.tif", shape, seed=seed, **facts)
        entry = project.add_image(file, split=split)  # type: ignore[arg-type]
        objects = np.zeros(entry.spatial_shape, np.uint32)
        objects[..., 2:6, 2:6] = 1
        if split != "test":
            paint = Annotation(
                partial=no_objects(entry.spatial_shape),
                scribbles=np.zeros(entry.spatial_shape, np.uint8),
                full=ObjectMasks(objects=objects, class_of={1: 1}),
                complete=CompleteRegion(whole=True),
            )
            project.save_annotation(entry, paint)
    return project


def tiny_run(
    project: Project,
    *,
    method: str = "baseline",
    seed: int = 0,
    settings: dict[str, Any] | None = None,
) -> RunFolder:
    """Make a run with a 'best' checkpoint of drawn weights."""
    chosen = settings_model(method).checked({**SETTINGS, **(settings or {})})
    run = new_run_folder(
        project.path,
        {
            "method": method,
            "settings": chosen.model_dump(mode="json"),
            "seed": seed,
            "device": "cpu",
            "versions": {"python": "3.11"},
        },
    )
    take_snapshot(project, run.snapshot_file)
    with seeded(seed):
        network = load_method(method)(
            chosen, task_of(project, project.images)
        ).network()
    state = {"step": 7, "metrics": {"score": 0.75, "dice class 1": 0.75}}
    save_checkpoint(run.checkpoint("best"), network.state_dict(), state)
    return run
