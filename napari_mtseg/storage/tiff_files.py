"""TIFF and OME-TIFF: axes, voxel size and pixels, mapped or read part by part.

Only the first series is read, at its highest resolution. Pixel values are those of
the file: a colour map or an inverted display is not applied.
"""

import struct
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    StoredArray,
    damaged_sentence,
)
from napari_mtseg.storage.voxel_sizes import in_one_unit, unit_name

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")

READ_WHOLE_BELOW = 256 * 2**20
"""Bytes up to which an image that cannot be mapped is read at once."""

PRINT_DENSITIES = (72, 96, 100, 150, 200, 300, 400, 600, 1200)
"""Dots per inch that programs write by habit: not believed as a pixel size."""

_N_COLOURS = 3
_ALPHA = (1, 2)
_TAG_UNITS = {2: "inch", 3: "centimeter"}


class PartsOfTiff:
    """A compressed or tiled TIFF too large to be read at once."""

    def __init__(self, path: Path) -> None:
        import zarr

        store: Any = tifffile.imread(path, aszarr=True, series=0, level=0)
        array: Any = zarr.open_array(store, mode="r")
        self._array = array
        self.chunks: tuple[int, ...] = array.chunks
        weakref.finalize(self, store.close)

    def __getitem__(self, key: Any) -> Any:
        """Read the part that ``key``, a tuple of slices, asks for."""
        return self._array[key]


def tiff_array(path: Path) -> StoredArray:
    """Read the header of a TIFF file.

    Raises
    ------
    ImageError
        If the file is damaged or cut off.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            if series.size:
                _check_whole(path, file, series)
            axes = _axes(series)
            sizes, unit = _spacing(file)
            shape = tuple(int(n) for n in series.shape)
            dtype = np.dtype(series.dtype)
    except (*DECODER_ERRORS, TypeError, tifffile.TiffFileError) as error:
        raise ImageError(damaged_sentence(path.name)) from error
    return StoredArray(
        name=path.name,
        axes=axes,
        shape=shape,
        dtype=dtype,
        load=lambda: _load(path),
        spacing=sizes,
        unit=unit,
    )


def _load(path: Path) -> Any:
    """Map the file where its pixels lie in one piece, else read it, else read parts."""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            if series.dataoffset is not None:
                return tifffile.memmap(path, series=0, level=0, mode="r")
            if series.nbytes <= READ_WHOLE_BELOW:
                return series.asarray()
        return PartsOfTiff(path)
    except (*DECODER_ERRORS, TypeError, tifffile.TiffFileError) as error:
        if "imagecodecs" in str(error):
            raise ImageError(
                f"'{path.name}' is compressed in a way that needs a further package: "
                "pip install imagecodecs."
            ) from error
        raise ImageError(damaged_sentence(path.name)) from error


def _check_whole(path: Path, file: tifffile.TiffFile, series: Any) -> None:
    """Refuse a file that ends before its pages or their pixels do.

    tifffile reads what is left of such a file: a volume would lose its last planes.
    """
    if series.dataoffset is not None:
        end = series.dataoffset + series.nbytes
    else:
        pages = [
            page for page in (series.pages[0], series.pages[-1]) if page is not None
        ]
        end = max(
            offset + count
            for page in pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            if page.parent.filehandle.path == file.filehandle.path
        )
    n_planes = series.size // series.keyframe.size
    n_told = int((file.imagej_metadata or {}).get("images", 1)) if file.is_imagej else 1
    size = path.stat().st_size
    if end > size or n_told > n_planes or _last_page_offset(file) >= size:
        raise EOFError


def _last_page_offset(file: tifffile.TiffFile) -> int:
    """Follow the chain of pages to where the last one is, or should be."""
    handle, form = file.filehandle, file.tiff
    place, last, seen = form.offsetsize, 0, set[int]()
    while True:
        handle.seek(place)
        offset = struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0]
        if offset == 0 or offset in seen or offset >= handle.size:
            return max(last, offset)
        seen.add(offset)
        handle.seek(offset)
        n_tags = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))[0]
        place = offset + form.tagnosize + n_tags * form.tagsize
        last = max(last, offset)


def _axes(series: Any) -> str:
    """Return a letter per axis; I (unnamed pages) and what tifffile guessed are Q."""
    axes: str = series.axes.replace("I", "Q")
    page = series.keyframe
    if series.kind == "shaped" and axes.startswith("Q") and axes.endswith("YX"):
        return "Q" * len(axes)
    at = axes.find("S")
    if at < 0:
        return axes
    samples = series.shape[at]
    colour = getattr(page.photometric, "name", "") in (
        "RGB",
        "YCBCR",
        "CIELAB",
        "SEPARATED",
    )
    opaque = samples == _N_COLOURS + 1 and tuple(page.extrasamples or ())[:1] in {
        (code,) for code in _ALPHA
    }
    return (
        axes if colour and (samples == _N_COLOURS or opaque) else axes.replace("S", "C")
    )


def _spacing(file: tifffile.TiffFile) -> tuple[dict[str, float], str]:
    if file.is_ome and file.ome_metadata:
        sizes = _ome_sizes(file.ome_metadata)
    elif file.is_imagej:
        sizes = _imagej_sizes(file)
    else:
        sizes = _tag_sizes(file)
    return in_one_unit(sizes)


def _ome_sizes(xml: str) -> dict[str, tuple[float, str]]:
    for element in ElementTree.fromstring(xml).iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            return {
                axis: (
                    float(element.get(f"PhysicalSize{axis}", "nan")),
                    unit_name(element.get(f"PhysicalSize{axis}Unit", "µm")),
                )
                for axis in "XYZ"
            }
    return {}


def _imagej_sizes(file: tifffile.TiffFile) -> dict[str, tuple[float, str]]:
    facts: Mapping[str, Any] = file.imagej_metadata or {}
    unit = unit_name(str(facts.get("unit", "")))
    sizes = {axis: (size, unit) for axis, size in _tag_resolution(file).items()}
    if "spacing" in facts:
        sizes["Z"] = (float(facts["spacing"]), unit)
    return sizes


def _tag_sizes(file: tifffile.TiffFile) -> dict[str, tuple[float, str]]:
    tags = file.pages.first.tags
    unit = _TAG_UNITS.get(int(tags.valueof("ResolutionUnit", 2)))
    sizes = _tag_resolution(file)
    if unit is None or "X" not in sizes:
        return {}
    per_inch = (1 if unit == "inch" else 2.54) / sizes["X"]
    if per_inch <= 1 or any(abs(per_inch / d - 1) < 0.01 for d in PRINT_DENSITIES):
        return {}
    return {
        axis: (size * (25400 if unit == "inch" else 10000), "micrometer")
        for axis, size in sizes.items()
    }


def _tag_resolution(file: tifffile.TiffFile) -> dict[str, float]:
    """Return axis -> size of a pixel in the file's resolution unit."""
    tags = file.pages.first.tags
    found = {}
    for axis in "XY":
        pixels, units = tags.valueof(f"{axis}Resolution", (0, 1))
        if pixels > 0 and units > 0:
            found[axis] = units / pixels
    return found
