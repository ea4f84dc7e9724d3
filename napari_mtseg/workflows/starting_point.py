"""What a training starts from in place of new weights: an earlier run, or a model.

Nothing here needs torch, so that what does not fit is told at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mtseg.domain.errors import ModelError, RunError, SettingsError
from napari_mtseg.methods.catalog import network_settings, settings_model
from napari_mtseg.storage.example_models import example_models
from napari_mtseg.storage.model_folder import read_model_info
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run, runs_of

NEWEST = "last"
"""stands for the newest run, in place of its name"""


@dataclass(frozen=True, kw_only=True)
class StartingPoint:
    """An earlier run of the project, or a model, and what it was trained with."""

    origin: str | Path
    """name of the run, or path of the model"""
    title: str
    """what sentences call it: "run 'NAME'" or "the model 'NAME'\""""
    method: str
    """key of its method"""
    settings: Mapping[str, Any]
    """settings of the method, all of them"""


def starting_point(project: Project, asked: str) -> StartingPoint:
    """Find what a training is to start from.

    Parameters
    ----------
    project : Project
        The project to train on.
    asked : str
        Name of one of its runs, NEWEST, the path of a model folder or of a zip, or the
        name of an example model; the first that there is.

    Raises
    ------
    RunError
        If there is nothing of this name.
    ModelError
        If the model is damaged, or for images of other dimensions.
    """
    names = [run.path.name for run in runs_of(project.path)]
    if asked == NEWEST or asked in names:
        return run_to_start_from(project, None if asked == NEWEST else asked)
    path = Path(asked)
    if not path.exists():
        path = example_models().get(asked, path)
    if not path.exists():
        raise RunError(_nothing_there(project, asked, names))
    return model_to_start_from(project, path)


def run_to_start_from(project: Project, name: str | None) -> StartingPoint:
    """Return what is known of a run of the project; None for the newest.

    Raises
    ------
    RunError
        If there is no such run.
    """
    info = find_run(project.path, name).info
    return StartingPoint(
        origin=info.id,
        title=f"run '{info.id}'",
        method=info.method,
        settings=info.settings,
    )


def model_to_start_from(project: Project, path: Path) -> StartingPoint:
    """Return what is known of a model.

    Raises
    ------
    ModelError
        If there is no model, it is damaged, or for images of other dimensions.
    """
    info = read_model_info(path)
    ndim = len(project.images[0].spacing) if project.images else info.ndim
    if info.ndim != ndim:
        raise ModelError(
            f"The model '{info.name}' is for {info.ndim}D images but those of "
            f"'{project.path.name}' are {ndim}D. Start from a model for {ndim}D "
            "images, or from new weights."
        )
    return StartingPoint(
        origin=path,
        title=f"the model '{info.name}'",
        method=info.method,
        settings=info.settings,
    )


def inherited_settings(
    start: StartingPoint, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings that its weights depend on, as they were in training.

    Parameters
    ----------
    start : StartingPoint
        Where the weights come from.
    chosen : mapping
        Settings that the user chose by name.

    Raises
    ------
    SettingsError
        If one of those is another than the weights were learned with.
    """
    model = settings_model(start.method)
    learned = network_settings(start.method, start.settings)
    wanted = model.checked({**learned, **chosen})
    trained = model.checked(learned)
    for name in learned.keys() & chosen.keys():
        now, then = getattr(wanted, name), getattr(trained, name)
        if now != then:
            raise SettingsError(
                f"{name}={_shown(now)} does not fit the weights of {start.title}, "
                f"which were learned with {name}={_shown(then)}. Leave it out, or "
                "start from new weights."
            )
    return learned


def check_method(start: StartingPoint, method: str) -> None:
    """Refuse to start a method from what another has learned.

    Raises
    ------
    RunError
        If the methods differ.
    """
    if start.method != method:
        title = start.title[0].upper() + start.title[1:]
        kind = "run" if isinstance(start.origin, str) else "model"
        raise RunError(
            f"{title} is of method {start.method}, not {method}. Start from a {kind} "
            "of the same method."
        )


def _nothing_there(project: Project, asked: str, runs: list[str]) -> str:
    known = f"Its runs: {', '.join(runs)}." if runs else "It has no run yet."
    examples = ", ".join(example_models())
    named = f" Example models: {examples}." if examples else ""
    return (
        f"'{project.path.name}' has no run '{asked}', and there is no model at "
        f"'{asked}'. {known}{named}"
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
