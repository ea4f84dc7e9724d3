"""Maps of an image as OME-TIFF with voxel size and unit."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.storage.whole_files import whole_file

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


def write_ome_tiff(path: Path, values: NDArray[Any], *, info: ImageInfo) -> Path:
    """Write a map, a page per plane and channel.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    values : ([Z,] Y, X) or (C, [Z,] Y, X) array
        See :func:`storable` for the types.
    info : ImageInfo
        Of the image that the map belongs to.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    axes = info.axes if values.ndim == len(info.axes) else info.axes[1:]
    facts: dict[str, Any] = {"axes": axes}
    if info.unit in _OME_UNITS:
        for axis, size in zip(info.axes[1:], info.spacing, strict=True):
            facts[f"PhysicalSize{axis}"] = size
            facts[f"PhysicalSize{axis}Unit"] = _OME_UNITS[info.unit]
    stored = storable(values)
    with whole_file(path) as partial, partial.open("xb") as file:
        tifffile.imwrite(
            file,
            stored,
            ome=True,
            metadata=facts,
            compression="zlib",
            photometric="minisblack",
            bigtiff=stored.nbytes > _BIG_TIFF_FROM,
        )
    return path


def storable(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a type that other programs read.

    Bool becomes 0 and 255, float16 becomes float32; all others stay as they are.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values
