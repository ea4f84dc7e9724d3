"""All that is painted on an image at once, as far as the memory holds it."""

from math import prod

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_parts import LARGE
from napari_mtseg.storage.main_memory import free_main_memory
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.stored_array import size_text

BYTES_PER_PIXEL = 16
"""the layers of one pixel, and what is worked out of one of them (ours)"""

_GIB = 2**30


def whole_annotation(project: Project, image: ImageEntry) -> Annotation:
    """Return all that is painted on an image.

    Raises
    ------
    AnnotationError
        If the annotation is damaged.
    MemoryShortageError
        If a large image is painted on, and its labels do not fit into memory.
    """
    if prod(image.spatial_shape) > LARGE and not project.extent(image).is_empty:
        check_labels_fit(image)
    return project.annotation(image)


def check_labels_fit(image: ImageEntry) -> None:
    """Refuse what needs all labels of a large image at once, where memory is short.

    Raises
    ------
    MemoryShortageError
        If the labels need more than is free.
    """
    shape = image.spatial_shape
    needed = prod(shape) * BYTES_PER_PIXEL
    free = free_main_memory()
    if prod(shape) > LARGE and needed > free:
        raise MemoryShortageError(
            f"All labels of '{image.name}' ({size_text(shape)} pixels) at once need "
            f"about {needed / _GIB:.1f} GiB of memory but {free / _GIB:.1f} GiB are "
            "free. Free some memory, or cut the image into tiles."
        )
