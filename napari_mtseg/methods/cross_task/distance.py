"""The distance maps of cross-task consistency: what is known of them, their range."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.losses.regression import interval_loss
from napari_mtseg.methods.cross_task.settings import CrossTaskSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.targets.interval_distance import UNBOUNDED, distance_targets

SQUARE_OF_RANGE = 4.0
"""squared errors in 0..1 to those in -1..1, in which the paper measures distances"""


def signed(output: Tensor) -> Tensor:
    """Return distances in -1..1 of a head's output, whose sigmoid is theirs in 0..1.

    This is tanh of half the output.
    """
    return 2 * output.sigmoid() - 1


def distance_bounds(
    annotation: Annotation, s: CrossTaskSettings, task: Task
) -> Mapping[str, NDArray[Any]]:
    """Return the lowest and highest distance of each class, by name of the map.

    Of an image without paint nothing is known, and no memory is taken to say so.
    """
    rule = "trunc" if s.distance_norm == "auto" else s.distance_norm
    if annotation.is_empty:
        ends = (-UNBOUNDED, UNBOUNDED) if rule == "trunc" else (0.0, 1.0)
        low, high = (np.broadcast_to(np.float32(end), annotation.shape) for end in ends)
        bounds = dict.fromkeys(range(1, task.n_classes + 1), (low, high))
    else:
        bounds = distance_targets(
            annotation,
            n_classes=task.n_classes,
            rule=rule,
            reach=s.reach,
            spacing=task.spacing,
        )
    found: dict[str, NDArray[Any]] = {}
    for number, (low, high) in bounds.items():
        found |= {f"distance_low_{number}": low, f"distance_high_{number}": high}
    return found


def distance_loss(distance: Tensor, batch: Batch, s: CrossTaskSettings) -> Tensor:
    """Squared error where the distance is known, else to what is known of it.

    Parameters
    ----------
    distance : (N, n_classes, [Z,] Y, X) float
        Of :func:`signed`.
    batch : Batch
        With the maps of :func:`distance_bounds`.
    s : CrossTaskSettings
        How distances were normalised.
    """
    low, high = (_bound(side, batch, s, distance.shape[1]) for side in ("low", "high"))
    return SQUARE_OF_RANGE * interval_loss((1 + distance) / 2, low, high)


def _bound(side: str, batch: Batch, s: CrossTaskSettings, n_classes: int) -> Tensor:
    """Return (N, n_classes, [Z,] Y, X) one bound of the distances, in 0..1.

    Distances that are cut off are in units of the reach, and an enlarged patch has
    larger ones; those relative to the image's largest stay as they are.
    """
    names = [f"distance_{side}_{number}" for number in range(1, n_classes + 1)]
    bound = torch.stack([batch.targets[name] for name in names], dim=1)
    if s.distance_norm == "sides":
        return bound
    enlarged = bound * batch.magnification.view(-1, *[1] * (bound.dim() - 1))
    return (1 + enlarged.clamp(-1, 1)) / 2
