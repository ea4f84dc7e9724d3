"""Losses in which pixels about which nothing is known have no say."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mtseg.domain.targets import IGNORE

EPSILON = 1e-5
"""keeps ratios of sums finite (METHODS.md section 0)"""

Reduction = Literal["mean", "sum"]
"""how a loss per class becomes one number"""


def masked_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy over known pixels; 0 where none is known.

    Parameters
    ----------
    logits : (N, C, [Z,] Y, X) float
        Scores of C classes, background first.
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE where nothing is known.
    weight : (N, [Z,] Y, X) float, optional
        Weight of each pixel; 1 by default.
    class_weight : (C,) float, optional
        Weight of each class; 1 by default.

    Returns
    -------
    scalar Tensor
        ``sum(k w (-log p_y)) / sum(k w)`` with k = 1 on known pixels
        (METHODS.md section 0). Equal to plain cross entropy where all is known.
    """
    known = target != IGNORE
    safe = torch.where(known, target, 0)
    loss = F.cross_entropy(logits, safe, reduction="none")
    scale = known.to(loss.dtype)
    if weight is not None:
        scale = scale * weight
    if class_weight is not None:
        scale = scale * class_weight[safe]
    total = scale.sum()
    return (loss * scale).sum() / torch.where(total > 0, total, 1.0)


def masked_dice(probabilities: Tensor, target: Tensor) -> Tensor:
    """Mean Dice loss over the foreground classes that are known both ways.

    Parameters
    ----------
    probabilities : (N, C, [Z,] Y, X) float
        Probabilities of C classes, background first.
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE where nothing is known.

    Returns
    -------
    scalar Tensor
        Mean of ``1 - (2 sum(k p y) + e) / (sum(k p) + sum(k y) + e)`` over classes
        that have known positives and known negatives in the batch, since with
        positives only "predict everything" would be optimal; 0 if there is none
        (METHODS.md section 0).
    """
    overlap, predicted, painted, eligible = _class_sums(probabilities, target)
    loss = 1 - (2 * overlap + EPSILON) / (predicted + painted + EPSILON)
    return mean_of(loss, eligible)


def masked_iou(
    probabilities: Tensor, target: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """Intersection-over-union loss of the classes, over known pixels.

    Parameters
    ----------
    probabilities : (N, C, [Z,] Y, X) float
        Probabilities of C classes, background first.
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE where nothing is known.
    reduction : 'mean' or 'sum'
        'mean' is over the classes that :func:`masked_dice` counts (ours). 'sum' is
        the public code's (METHODS.md section 1): over all classes, background
        included, to which each class that is not painted adds 1 without a gradient.

    Returns
    -------
    scalar Tensor
        Of ``1 - sum(k p y) / (sum(k p) + sum(k y) - sum(k p y))``, sums over the
        batch; 0 where nothing is known.
    """
    overlap, predicted, painted, eligible = _class_sums(probabilities, target)
    loss = 1 - (overlap + EPSILON) / (predicted + painted - overlap + EPSILON)
    if reduction == "mean":
        return mean_of(loss, eligible)
    total = torch.where(painted > 0, loss, 1.0).sum()
    return total * (painted.sum() > 0)


def balancing_weights(target: Tensor, n_classes: int, *, power: float = 0.5) -> Tensor:
    """Weights that make rare classes count.

    Parameters
    ----------
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE.
    n_classes : int
        Number of classes, background included.
    power : float
        Of the frequency; 1 weighs all classes alike, 0.5 is half way (ours).

    Returns
    -------
    (n_classes,) float32
        Proportional to 1 / frequency ** power of the class among known pixels, mean 1
        over the known pixels' classes, clipped to 0.2..5 (METHODS.md section 6, ours).
    """
    known = target[target != IGNORE]
    counts = torch.bincount(known, minlength=n_classes)[:n_classes].to(torch.float32)
    present = counts > 0
    weights = torch.where(present, counts.clamp(min=1).pow(-power), 0.0)
    mean = weights.sum() / present.sum().clamp(min=1)
    weights = weights / torch.where(mean > 0, mean, 1.0)
    return torch.where(present, weights.clamp(0.2, 5.0), 1.0)


def _class_sums(
    probabilities: Tensor, target: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    # Sums over a batch overflow half precision.
    probabilities = probabilities.float()
    n_classes = probabilities.shape[1]
    known = (target != IGNORE).unsqueeze(1)
    safe = torch.where(target != IGNORE, target, 0)
    hot = F.one_hot(safe, n_classes).movedim(-1, 1).to(probabilities.dtype) * known
    shown = probabilities * known
    axes = (0, *range(2, probabilities.dim()))
    painted = hot.sum(axes)
    n_known = known.sum().to(probabilities.dtype)
    eligible = (painted > 0) & (painted < n_known)
    eligible[0] = False
    return (shown * hot).sum(axes), shown.sum(axes), painted, eligible


def mean_of(loss: Tensor, eligible: Tensor) -> Tensor:
    """Return the mean of a loss over the entries that count; 0 where none does.

    Parameters
    ----------
    loss : float Tensor
        Loss of each entry.
    eligible : bool Tensor of the same shape
        Which entries count.
    """
    n = eligible.sum()
    return torch.where(eligible, loss, 0.0).sum() / n.clamp(min=1)
