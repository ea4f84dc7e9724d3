"""OME-Zarr folders (versions 0.4 and 0.5), read part by part at full resolution.

A plain zarr array is read too; its axes are what its dimension names say, where it
has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    StoredArray,
    damaged_sentence,
)
from napari_mtseg.storage.voxel_sizes import in_one_unit, unit_name

ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")

_METADATA_ERRORS = (*DECODER_ERRORS, AttributeError, TypeError)
"""What metadata raise that hold other things than they should."""

_OLD_AXES = "TCZYX"
"""Axes before version 0.3, which does not name them."""


def is_zarr(path: Path) -> bool:
    """Return True for the folder of a zarr array or group."""
    return any((path / marker).is_file() for marker in ZARR_MARKERS)


def is_zarr_image(path: Path) -> bool:
    """Return True for a folder that opens as one image, unlike a plate of many."""
    if not is_zarr(path):
        return False
    try:
        zarr_array(path)
    except ImageError:
        return False
    return True


def zarr_array(path: Path) -> StoredArray:
    """Read the metadata of an OME-Zarr image or a zarr array.

    Raises
    ------
    ImageError
        If the folder is damaged, or a zarr group that is not one image.
    """
    import zarr

    try:
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return _stored(path, node, _array_axes(node), {}, "pixel")
        return _multiscale(path, node)
    except _METADATA_ERRORS as error:
        raise ImageError(damaged_sentence(path.name)) from error


def _multiscale(path: Path, group: Any) -> StoredArray:
    attributes = dict(group.attrs)
    facts = attributes.get("ome", attributes)
    if not facts.get("multiscales"):
        raise ImageError(_no_image_sentence(path, group, facts))
    image = facts["multiscales"][0]
    level = image["datasets"][0]
    axes = image.get("axes") or list(_OLD_AXES)
    letters = "".join(_letter(axis) for axis in axes)
    scale, shift = _scale_and_shift((level, image), len(letters))
    units = [
        str(axis.get("unit", "")) if isinstance(axis, Mapping) else "" for axis in axes
    ]
    sizes, unit = in_one_unit(
        {
            letter: (float(size), unit_name(unit))
            for letter, size, unit in zip(letters, scale, units, strict=True)
            if letter in "ZYX"
        }
    )
    of_axis = dict(zip(letters, zip(scale, shift, strict=True), strict=True))
    stored = replace(
        _stored(path, group[level["path"]], letters, sizes, unit),
        translation={
            letter: float(of_axis[letter][1] * size / of_axis[letter][0])
            for letter, size in sizes.items()
        },
    )
    names = [each["path"] for each in image["datasets"][1:]]
    return replace(stored, load_coarser=lambda: _pyramid(stored.shape, group, names))


def _pyramid(
    shape: tuple[int, ...], group: Any, names: Sequence[str]
) -> tuple[Any, ...]:
    """Return the levels as far as each has fewer pixels than the one before it."""
    found = []
    for name in names:
        try:
            level = group[name]
        except _METADATA_ERRORS:
            break
        if not hasattr(level, "shape"):
            break
        if len(level.shape) != len(shape) or level.shape == shape:
            break
        if not all(0 < a <= b for a, b in zip(level.shape, shape, strict=True)):
            break
        found.append(level)
        shape = level.shape
    return tuple(found)


def _stored(
    path: Path, array: Any, axes: str, sizes: Mapping[str, float], unit: str
) -> StoredArray:
    if len(axes) != len(array.shape):
        raise ValueError("axes and array differ")
    return StoredArray(
        name=path.name,
        axes=axes,
        shape=tuple(array.shape),
        dtype=np.dtype(array.dtype),
        load=lambda: array,
        spacing=sizes,
        unit=unit,
    )


def _letter(axis: Any) -> str:
    name = str(axis["name"] if isinstance(axis, Mapping) else axis).upper()
    return name if name in ("T", "C", "Z", "Y", "X") else "Q"


def _array_axes(array: Any) -> str:
    names: Sequence[str | None] = getattr(array.metadata, "dimension_names", None) or ()
    letters = [str(name).upper() for name in names]
    if letters and set(letters) <= set("TCZYX"):
        return "".join(letters)
    return "Q" * len(array.shape)


def _scale_and_shift(
    facts: Sequence[Mapping[str, Any]], n_axes: int
) -> tuple[Any, Any]:
    """Return voxel size and place of the first voxel, after all transformations."""
    scale, shift = np.ones(n_axes), np.zeros(n_axes)
    for transform in (t for f in facts for t in f.get("coordinateTransformations", ())):
        if transform.get("type") == "scale" and "scale" in transform:
            factors = np.asarray(transform["scale"], float)
            scale, shift = scale * factors, shift * factors
        if transform.get("type") == "translation" and "translation" in transform:
            shift = shift + np.asarray(transform["translation"], float)
    return scale, np.where(np.isfinite(shift), shift, 0.0)


def _no_image_sentence(path: Path, group: Any, facts: Mapping[str, Any]) -> str:
    inside = sorted(key for key, _ in group.members())
    if "plate" in facts:
        what = "a plate of many images"
    elif not inside:
        what = "an empty zarr group"
    else:
        what = "a zarr group without an image of its own (no 'multiscales' in it)"
    hint = f" such as '{path.name}/{inside[0]}'" if inside else ""
    return (
        f"'{path.name}' is {what}. Open the folder of one OME-Zarr image"
        f"{hint}, or export it as OME-Zarr."
    )
