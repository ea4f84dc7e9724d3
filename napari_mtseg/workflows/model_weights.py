"""The weights of a model for a training that starts from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.methods.protocol import Method, Task
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.model_info import ModelInfo

N_SHOWN = 3
"""names of weights that a sentence repeats, at most"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelWeights:
    """What of a model a training starts from."""

    name: str
    """of the model"""
    tensors: Mapping[str, Tensor]
    """weights that fit the network, by name"""
    notice: str
    """what the user should know"""


def weights_for(method: Method, model: Path) -> ModelWeights:
    """Return the weights of a model that fit the network of a method.

    A weight fits if the network has one of the same name and shape: where the classes,
    channels or scenes of the project are others than the model's, first or last layers
    do not, and are drawn.

    Raises
    ------
    ModelError
        If there is no model, it is damaged, or less than half of the weights fit.
    """
    info, tensors = load_model_folder(model)
    with torch.device("meta"):
        wanted = method.network().state_dict()
    fitting = {
        name: t.float() if t.is_floating_point() else t
        for name, t in tensors.items()
        if name in wanted and wanted[name].shape == t.shape
    }
    if 2 * len(fitting) < len(wanted):
        raise ModelError(
            f"Only {len(fitting)} of the {len(wanted)} weights that this training "
            f"needs are those of the model '{info.name}'. Start from another model, or "
            "from new weights."
        )
    if not all(bool(t.isfinite().all()) for t in fitting.values()):
        raise ModelError(
            f"The weights of the model '{info.name}' are not all finite. Copy the "
            "model again from its source, or start from new weights."
        )
    drawn = [name for name in wanted if name not in fitting]
    told = f"The training begins with the weights of the model '{info.name}'."
    if drawn:
        told = f"{told} {_drawn(info, method.task, drawn, len(wanted))}"
    return ModelWeights(name=info.name, tensors=fitting, notice=told)


def _drawn(info: ModelInfo, task: Task, drawn: list[str], n_weights: int) -> str:
    counts = (
        ("class", "classes", len(info.classes), task.n_classes),
        ("channel", "channels", info.n_channels, task.n_channels),
        ("scene", "scenes", len(info.scenes), task.n_scenes),
    )
    differing = [each for each in counts if each[2] != each[3]]
    shown = ", ".join(drawn[:N_SHOWN])
    more = f" and {len(drawn) - N_SHOWN} more" if len(drawn) > N_SHOWN else ""
    begin = f"{len(drawn)} of {n_weights} are drawn anew ({shown}{more})"
    if not differing:
        return f"{begin}, since it has none that fit."
    its = " and ".join(_counted(one, more, n) for one, more, n, _ in differing)
    here = " and ".join(_counted(one, more, n) for one, more, _, n in differing)
    return f"{begin}: the model has {its}, this project {here}."


def _counted(one: str, several: str, n: int) -> str:
    return f"{n} {one if n == 1 else several}"
