"""PNG, JPEG and BMP pictures, read at once.

Opacity is dropped. Colour is what the file calls colour, also where its three
channels are equal. A picture with a palette becomes colour, or grey where all its
palette is grey. The dots per inch that such files carry say nothing of a specimen:
the size of a pixel is unknown.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    StoredArray,
    damaged_sentence,
)

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")

_READ_AS = {"1": "L", "L": "L", "LA": "L", "La": "L", "I": "I", "F": "F"}
"""Pillow's mode of the file -> mode to read; RGB for others, except I;16."""

_DTYPES = {"L": np.uint8, "RGB": np.uint8, "I": np.int32, "F": np.float32}
_N_COLOURS = 3


def picture_array(path: Path, *, palette_as_labels: bool = False) -> StoredArray:
    """Read the header of a picture.

    Parameters
    ----------
    path : Path
        A PNG, JPEG or BMP file.
    palette_as_labels : bool
        True returns the palette's indices, not its colours: what a mask means.

    Raises
    ------
    ImageError
        If the file is damaged, larger than can be read at once, or a PNG with 16 bits
        per colour where SimpleITK is not installed.
    """
    try:
        with _opened(path) as picture:
            width, height = picture.size
            is_deep = _is_deep_colour(picture)
            mode = _mode_to_read(picture, palette_as_labels=palette_as_labels)
    except DECODER_ERRORS as error:
        raise ImageError(damaged_sentence(path.name)) from error
    if is_deep:
        return _deep_colour(path)
    colour = mode == "RGB"
    return StoredArray(
        name=path.name,
        axes="YXS" if colour else "YX",
        shape=(height, width, _N_COLOURS) if colour else (height, width),
        dtype=np.dtype(_DTYPES.get(mode or "L", np.uint16)),
        load=_loader(path, mode),
    )


def _opened(path: Path) -> Any:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path)
    except Image.DecompressionBombError:
        raise ImageError(
            f"'{path.name}' is too large to be read at once. Convert it to "
            "OME-TIFF or OME-Zarr, which are read part by part."
        ) from None


def _mode_to_read(picture: Any, *, palette_as_labels: bool) -> str | None:
    """Return Pillow's mode to convert to; None reads the picture as it is."""
    if picture.mode == "P":
        if palette_as_labels:
            return None
        colours = np.reshape(picture.getpalette("RGB"), (-1, _N_COLOURS))
        return "L" if (colours == colours[:, :1]).all() else "RGB"
    if picture.mode.startswith("I;16"):
        return "I;16"
    return _READ_AS.get(picture.mode, "RGB")


def _loader(path: Path, mode: str | None) -> Callable[[], NDArray[Any]]:
    def load() -> NDArray[Any]:
        try:
            with _opened(path) as picture:
                if mode == "I;16":
                    return np.asarray(picture).astype(np.uint16, copy=False)
                if mode is None or picture.mode == mode:
                    return np.asarray(picture)
                return np.asarray(picture.convert(mode))
        except DECODER_ERRORS as error:
            raise ImageError(damaged_sentence(path.name)) from error

    return load


def _is_deep_colour(picture: Any) -> bool:
    """Return True for 16 bits per colour, of which Pillow would read 8."""
    return any("16B" in str(tile[3]) for tile in picture.tile) and not (
        picture.mode.startswith("I")
    )


def _deep_colour(path: Path) -> StoredArray:
    try:
        from napari_mtseg.storage.medical_files import simpleitk_array

        return simpleitk_array(path)
    except ModuleNotFoundError:
        raise ImageError(
            f"'{path.name}' has 16 bits per colour, which need the extra 'medical': "
            "pip install 'napari-mtseg[medical]'. Or convert it to TIFF."
        ) from None
