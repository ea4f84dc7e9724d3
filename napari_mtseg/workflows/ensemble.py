"""The networks that answer together: checkpoints of a run, or several runs or models.

Members of an ensemble see the same pixels and their answers are averaged head by head,
so that they must have the same heads, classes, channels and normalisation. Everything
else may differ; usually only the seed does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from napari_mtseg.domain.errors import ModelError, RunError
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.methods.protocol import Method
from napari_mtseg.networks.dropout import has_dropout
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.run_folder import RunFolder, find_run, runs_of
from napari_mtseg.workflows.trained_model import (
    Source,
    facts_and_weights,
    trained_method,
    trained_network,
)


def member_called(name: str, project: Path | None) -> Source:
    """Return the run or model that a name stands for.

    Parameters
    ----------
    name : str
        Of a run of the project, or the path of a run, a model folder or a zip.
    project : Path or None
        Folder of the project, if there is one.

    Raises
    ------
    RunError
        If the project has no such run, and there is no such path.
    """
    named = {run.path.name: run for run in runs_of(project)} if project else {}
    path = Path(name)
    if name in named:
        return named[name]
    if (path / "run.json").exists():
        return RunFolder(path.resolve())
    if path.exists() or project is None:
        return path
    return find_run(project, name)


def check_has_dropout(source: Source, network: nn.Module) -> None:
    """Refuse a network without dropout, whose passes would all be equal.

    Raises
    ------
    RunError, ModelError
        If it has none: what to do instead.
    """
    if has_dropout(network):
        return
    n_kept = len(source.kept_checkpoints()) if isinstance(source, RunFolder) else 0
    if n_kept:
        which = f"{n_kept} kept checkpoints" if n_kept > 1 else "kept checkpoint"
        instead = f"--uncertainty ensemble instead, which uses its {which}"
    elif isinstance(source, RunFolder):
        instead = "--uncertainty ensemble with other runs instead (--with RUN)"
    else:
        instead = "--uncertainty ensemble with other models instead (--with MODEL)"
    raise _error(source)(
        f"{_named(source)} was trained without dropout, so it has no Monte Carlo "
        f"uncertainty. Ask for {instead}, or train again with --set dropout=0.2."
    )


def ensemble_of(
    source: Source, info: ModelInfo, network: nn.Module, members: Sequence[Source]
) -> tuple[nn.Module, ...]:
    """Return the networks that answer beside the first one.

    Parameters
    ----------
    source : path or RunFolder
        Where the first network comes from.
    info : ModelInfo
        What it is for.
    network : torch.nn.Module
        The first network.
    members : sequence of path or RunFolder
        Further runs and models; without any, the checkpoints that the run kept.

    Returns
    -------
    tuple of torch.nn.Module
        At least one. A kept checkpoint with the weights of the first network is left
        out.

    Raises
    ------
    RunError, ModelError
        If there is none, one does not fit, or one has the weights of another.
    """
    if not members:
        return _kept(source, info, network)
    networks = [network]
    for member in members:
        found_info, tensors = facts_and_weights(member)
        found = trained_network(found_info, tensors)
        _check_fits(member, found_info, found, source, info, network)
        if any(_same_weights(found, other) for other in networks):
            raise _error(member)(
                f"{_named(member)} is in the ensemble already. Name another run or "
                "model with --with."
            )
        networks.append(found)
    return tuple(networks[1:])


def _kept(source: Source, info: ModelInfo, network: nn.Module) -> tuple[nn.Module, ...]:
    if not isinstance(source, RunFolder):
        raise ModelError(
            f"{_named(source)} holds the weights of one network, so it is no ensemble. "
            "Name further models with --with MODEL."
        )
    names = source.kept_checkpoints()
    loaded = (load_checkpoint(source.checkpoint(name))[0] for name in names)
    networks = [trained_network(info, tensors) for tensors in loaded]
    others = tuple(n for n in networks if not _same_weights(n, network))
    if not others:
        what = "that differ from its best one" if names else "for an ensemble"
        raise RunError(
            f"{_named(source)} kept no checkpoints {what}. Name further runs with "
            "--with RUN, or train again with more steps and --set kept_checkpoints=3."
        )
    return others


def _check_fits(
    member: Source,
    member_info: ModelInfo,
    member_network: nn.Module,
    source: Source,
    info: ModelInfo,
    network: nn.Module,
) -> None:
    """Refuse a member whose answers cannot be averaged with those of the first one."""
    theirs = _facts(member_info, member_network)
    for what, ours in _facts(info, network).items():
        if theirs[what] != ours:
            raise _error(member)(
                f"{_named(member)} cannot join {_in_sentence(source)} in an ensemble: "
                f"its {what} {theirs[what]}, not {ours}. Choose one that was trained "
                "alike."
            )


def _facts(info: ModelInfo, network: Any) -> Mapping[str, str]:
    """Return what members of an ensemble must have in common, in words."""
    method: Method = trained_method(info)
    heads = sorted({**network.head_channels, **network.image_heads}.items())
    return {
        "method is": info.method,
        "images have": f"{info.ndim} axes",
        "channels are": f"{info.n_channels} ({info.colour})",
        "classes are": ", ".join(known.name for known in info.classes),
        "scenes are": ", ".join(info.scenes) or "none",
        "normalisation is": method.settings.normalisation,
        "answers are": ", ".join(f"{name} ({n})" for name, n in heads),
        "distances are": _distance_unit(method.settings),
    }


def _distance_unit(settings: TrainingSettings) -> str:
    """Return how learned distances are measured, in words; '' where none are."""
    values = settings.model_dump()
    if "distance_norm" not in values:
        return ""
    rule = f"distance_norm={values['distance_norm']}"
    return f"{rule}, reach={values['reach']:g}"


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    theirs: Mapping[str, Tensor] = other.state_dict()
    ours: Mapping[str, Tensor] = one.state_dict()
    return ours.keys() == theirs.keys() and all(
        t.equal(theirs[name]) for name, t in ours.items()
    )


def _error(source: Source) -> type[RunError] | type[ModelError]:
    return RunError if isinstance(source, RunFolder) else ModelError


def _named(source: Source) -> str:
    name = _in_sentence(source)
    return name[0].upper() + name[1:]


def _in_sentence(source: Source) -> str:
    if isinstance(source, RunFolder):
        return f"run '{source.path.name}'"
    return f"the model '{Path(source)}'"
