"""Annotations gone through part by part: a large one is never whole in memory."""

from dataclasses import replace
from math import prod
from pathlib import Path

from zarr.storage import LocalStore

from napari_mtseg.domain.annotation import Annotation, Box
from napari_mtseg.storage.annotation_files import (
    LAYERS,
    load_annotation,
    load_complete,
)
from napari_mtseg.storage.label_arrays import open_labels
from napari_mtseg.storage.label_chunks import chunk_box, chunks_in_folder

LARGE = 2**26
"""pixels of an annotation up to which it is one part (ours)"""


def parts_of(folder: Path, shape: tuple[int, ...]) -> tuple[Box | None, ...]:
    """Return the parts that together hold all paint of an annotation, at least one.

    Parameters
    ----------
    folder : Path
        Folder of the annotation; need not exist.
    shape : ([Z,] Y, X)
        Shape of the image.

    Returns
    -------
    tuple of Box or None
        None stands for all of an image that is not large. Of a large one, a box for
        each chunk that is stored of any layer, or its first pixel where none is.
    """
    if prod(shape) <= LARGE:
        return (None,)
    boxes: dict[Box, None] = {}
    for name in LAYERS:
        layer = folder / name
        if (layer / "zarr.json").exists():
            labels = open_labels(LocalStore(layer, read_only=True))
            boxes |= {chunk_box(labels, c): None for c in chunks_in_folder(layer)}
    first = Box(start=(0,) * len(shape), stop=(1,) * len(shape))
    return tuple(boxes) or (first,)


def load_part(folder: Path, shape: tuple[int, ...], box: Box | None) -> Annotation:
    """Read a part of an annotation so that it can be changed and saved.

    Its layers are those of the part; its complete region and its tables are those of
    the image, as :func:`~napari_mtseg.storage.annotation_files.save_annotation` takes
    them.

    Raises
    ------
    AnnotationError
        If the saved labels are damaged or do not fit an image of ``shape``.
    """
    annotation = load_annotation(folder, shape, box=box)
    if box is None:
        return annotation
    return replace(annotation, complete=load_complete(folder))
