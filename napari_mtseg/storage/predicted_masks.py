"""The objects of a prediction as masks of its project."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.geometry.components import present_labels
from napari_mtseg.storage.prediction_files import FACTS, load_answer, load_map
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.stored_array import size_text
from napari_mtseg.storage.write import read_json


def prediction_folder(project: Project, entry: ImageEntry, run: str) -> Path:
    """Return where the prediction of an image by a run is kept."""
    return project.path / "predictions" / run / entry.id


def class_names_of(project: Project) -> tuple[str, ...]:
    """Return the names of classes 1, 2, ... of a project."""
    return tuple(known.name for known in project.info.classes)


def classes_moved(then: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Return True if a class that was there then is gone or at another place.

    Classes that were added behind the others, or renamed, move none. One that was
    removed from the end while another was added there counts as renamed.

    Examples
    --------
    >>> classes_moved(("nucleus",), ("cell", "debris"))
    False
    >>> classes_moved(("nucleus", "debris"), ("debris",))
    True
    """
    kept = [name for name in then if name in now]
    moved = any(then.index(name) != now.index(name) for name in kept)
    return moved or len(now) < len(then)


def predicted_masks(project: Project, entry: ImageEntry, run: str) -> ObjectMasks:
    """Return the objects of a prediction as masks of the project.

    Raises
    ------
    AnnotationError
        If the prediction is of another size than the image.
    ProjectError
        If there is no prediction, it is damaged, or classes came, went or changed
        places since.
    """
    folder = prediction_folder(project, entry, run)
    then = load_answer(folder).class_names
    now = class_names_of(project)
    if then and (classes_moved(then, now) or len(then) != len(now)):
        raise ProjectError(
            f"The prediction of '{entry.name}' has the classes {', '.join(then)}, but "
            f"the project now has {', '.join(now)}. Train and predict again."
        )
    objects = load_map(folder, "instances").astype(np.uint32, copy=False)
    if objects.shape != entry.spatial_shape:
        raise AnnotationError(
            f"The prediction of '{entry.name}' is {size_text(objects.shape)} pixels "
            f"but the image is {size_text(entry.spatial_shape)}. Predict it again with "
            "'mtseg predict'."
        )
    return _known_masks(entry, objects, folder, n_classes=len(now))


def _known_masks(
    entry: ImageEntry, objects: NDArray[np.uint32], folder: Path, *, n_classes: int
) -> ObjectMasks:
    """Return objects with their classes, all of which the project has."""
    table = read_json(folder / FACTS)["class_of"]
    ids = [int(i) for i in present_labels(objects)]
    class_of = {i: table.get(str(i), 0) for i in ids}
    if not all(isinstance(c, int) and 1 <= c <= n_classes for c in class_of.values()):
        raise ProjectError(
            f"The prediction of '{entry.name}' has objects of a class that the project "
            "does not have. Predict it again with 'mtseg predict'."
        )
    return ObjectMasks(objects=objects, class_of=class_of)
