"""Masks in files: label images that belong to an image of the same size."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage.file_formats import loaded, stored_array
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    damaged_sentence,
    missing_sentence,
    size_text,
)

_LARGEST = int(np.iinfo(np.uint32).max)
_LOSSY = (".jpg", ".jpeg")
_N_SAMPLES = (3, 4)


def read_labels(
    path: Path, shape: tuple[int, ...], *, image_name: str = ""
) -> NDArray[np.uint32]:
    """Read a label image.

    A picture with a palette gives its indices. Axes of length 1 are passed over, so
    that a stack of one plane fits a 2D image.

    Parameters
    ----------
    path : Path
        TIFF, PNG, BMP, NumPy (.npy) or zarr, and with the extra 'medical' NIfTI, NRRD,
        MHA, MHD.
    shape : tuple of int
        ([Z,] Y, X) of the image that the labels belong to.
    image_name : str
        Name of that image, for messages.

    Returns
    -------
    ([Z,] Y, X) uint32
        0 background.

    Raises
    ------
    AnnotationError
        If the mask is colour or JPEG, has another size than its image, or values that
        are no whole numbers from 0 to 2**32 - 1.
    ImageError
        If the file is missing, damaged or of a format that is not supported.
    """
    path = Path(path)
    if path.suffix.lower() in _LOSSY:
        raise AnnotationError(
            f"Mask '{path.name}' is a JPEG, which changes values near edges. "
            "Export it as PNG or TIFF."
        )
    if path.suffix.lower() == ".npy":
        values, colour = _numpy_values(path), False
    else:
        stored = stored_array(path, palette_as_labels=True)
        values, colour = np.asarray(loaded(stored)[...]), "S" in stored.axes
    fits = _without_ones(values.shape) == _without_ones(shape)
    if colour or (not fits and _has_samples(values.shape, shape)):
        raise AnnotationError(
            f"Mask '{path.name}' is a colour picture, but a mask holds one number per "
            "pixel: 0 for background, other values for objects or classes. Export it "
            "as a label image."
        )
    if not fits:
        raise AnnotationError(
            f"Mask '{path.name}' is {size_text(values.shape)} pixels but its image "
            f"{image_name and repr(image_name) + ' '}is {size_text(shape)}: "
            "a mask needs the size of its image. Export it again at that size."
        )
    _check_values(path.name, values)
    return values.reshape(shape).astype(np.uint32)


def _numpy_values(path: Path) -> NDArray[Any]:
    if not path.exists():
        raise AnnotationError(missing_sentence(path))
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except DECODER_ERRORS as error:
        raise AnnotationError(damaged_sentence(path.name)) from error
    return values


def _check_values(name: str, values: NDArray[Any]) -> None:
    if values.dtype.kind not in "buif":
        raise AnnotationError(
            f"Mask '{name}' holds {values.dtype.name} values, but whole numbers from 0 "
            "up are expected. Export it as a label image of integers."
        )
    if values.size == 0 or values.dtype.kind == "b":
        return
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        wrong = values[values != np.floor(values)].flat[0]
        raise AnnotationError(
            f"Mask '{name}' holds the value {wrong:g}, but whole numbers from 0 up are "
            "expected. Export labels, not probabilities or intensities."
        )
    low, high = values.min(), values.max()
    if low < 0 or high > _LARGEST:
        raise AnnotationError(
            f"Mask '{name}' holds the value {low if low < 0 else high:.0f}, but whole "
            f"numbers from 0 to {_LARGEST} are expected. Use 0 for background and "
            "small numbers for objects or classes."
        )


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _has_samples(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Return True if only a last axis of colours parts ``found`` from ``shape``."""
    same = _without_ones(found[:-1]) == _without_ones(shape)
    return same and found[-1:] in {(n,) for n in _N_SAMPLES}
