"""What a method answers, so that one loop trains, predicts and grows with any."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.targets.paint_summary import PaintSummary


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a project asks of a method."""

    n_channels: int
    """channels of the images"""
    n_classes: int
    """classes without background"""
    spacing: tuple[float, ...]
    """voxel size ([Z,] Y, X) of the images"""
    n_scenes: int = 0
    """scenes an image can be of"""
    class_names: tuple[str, ...] = ()
    """names of classes 1, 2, ... for sentences; numbers stand for them if left out"""
    scene_names: tuple[str, ...] = ()
    """the same of scenes 0, 1, ..."""

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.spacing)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a training that is shown by name."""

    name: str
    """such as 'iteration 3 of 10'"""
    steps: int
    """optimiser steps"""
    grows: bool = False
    """True if the labels grow after the stage"""
    learning_rate: float = 1.0
    """what the learning rate of the settings is multiplied with"""


def stage_at(stages: Sequence[Stage], progress: float) -> int:
    """Return the index of the stage that the next step belongs to.

    Parameters
    ----------
    stages : sequence of Stage
        Of the whole run, in order.
    progress : float
        Share of the run's steps that were taken, 0..1.
    """
    ends = list(accumulate(stage.steps for stage in stages))
    n_steps = round(progress * ends[-1])
    return min(bisect_right(ends, n_steps), len(stages) - 1)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether a project's paint is enough for a method."""

    problems: tuple[str, ...] = ()
    """what is missing, a sentence each; none if training can start"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Adversary:
    """A second network that learns against the first, and how fast it does."""

    network: nn.Module
    """with random weights"""
    learning_rate: float
    """step size of its own Adam optimiser"""
    betas: tuple[float, float]
    """decay of that optimiser's moments"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Companions:
    """Networks beside the one that learns, which losses may ask."""

    average: nn.Module | None = None
    """running average of the weights, in eval mode and without gradients; None where
    the settings keep none"""
    adversary: nn.Module | None = None
    """what :meth:`Method.adversary` made, to learn; None where a method has none"""
    judge: Callable[..., Tensor] | None = None
    """the adversary as it stands, without dropout: gradients reach its inputs alone"""
    rng: np.random.Generator | None = None
    """for what is drawn beside dropout, whose masks are drawn from torch's own
    generator, seeded anew for each step"""


ALONE = Companions()
"""nothing beside the network that learns"""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockRule:
    """How a method makes objects of an image that is too large to be seen at once.

    Without a margin each block is interpreted alone, and pieces of a class that share a
    face across blocks become one object: exactly what the whole image gives. With one,
    each block is interpreted with so many pixels around it, and objects of two blocks
    become one where they agree on what lies near their common face.
    """

    interpret: Callable[[Mapping[str, NDArray[Any]]], Prediction]
    """as :meth:`Method.interpret`, of a block; drops no object for its size"""
    margin: tuple[int, ...]
    """pixels per axis that a block is widened by on each side; 0 without a margin"""
    min_size: int = 0
    """objects of fewer pixels are dropped when they are whole"""
    only_largest: bool = False
    """True if only the largest object of each class stays"""
    missing_maps: tuple[str, ...] = ()
    """own maps that need the whole image at once"""
    refusal: str | None = None
    """why objects cannot be made of blocks at all, a sentence; None if they can"""


def block_margin(spacing: tuple[float, ...], *, reach: int) -> tuple[int, ...]:
    """Return a margin of equal width in all directions, pixels per axis.

    Parameters
    ----------
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    reach : int
        Of the finest axis, pixels.

    Examples
    --------
    >>> block_margin((4.0, 1.0, 1.0), reach=30)
    (8, 30, 30)
    """
    finest = min(spacing)
    return tuple(math.ceil(reach * finest / size) for size in spacing)


class Method(Protocol):
    """One of the methods, for one task."""

    key: ClassVar[str]
    """name in the shell and in files"""

    @property
    def settings(self) -> TrainingSettings:
        """The method's own settings, with those of the loop."""
        ...

    @property
    def task(self) -> Task:
        """What it is trained for."""
        ...

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Names of the maps that ``interpret`` adds to what every method returns."""
        ...

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        ...

    def adapted(self, paint: PaintSummary) -> TrainingSettings:
        """Return the settings with all that is 'auto' decided by the paint."""
        ...

    def start(
        self,
        annotation: Annotation,
        *,
        pixels: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> Annotation:
        """Return the annotation at iteration 0: what is learned from, and grows.

        ``pixels`` is the normalised image (C, [Z,] Y, X).
        """
        ...

    def uses(self, annotation: Annotation) -> bool:
        """Tell whether there is anything to learn from a started annotation.

        Also asked of images that nobody painted on, which are not started.
        """
        ...

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of a training, in order."""
        ...

    def network(self) -> nn.Module:
        """Make a network with random weights; ``forward`` returns logits by name."""
        ...

    def missing_weights(self) -> str | None:
        """Return why weights that a new run is to start from cannot be had.

        A sentence; None if they can, or if all weights are drawn. May download them.
        """
        ...

    def first_weights(self) -> Mapping[str, Tensor]:
        """Return weights of the network, by name, that a new run starts from.

        Those that are left out are drawn; none are returned where all are.
        """
        ...

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Compute the maps to learn from a (grown) annotation, on the whole image.

        ``painted`` is what the person painted, before anything started or grew.
        """
        ...

    def adversary(self) -> Adversary | None:
        """Make a network that learns against the first one, or None without one."""
        ...

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Return weighted loss terms by name; their sum is minimised.

        ``progress`` is the share of the run that is done, 0..1. With an adversary the
        sum holds its objective as well: each term must send gradients to the network
        or to the adversary, not to both.
        """
        ...

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Turn the network's probabilities of one whole image into a prediction.

        ``outputs`` are (classes, [Z,] Y, X) by the names that ``forward`` uses.
        """
        ...

    def block_rule(self) -> BlockRule:
        """Tell how to make objects of an image block by block."""
        ...

    def grow(
        self,
        annotation: Annotation,
        outputs: Mapping[str, NDArray[Any]],
        *,
        iteration: int,
    ) -> Annotation:
        """Enlarge the partial masks by what the network sees; unchanged if unused.

        ``iteration`` is 1 for the first growth of the run.
        """
        ...
