"""Pixels of a file in the order (C, [Z,] Y, X), read by slicing."""

from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    Layout,
    damaged_sentence,
)


class Sliceable(Protocol):
    """An array of a file: NumPy, memory map, zarr or alike."""

    def __getitem__(self, key: Any, /) -> Any:
        """Read the part that ``key``, a tuple of slices, asks for."""


@dataclass(frozen=True, eq=False)
class _Part:
    """What one axis reads from the file, and what of that was asked for."""

    read: slice
    """step > 0"""
    pick: int | slice | NDArray[np.intp]


def is_read_in_parts(pixels: Any) -> bool:
    """Tell whether slicing reads from the file, so that no whole image is in memory.

    Parameters
    ----------
    pixels : array or LazyPixels
        As :func:`~napari_mtseg.storage.image_files.open_image` returns them. Those of
        formats that are decoded at once (pictures, small compressed TIFFs, medical
        files) lie in memory.
    """
    if isinstance(pixels, LazyPixels):
        return pixels.is_read_in_parts
    while isinstance(pixels, np.ndarray):
        if isinstance(pixels, np.memmap):
            return True
        pixels = pixels.base
        if pixels is None:
            return False
    return isinstance(pixels, mmap)


class LazyPixels:
    """An array (C, [Z,] Y, X) that reads from its file only what is sliced.

    Understands integers, slices, ``...`` and, on one axis, a list of indices. It has
    what napari, dask and :func:`numpy.asarray` need of an array.

    Parameters
    ----------
    array : Sliceable
        The array as it lies in the file.
    name : str
        File name, for messages.
    layout : Layout
        How the file's axes become (C, [Z,] Y, X).
    channels : sequence of int
        Channels of the file to show, in this order.
    dtype : dtype
        Pixel type of the file; the pixels that are read are in native byte order.
    """

    def __init__(
        self,
        array: Sliceable,
        *,
        name: str,
        layout: Layout,
        channels: Sequence[int],
        dtype: DTypeLike,
    ) -> None:
        self._array = array
        self._name = name
        self._layout = layout
        self._channels = np.asarray(channels, np.intp)
        self.dtype: np.dtype[Any] = np.dtype(dtype).newbyteorder("=")
        self.shape = (len(self._channels), *layout.spatial_shape)
        chunks = getattr(array, "chunks", None)
        self.chunks: tuple[int, ...] | None = None
        if chunks is not None:
            self.chunks = tuple(
                1 if raw is None else int(chunks[raw]) for raw in layout.source
            )
            """(C, [Z,] Y, X) size of the blocks in which the file is stored"""

    @property
    def ndim(self) -> int:
        """3 or 4."""
        return len(self.shape)

    @property
    def is_read_in_parts(self) -> bool:
        """True if slicing reads from the file; False if all lies in memory."""
        array = self._array
        return not isinstance(array, np.ndarray) or is_read_in_parts(array)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that all pixels take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the number of channels."""
        return self.shape[0]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Read everything."""
        if copy is False:
            raise ValueError("pixels of a file cannot be had without a copy")
        pixels = self[...]
        return pixels if dtype is None else pixels.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the part that ``key`` asks for.

        Raises
        ------
        ImageError
            If that part of the file is damaged.
        IndexError
            If ``key`` is out of range or of a kind that is not understood.
        """
        parts = self._parts(key)
        try:
            raw = np.asarray(
                self._array[self._layout.raw_index([part.read for part in parts])]
            )
        except DECODER_ERRORS as error:
            raise ImageError(damaged_sentence(self._name)) from error
        found = self._layout.arranged(raw)
        for axis, part in enumerate(parts):
            if isinstance(part.pick, np.ndarray):
                found = found.take(part.pick, axis=axis)
        found = found[
            tuple(
                slice(None) if isinstance(part.pick, np.ndarray) else part.pick
                for part in parts
            )
        ]
        return np.asarray(found).astype(self.dtype, copy=False)

    def _parts(self, key: Any) -> list[_Part]:
        keys = _one_key_per_axis(key, self.ndim)
        if sum(isinstance(k, list | np.ndarray) for k in keys) > 1:
            raise IndexError("a list of indices is understood on one axis only")
        first = _indices_part(self._channels[keys[0]])
        return [
            first,
            *(
                _part(k, length)
                for k, length in zip(keys[1:], self.shape[1:], strict=True)
            ),
        ]


class CroppedPixels:
    """A box of an image (C, [Z,] Y, X), read by slicing.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X)
        The image; may be lazy.
    box : Box
        Part of it along ([Z,] Y, X).
    """

    def __init__(self, pixels: Any, box: Box) -> None:
        self._pixels = pixels
        self._box = box
        self.dtype: np.dtype[Any] = np.dtype(pixels.dtype)
        self.shape: tuple[int, ...] = (pixels.shape[0], *box.shape)

    @property
    def ndim(self) -> int:
        """3 or 4."""
        return len(self.shape)

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Read everything."""
        if copy is False:
            raise ValueError("pixels of a file cannot be had without a copy")
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the part that ``key``, a tuple of slices with steps > 0, asks for."""
        keys = _one_key_per_axis(key, self.ndim)
        sides = zip(keys[1:], self._box.start, self._box.shape, strict=True)
        moved = (_moved(part, first, length) for part, first, length in sides)
        return np.asarray(self._pixels[(keys[0], *moved)])


class ThinnedPixels:
    """Every n-th pixel of an image (C, [Z,] Y, X), read by slicing.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X)
        The image; may be lazy.
    steps : tuple of int
        n along each axis.
    """

    def __init__(self, pixels: Any, steps: tuple[int, ...]) -> None:
        self._pixels = pixels
        self._steps = steps
        self.dtype: np.dtype[Any] = np.dtype(pixels.dtype)
        sides = zip(pixels.shape, steps, strict=True)
        self.shape: tuple[int, ...] = tuple(-(-n // step) for n, step in sides)

    @property
    def ndim(self) -> int:
        """3 or 4."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the part that ``key``, of integers and slices with steps > 0, names."""
        keys = _one_key_per_axis(key, self.ndim)
        sides = zip(keys, self._steps, self.shape, strict=True)
        wanted = tuple(_thinned(part, step, length) for part, step, length in sides)
        return np.asarray(self._pixels[wanted])


def _thinned(part: Any, every: int, length: int) -> Any:
    if not isinstance(part, slice):
        return range(length)[part] * every
    start, stop, step = part.indices(length)
    if stop <= start:
        return slice(0, 0)
    return slice(start * every, (stop - 1) * every + 1, step * every)


def _moved(part: slice, first: int, length: int) -> slice:
    start, stop, step = part.indices(length)
    return slice(first + start, first + max(start, stop), step)


def _one_key_per_axis(key: Any, ndim: int) -> list[Any]:
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(dots) > 1 or len(keys) - len(dots) > ndim:
        raise IndexError(f"too many indices: the pixels have {ndim} axes")
    at = dots[0] if dots else len(keys)
    filling = [slice(None)] * (ndim - (len(keys) - len(dots)))
    return keys[:at] + filling + keys[at + 1 :]


def _part(key: Any, length: int) -> _Part:
    if isinstance(key, slice):
        wanted = range(length)[key]
        if not wanted:
            return _Part(slice(0, 0), slice(None))
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        order = slice(None, None, -1 if wanted.step < 0 else 1)
        return _Part(slice(low, high, abs(wanted.step)), order)
    if isinstance(key, list | np.ndarray):
        return _indices_part(np.arange(length)[key])
    at = range(length)[key]
    return _Part(slice(at, at + 1), 0)


def _indices_part(wanted: NDArray[np.intp] | np.intp) -> _Part:
    if np.ndim(wanted) == 0:
        at = int(wanted)
        return _Part(slice(at, at + 1), 0)
    indices = np.asarray(wanted)
    if indices.size == 0:
        return _Part(slice(0, 0), slice(None))
    low = int(indices.min())
    return _Part(slice(low, int(indices.max()) + 1), indices - low)
