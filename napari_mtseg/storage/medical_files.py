"""NIfTI, NRRD, MHA/MHD and DICOM through SimpleITK, sizes in millimetres.

Needs the extra ``medical``. Arrays are in the order in which the file stores them;
orientation and origin are not applied.
"""

import gzip
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.stored_array import StoredArray, damaged_sentence

MEDICAL_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".dcm")

_MAGIC_AT = 128
_MAGIC = b"DICM"
_NIFTI_HEADER = 352
_BLOCK = 2**20
_N_VOLUME = 3
_N_COLOURS = 3


def is_dicom_folder(path: Path) -> bool:
    """Return True if the first file of a folder is a DICOM file."""
    for file in sorted(path.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            return is_dicom_file(file)
    return False


def is_dicom_file(path: Path) -> bool:
    """Return True if a file begins as DICOM files do."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def medical_array(path: Path) -> StoredArray:
    """Read the header of a medical image file or a DICOM series folder.

    Raises
    ------
    ImageError
        If SimpleITK is not installed, the file is damaged, or the folder holds no or
        several DICOM series.
    """
    try:
        return _series_array(path) if path.is_dir() else simpleitk_array(path)
    except ModuleNotFoundError:
        raise ImageError(
            f"'{path.name}' needs the extra 'medical': "
            "pip install 'napari-mtseg[medical]'."
        ) from None


def simpleitk_array(path: Path) -> StoredArray:
    """Read the header of one file through SimpleITK.

    Raises
    ------
    ImageError
        If the file is damaged.
    ModuleNotFoundError
        If SimpleITK is not installed.
    """
    header = header_of(path)
    sizes = header.GetSpacing()
    is_picture = path.suffix.lower() == ".png"
    stored = _stored(
        path.name,
        header,
        shape=header.GetSize()[::-1],
        spacing={} if is_picture else dict(zip("XYZ", sizes, strict=False)),
        load=lambda: _loaded_file(path, stored),
    )
    if path.suffix.lower() == ".nii" and path.stat().st_size < _nifti_size(stored):
        raise ImageError(damaged_sentence(path.name))
    return stored


def series_files(folder: Path) -> tuple[str, ...]:
    """Return the files of a folder's only DICOM series, in the order of its planes.

    Raises
    ------
    ImageError
        If the folder holds no or several series.
    """
    sitk = simpleitk()

    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ImageError(
            f"The folder '{folder.name}' holds {len(series) or 'no'} DICOM series, but "
            "one is expected. Put each series into a folder of its own."
        )
    found = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
    return tuple(found)


def header_of(path: Path) -> Any:
    """Return SimpleITK's reader of one file after it has read the header.

    Raises
    ------
    ImageError
        If the file is damaged.
    ModuleNotFoundError
        If SimpleITK is not installed.
    """
    sitk = simpleitk()

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageError(damaged_sentence(path.name)) from error
    return reader


def _series_array(folder: Path) -> StoredArray:
    files = series_files(folder)
    header = header_of(Path(files[0]))
    width, height = header.GetSize()[:2]
    sizes = dict(zip("XY", header.GetSpacing(), strict=False))
    if len(files) > 1:
        ends = np.array([header.GetOrigin(), header_of(Path(files[-1])).GetOrigin()])
        sizes["Z"] = float(np.linalg.norm(ends[1] - ends[0])) / (len(files) - 1)
    return _stored(
        folder.name,
        header,
        shape=(len(files), height, width),
        spacing=sizes,
        load=lambda: _loaded(folder.name, files),
    )


def _stored(
    name: str,
    header: Any,
    *,
    shape: Sequence[int],
    spacing: dict[str, float],
    load: Callable[[], NDArray[Any]],
) -> StoredArray:
    samples = header.GetNumberOfComponents()
    axes = ("TZYX" if len(shape) > _N_VOLUME else "ZYX")[-len(shape) :]
    axes = "Q" * (len(shape) - len(axes)) + axes
    if samples > 1:
        axes += "S" if samples in (_N_COLOURS, _N_COLOURS + 1) else "C"
        shape = (*shape, samples)
    return StoredArray(
        name=name,
        axes=axes,
        shape=tuple(shape),
        dtype=_dtype(header.GetPixelID()),
        load=load,
        spacing=spacing,
        unit="millimeter" if spacing else "pixel",
    )


def _loaded_file(path: Path, stored: StoredArray) -> NDArray[Any]:
    if path.name.lower().endswith(".nii.gz"):
        _check_gzip(path, _nifti_size(stored))
    return _loaded(path.name, str(path))


def _loaded(name: str, source: str | Sequence[str]) -> NDArray[Any]:
    sitk = simpleitk()
    try:
        pixels: NDArray[Any] = sitk.GetArrayFromImage(sitk.ReadImage(source))
    except RuntimeError as error:
        raise ImageError(damaged_sentence(name)) from error
    return pixels


def _nifti_size(stored: StoredArray) -> int:
    """Return the bytes a NIfTI file has at least; ITK reads a shorter one silently."""
    return _NIFTI_HEADER + math.prod(stored.shape) * stored.dtype.itemsize


def _check_gzip(path: Path, size: int) -> None:
    """Refuse a gzip file that was cut off, has a wrong checksum or is too short."""
    n_bytes = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(_BLOCK):
                n_bytes += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise ImageError(damaged_sentence(path.name)) from error
    if n_bytes < size:
        raise ImageError(damaged_sentence(path.name))


def _dtype(pixel_id: int) -> np.dtype[Any]:
    sitk = simpleitk()

    for kind in ("UInt", "Int", "Float"):
        for bits in (8, 16, 32, 64):
            for prefix in ("sitk", "sitkVector"):
                if getattr(sitk, f"{prefix}{kind}{bits}", None) == pixel_id:
                    return np.dtype(f"{kind.lower()}{bits}")
    is_complex = pixel_id in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)
    return np.dtype(np.complex64 if is_complex else np.object_)


def simpleitk() -> Any:
    """Return the module SimpleITK, which is imported when it is needed.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    import SimpleITK

    sitk: Any = SimpleITK
    # Its own remarks on a file would stand beside our one sentence.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    return sitk
