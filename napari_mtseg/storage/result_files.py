"""Results for other programs: maps as OME-TIFF with voxel size, objects as a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.write import clear_write_errors

_OME_UNITS = {
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "meter": "m",
}
_BIG_TIFF_FROM = 2**32 - 2**25


def write_results(
    stem: Path,
    found: Prediction,
    *,
    maps: Sequence[str],
    info: ImageInfo,
    class_names: Mapping[int, str],
) -> tuple[Path, ...]:
    """Write maps of one image as OME-TIFFs; beside instances, their table.

    Parameters
    ----------
    stem : Path
        Folder and beginning of the names: ``STEM_MAP.tif``, ``STEM_objects.csv``.
    found : Prediction
        What to write.
    maps : sequence of str
        'classes', 'instances', 'probabilities' or names of further maps.
    info : ImageInfo
        Of the image that was predicted; its voxel size is written.
    class_names : mapping of int to str
        Class -> name.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    StorageError
        If the disk is full or a file cannot be written.
    """
    all_maps: dict[str, NDArray[Any]] = {
        "classes": found.classes,
        "instances": found.instances,
        "probabilities": found.probabilities,
        **found.maps,
    }
    files = []
    for name in maps:
        path = stem.with_name(f"{stem.name}_{name}.tif")
        _write_tiff(path, all_maps[name], info)
        files.append(path)
    if "instances" in maps:
        path = stem.with_name(f"{stem.name}_objects.csv")
        _replace(path, _object_table(found, class_names).encode())
        files.append(path)
    return tuple(files)


def _write_tiff(path: Path, values: NDArray[Any], info: ImageInfo) -> None:
    axes = info.axes if values.ndim == len(info.axes) else info.axes[1:]
    facts: dict[str, Any] = {"axes": axes}
    if info.unit in _OME_UNITS:
        for axis, size in zip(info.axes[1:], info.spacing, strict=True):
            facts[f"PhysicalSize{axis}"] = size
            facts[f"PhysicalSize{axis}Unit"] = _OME_UNITS[info.unit]
    content = io.BytesIO()
    tifffile.imwrite(
        content,
        _storable(values),
        ome=True,
        metadata=facts,
        compression="zlib",
        photometric="minisblack",
        bigtiff=values.nbytes > _BIG_TIFF_FROM,
    )
    _replace(path, content.getbuffer())


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a type that OME-TIFF has."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values


def _object_table(found: Prediction, class_names: Mapping[int, str]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("object", "class", "class_name", "pixels"))
    ids, sizes = np.unique(found.instances, return_counts=True)
    for number, size in zip(ids.tolist(), sizes.tolist(), strict=True):
        if number != 0:
            c = found.class_of[number]
            table.writerow((number, c, class_names[c], size))
    return text.getvalue()


def _replace(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole; results can be made again, so no time is spent on fsync."""
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    with clear_write_errors(path):
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
