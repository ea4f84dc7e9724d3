"""All that the canvas needs of an image, or of its paint, read in a thread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.image_pixels import ShownImage, read_shown_image
from napari_mtseg.gui.painted_image import PaintCopy, PaintedImage
from napari_mtseg.gui.painted_places import places_map
from napari_mtseg.gui.work_area import area_around, middle, needs_work_area
from napari_mtseg.storage.annotation_parts import load_part
from napari_mtseg.storage.project import Project


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedImage:
    """All that the canvas needs of one image."""

    project: Project
    """project of the image"""
    image: ShownImage | None
    """None where only the paint was read"""
    painted: PaintedImage
    """paint of the image, or of a part of it"""
    copy: PaintCopy
    """the same as it is on disk"""
    places: NDArray[np.uint8] | None = None
    """where an image that is painted on in parts is painted on, see `painted_places`"""


def load_image(
    project: Project,
    entry: ImageEntry,
    kept: tuple[PaintedImage, PaintCopy] | None,
    *,
    with_pixels: bool = True,
    area: Box | None = None,
) -> LoadedImage:
    """Read an image and its paint for the canvas; slow, for a thread.

    Parameters
    ----------
    project : Project
        Project of the image.
    entry : ImageEntry
        The image.
    kept : (PaintedImage, PaintCopy), optional
        Its paint, where that is in memory.
    with_pixels : bool
        False to read the paint alone.
    area : Box, optional
        Part of the image of which the paint is read; all by default, and of an image
        that is too large for that a part in its middle.

    Raises
    ------
    MtsegError
        If the image or its annotation cannot be read.
    """
    image = read_shown_image(project, entry) if with_pixels else None
    painted, copy = kept or load_paint(project, entry, area=area)
    places = None
    if painted.area is not None:
        places = places_map(project.annotation_folder(entry), entry.spatial_shape)
    return LoadedImage(
        project=project, image=image, painted=painted, copy=copy, places=places
    )


def load_paint(
    project: Project, entry: ImageEntry, *, area: Box | None = None
) -> tuple[PaintedImage, PaintCopy]:
    """Read the paint of an image; of a large one in ``area``, as :func:`load_image`.

    Raises
    ------
    MtsegError
        If the annotation cannot be read.
    """
    shape = entry.spatial_shape
    if area is None and needs_work_area(shape):
        area = area_around(middle(shape), shape)
    folder = project.annotation_folder(entry)
    annotation = load_part(folder, shape, area)
    n_classes = project.info.n_classes
    painted = PaintedImage.of(entry, annotation, n_classes, area=area)
    return painted, PaintCopy(painted, is_blank=not folder.exists())
