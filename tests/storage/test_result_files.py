"""Results of an image, in the format and at the place of the image."""

import csv
import errno
import json
from pathlib import Path

import numpy as np
import pytest
import roifile
import SimpleITK
import tifffile

from napari_mtseg.domain.errors import SettingsError, StorageError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.result_files import (
    check_also,
    result_format_of,
    write_object_table,
    write_results,
)

OBJECTS = np.array([[0, 9, 9], [0, 0, 2]], np.uint32)


def prediction(instances: np.ndarray = OBJECTS, **maps) -> Prediction:
    shape = instances.shape
    probabilities = np.zeros((2, *shape), np.float16)
    probabilities[0] = 0.75
    return Prediction(
        classes=(instances > 0).astype(np.uint8),
        probabilities=probabilities,
        instances=instances,
        class_of={int(i): 1 + int(i == 9) for i in np.unique(instances) if i},
        maps=maps,
    )


def info_of(shape: tuple[int, ...], spacing: tuple[float, ...]) -> ImageInfo:
    return ImageInfo(
        axes="C" + "ZYX"[-len(shape) :],
        shape=(1, *shape),
        dtype="uint8",
        rgb=False,
        spacing=spacing,
        unit="micrometer",
    )


def written(stem: Path, found: Prediction, image: str | Path = "a.png", **choices):
    shape = found.instances.shape
    given = {
        "maps": ["instances"],
        "info": info_of(shape, (0.5, 0.25, 2.0)[: len(shape)]),
    }
    names = {1: "cell", 2: "rest"}
    return write_results(
        stem, found, **{**given, **choices}, class_names=names, image_path=Path(image)
    )


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tiff", "a.png", "a.jpg", "a.bmp"])
def test_results_of_tiffs_and_pictures_are_ome_tiffs(tmp_path: Path, name: str):
    assert result_format_of(tmp_path / name) == "ome-tiff"


@pytest.mark.parametrize("name", ["a.nii", "a.NII.GZ", "a.mha", "a.nrrd", "a.dcm"])
def test_results_of_medical_images_are_medical_images(tmp_path: Path, name: str):
    assert result_format_of(tmp_path / name) == "nifti"


def test_results_of_an_ome_zarr_are_one(tmp_path: Path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").write_text("{}")
    assert result_format_of(tmp_path / "a.zarr") == "ome-zarr"
    stem = tmp_path / "out"
    found = prediction(contours=OBJECTS == 2)
    files = written(
        stem, found, tmp_path / "a.zarr", maps=["classes", "contours", "probabilities"]
    )
    assert files == (tmp_path / "out.ome.zarr",)
    classes = open_image(files[0] / "labels" / "classes")
    assert np.array_equal(np.asarray(classes.pixels[...])[0], found.classes)
    assert (classes.info.spacing, classes.info.unit) == ((0.5, 0.25), "micrometer")
    assert open_image(files[0] / "probabilities").info.n_channels == 2


def test_an_ome_tiff_has_the_voxel_size_and_a_page_per_plane(tmp_path: Path):
    volume = np.stack([OBJECTS, OBJECTS, OBJECTS * 0])
    files = written(tmp_path / "v", prediction(volume), "v.tif", maps=["instances"])
    assert [file.name for file in files] == ["v_instances.tif"]
    read = open_image(files[0])
    assert np.array_equal(read.pixels[0], volume)
    assert (read.info.spacing, read.info.unit) == ((0.5, 0.25, 2.0), "micrometer")
    with tifffile.TiffFile(files[0]) as file:
        assert len(file.pages) == 3


def test_a_nifti_gives_niftis_at_its_own_place(tmp_path: Path):
    image = SimpleITK.GetImageFromArray(np.zeros((2, 2, 3), np.int16))
    image.SetOrigin((5, 6, 7))
    SimpleITK.WriteImage(image, tmp_path / "a.nii.gz")
    volume = np.stack([OBJECTS, OBJECTS])
    files = written(tmp_path / "o", prediction(volume), tmp_path / "a.nii.gz")
    assert [file.name for file in files] == ["o_instances.nii.gz"]
    assert SimpleITK.ReadImage(files[0]).GetOrigin() == (5, 6, 7)


def test_the_table_goes_with_the_instances(tmp_path: Path):
    table = {"object": np.array([2, 9]), "mean": np.array([0.123456789, 2e9])}
    found = prediction()
    files = written(tmp_path / "a", found, table=table)
    assert [file.name for file in files] == ["a_instances.tif", "a_objects.csv"]
    assert files[1].read_text() == "object,mean\n2,0.123457\n9,2e+09\n"
    assert len(written(tmp_path / "b", found, table=table, maps=["classes"])) == 1
    assert len(written(tmp_path / "c", found)) == 1


def test_names_with_commas_stay_one_cell(tmp_path: Path):
    table = {"object": np.array([1]), "class_name": np.array(['a, "b"'])}
    path = write_object_table(tmp_path / "o.csv", table)
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"object": "1", "class_name": 'a, "b"'}]


def test_a_table_without_objects_has_its_header(tmp_path: Path):
    table = {"object": np.zeros(0, np.int64), "area_um2": np.zeros(0)}
    assert (
        write_object_table(tmp_path / "o.csv", table).read_text() == "object,area_um2\n"
    )


def test_files_for_other_programs_lie_beside_the_maps(tmp_path: Path):
    files = written(tmp_path / "a", prediction(), maps=[], also=["rois", "coco"])
    assert [file.name for file in files] == ["a_rois.zip", "a_coco.json"]
    rois = roifile.roiread(files[0])
    assert isinstance(rois, list)
    assert sorted(roi.name for roi in rois) == ["cell 0002", "rest 0009"]
    assert json.loads(files[1].read_text())["images"][0]["file_name"] == "a.png"


def test_an_unknown_kind_of_file_is_refused():
    check_also(["rois", "coco"])
    with pytest.raises(
        SettingsError,
        match=r"'xml' cannot be written beside the maps\. Choose from: rois, coco\.",
    ):
        check_also(["xml"])


def test_a_disk_that_fills_up_leaves_no_half_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(file, *args, **facts):
        file.write(b"II*")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(StorageError, match="full"):
        written(tmp_path / "a", prediction())
    assert list(tmp_path.iterdir()) == []
