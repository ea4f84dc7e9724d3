"""Image layers of the viewer as TIFF files, so that a project can be made of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.write import clear_write_errors

_LETTERS = "TCZYX"
_LONG_NAMES = {"time": "T", "channel": "C", "channels": "C", "plane": "Z", "depth": "Z"}
_DEFAULT_AXES = {2: "YX", 3: "ZYX"}
_NO_UNIT = "pixel"


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerPixels:
    """What a layer holds, apart from the viewer, so that a thread can write it."""

    name: str
    """file name without its ending"""
    pixels: Any
    """array, perhaps lazy, along ``axes``"""
    axes: str
    """a letter per axis, S last for colours"""
    spacing: dict[str, float]
    """axis -> size of a voxel, in ``unit``"""
    unit: str
    """such as 'micrometer'; 'pixel' where the layer does not say"""


def image_layers(viewer: ViewerModel) -> tuple[ImageLayer, ...]:
    """Return the viewer's images, from bottom to top."""
    return tuple(each for each in viewer.layers if isinstance(each, ImageLayer))


def pixels_of_layer(layer: ImageLayer) -> LayerPixels:
    """Return what of a layer goes into a file.

    Raises
    ------
    ImageError
        If it has axes beside planes and channels that are not named.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    axes = _axes(layer)
    units = [str(unit) for unit in layer.units]
    scale = dict(zip(axes, map(float, layer.scale), strict=True))
    return LayerPixels(
        name=re.sub(r"[^\w. -]+", "_", layer.name).strip(" .") or "image",
        pixels=data,
        axes=axes + "S" * layer.rgb,
        spacing={axis: scale[axis] for axis in "ZYX" if axis in axes},
        unit=units[-1],
    )


def write_layer(folder: Path, layer: LayerPixels) -> Path:
    """Write a layer as OME-TIFF with its voxel size; slow, for a thread.

    Returns
    -------
    Path
        The file; a number is added to the name where there is one already.

    Raises
    ------
    ImageError
        If the pixels are of a kind that images do not have.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    pixels = _storable(np.asarray(layer.pixels), layer.name)
    sizes: dict[str, Any] = {}
    if layer.unit != _NO_UNIT:
        for axis, size in layer.spacing.items():
            sizes[f"PhysicalSize{axis}"] = abs(size)
            sizes[f"PhysicalSize{axis}Unit"] = _ome_unit(layer.unit)
    path = _free_path(folder, layer.name)
    with clear_write_errors(path):
        tifffile.imwrite(
            path,
            pixels,
            ome=True,
            photometric="rgb" if layer.axes.endswith("S") else "minisblack",
            metadata={"axes": layer.axes, **sizes},
        )
    return path


def _axes(layer: ImageLayer) -> str:
    named = "".join(
        _LONG_NAMES.get(label.lower(), label.upper()) for label in layer.axis_labels
    )
    is_told = len(named) == layer.ndim == len(set(named)) and set(named) <= {*_LETTERS}
    if is_told and named.endswith("YX"):
        return named
    if layer.ndim not in _DEFAULT_AXES:
        raise ImageError(
            f"The layer '{layer.name}' has {layer.ndim} axes, of which only the last "
            "two are known. Name its axes (layer.axis_labels, such as C, Z, Y, X), or "
            "split it into layers of 2 or 3 axes."
        )
    return _DEFAULT_AXES[layer.ndim]


def _storable(pixels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return pixels of a type that OME-TIFF knows, without loss where possible."""
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "b":
        return pixels.astype(np.uint8)
    if kind not in "uif":
        raise ImageError(
            f"The layer '{name}' holds {pixels.dtype} values, not grey values or "
            "colours. Leave it out, or convert it first."
        )
    if kind == "f":
        return pixels.astype(np.float32, copy=False)
    if size <= np.dtype(np.uint32).itemsize:
        return pixels
    low, high = pixels.min(), pixels.max()
    for smaller in (np.uint16, np.int32):
        limits = np.iinfo(smaller)
        if limits.min <= low and high <= limits.max:
            return pixels.astype(smaller)
    return pixels.astype(np.float32)


def _free_path(folder: Path, name: str) -> Path:
    path, n = folder / f"{name}.ome.tif", 1
    while path.exists():
        n += 1
        path = folder / f"{name}_{n}.ome.tif"
    return path


def _ome_unit(unit: str) -> str:
    return {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm"}.get(unit, unit)
