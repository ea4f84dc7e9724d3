"""What methods share whose labels stay as painted, on networks of random weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.methods.protocol import Adversary


class NoAdversary:
    """The part of the protocol that is about an adversary, if there is none."""

    def adversary(self) -> Adversary | None:
        """Return None: the network learns alone."""
        return None


class DrawnWeights:
    """The part that is about first weights, if all are drawn."""

    def missing_weights(self) -> str | None:
        """Return None: no weights are wanted."""
        return None

    def first_weights(self) -> Mapping[str, Tensor]:
        """Return none: all weights are drawn."""
        return {}


class FixedLabels(DrawnWeights, NoAdversary):
    """The part that is about labels too, for labels that do not grow."""

    def start(
        self,
        annotation: Annotation,
        *,
        pixels: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> Annotation:
        """Return the annotation as it is."""
        return annotation

    def uses(self, annotation: Annotation) -> bool:
        """Tell whether any pixel is known."""
        return not annotation.is_empty

    def grow(
        self,
        annotation: Annotation,
        outputs: Mapping[str, NDArray[Any]],
        *,
        iteration: int,
    ) -> Annotation:
        """Return the annotation unchanged: these labels do not grow."""
        return annotation
