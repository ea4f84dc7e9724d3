"""A whole training in one call, for scripts and notebooks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_mtseg.domain.events import Event, Noticed
from napari_mtseg.methods.catalog import preset_and_variant
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.run_requests import (
    RunRequest,
    method_to_train,
    requested_run,
)
from napari_mtseg.workflows.train import train


def train_project(  # noqa: PLR0913 - one argument per choice of the user
    project: Project,
    method: str | None = None,
    *,
    preset: str = "fast",
    settings: Mapping[str, Any] | None = None,
    start_from: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    on_event: Callable[[Event], None] | None = None,
) -> RunFolder:
    """Train a method on what is painted in a project, to the end.

    Parameters
    ----------
    project : Project
        Its annotations and split are frozen when the training begins.
    method : str, optional
        Key of the method; by default that of ``start_from``, else recursive
        approximation.
    preset : str
        'fast', 'balanced', 'paper' or a variant of the method.
    settings : mapping, optional
        Settings that win over the preset's.
    start_from : str or Path, optional
        Name of an earlier run or 'last', path of a model, or name of an example model.
    seed : int
        Seed of everything random.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where to train.
    on_event : callable, optional
        Called with each event as it happens.

    Returns
    -------
    RunFolder
        The finished run; :func:`~napari_mtseg.workflows.predict.load_model` takes it.

    Raises
    ------
    MtsegError
        If the paint is not enough, or a name or a setting is not allowed.
    """
    parent = None if start_from is None else str(start_from)
    key = method_to_train(project, method, parent)
    name, variant = preset_and_variant(key, [preset])
    request = RunRequest(
        method=key,
        preset=name,
        variant=variant,
        values=dict(settings or {}),
        seed=seed,
        device=device,
        parent=parent,
    )
    run, notices = requested_run(project, request)
    tell = on_event or (lambda _event: None)
    for notice in notices:
        tell(Noticed(message=notice))
    for event in train(project, run):
        tell(event)
    return run
