"""Losses about a patch as a whole: which classes occur in it, and of which scene."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.losses.masked import mean_of

Shown = Literal["argmax", "half"]
"""when a segmentation shows a class: 'argmax', where it is the most probable of a
pixel; 'half', where its probability exceeds one half"""

SceneLoss = Literal["cross_entropy", "bce"]
"""'cross_entropy' between scenes that exclude each other, or 'bce' for each alone"""


def present_classes(target: Tensor, n_outputs: int) -> Tensor:
    """Tell which classes occur among the known pixels of each patch.

    Parameters
    ----------
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE where nothing is known.
    n_outputs : int
        Number of classes, background included.

    Returns
    -------
    (N, n_outputs) bool
        True where some pixel has the class. False says only that none is known to.
    """
    found = [(target == k).flatten(1).any(dim=1) for k in range(n_outputs)]
    return torch.stack(found, dim=1)


def presence_counts(target: Tensor, present: Tensor, settled: Tensor) -> Tensor:
    """Tell of which classes it is known whether they occur in each patch.

    Parameters
    ----------
    target : (N, [Z,] Y, X) int64
        Class, or IGNORE where nothing is known.
    present : (N, C) bool
        Classes that occur among the known pixels.
    settled : (N, C) bool
        Classes of which it is known of the whole image where they are.

    Returns
    -------
    (N, C) bool
        True for classes that are present. An absent class is True only where it is
        settled or every pixel of the patch is known: elsewhere it may be among the
        unpainted pixels (METHODS.md section 6).
    """
    all_known = (target != IGNORE).flatten(1).all(dim=1, keepdim=True)
    return present | settled | all_known


def presence_loss(logits: Tensor, present: Tensor, counts: Tensor) -> Tensor:
    """Binary cross entropy of the classes that count; 0 where none does.

    Parameters
    ----------
    logits : (N, C) float
        Score of each class, background included.
    present : (N, C) bool
        Whether the class occurs.
    counts : (N, C) bool
        Whether that is known.

    Returns
    -------
    scalar Tensor
        Mean over the entries that count: L_cla of METHODS.md section 1.
    """
    wanted = present.to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return mean_of(loss, counts)


def shown_classes(segmentation_logits: Tensor, *, rule: Shown) -> Tensor:
    """Return which classes a segmentation shows, cut off from its gradient.

    Parameters
    ----------
    segmentation_logits : (N, C, [Z,] Y, X) float
        Scores of C classes, background first.
    rule : 'argmax' or 'half'
        When a pixel shows a class. The paper's is 'argmax', the public code's 'half';
        with two classes they agree.

    Returns
    -------
    (N, C) float32
        1 where any pixel shows the class, else 0: P of METHODS.md section 1.
    """
    scores = segmentation_logits.detach()
    if rule == "argmax":
        # The same as argmax, which takes four times as long on a CPU.
        most_probable = scores.max(dim=1).indices
        shown = present_classes(most_probable, scores.shape[1])
    else:
        shown = (scores.float().softmax(dim=1) > 0.5).flatten(2).any(dim=2)
    return shown.to(torch.float32)


def synchronisation_loss(
    class_logits: Tensor, segmentation_logits: Tensor, *, rule: Shown
) -> Tensor:
    """Binary cross entropy between the class scores and what the segmentation shows.

    What is shown has no derivative, so that the gradient reaches the class scores and
    all before them, and nothing on the way to the segmentation alone.

    Parameters
    ----------
    class_logits : (N, C) float
        Score of each class, background included.
    segmentation_logits : (N, C, [Z,] Y, X) float
        Scores of each pixel; they get no gradient.
    rule : 'argmax' or 'half'
        As in :func:`shown_classes`.

    Returns
    -------
    scalar Tensor
        Mean over patches and classes: L_sync of METHODS.md section 1. Needs no label.
    """
    shown = shown_classes(segmentation_logits, rule=rule).to(class_logits.dtype)
    return F.binary_cross_entropy_with_logits(class_logits, shown)


def scene_loss(logits: Tensor, scene: Tensor, *, kind: SceneLoss) -> Tensor:
    """Loss of the predicted scenes; 0 where no image is tagged with one.

    Parameters
    ----------
    logits : (N, S) float
        Score of each scene.
    scene : (N,) int64
        Scene of the image that each patch is of; -1 where nobody said.
    kind : 'cross_entropy' or 'bce'
        The public code's, or the paper's: binary cross entropy of each scene, of
        which the mean is taken.

    Returns
    -------
    scalar Tensor
        Mean over the patches whose scene is known: L_scene of METHODS.md section 1.
    """
    known = scene >= 0
    safe = torch.where(known, scene, 0)
    if kind == "cross_entropy":
        loss = F.cross_entropy(logits, safe, reduction="none")
    else:
        hot = F.one_hot(safe, logits.shape[1]).to(logits.dtype)
        each = F.binary_cross_entropy_with_logits(logits, hot, reduction="none")
        loss = each.mean(dim=1)
    return mean_of(loss, known)
