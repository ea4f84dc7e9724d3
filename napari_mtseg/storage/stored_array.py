"""The array of an image file as it lies there, and how its axes are understood.

Every file format answers with a :class:`StoredArray`. Its axes, one letter each, are
T time, C channel, Z plane, Y row, X column, S colour sample (red, green, blue and,
fourth, opacity), Q where the file does not say. Axes of length 1 other than Y and X
are dropped. Axes that the file does not name are understood so (ours):

- the last axis is colour where it has 3 samples, or channels where it has fewer than
  5, if both other axes are longer; else the last two axes are Y and X;
- one axis before them is channels if it is at most 4 long, else planes;
- of two axes before them the one that is at most 4 long is channels, the first one
  if both are.

``axes`` given by the user replaces all of this.
"""

import lzma
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.image import ImageInfo

DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files."""

MOST_CHANNELS_UNNAMED = 4
"""Longest axis without a name that is taken for channels."""

_N_COLOURS = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredArray:
    """The array of an image file before its axes are put in order."""

    name: str
    """file name, for messages"""
    axes: str
    """one letter per axis, see the module"""
    shape: tuple[int, ...]
    """in the order of ``axes``"""
    dtype: np.dtype[Any]
    """pixel type in the file"""
    load: Callable[[], Any]
    """returns the array: NumPy, memory map, or anything that is read by slicing"""
    spacing: Mapping[str, float] = field(default_factory=dict)
    """axis letter -> size of a voxel, in ``unit``"""
    unit: str = "pixel"
    translation: Mapping[str, float] = field(default_factory=dict)
    """axis letter -> where the middle of the first voxel lies, in ``unit``"""
    load_coarser: Callable[[], Sequence[Any]] = tuple
    """returns the same array at ever fewer pixels, where the file holds them; axes as
    in ``axes``, read by slicing"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the axes (C, [Z,] Y, X) lie in the array of a file."""

    letters: str
    """one per axis of the file, none of them unknown"""
    source: tuple[int | None, ...]
    """axis of the file for each of C, [Z,] Y, X; None for channels it does not have"""
    n_channels: int
    """without opacity"""
    spatial_shape: tuple[int, ...]
    """([Z,] Y, X)"""

    def raw_index(self, reads: Sequence[slice]) -> tuple[slice, ...]:
        """Turn a slice for each of C, [Z,] Y, X into one for each axis of the file."""
        of_axis = dict(zip(self.source, reads, strict=True))
        index = [of_axis.get(raw, slice(0, 1)) for raw in range(len(self.letters))]
        return tuple(index)

    def arranged(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Put an array that has all axes of the file in the order (C, [Z,] Y, X)."""
        kept = [axis for axis in self.source if axis is not None]
        dropped = [axis for axis in range(raw.ndim) if axis not in kept]
        moved = raw.transpose(*kept, *dropped)
        for _ in dropped:
            moved = moved[..., 0]
        return moved if self.source[0] is not None else moved[np.newaxis]


def layout_of(stored: StoredArray, axes: str | None = None) -> Layout:
    """Find C, [Z,] Y, X among the axes of a file.

    Parameters
    ----------
    stored : StoredArray
        The file's array.
    axes : str, optional
        What the user says the axes are: a letter per axis, or per axis that is
        longer than 1. A Z or C named here is kept even where its length is 1.

    Raises
    ------
    ImageError
        If the image is empty, a time series, has more than three axes beside its
        channels, or if ``axes`` does not fit.
    """
    if 0 in stored.shape:
        raise ImageError(
            f"'{stored.name}' is empty: its size is {size_text(stored.shape)}. "
            "Leave it out or export it again."
        )
    letters = _named(stored) if axes is None else _as_told(stored, axes)
    _check_letters(stored, letters)
    colour = "S" if "S" in letters else "C"
    wanted = "ZYX" if _has_planes(stored, letters, axes) else "YX"
    channel = letters.find(colour)
    n_channels = 1 if channel < 0 else stored.shape[channel]
    if colour == "S":
        n_channels = min(n_channels, _N_COLOURS)
    return Layout(
        letters=letters,
        source=(None if channel < 0 else channel, *(letters.index(x) for x in wanted)),
        n_channels=n_channels,
        spatial_shape=tuple(stored.shape[letters.index(x)] for x in wanted),
    )


def info_of(stored: StoredArray, layout: Layout, channels: Sequence[int]) -> ImageInfo:
    """Describe an image of which ``channels`` are shown.

    Raises
    ------
    ImageError
        If its values are no plain numbers.
    """
    if stored.dtype.kind not in "buif":
        raise ImageError(
            f"'{stored.name}' holds {stored.dtype.name} values, which are no "
            "intensities. Save it as integers or as float32."
        )
    spatial = "ZYX"[-len(layout.spatial_shape) :]
    return ImageInfo(
        axes="C" + spatial,
        shape=(len(channels), *layout.spatial_shape),
        dtype=stored.dtype.name,
        rgb="S" in layout.letters and list(channels) == list(range(_N_COLOURS)),
        spacing=_spacing(stored.spacing, spatial),
        unit=stored.unit,
        translation=_translation(stored.translation, spatial),
    )


def damaged_sentence(name: str) -> str:
    """Return the sentence for a file that its decoder cannot read."""
    return (
        f"'{name}' cannot be read: it is damaged, cut off, or not what its name says. "
        "Copy or export it again from its source."
    )


def missing_sentence(path: Path) -> str:
    """Return the sentence for a file that is not there."""
    return f"There is no file or folder '{path}'. Check the path."


def size_text(shape: Sequence[int]) -> str:
    """Return a shape as people write it: '7 x 512 x 512'."""
    return " x ".join(str(n) for n in shape)


def _named(stored: StoredArray) -> str:
    """Name the axes that the file leaves unnamed, by the rule of the module."""
    letters, shape = list(stored.axes), stored.shape
    unknown = [i for i, letter in enumerate(letters) if letter == "Q" and shape[i] > 1]
    if not {"Y", "X"} & set(letters):
        letters, unknown = _with_rows_and_columns(letters, shape)
    limit = MOST_CHANNELS_UNNAMED
    if len(unknown) == 1:
        has_channels = bool({"C", "S"} & set(letters))
        as_channels = "Z" in letters or (
            not has_channels and shape[unknown[0]] <= limit
        )
        letters[unknown[0]] = "C" if as_channels else "Z"
    if len(unknown) == 2 and not {"C", "S", "Z"} & set(letters):
        first, second = unknown
        channels_second = shape[second] <= limit < shape[first]
        if min(shape[first], shape[second]) <= limit:
            letters[first] = "Z" if channels_second else "C"
            letters[second] = "C" if channels_second else "Z"
    return "".join(letters)


def _with_rows_and_columns(
    letters: list[str], shape: tuple[int, ...]
) -> tuple[list[str], list[int]]:
    letters = letters.copy()
    long = [i for i, n in enumerate(shape) if n > 1]
    last = long[-3:]
    limit = MOST_CHANNELS_UNNAMED
    if len(long) > 2 and shape[last[2]] <= limit < min(shape[i] for i in last[:2]):
        letters[last[2]] = "S" if shape[last[2]] == _N_COLOURS else "C"
        rows, columns = last[0], last[1]
    elif len(long) > 1 and shape[-1] == 1:
        rows, columns = long[-2:]
    else:
        rows, columns = len(shape) - 2, len(shape) - 1
    letters[rows], letters[columns] = "Y", "X"
    return letters, [i for i in long if letters[i] == "Q"]


def _as_told(stored: StoredArray, axes: str) -> str:
    told = axes.upper()
    long = [i for i, n in enumerate(stored.shape) if n > 1]
    ok = set(told) <= set("TCZYXS") and len(set(told)) == len(told)
    if ok and {"Y", "X"} <= set(told) and len(told) == len(stored.shape):
        return told
    if ok and {"Y", "X"} <= set(told) and len(told) == len(long):
        letters = ["Q"] * len(stored.shape)
        for i, letter in zip(long, told, strict=True):
            letters[i] = letter
        return "".join(letters)
    raise ImageError(
        f"Axes '{axes}' do not fit '{stored.name}', whose size is "
        f"{size_text(stored.shape)}. Give one letter of T, C, Z, Y, X or S (colour) "
        "per axis, Y and X among them, for example 'ZYX'."
    )


def _check_letters(stored: StoredArray, letters: str) -> None:
    lengths = dict(zip(letters, stored.shape, strict=True))
    long = [x for x, n in zip(letters, stored.shape, strict=True) if n > 1]
    size = size_text(stored.shape)
    if lengths.get("T", 1) > 1:
        raise ImageError(
            f"'{stored.name}' is a time series of {lengths['T']} frames, and time "
            "series are read frame by frame: split it into a file per frame first. "
            "If that axis holds planes or channels, say so with the axes, for example "
            f"'{letters.replace('T', 'C' if 'Z' in letters else 'Z')}'."
        )
    strange = [x for x in long if x not in "CZYXS"]
    twice = max(Counter(long).values(), default=0) > 1
    both = {"C", "S"} <= set(long)
    if strange or twice or both or not {"Y", "X"} <= set(letters):
        raise ImageError(
            f"'{stored.name}' has the axes {letters} ({size}; Q is unknown), but an "
            "image has rows and columns, and may have planes and either channels or "
            "colour. Split it, or say what its axes are, for example 'CZYX'."
        )


def _has_planes(stored: StoredArray, letters: str, axes: str | None) -> bool:
    at = letters.find("Z")
    return at >= 0 and (
        stored.shape[at] > 1 or (axes is not None and "Z" in axes.upper())
    )


def _translation(known: Mapping[str, float], spatial: str) -> tuple[float, ...]:
    if not any(known.get(letter) for letter in spatial):
        return ()
    return tuple(known.get(letter, 0.0) for letter in spatial)


def _spacing(known: Mapping[str, float], spatial: str) -> tuple[float, ...]:
    """Fill in unknown sizes: a voxel is as deep and high as it is wide (ours)."""
    width = known.get("X", 1.0)
    return tuple(float(known.get(letter, width)) for letter in spatial)
