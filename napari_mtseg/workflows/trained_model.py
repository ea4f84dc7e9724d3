"""What a run or a model folder was trained to do: its facts, method and network."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_mtseg import __version__
from napari_mtseg.domain.errors import ModelError, RunError, SettingsError
from napari_mtseg.methods.catalog import CATALOG, load_method, settings_model
from napari_mtseg.methods.protocol import Method, Task
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.model_info import ModelInfo, Provenance
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, RunInfo, find_run
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows.runs import check_classes

Source = Path | str | RunFolder
"""a run, or the path of a model folder or zip"""


def facts_and_weights(source: Source) -> tuple[ModelInfo, dict[str, Tensor]]:
    """Return what a model folder, a zip of one or a run holds; a run's best weights.

    Raises
    ------
    ModelError
        If there is no model, or it is damaged or of a newer version.
    RunError
        If the run has no weights yet.
    """
    if isinstance(source, RunFolder):
        return model_of_run(Project.open(source.path.parents[1]), source)
    return load_model_folder(Path(source))


def model_of_run(
    project: Project, run: RunFolder
) -> tuple[ModelInfo, dict[str, Tensor]]:
    """Return what a run has learned so far: its best weights and what they are for.

    The provenance leaves out what takes long to count; see
    :func:`~napari_mtseg.workflows.export.with_training_facts`.

    Raises
    ------
    RunError
        If the run has no weights yet, or the project was changed so that they no
        longer fit.
    """
    facts = run.info
    check_classes(facts, project)
    if not run.checkpoint("best").exists():
        raise RunError(
            f"Run '{facts.id}' has no weights yet. Let it train on with 'mtseg train "
            f"{project.path.name} --resume {facts.id}', or choose another run."
        )
    tensors, state = load_checkpoint(run.checkpoint("best"))
    first = load_snapshot(project, run.snapshot_file).images[0]
    info = ModelInfo(
        name=f"{project.info.name}-{facts.method}",
        method=facts.method,
        settings=facts.settings,
        classes=project.info.classes,
        scenes=facts.scenes or project.info.scenes,
        n_channels=project.n_channels(),
        colour=project.info.colour,
        axes="CYX" if len(first.spacing) == 2 else "CZYX",
        spacing=first.spacing,
        unit=first.unit,
        provenance=Provenance(
            run=facts.id,
            seed=facts.seed,
            created=facts.created,
            step=int(state.get("step", 0)),
            versions=facts.versions,
            metrics=state.get("metrics", {}),
            began_from=_began_from(project, facts),
        ),
    )
    try:
        trained_network(info, tensors)
    except ModelError:
        raise RunError(
            f"The weights of run '{facts.id}' do not fit {len(info.classes)} "
            f"classes and {info.n_channels} channels, which the project has now. "
            "Train again."
        ) from None
    return info, tensors


def _began_from(project: Project, facts: RunInfo) -> str:
    """Return the model that a run, or the first of the runs before it, began with."""
    while facts.model is None and facts.parent is not None:
        try:
            facts = find_run(project.path, facts.parent).info
        except RunError:  # deleted since
            break
    return facts.model or ""


def trained_method(info: ModelInfo) -> Method:
    """Return the method of a model, as it was set.

    Raises
    ------
    ModelError
        If this version has no such method, or does not know one of its settings.
    """
    if info.method not in CATALOG:
        raise ModelError(
            f"The model '{info.name}' is of method '{info.method}', which napari-mtseg "
            f"{__version__} does not have. Update napari-mtseg."
        )
    task = Task(
        n_channels=info.n_channels,
        n_classes=len(info.classes),
        spacing=info.spacing,
        n_scenes=len(info.scenes),
    )
    try:
        settings = settings_model(info.method).checked(info.settings)
    except SettingsError as error:
        sentence = str(error).removesuffix(" Change it and try again.")
        raise ModelError(
            f"The settings of the model '{info.name}' do not fit napari-mtseg "
            f"{__version__}. {sentence}"
        ) from None
    made: Method = load_method(info.method)(settings, task)
    return made


def trained_network(info: ModelInfo, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return the network of a model with its weights, ready to predict.

    Raises
    ------
    ModelError
        If the weights do not fit the model's settings, or are not finite.
    """
    method = trained_method(info)
    # No memory is taken for the network that the settings describe until the weights,
    # which are there already, are seen to fit.
    with torch.device("meta"):
        network = method.network()
    weights = {
        name: t.float() if t.is_floating_point() else t for name, t in tensors.items()
    }
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise ModelError(
            f"The weights of the model '{info.name}' do not fit its settings. Copy the "
            "model again from its source."
        ) from None
    if not all(bool(t.isfinite().all()) for t in weights.values()):
        raise ModelError(
            f"The weights of the model '{info.name}' are not all finite. Copy the "
            "model again from its source, or train again."
        )
    return network.eval()
