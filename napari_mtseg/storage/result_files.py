"""Results of one image for other programs, in the format of the image itself.

==================  =====================================================
image               results
==================  =====================================================
TIFF, PNG, JPEG     ``STEM_MAP.tif``, OME-TIFF with voxel size
OME-Zarr            ``STEM.ome.zarr`` with a pyramid per map
NIfTI               ``STEM_MAP.nii`` or ``.nii.gz``, in the same space
MHA, MHD, NRRD      ``STEM_MAP.mha`` or ``.nrrd``, in the same space
DICOM               ``STEM_MAP.nii.gz``, in the same space
==================  =====================================================

Beside them ``STEM_objects.csv``, and where it is asked for ``STEM_rois.zip`` (ImageJ)
and ``STEM_coco.json``.
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.coco_files import write_coco
from napari_mtseg.storage.file_formats import image_suffix
from napari_mtseg.storage.medical_files import MEDICAL_SUFFIXES, is_dicom_folder
from napari_mtseg.storage.nifti_results import write_in_space_of
from napari_mtseg.storage.roi_files import roifile_package, write_rois
from napari_mtseg.storage.tiff_results import write_ome_tiff
from napari_mtseg.storage.whole_files import whole_file
from napari_mtseg.storage.zarr_files import is_zarr

ResultFormat = Literal["ome-tiff", "ome-zarr", "nifti"]

ALSO = ("rois", "coco")
"""files for other programs that can be written beside the maps"""


def result_format_of(image_path: Path) -> ResultFormat:
    """Return in which kind of files the results of an image are written.

    Parameters
    ----------
    image_path : Path
        File, OME-Zarr folder or DICOM series folder.

    Returns
    -------
    {'ome-tiff', 'ome-zarr', 'nifti'}
        'nifti' stands for all formats of medical images.
    """
    if image_path.is_dir():
        is_dicom = not is_zarr(image_path) and is_dicom_folder(image_path)
        return "nifti" if is_dicom else "ome-zarr"
    return "nifti" if image_suffix(image_path) in MEDICAL_SUFFIXES else "ome-tiff"


def write_results(  # noqa: PLR0913 - what a prediction alone does not know
    stem: Path,
    found: Prediction,
    *,
    maps: Sequence[str],
    info: ImageInfo,
    class_names: Mapping[int, str],
    image_path: Path,
    axes: str | None = None,
    table: Mapping[str, NDArray[Any]] | None = None,
    also: Collection[str] = (),
    class_colours: Mapping[int, str] | None = None,
) -> tuple[Path, ...]:
    """Write what was found in one image.

    Parameters
    ----------
    stem : Path
        Folder and beginning of the names, see the module.
    found : Prediction
        What to write.
    maps : sequence of str
        'classes', 'instances', 'probabilities' or names of further maps.
    info : ImageInfo
        Of the image that was predicted; its voxel size is written.
    class_names : mapping of int to str
        Class -> name.
    image_path : Path
        The image: its format is that of the results, and so is its place in space.
    axes : str, optional
        Axes of the image's file as the user gave them.
    table : mapping of str to (n,) array, optional
        Measurements of the objects, written beside 'instances'.
    also : collection of str
        Of ALSO, see :func:`check_also`.
    class_colours : mapping of int to str, optional
        Class -> '#rrggbb', for ROI sets.

    Returns
    -------
    tuple of Path
        The files and folders.

    Raises
    ------
    SettingsError
        If an ROI set is asked for and roifile is not installed.
    StorageError
        If the disk is full or a file cannot be written.
    """
    known: dict[str, NDArray[Any]] = {
        "classes": found.classes,
        "instances": found.instances,
        "probabilities": found.probabilities,
        **found.maps,
    }
    chosen = {name: known[name] for name in maps}
    form = result_format_of(image_path)
    if form == "ome-zarr":
        files = _written_zarr(stem, chosen, info=info, class_names=class_names)
    elif form == "nifti":
        files = write_in_space_of(image_path, stem, chosen, info=info, axes=axes)
    else:
        files = [
            write_ome_tiff(stem.with_name(f"{stem.name}_{name}.tif"), values, info=info)
            for name, values in chosen.items()
        ]
    if table is not None and "instances" in maps:
        path = stem.with_name(f"{stem.name}_objects.csv")
        files.append(write_object_table(path, table))
    about: dict[str, Any] = {"class_of": found.class_of, "class_names": class_names}
    if "rois" in also:
        path = stem.with_name(f"{stem.name}_rois.zip")
        files.append(
            write_rois(path, found.instances, class_colours=class_colours, **about)
        )
    if "coco" in also:
        path = stem.with_name(f"{stem.name}_coco.json")
        files.append(
            write_coco(path, found.instances, file_name=image_path.name, **about)
        )
    return tuple(files)


def check_also(also: Collection[str]) -> None:
    """Refuse files for other programs that are not known; nothing is written.

    Raises
    ------
    SettingsError
        If there is no such kind of file, or what it needs is not installed.
    """
    unknown = [name for name in also if name not in ALSO]
    if unknown:
        raise SettingsError(
            f"'{unknown[0]}' cannot be written beside the maps. Choose from: "
            f"{', '.join(ALSO)}."
        )
    if "rois" in also:
        roifile_package()


def write_object_table(path: Path, table: Mapping[str, NDArray[Any]]) -> Path:
    """Write measurements of objects as CSV, a row each.

    Integers and texts are written in full, other numbers with 6 digits.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    table : mapping of str to (n,) array
        Of :func:`~napari_mtseg.geometry.measurements.measurements`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    columns = [_cells(values) for values in table.values()]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table)
    rows.writerows(zip(*columns, strict=True))
    with whole_file(path) as partial:
        partial.write_bytes(text.getvalue().encode())
    return path


def _written_zarr(
    stem: Path,
    maps: Mapping[str, NDArray[Any]],
    *,
    info: ImageInfo,
    class_names: Mapping[int, str],
) -> list[Path]:
    from napari_mtseg.storage.zarr_results import SUFFIX, write_zarr_results

    path = stem.with_name(stem.name + SUFFIX)
    names = {"classes": class_names}
    return [write_zarr_results(path, maps, info=info, value_names=names)]


def _cells(values: NDArray[Any]) -> list[Any]:
    listed: list[Any] = values.tolist()
    return [f"{v:.6g}" for v in listed] if values.dtype.kind == "f" else listed
