"""What a person asks of a training, in the shell or in the window: a new run, or more.

Wrong settings are told before torch is imported, which takes seconds.
"""

from typing import Annotated, Any

from pydantic import Field

from napari_mtseg.domain.errors import RunError
from napari_mtseg.domain.settings import Settings
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.methods.catalog import PRESETS, preset, settings_of
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, find_run
from napari_mtseg.workflows.processes import n_processes, share_of_batch
from napari_mtseg.workflows.starting_point import (
    NEWEST,
    check_method,
    inherited_settings,
    starting_point,
)

DEFAULT_METHOD = "recursive_approximation"
"""method of a training that names none and starts from new weights"""


class RunRequest(Settings):
    """A run that a person wants."""

    method: str
    """key of the method"""
    preset: str = "fast"
    """'fast', 'balanced', 'paper' or a variant of the method"""
    variant: str | None = None
    """row of the paper's tables, whose settings win over those of the preset"""
    values: Annotated[dict[str, Any], Field(default_factory=dict)]
    """settings that win over both"""
    seed: int = 0
    """seed of everything random"""
    device: str = "auto"
    """'auto', 'cpu', 'cuda' or 'mps'"""
    parent: str | None = None
    """run whose weights and grown labels to start from, NEWEST, the path of a model
    whose weights to start from, or the name of an example model"""


def method_to_train(project: Project, method: str | None, parent: str | None) -> str:
    """Return the method that is asked for, by default that of what is started from.

    Raises
    ------
    RunError
        If there is no such run or model.
    ModelError
        If the model is damaged, or for images of other dimensions.
    """
    if method is not None:
        return method
    return starting_point(project, parent).method if parent else DEFAULT_METHOD


def settings_of_request(project: Project, request: RunRequest) -> TrainingSettings:
    """Return the settings of a run that is asked for.

    What the weights depend on is taken from the run or the model that it starts from.

    Raises
    ------
    SettingsError
        If the method, a preset or a setting does not exist or is not allowed, or a
        setting does not fit the weights to start from.
    RunError
        If there is no such run or model, or it is of another method.
    ModelError
        If the model is damaged, or for images of other dimensions.
    """
    values, ndim = request.values, ndim_of(project)
    if request.parent is not None:
        start = starting_point(project, request.parent)
        check_method(start, request.method)
        named = (request.preset, request.variant)
        row: dict[str, Any] = {}
        for variant in (v for v in named if v is not None and v not in PRESETS):
            row |= preset(request.method, variant, ndim=ndim)
        values = {**inherited_settings(start, {**row, **values}), **values}
    return settings_of(
        request.method,
        preset_name=request.preset,
        variant=request.variant,
        ndim=ndim,
        values=values,
    )


def requested_run(
    project: Project, request: RunRequest, *, devices: int = 1
) -> tuple[RunFolder, tuple[str, ...]]:
    """Make the run that was asked for.

    Parameters
    ----------
    project : Project
        Its annotations and split are frozen.
    request : RunRequest
        What was asked for.
    devices : int
        On how many of this machine it will be trained by processes that nobody has
        started yet.

    Returns
    -------
    RunFolder and tuple of str
        The run, and what the user should know, a sentence each.

    Raises
    ------
    MtsegError
        If the method, a setting or the device is not allowed, the devices cannot
        share the batch, the paint is not enough, or there is nothing to start from of
        this name.
    """
    settings = settings_of_request(project, request)
    share_of_batch(settings.batch_size, max(devices, n_processes()))
    project.n_channels()
    if max(devices, n_processes()) > 1:
        from napari_mtseg.workflows.devices import best_device
        from napari_mtseg.workflows.process_group import check_gpus

        check_gpus(best_device(request.device), devices)
    from napari_mtseg.workflows.runs import start_run

    asked = request.parent
    return start_run(
        project,
        request.method,
        settings.model_dump(),
        seed=request.seed,
        device=request.device,
        parent=None if asked is None else starting_point(project, asked).origin,
    )


def run_to_resume(project: Project, name: str) -> RunFolder:
    """Return the run of this name, or the NEWEST, ready to go on.

    Raises
    ------
    RunError
        If there is no such run, or it took all its steps.
    """
    run = find_run(project.path, None if name == NEWEST else name)
    if run.has_finished:
        raise RunError(
            f"Run '{run.path.name}' is finished. To learn more, start a run from it "
            f"with --from {run.path.name}."
        )
    control = run.control()
    if control.stop:
        run.set_control(control.changed({"stop": False}))
    return run


def ndim_of(project: Project) -> int:
    """Return whether the project's images are 2D or 3D; 2 where there is none."""
    return len(project.images[0].spacing) if project.images else 2
