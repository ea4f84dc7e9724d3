"""Masks in a folder: which belongs to which image, and which objects they show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.domain.project import ImageEntry, ProjectInfo
from napari_mtseg.geometry.components import connected_components, present_labels
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.storage.image_files import list_image_files
from napari_mtseg.storage.label_files import read_labels

MaskValues = Literal["objects", "classes"]
"""'objects': a value per object, all of class 1; 'classes': the value is the class"""

MASK_ENDINGS = (
    "annotation",
    "gt",
    "instances",
    "label",
    "labels",
    "mask",
    "masks",
    "seg",
    "segmentation",
)
"""What a mask's name may have behind the image's name, after '_', '-' or '.'."""

_FORMAT_ENDINGS = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
_BINARY = 255


def stem_of(name: str) -> str:
    """Return a file name without its format: 'a.ome.tif' and 'a.png' both give 'a'."""
    for ending in _FORMAT_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def match_masks(source: Path, entries: Sequence[ImageEntry]) -> dict[str, Path]:
    """Find the mask of each image by name.

    ``img_01.tif`` belongs to ``img_01.png``, else to ``img_01_mask.png`` or another of
    MASK_ENDINGS. Where several images have the same name, masks go by the images' ids.

    Parameters
    ----------
    source : Path
        A folder of masks, or a single mask.
    entries : sequence of ImageEntry
        The images.

    Returns
    -------
    dict
        Image id -> mask file; images without a mask are left out.

    Raises
    ------
    AnnotationError
        If two masks fit one image equally well.
    ImageError
        If there is no such folder.
    """
    exact: dict[str, list[Path]] = {}
    loose: dict[str, list[Path]] = {}
    for file in mask_files(source):
        stem = stem_of(file.name).lower()
        exact.setdefault(stem, []).append(file)
        loose.setdefault(_without_ending(stem), []).append(file)
    stems = [stem_of(entry.name).lower() for entry in entries]
    found = {}
    for entry, stem in zip(entries, stems, strict=True):
        names = (
            [entry.id.lower()] if stems.count(stem) > 1 else [stem, entry.id.lower()]
        )
        tried = [table.get(n, []) for table in (exact, loose) for n in names]
        fitting = next((files for files in tried if files), [])
        if len(fitting) > 1:
            raise AnnotationError(
                f"Masks '{fitting[0].name}' and '{fitting[1].name}' both fit the image "
                f"'{entry.name}'. Keep one of them in the folder."
            )
        if fitting:
            found[entry.id] = fitting[0]
    return found


def mask_files(source: Path) -> list[Path]:
    """Return the label images of a folder, or a single one, sorted by name.

    Raises
    ------
    ImageError
        If there is no such file or folder.
    """
    source = Path(source)
    if source.is_file():
        return [source]
    arrays = source.glob("[!.]*.npy") if source.is_dir() else []
    return sorted({*list_image_files(source), *arrays})


def missing_mask_sentence(
    missing: Sequence[ImageEntry], n_images: int, source: Path
) -> str:
    """Say which image has no mask in a folder, and what its mask would be called."""
    first = missing[0]
    others = f" ({len(missing)} of {n_images} images have none)" if n_images > 1 else ""
    return (
        f"There is no mask for '{first.name}' in '{source}'{others}. It is looked for "
        f"by name, such as {stem_of(first.name)}.png or {stem_of(first.name)}_mask.tif."
    )


def read_object_masks(
    file: Path, entry: ImageEntry, info: ProjectInfo, *, values: MaskValues
) -> ObjectMasks:
    """Read the objects of a complete or partial mask.

    In a project with one class, a mask of 'classes' may also hold 0 and 255.

    Parameters
    ----------
    file : Path
        A label image.
    entry : ImageEntry
        The image that it belongs to.
    info : ProjectInfo
        The project's classes.
    values : {'objects', 'classes'}
        What the mask's values mean.

    Returns
    -------
    ObjectMasks
        With 'classes', each connected piece of a class is an object.

    Raises
    ------
    AnnotationError
        If the mask has another size than its image or holds an unknown class.
    ImageError
        If the file is missing, damaged or of a format that is not supported.
    """
    labels = read_labels(file, entry.spatial_shape, image_name=entry.name)
    found = [int(label) for label in present_labels(labels)]
    if values == "objects":
        return ObjectMasks(objects=labels, class_of=dict.fromkeys(found, 1))
    if info.n_classes == 1 and found == [_BINARY]:
        labels = np.minimum(labels, 1)
    elif found and found[-1] > info.n_classes:
        raise AnnotationError(unknown_class_sentence(file.name, found[-1], info))
    objects, class_of = separate_objects(labels.astype(np.uint8))
    return ObjectMasks(objects=objects, class_of=class_of)


def unknown_class_sentence(name: str, value: int, info: ProjectInfo) -> str:
    """Say that a mask holds a value that is no class of the project."""
    classes = ", ".join(f"{i} {c.name}" for i, c in enumerate(info.classes, start=1))
    plural = "es" if info.n_classes > 1 else ""
    return (
        f"Mask '{name}' has the value {value} but the project has {info.n_classes} "
        f"class{plural}: {classes}. Give the pixels one of these values, or choose "
        "--mask-values objects if each value is an object."
    )


def looks_like_classes(objects: NDArray[np.uint32]) -> bool:
    """Return True if a mask of objects holds one value in several separate pieces."""
    found = present_labels(objects)
    return found.size == 1 and int(connected_components(objects != 0).max()) > 1


def class_mask_notice(suspects: Sequence[str]) -> tuple[str, ...]:
    """Warn of masks that were read as objects but look like class masks."""
    if not suspects:
        return ()
    count = "1 mask holds" if len(suspects) == 1 else f"{len(suspects)} masks hold"
    return (
        f"{count} a single value in several separate pieces, which counts as one "
        f"object ('{suspects[0]}'). If the values are classes, choose "
        "--mask-values classes.",
    )


def _without_ending(stem: str) -> str:
    for ending in MASK_ENDINGS:
        if stem.endswith(ending) and stem[-len(ending) - 1 : -len(ending)] in tuple(
            "_-."
        ):
            return stem[: -len(ending) - 1]
    return stem
