"""Maps of a medical image in the image's own format, at the same place in space.

Origin, voxel size and direction are copied from the image's file, so that a label
lies at the same physical point as the voxel that it belongs to. Needs the extra
``medical``, without which the image could not have been read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.storage.file_formats import image_suffix, stored_array
from napari_mtseg.storage.medical_files import header_of, series_files, simpleitk
from napari_mtseg.storage.stored_array import layout_of
from napari_mtseg.storage.tiff_results import storable
from napari_mtseg.storage.whole_files import whole_file

_ENDINGS = {".nii": ".nii", ".nrrd": ".nrrd", ".mha": ".mha", ".mhd": ".mha"}
"""ending of an image -> that of its results; all others become .nii.gz"""

_N_SPACE = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class FileSpace:
    """Where the voxels of a medical image lie; axes in the order X, Y, Z."""

    spacing: NDArray[np.float64]
    """(n,) size of a voxel, n is 2 or 3"""
    origin: NDArray[np.float64]
    """(n,) place of the middle of the first voxel"""
    direction: NDArray[np.float64]
    """(n, n) a column per axis: where it leads"""
    n_file_axes: int
    """axes that the file has, time and the like counted"""


def space_of(path: Path) -> FileSpace:
    """Read where the voxels of a file or of a DICOM series folder lie.

    A series is as deep as the way from its first plane to its last, which is what the
    image reader says too; its planes are stacked at right angles.

    Raises
    ------
    ImageError
        If it is damaged, or a folder without a single series.
    """
    files = series_files(path) if path.is_dir() else (str(path),)
    header = header_of(Path(files[0]))
    n_file_axes = header.GetDimension()
    n = min(n_file_axes, _N_SPACE)
    spacing = np.array(header.GetSpacing()[:n])
    origin = np.array(header.GetOrigin()[:n])
    direction = np.reshape(header.GetDirection(), (n_file_axes, -1))[:n, :n].copy()
    if len(files) > 1:
        way = np.array(header_of(Path(files[-1])).GetOrigin()[:n]) - origin
        spacing[-1] = np.linalg.norm(way) / (len(files) - 1)
        direction[:, -1] *= -1 if way @ direction[:, -1] < 0 else 1
    return FileSpace(
        spacing=spacing, origin=origin, direction=direction, n_file_axes=n_file_axes
    )


def write_in_space_of(
    image_path: Path,
    stem: Path,
    maps: Mapping[str, NDArray[Any]],
    *,
    info: ImageInfo,
    axes: str | None = None,
) -> list[Path]:
    """Write each map as ``STEM_MAP`` with the ending of its image.

    Parameters
    ----------
    image_path : Path
        Medical image file, or DICOM series folder.
    stem : Path
        Folder and beginning of the names.
    maps : mapping of str to array
        ``([Z,] Y, X)``, or ``(C, [Z,] Y, X)``, which becomes an image of vectors, in
        NIfTI one with channels along the fourth axis. Types as in
        :func:`~napari_mtseg.storage.tiff_results.storable`; object ids become uint16
        where that holds them, infinity the largest float32.
    info : ImageInfo
        Of the image as it was read.
    axes : str, optional
        Axes of the file as the user gave them. Where these are not the axes of the
        file's space, only the voxel size is written.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ImageError
        If the image is gone, or damaged.
    StorageError
        If the disk is full or a file cannot be written.
    """
    space = space_of(image_path)
    order = _order_in_file(image_path, space, axes)
    if order is None:
        order = tuple(range(info.ndim))
        space = FileSpace(
            spacing=np.array(info.spacing[::-1]),
            origin=np.zeros(info.ndim),
            direction=np.eye(info.ndim),
            n_file_axes=info.ndim,
        )
    ending = _ENDINGS.get(image_suffix(image_path) or "", ".nii.gz")
    files = []
    for name, values in maps.items():
        arranged = _arranged(_plain(storable(values)), order, n_axes=info.ndim)
        path = stem.with_name(f"{stem.name}_{name}{ending}")
        if ending.startswith(".nii") and values.ndim > info.ndim:
            _write(path, *_along_fourth_axis(arranged, space))
        else:
            _write(path, arranged, space)
        files.append(path)
    return files


def _order_in_file(
    image_path: Path, space: FileSpace, axes: str | None
) -> tuple[int | None, ...] | None:
    """Return which axis of the image ([Z,] Y, X) each axis of the file's space is.

    The file's axes are in NumPy's order; None for one that the image has not. None for
    all where the image has an axis that is none of the file's space.
    """
    spatial = layout_of(stored_array(image_path), axes).source[1:]
    n = len(space.spacing)
    in_space = range(space.n_file_axes - n, space.n_file_axes)
    if not set(spatial) <= set(in_space):
        return None
    return tuple(spatial.index(i) if i in spatial else None for i in in_space)


def _arranged(
    values: NDArray[Any], order: tuple[int | None, ...], *, n_axes: int
) -> NDArray[Any]:
    """Put a map's axes in the order of its file, channels last."""
    n_leading = values.ndim - n_axes
    kept = [n_leading + axis for axis in order if axis is not None]
    moved = values.transpose(*kept, *range(n_leading))
    missing = tuple(place for place, axis in enumerate(order) if axis is None)
    return np.expand_dims(moved, missing)


def _along_fourth_axis(
    values: NDArray[Any], space: FileSpace
) -> tuple[NDArray[Any], FileSpace]:
    """Put channels, the last axis, where NIfTI has what is no space."""
    n = len(space.spacing)
    rest = _N_SPACE + 1 - n
    direction = np.eye(_N_SPACE + 1)
    direction[:n, :n] = space.direction
    wider = FileSpace(
        spacing=np.append(space.spacing, np.ones(rest)),
        origin=np.append(space.origin, np.zeros(rest)),
        direction=direction,
        n_file_axes=_N_SPACE + 1,
    )
    planes = values if n == _N_SPACE else values[np.newaxis]
    return np.moveaxis(planes, -1, 0), wider


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return values that all programs read alike.

    Object ids become uint16 where that holds them. An infinite distance becomes the
    largest number there is: readers of NIfTI take infinity for 0.
    """
    if values.dtype.kind == "f":
        return np.nan_to_num(values)
    if values.dtype == np.uint32 and values.max(initial=0) <= np.iinfo(np.uint16).max:
        return values.astype(np.uint16)
    return values


def _write(path: Path, values: NDArray[Any], space: FileSpace) -> None:
    sitk = simpleitk()

    image = sitk.GetImageFromArray(values, isVector=values.ndim > len(space.spacing))
    image.SetSpacing(space.spacing.tolist())
    image.SetOrigin(space.origin.tolist())
    image.SetDirection(space.direction.ravel().tolist())
    with whole_file(path) as partial:
        try:
            sitk.WriteImage(image, str(partial), useCompression=path.suffix != ".nii")
            # A full disk does not stop every writer of ITK.
            is_whole = np.array_equal(
                sitk.GetArrayFromImage(sitk.ReadImage(str(partial))),
                values,
            )
        except RuntimeError:
            is_whole = False
        if not is_whole:
            raise StorageError(
                f"'{path}' could not be written whole. See whether the disk is full or "
                "cannot be reached, and try again."
            )
