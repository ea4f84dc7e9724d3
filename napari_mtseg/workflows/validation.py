"""How good a network is on annotations that it does not learn from."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.methods.protocol import Method
from napari_mtseg.metrics.overlap import OverlapCounts, count_overlap
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import Snapshot
from napari_mtseg.targets.class_map import full_classes, known_classes
from napari_mtseg.workflows.annotated_places import (
    PaintSource,
    Place,
    margin_for,
    places_of,
)
from napari_mtseg.workflows.data_memory import Footprint, check_validation_memory
from napari_mtseg.workflows.network_input import NormalisedPixels
from napari_mtseg.workflows.training_data import annotation_at, normalised_pixels

Outputs = Callable[[NDArray[np.float32]], dict[str, NDArray[Any]]]
"""normalised pixels -> the network's probabilities by name"""


def validation_footprints(
    source: PaintSource, images: Sequence[ImageEntry], method: Method
) -> list[Footprint]:
    """Return the painted places of the validation images, without reading them whole.

    Raises
    ------
    MtsegError
        If an annotation is damaged.
    """
    margin = margin_for(method.settings, method.task.ndim)
    return [
        Footprint(entry=place.entry, box=place.box, is_painted=True)
        for entry in images
        if entry.split == "validate" and not source.extent(entry).is_empty
        for place in places_of(source, entry, margin=margin)
    ]


class Validation:
    """The validation images of a run and how they are scored.

    Full masks score where there are any; otherwise all known pixels do. Predictions
    that a person accepted or corrected never score, since they come from the program
    itself; weak labels beside them do. Of a large image the surroundings of its paint
    are predicted, and scored as one.

    Raises
    ------
    MemoryShortageError
        If the images do not fit into memory.
    """

    def __init__(self, project: Project, snapshot: Snapshot, method: Method) -> None:
        images = validation_footprints(snapshot, snapshot.images, method)
        check_validation_memory(images, n_classes=method.task.n_classes)
        held_out = [
            (i.place, annotation_at(snapshot, i.place).without_accepted_prediction())
            for i in images
        ]
        usable = [(p, a) for p, a in held_out if not a.is_empty]
        exact = [(p, a) for p, a in usable if a.has_full]
        self._project = project
        self._method = method
        self._places: list[tuple[Place, Annotation]] = exact or usable
        self._large: dict[str, NormalisedPixels] = {}
        self._truth = full_classes if exact else known_classes

    @property
    def images(self) -> list[tuple[ImageEntry, Annotation]]:
        """Each image that scores, with what is painted at its first place."""
        first: dict[str, tuple[ImageEntry, Annotation]] = {}
        for place, annotation in self._places:
            first.setdefault(place.entry.id, (place.entry, annotation))
        return list(first.values())

    def scores(self, outputs: Outputs) -> dict[str, float]:
        """Return the mean Dice over images per class, and their mean as 'score'."""
        n_classes = self._method.task.n_classes
        counts: dict[str, dict[int, OverlapCounts]] = {}
        unknown: set[str] = set()
        for place, annotation in self._places:
            prediction = self._method.interpret(outputs(self._pixels(place)))
            truth = self._truth(annotation)
            known = truth != IGNORE
            if not known.all():
                unknown.add(place.entry.id)
            of_image = counts.setdefault(place.entry.id, {})
            for c in range(1, n_classes + 1):
                found = count_overlap(prediction.classes == c, truth == c, known=known)
                of_image[c] = of_image[c] + found if c in of_image else found
        means: dict[str, float] = {}
        for c in range(1, n_classes + 1):
            dice = [
                of_image[c].dice
                for key, of_image in counts.items()
                if of_image[c].reference or key not in unknown
            ]
            if dice:
                means[f"dice class {c}"] = float(np.mean(dice))
        return {
            "score": float(np.mean(list(means.values()))) if means else 0.0,
            **means,
        }

    def _pixels(self, place: Place) -> NDArray[np.float32]:
        """Return the pixels of a place; what all places share is found once."""
        entry, box = place.entry, place.box
        if box is None:
            lazy = normalised_pixels(self._project, entry, self._method)
        else:
            if entry.id not in self._large:
                whole = normalised_pixels(self._project, entry, self._method)
                self._large[entry.id] = whole
            lazy = self._large[entry.id].inside(box)
        return cast("NDArray[np.float32]", lazy)
