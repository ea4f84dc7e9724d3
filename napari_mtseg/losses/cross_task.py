"""Losses by which the answers for masks, distances and doubt teach each other."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

STEEPNESS = 1500.0
"""of :func:`soft_mask` (METHODS.md section 5)"""

EPSILON = 1e-16
"""keeps the mean over no pixel finite (the public code's)"""

Doubt = Literal["mean_entropy", "predictive"]
"""'mean_entropy': the mean of the samples' entropies; 'predictive': the entropy of
their mean, which also counts where samples disagree"""


def soft_mask(distance: Tensor, *, steepness: float = STEEPNESS) -> Tensor:
    """Mask of a signed distance, smooth so that gradients pass.

    Parameters
    ----------
    distance : float Tensor of any shape
        Signed distance z in -1..1, negative inside.
    steepness : float
        k > 0. The paper prints 1500, with which gradients exist only within 0.004 of
        the outline; 50 to 100 for 2D and small images is ours.

    Returns
    -------
    float32 Tensor of the same shape
        ``1 / (1 + exp(k z))``, 0..1: 0.5 where z is 0, so that ``>= 0.5`` is the mask
        whose inner boundary has distance 0.

    References
    ----------
    .. [1] METHODS.md section 5: the inverse transform, with the sign of the public
       code; the printed one is of the opposite sign.

    Examples
    --------
    >>> soft_mask(torch.tensor([-0.1, 0.0, 0.1])).tolist()
    [1.0, 0.5, 0.0]
    """
    return torch.sigmoid(-steepness * distance.float())


def cross_task_loss(
    probabilities: Tensor,
    distance: Tensor,
    *,
    steepness: float = STEEPNESS,
) -> Tensor:
    """Squared difference between a segmentation and the mask of a signed distance.

    Parameters
    ----------
    probabilities : (N, K, [Z,] Y, X) float
        Of K foreground classes.
    distance : (N, K, [Z,] Y, X) float
        Signed distance of each class, -1..1, negative inside.
    steepness : float
        As in :func:`soft_mask`.

    Returns
    -------
    scalar Tensor
        Mean over pixels and classes. Needs no label; both answers get a gradient.

    References
    ----------
    .. [1] METHODS.md section 5: L_cross.
    """
    mask = soft_mask(distance, steepness=steepness)
    return _squared_difference(probabilities, mask).mean()


def guidance_loss(
    probabilities: Tensor, mask: Tensor, uncertainty: Tensor, threshold: float
) -> Tensor:
    """Squared difference between a segmentation and a mask where doubt is small.

    Parameters
    ----------
    probabilities : (N, K, [Z,] Y, X) float
        Of K foreground classes.
    mask : (N, K, [Z,] Y, X) float
        :func:`soft_mask` of the distances; gets a gradient too.
    uncertainty : (N, [Z,] Y, X) float
        Doubt in nats, see :func:`doubt_of`; gets no gradient.
    threshold : float
        Doubt from which on a pixel does not count, see :func:`uncertainty_threshold`.

    Returns
    -------
    scalar Tensor
        Mean over the pixels that count and the classes; 0 where none counts.

    References
    ----------
    .. [1] METHODS.md section 5: L_G.
    """
    error = _squared_difference(probabilities, mask)
    return _weighted_mean(error, _is_sure(uncertainty, threshold))


def teacher_loss(
    student: Tensor, teacher: Tensor, uncertainty: Tensor, threshold: float
) -> Tensor:
    """Squared difference to a teacher's answer where the teacher is sure.

    Parameters
    ----------
    student, teacher : (N, C, [Z,] Y, X) float
        Probabilities of all classes, background first; the teacher gets no gradient.
    uncertainty, threshold
        As in :func:`guidance_loss`, of the teacher.

    Returns
    -------
    scalar Tensor
        Mean over the pixels that count and the classes; 0 where none counts.

    References
    ----------
    .. [1] Yu et al., "Uncertainty-aware self-ensembling model for semi-supervised 3D
       left atrium segmentation" (UA-MT), MICCAI 2019; METHODS.md section 5.
    """
    error = _squared_difference(student, teacher.detach())
    return _weighted_mean(error, _is_sure(uncertainty, threshold))


def uncertainty_threshold(progress: float, n_outputs: int) -> float:
    """Doubt in nats up to which pixels count; rises during a training.

    Parameters
    ----------
    progress : float
        Share of the training that is done, 0..1.
    n_outputs : int
        Classes, background included, >= 2.

    Returns
    -------
    float
        ``(0.75 + 0.25 r) log(n_outputs)`` with ``r = exp(-5 (1 - progress)^2)``: at the
        end every pixel counts that is not wholly undecided.

    References
    ----------
    .. [1] METHODS.md section 5; by the public code of UA-MT, the paper states none.

    Examples
    --------
    >>> [round(uncertainty_threshold(p, 2), 3) for p in (0, 0.5, 1)]
    [0.521, 0.57, 0.693]
    """
    return (0.75 + 0.25 * _sigmoid_ramp(progress)) * math.log(n_outputs)


def ramp(progress: float, n_epochs: int = 40) -> float:
    """Weight of what needs no label; rises in steps from almost 0 to 1.

    Parameters
    ----------
    progress : float
        Share of the training that is done, 0..1.
    n_epochs : int
        Steps in which it rises, >= 1.

    Returns
    -------
    float
        ``exp(-5 (1 - e / n_epochs)^2)`` with ``e = floor(n_epochs progress)``.

    References
    ----------
    .. [1] METHODS.md section 5: 40 epochs of 150 iterations in the public code, scaled
       to the length of the training (ours).

    Examples
    --------
    >>> ramp(1.0)
    1.0
    """
    # progress is a ratio of whole numbers, which rounds to just below a whole epoch
    epoch = math.floor(n_epochs * progress + 1e-9)
    return _sigmoid_ramp(min(epoch, n_epochs) / n_epochs)


@torch.no_grad()
def doubt_of(samples: Iterable[Tensor], *, kind: Doubt = "mean_entropy") -> Tensor:
    """Return how undecided several answers for one input are about each pixel.

    Parameters
    ----------
    samples : iterable of (N, C, [Z,] Y, X) float
        Probabilities of all classes, background included. Taken one at a time, so that
        a generator need not hold them all; what it computes gets no gradient either.
    kind : 'mean_entropy' or 'predictive'
        The paper's, or the public code's.

    Returns
    -------
    (N, [Z,] Y, X) float32
        In nats, 0..log(C), without gradient.

    Raises
    ------
    ValueError
        If there is no sample.

    References
    ----------
    .. [1] METHODS.md section 5: U.

    Examples
    --------
    >>> split = [torch.tensor([[[0.9], [0.1]]]), torch.tensor([[[0.1], [0.9]]])]
    >>> [
    ...     round(float(doubt_of(split, kind=k)), 3)
    ...     for k in ("mean_entropy", "predictive")
    ... ]
    [0.325, 0.693]
    """
    total, n = None, 0
    for sample in samples:
        p = sample.float()
        part = _entropy(p) if kind == "mean_entropy" else p
        total = part if total is None else total + part
        n += 1
    if total is None:
        raise ValueError("doubt needs one sample at least")
    mean = total / n
    return mean if kind == "mean_entropy" else _entropy(mean)


def _entropy(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(dim=1)


def _squared_difference(first: Tensor, second: Tensor) -> Tensor:
    # sums over a batch overflow half precision
    return (first.float() - second.float()).square()


def _is_sure(uncertainty: Tensor, threshold: float) -> Tensor:
    return (uncertainty.detach() < threshold).float()


def _weighted_mean(error: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over the channels, weighted over pixels; 0 without weight."""
    return (error.mean(dim=1) * weight).sum() / (weight.sum() + EPSILON)


def _sigmoid_ramp(share: float) -> float:
    return math.exp(-5 * (1 - share) ** 2)
