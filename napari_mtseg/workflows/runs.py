"""Runs: how one begins, and how its method is found again."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.errors import AnnotationError, RunError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.growth.seeds import carried_over
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.methods.protocol import Method, Task
from napari_mtseg.storage.checkpoint import save_checkpoint
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import (
    START,
    RunFolder,
    RunInfo,
    find_run,
    new_run_folder,
)
from napari_mtseg.storage.snapshot import Snapshot, load_snapshot, take_snapshot
from napari_mtseg.targets.paint_summary import PaintSummary, added_up
from napari_mtseg.workflows.annotated_places import paint_on
from napari_mtseg.workflows.devices import best_device
from napari_mtseg.workflows.model_weights import weights_for
from napari_mtseg.workflows.starting_point import (
    check_method,
    model_to_start_from,
    run_to_start_from,
)
from napari_mtseg.workflows.training_data import TrainingData, with_objects

LIBRARIES = (
    "napari-mtseg",
    "torch",
    "lightning-fabric",
    "numpy",
    "scipy",
    "scikit-image",
)


def start_run(
    project: Project,
    method: str,
    settings: dict[str, Any],
    *,
    seed: int = 0,
    device: str = "auto",
    parent: str | Path | None = None,
) -> tuple[RunFolder, tuple[str, ...]]:
    """Make a run: freeze the annotations and write down what it is started with.

    Parameters
    ----------
    project : Project
        Its annotations and split are frozen.
    method : str
        Key of the method.
    settings : dict
        The method's settings; what is left out has its default.
    seed : int
        Seed of everything random.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where to train.
    parent : str or Path, optional
        Name of an earlier run whose weights and grown labels to start from; or path of
        a model whose weights to start from. Those are copied into the run, so that it
        can be repeated without the model.

    Returns
    -------
    RunFolder and tuple of str
        The run, and what the user should know, a sentence each.

    Raises
    ------
    AnnotationError
        If the paint is not enough for the method; a line per problem.
    SettingsError
        If a setting or the device is not allowed.
    RunError
        If there is no such parent, or it is of another method.
    ModelError
        If the model is damaged, of other dimensions, or of another network.
    """
    task = task_of(project, project.images)
    made: Method = load_method(method)(settings_model(method).checked(settings), task)
    paint = training_paint(project, task)
    readiness = made.readiness(paint)
    if readiness.problems:
        raise AnnotationError("\n".join(readiness.problems))
    missing = None if parent else made.missing_weights()
    chosen = made.adapted(paint)
    model = None
    if isinstance(parent, Path):
        check_method(model_to_start_from(project, parent), method)
        model = weights_for(load_method(method)(chosen, task), parent)
    elif parent is not None:
        parent = _checked_parent(project, parent, method).path.name
    facts = {
        "method": method,
        "settings": chosen.model_dump(mode="json"),
        "seed": seed,
        "device": best_device(device).type,
        "versions": versions(),
        "classes": tuple(known.name for known in project.info.classes),
        "scenes": project.info.scenes,
        "parent": None if model else parent,
        "model": model.name if model else None,
    }
    run = new_run_folder(project.path, facts)
    if model is not None:
        save_checkpoint(run.checkpoint(START), model.tensors, {"model": model.name})
    take_snapshot(project, run.snapshot_file)
    told = (missing, model.notice if model else None)
    return run, (*readiness.notices, *(sentence for sentence in told if sentence))


def training_paint(project: Project, task: Task) -> PaintSummary:
    """Count what is painted on the training images, one image after the other."""
    entries = (e for e in project.images if e.split == "train")
    return added_up(paint_on(project, e, spacing=task.spacing) for e in entries)


def task_of(project: Project, images: Sequence[ImageEntry]) -> Task:
    """Return what the project asks of a method."""
    n_channels = project.n_channels()
    return Task(
        n_channels=n_channels,
        n_classes=project.info.n_classes,
        spacing=images[0].spacing,
        n_scenes=len(project.info.scenes),
        class_names=tuple(known.name for known in project.info.classes),
        scene_names=project.info.scenes,
    )


def check_classes(info: RunInfo, project: Project) -> None:
    """Refuse a run whose classes are not those of the project any more.

    A renamed class is the same class; one that has moved is not.

    Raises
    ------
    RunError
        If classes came, went or changed places.
    """
    now = tuple(known.name for known in project.info.classes)
    kept = set(info.classes) & set(now)
    moved = any(info.classes.index(name) != now.index(name) for name in kept)
    if info.classes and (moved or len(now) != len(info.classes)):
        raise RunError(
            f"Run '{info.id}' was trained for the classes {', '.join(info.classes)}, "
            f"but the project now has {', '.join(now)}. Start a new run."
        )


def method_of(info: RunInfo, snapshot: Snapshot, project: Project) -> Method:
    """Return the method of a run, as it was set.

    Raises
    ------
    RunError
        If the project's classes have changed since.
    """
    check_classes(info, project)
    settings = settings_model(info.method).checked(info.settings)
    task = task_of(project, snapshot.images)
    if info.scenes:
        # A scene that was added since is none that the network knows.
        task = replace(task, n_scenes=len(info.scenes), scene_names=info.scenes)
    made: Method = load_method(info.method)(settings, task)
    return made


def parent_labels(
    project: Project, parent: RunFolder, method: Method, data: TrainingData
) -> tuple[str, ...]:
    """Carry the grown labels of an earlier run over, except where the user edited.

    Returns
    -------
    tuple of str
        Names of large images of which some are left behind: they grew at a place of
        the image that is another one today.
    """
    before = load_snapshot(project, parent.snapshot_file)
    known = {entry.id: entry for entry in before.images}
    iteration = parent.last_iteration()
    keys = {image.place.key for image in data.images}
    left_behind = {
        image.entry.name: None
        for image in data.images
        if not keys.issuperset(parent.grown_parts(iteration, image.entry.id))
    }
    for image in data.images:
        entry, key = image.entry, image.place.key
        grown, start = parent.load_grown(iteration, key), parent.load_grown(0, key)
        if grown is None or start is None or entry.id not in known:
            continue
        painted = before.annotation(known[entry.id], box=image.place.box)
        began = method.start(
            painted, pixels=image.pixels, rng=np.random.default_rng(parent.info.seed)
        )
        began = with_objects(began, start)
        objects = carried_over(grown, before=began, now=image.annotation)
        image.annotation = with_objects(image.annotation, objects)
    return tuple(left_behind)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _checked_parent(project: Project, name: str, method: str) -> RunFolder:
    parent = find_run(project.path, name)
    check_method(run_to_start_from(project, name), method)
    check_classes(parent.info, project)
    if not parent.checkpoint("best").exists():
        raise RunError(
            f"Run '{name}' has no weights yet. Let it train on, or start from another "
            "run."
        )
    return parent
