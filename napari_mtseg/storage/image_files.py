"""Image files: what they hold, and their pixels as (C, [Z,] Y, X), lazily if possible.

Uncompressed TIFFs are mapped, OME-Zarr and large compressed TIFFs are read part by
part, all else is read at once. A Z axis of one plane is dropped: the image is 2D.
How axes without a name are understood is told in ``stored_array``.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.storage.file_formats import image_suffix, loaded, stored_array
from napari_mtseg.storage.lazy_pixels import LazyPixels
from napari_mtseg.storage.medical_files import is_dicom_folder
from napari_mtseg.storage.stored_array import (
    Layout,
    StoredArray,
    info_of,
    layout_of,
    missing_sentence,
    size_text,
)
from napari_mtseg.storage.zarr_files import is_zarr

_BLOCK_2D = (4096, 4096)
_BLOCK_3D = (64, 512, 512)
_HASH_BLOCK = 2**20


def inspect_image(path: Path, *, axes: str | None = None) -> ImageInfo:
    """Describe an image file from its header.

    Parameters
    ----------
    path : Path
        File, OME-Zarr folder or DICOM series folder.
    axes : str, optional
        What the axes of the file's array are, where the file does not say or is
        wrong: a letter of T, C, Z, Y, X, S (colour) per axis, such as 'ZYX'.

    Raises
    ------
    ImageError
        If the file is missing, damaged, empty, of a format or a kind that is not
        supported, or if ``axes`` does not fit.
    """
    stored = stored_array(path)
    layout = layout_of(stored, axes)
    return info_of(stored, layout, range(layout.n_channels))


def open_image(
    path: Path, *, channels: Sequence[int] | None = None, axes: str | None = None
) -> Image:
    """Open an image file; pixels are read when they are sliced, where possible.

    Parameters
    ----------
    path : Path
        File, OME-Zarr folder or DICOM series folder.
    channels : sequence of int, optional
        Channels to use, from 0, in this order; all where it is not given.
    axes : str, optional
        As in :func:`inspect_image`.

    Raises
    ------
    ImageError
        As :func:`inspect_image`, and if the image has no such channel.
    MemoryShortageError
        If the file must be read at once and memory does not suffice.
    """
    stored = stored_array(path)
    layout = layout_of(stored, axes)
    shown = _checked_channels(stored.name, channels, layout.n_channels)
    info = info_of(stored, layout, shown)
    return Image(name=stored.name, pixels=_pixels(stored, layout, shown), info=info)


def open_coarser(
    path: Path, *, channels: Sequence[int] | None = None, axes: str | None = None
) -> tuple[LazyPixels, ...]:
    """Open the coarser copies that an image file holds of its pixels, if any.

    Parameters
    ----------
    path, channels, axes
        As in :func:`open_image`.

    Returns
    -------
    tuple of LazyPixels
        (C, [Z,] Y, X) of ever fewer pixels, all channels or those asked for.

    Raises
    ------
    ImageError
        As :func:`open_image`.
    """
    stored = stored_array(path)
    layout = layout_of(stored, axes)
    shown = _checked_channels(stored.name, channels, layout.n_channels)
    copies = []
    for array in stored.load_coarser():
        places = (place for place in layout.source[1:] if place is not None)
        shape = tuple(int(array.shape[place]) for place in places)
        copies.append(
            LazyPixels(
                array,
                name=stored.name,
                layout=replace(layout, spatial_shape=shape),
                channels=shown,
                dtype=array.dtype,
            )
        )
    return tuple(copies)


def is_image_file(path: Path) -> bool:
    """Return True for a file or folder of a supported format, judged by its name.

    A folder counts if it holds zarr metadata or a DICOM series.
    """
    path = Path(path)
    if path.is_dir():
        return is_zarr(path) or path.suffix.lower() == ".zarr" or is_dicom_folder(path)
    return path.is_file() and image_suffix(path) is not None


def list_image_files(folder: Path) -> list[Path]:
    """Return the images of a folder, sorted by name.

    Hidden files are skipped, and so are folders other than those that are one image:
    OME-Zarr and DICOM series. A folder that is one image itself is the only answer.

    Raises
    ------
    ImageError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(missing_sentence(folder))
    if is_image_file(folder):
        return [folder]
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and is_image_file(path)
    )


def content_fingerprint(path: Path) -> str:
    """Return the SHA-256, in hex, of an image's content.

    Of a file it is the hash of its bytes. Of a folder (OME-Zarr, DICOM), and of an
    MHD header together with its data file, it is the hash of, for each file in order
    of its relative POSIX name: the name, a zero byte, the length as 8 bytes, and the
    bytes.

    Raises
    ------
    ImageError
        If there is no such file or folder.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(missing_sentence(path))
    digest = hashlib.sha256()
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        parts = {file.relative_to(path).as_posix(): file for file in files}
    elif path.suffix.lower() == ".mhd":
        parts = {file.name: file for file in (path, *_data_file(path))}
    else:
        for block in _blocks_of_file(path):
            digest.update(block)
        return digest.hexdigest()
    for name in sorted(parts):
        digest.update(name.encode() + b"\0")
        digest.update(parts[name].stat().st_size.to_bytes(8, "big"))
        for block in _blocks_of_file(parts[name]):
            digest.update(block)
    return digest.hexdigest()


def read_pixels(
    image: Image, region: tuple[slice, ...] | None = None
) -> NDArray[np.float32]:
    """Read a region of an image as new float32 values, as they are in the file.

    Integers above 2**24 and float64 values are rounded to float32.

    Parameters
    ----------
    image : Image
        An opened image.
    region : tuple of slice, optional
        One slice for each of ([Z,] Y, X); everything where it is not given.

    Returns
    -------
    (C, [Z,] Y, X) float32
        Contiguous and writable.

    Raises
    ------
    ImageError
        If that part of the file is damaged.
    ValueError
        If ``region`` has another number of axes than the image.
    """
    if region is None:
        region = (slice(None),) * image.info.ndim
    if len(region) != image.info.ndim:
        raise ValueError(f"region has {len(region)} axes, image {image.info.ndim}")
    part = image.pixels[(slice(None), *region)]
    return np.array(part, dtype=np.float32, order="C")


def check_pixels(image: Image) -> None:
    """Refuse pixels from which nothing can be learned; reads in bounded memory.

    Raises
    ------
    ImageError
        If pixels are NaN or infinite, or all pixels of all channels are equal.
    """
    n_nan = n_infinite = 0
    low, high = np.inf, -np.inf
    for region in _regions(image):
        part = np.asarray(image.pixels[region])
        if part.dtype.kind == "f":
            finite = np.isfinite(part)
            if not finite.all():
                nan = int(np.isnan(part).sum())
                n_nan += nan
                n_infinite += part.size - int(finite.sum()) - nan
                continue
        low, high = min(low, part.min()), max(high, part.max())
    if n_nan or n_infinite:
        raise ImageError(
            f"'{image.name}' holds {n_nan} NaN and {n_infinite} infinite values among "
            f"its {size_text(image.info.shape)} (C, {', '.join(image.info.axes[1:])}). "
            "Replace them, for example by 0, and save the image again."
        )
    if low == high:
        raise ImageError(
            f"'{image.name}' has the value {low:g} in every pixel, so nothing can be "
            "learned from it. Leave it out or export it again."
        )


def _checked_channels(
    name: str, channels: Sequence[int] | None, n_channels: int
) -> tuple[int, ...]:
    if channels is None:
        return tuple(range(n_channels))
    wrong = [channel for channel in channels if not 0 <= channel < n_channels]
    if wrong:
        counted = f"Channels count from 0 to {n_channels - 1}"
        choice = counted if n_channels > 1 else "Its only channel is 0"
        raise ImageError(
            f"'{name}' has {n_channels} channel{'s' * (n_channels > 1)}, but channel "
            f"{wrong[0]} is asked for. {choice}."
        )
    if not channels:
        raise ImageError(f"No channel of '{name}' is asked for. Choose at least one.")
    return tuple(channels)


def _pixels(
    stored: StoredArray, layout: Layout, channels: tuple[int, ...]
) -> NDArray[np.generic]:
    array = loaded(stored)
    first, n = channels[0], len(channels)
    in_order = channels == tuple(range(first, first + n))
    if isinstance(array, np.ndarray) and array.dtype.isnative and in_order:
        return layout.arranged(np.asarray(array))[first : first + n]
    lazy = LazyPixels(
        array, name=stored.name, layout=layout, channels=channels, dtype=stored.dtype
    )
    return cast("NDArray[np.generic]", lazy)


def _regions(image: Image) -> Iterator[tuple[slice, ...]]:
    """Cut an image into regions of some 64 MB, in whole chunks where it has chunks."""
    blocks = _BLOCK_3D if image.info.ndim == len(_BLOCK_3D) else _BLOCK_2D
    chunks = getattr(image.pixels, "chunks", None) or (1,) * len(image.info.shape)
    steps = (1, *(-(-b // c) * c for b, c in zip(blocks, chunks[1:], strict=True)))
    starts = [range(0, n, s) for n, s in zip(image.info.shape, steps, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(slice(a, a + s) for a, s in zip(corner, steps, strict=True))


def _data_file(header: Path) -> list[Path]:
    for line in header.read_text(encoding="latin-1").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "ElementDataFile":
            file = header.parent / value.strip()
            return [file] if file.is_file() else []
    return []


def _blocks_of_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            yield block
