"""What methods share whose labels stay as the person painted them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation


class FixedLabels:
    """The part of the protocol that is about labels, for labels that do not grow."""

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
