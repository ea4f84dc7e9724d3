"""Saving a Labels layer of napari into a project, as masks of one of its images.

``viewer.layers.save('cells.mtseg', plugin='napari-mtseg')`` or File > Save selected
layers. The layer's name says where it goes: *Full masks* in it makes full masks (the
user still marks the complete region), anything else partial masks.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.annotation import Annotation, ObjectMasks
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.whole_annotation import check_labels_fit

FIRST_CLASS = 1


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save object ids into the project at ``path``; every object is of class 1.

    The image is the one whose name, with or without its suffix, is part of the layer's
    name; in a project of one image it is that one.

    Raises
    ------
    MtsegError
        If it is no project, is edited by another window, or no image fits.
    """
    project = Project.open(Path(path))
    name, labels = str(attributes.get("name", "")), np.asarray(data)
    entry = _image_for(project, name)
    if labels.shape != entry.spatial_shape:
        raise AnnotationError(
            f"The layer '{name}' is {labels.shape} pixels but the image "
            f"'{entry.name}' is {entry.spatial_shape}. Save labels drawn on it."
        )
    check_labels_fit(entry)
    with project.annotation_lock():
        before = project.annotation(entry)
        project.save_annotation(entry, _with_masks(before, name, labels))
    return [str(project.path)]


def _image_for(project: Project, layer: str) -> ImageEntry:
    named = [e for e in project.images if Path(e.name).stem in layer]
    if len(named) == 1:
        return named[0]
    if len(project.images) == 1:
        return project.images[0]
    raise AnnotationError(
        f"Which image of '{project.info.name}' the layer '{layer}' belongs to is not "
        "clear. Name the layer after its image and save again."
    )


def _with_masks(before: Annotation, layer: str, labels: Any) -> Annotation:
    objects = labels.astype(np.uint32)
    ids = [int(i) for i in np.unique(objects) if i]
    masks = ObjectMasks(objects=objects, class_of=dict.fromkeys(ids, FIRST_CLASS))
    if "full" in layer.lower():
        return replace(before, full=masks, origin="imported")
    # Full masks from a prediction stay such beside weak labels of a person.
    origin = before.origin if before.is_accepted_prediction else "imported"
    return replace(before, partial=masks, origin=origin)
