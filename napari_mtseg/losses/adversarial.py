"""Losses of a network and of the adversary that tells whose answers it sees.

The adversary sees answers for labelled and for unlabelled images and learns to tell
them apart; the network learns to make those for unlabelled images look like the others.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def geman_mcclure(labelled: Tensor, unlabelled: Tensor, *, beta: float = 0.5) -> Tensor:
    """Objective of an adversary that answers 0 for labelled and 1 for unlabelled ones.

    Parameters
    ----------
    labelled, unlabelled : (N,) and (M,) float
        The adversary's answers in 0..1 (a sigmoid), whose sizes may differ.
    beta : float
        Errors far above ``2 beta`` hardly count, > 0 [paper: 0.5].

    Returns
    -------
    scalar Tensor
        ``e^2 / (2 beta + e^2)`` with ``e^2 = D_l^2 + (D_ul - 1)^2``, in 0..1: the mean
        over all pairs of a labelled and an unlabelled one (ours; the paper shows one
        pair). Where all are of one kind, ``e^2`` is its own part alone; 0 without any.

    References
    ----------
    .. [1] METHODS.md section 5. The labels are opposite to those of
       :func:`adversarial_cross_entropy`, as the paper prints them.

    Examples
    --------
    >>> round(float(geman_mcclure(torch.tensor([0.6]), torch.tensor([0.4]))), 4)
    0.4186
    """
    of_labelled = labelled.float().reshape(-1, 1).square()
    of_unlabelled = (unlabelled.float().reshape(1, -1) - 1).square()
    if of_labelled.numel() and of_unlabelled.numel():
        errors = of_labelled + of_unlabelled
    else:
        errors = torch.cat([of_labelled.ravel(), of_unlabelled.ravel()])
    return (errors / (2 * beta + errors)).sum() / max(errors.numel(), 1)


def geman_mcclure_fooling(unlabelled: Tensor, *, beta: float = 0.5) -> Tensor:
    """Loss of a network that wants 0 for its answers for unlabelled images.

    It plays against the adversary of :func:`geman_mcclure`.

    Parameters
    ----------
    unlabelled : (M,) float
        The adversary's answers in 0..1, with a gradient to the network.
    beta : float
        As in :func:`geman_mcclure`.

    Returns
    -------
    scalar Tensor
        Mean of ``D_ul^2 / (2 beta + D_ul^2)``, in 0..1; 0 where there is none.

    References
    ----------
    .. [1] METHODS.md section 5; ours, since the paper prints the adversary's alone.
    """
    errors = unlabelled.float().square()
    return (errors / (2 * beta + errors)).sum() / max(errors.numel(), 1)


def adversarial_cross_entropy(labelled: Tensor, unlabelled: Tensor) -> Tensor:
    """Objective of an adversary that answers 1 for labelled and 0 for unlabelled ones.

    Parameters
    ----------
    labelled, unlabelled : (N,) and (M,) float
        The adversary's answers before a sigmoid, N + M > 0.

    Returns
    -------
    scalar Tensor
        Mean binary cross entropy over all of them.

    References
    ----------
    .. [1] Li et al., "Shape-aware semi-supervised 3D semantic segmentation for medical
       images" (SASSNet), MICCAI 2020; METHODS.md section 5.
    """
    answers = torch.cat([labelled.float().ravel(), unlabelled.float().ravel()])
    wanted = torch.zeros_like(answers)
    wanted[: labelled.numel()] = 1
    return F.binary_cross_entropy_with_logits(answers, wanted)


def adversarial_cross_entropy_fooling(unlabelled: Tensor) -> Tensor:
    """Loss of a network that wants 1 for its answers for unlabelled images.

    It plays against the adversary of :func:`adversarial_cross_entropy`.

    Parameters
    ----------
    unlabelled : (M,) float
        The adversary's answers before a sigmoid, with a gradient to the network, M > 0.

    Returns
    -------
    scalar Tensor
        Mean binary cross entropy.

    References
    ----------
    .. [1] As in :func:`adversarial_cross_entropy`.
    """
    answers = unlabelled.float().ravel()
    return F.binary_cross_entropy_with_logits(answers, torch.ones_like(answers))
