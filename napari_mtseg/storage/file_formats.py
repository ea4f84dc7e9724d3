"""Which reader reads which file, and what all of them refuse."""

from pathlib import Path
from typing import Any

import numpy as np

from napari_mtseg.domain.errors import ImageError, MemoryShortageError
from napari_mtseg.storage.medical_files import (
    MEDICAL_SUFFIXES,
    is_dicom_folder,
    medical_array,
)
from napari_mtseg.storage.picture_files import PICTURE_SUFFIXES, picture_array
from napari_mtseg.storage.stored_array import (
    DECODER_ERRORS,
    StoredArray,
    damaged_sentence,
    missing_sentence,
)
from napari_mtseg.storage.tiff_files import TIFF_SUFFIXES, tiff_array
from napari_mtseg.storage.zarr_files import is_zarr, zarr_array

SUPPORTED = (
    "TIFF and OME-TIFF (.tif, .tiff, .btf, .tf8), PNG, JPEG, BMP, OME-Zarr folders, "
    "and with the extra 'medical' NIfTI (.nii, .nii.gz), NRRD, MHA, MHD and DICOM "
    "(.dcm, folders)"
)
"""What can be read, for messages."""

_FILE_SUFFIXES = TIFF_SUFFIXES + PICTURE_SUFFIXES + MEDICAL_SUFFIXES


def stored_array(path: Path, *, palette_as_labels: bool = False) -> StoredArray:
    """Read the header of any supported file; axes are as they lie in the file.

    Parameters
    ----------
    path : Path
        File, OME-Zarr folder or DICOM series folder.
    palette_as_labels : bool
        True reads the indices of a picture with a palette, not its colours.

    Raises
    ------
    ImageError
        If the file is missing, damaged or of a format that is not supported.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise ImageError(missing_sentence(path))
        if path.is_dir():
            return _folder_array(path)
        suffix = image_suffix(path)
        if suffix is not None and path.stat().st_size == 0:
            raise ImageError(
                f"'{path.name}' is an empty file (0 bytes). "
                "Copy or export it again from its source."
            )
        if suffix in TIFF_SUFFIXES:
            return tiff_array(path)
        if suffix in PICTURE_SUFFIXES:
            return picture_array(path, palette_as_labels=palette_as_labels)
        if suffix in MEDICAL_SUFFIXES:
            return medical_array(path)
    except PermissionError:
        raise ImageError(
            f"'{path}' cannot be read: permission denied. Ask its owner for the right "
            "to read it."
        ) from None
    raise ImageError(
        f"'{path.name}' is of a format that cannot be read. Supported are {SUPPORTED}."
    )


def loaded(stored: StoredArray) -> Any:
    """Return the array of a file: in memory, mapped, or read by slicing.

    Raises
    ------
    ImageError
        If the file is damaged.
    MemoryShortageError
        If it must be read at once and memory does not suffice.
    """
    try:
        array = stored.load()
    except MemoryError:
        size = int(np.prod(stored.shape, dtype=np.int64)) * stored.dtype.itemsize
        raise MemoryShortageError(
            f"'{stored.name}' needs {size / 1e9:.1f} GB of memory, more than is free. "
            "Convert it to OME-Zarr or uncompressed TIFF, which are read part by part."
        ) from None
    except DECODER_ERRORS as error:
        raise ImageError(damaged_sentence(stored.name)) from error
    if isinstance(array, np.ndarray) and array.shape != stored.shape:
        raise ImageError(damaged_sentence(stored.name))
    return array


def image_suffix(path: Path) -> str | None:
    """Return the suffix of a supported format in lower case, or None."""
    name = path.name.lower()
    if name.endswith(".nii.gz"):
        return ".nii.gz"
    suffix = path.suffix.lower()
    return suffix if suffix in _FILE_SUFFIXES else None


def _folder_array(path: Path) -> StoredArray:
    if is_zarr(path):
        return zarr_array(path)
    if path.suffix.lower() == ".zarr":
        raise ImageError(damaged_sentence(path.name))
    if is_dicom_folder(path):
        return medical_array(path)
    raise ImageError(
        f"The folder '{path.name}' is neither an OME-Zarr image nor a DICOM series. "
        "Give an image file, or such a folder."
    )
