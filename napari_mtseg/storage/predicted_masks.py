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
    now = tuple(known.name for known in project.info.classes)
    moved = any(then.index(n) != now.index(n) for n in set(then) & set(now))
    if then and (moved or len(then) != len(now)):
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
