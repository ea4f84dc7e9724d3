"""How good a network is on annotations that it does not learn from."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.methods.protocol import Method
from napari_mtseg.metrics.overlap import count_overlap
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import Snapshot
from napari_mtseg.targets.class_map import full_classes, known_classes
from napari_mtseg.workflows.training_data import normalised_pixels


class Validation:
    """The validation images of a run and how they are scored.

    Full masks score where there are any; otherwise all known pixels do. Predictions
    that a person accepted or corrected never score, since they come from the program
    itself; weak labels beside them do.
    """

    def __init__(self, project: Project, snapshot: Snapshot, method: Method) -> None:
        held_out = [
            (entry, snapshot.annotation(entry).without_accepted_prediction())
            for entry in snapshot.images
            if entry.split == "validate"
        ]
        usable = [(e, a) for e, a in held_out if not a.is_empty]
        exact = [(e, a) for e, a in usable if a.has_full]
        self._project = project
        self._method = method
        self.images: list[tuple[ImageEntry, Annotation]] = exact or usable
        self._truth = full_classes if exact else known_classes

    def scores(
        self, outputs: Callable[[NDArray[np.float32]], dict[str, NDArray[Any]]]
    ) -> dict[str, float]:
        """Return the mean Dice over images per class, and their mean as 'score'."""
        n_classes = self._method.task.n_classes
        found: dict[int, list[float]] = {c: [] for c in range(1, n_classes + 1)}
        for entry, annotation in self.images:
            pixels = normalised_pixels(self._project, entry, self._method)
            prediction = self._method.interpret(outputs(pixels))
            truth = self._truth(annotation)
            known = truth != IGNORE
            for c, values in found.items():
                if not (truth == c).any() and not known.all():
                    continue
                counts = count_overlap(prediction.classes == c, truth == c, known=known)
                values.append(counts.dice)
        means = {f"dice class {c}": float(np.mean(v)) for c, v in found.items() if v}
        return {
            "score": float(np.mean(list(means.values()))) if means else 0.0,
            **means,
        }
