"""Results of medical images lie where the image lies."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.nifti_results import space_of, write_in_space_of

SPACING = (0.5, 0.75, 3.0)
ORIGIN = (12.5, -40.0, 7.25)


def oblique() -> np.ndarray:
    """Return a rotation about all three axes."""
    a, b, c = 0.3, -0.2, 0.5
    about_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    about_y = [[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]]
    return np.array(about_z) @ np.array(about_x) @ np.array(about_y)


def scan(path: Path, array: np.ndarray, *, mirrored: bool = False) -> Path:
    """Write an oblique volume, or a 2D image, whose values rise from voxel to voxel."""
    image = SimpleITK.GetImageFromArray(array, isVector=False)
    n = image.GetDimension()
    direction = np.eye(n)
    direction[: min(n, 3), : min(n, 3)] = oblique() if n > 2 else [[0, 1], [1, 0]]
    if mirrored:
        direction[:, 0] *= -1
    image.SetDirection(direction.ravel().tolist())
    image.SetSpacing((*SPACING, 1.0)[:n])
    image.SetOrigin((*ORIGIN, 0.0)[:n])
    SimpleITK.WriteImage(image, path)
    return path


def rising(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def brightest_place(image: SimpleITK.Image) -> np.ndarray:
    """Return the physical point of the voxel with the largest value."""
    array = SimpleITK.GetArrayFromImage(image)
    index = np.unravel_index(array.argmax(), array.shape)[::-1]
    return np.array(image.TransformIndexToPhysicalPoint([int(i) for i in index]))


def assert_same_space(found: SimpleITK.Image, expected: SimpleITK.Image) -> None:
    assert found.GetSize() == expected.GetSize()
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        ours, theirs = getattr(found, what)(), getattr(expected, what)()
        assert np.allclose(ours, theirs, atol=1e-6), what


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_label_lies_where_its_voxel_lies(tmp_path: Path, ending: str, mirrored: bool):
    path = scan(tmp_path / f"a{ending}", rising(4, 5, 6), mirrored=mirrored)
    image = open_image(path)
    label = (np.asarray(image.pixels[0]) == 97).astype(np.uint8)
    (file,) = write_in_space_of(path, tmp_path / "o", {"m": label}, info=image.info)
    assert file.name == f"o_m{ending}"
    found, original = SimpleITK.ReadImage(file), SimpleITK.ReadImage(path)
    assert_same_space(found, original)
    here = brightest_place(found)
    assert np.allclose(here, brightest_place(original == 97), atol=1e-5)


def test_an_mhd_gives_one_file(tmp_path: Path):
    path = scan(tmp_path / "a.mhd", rising(4, 5, 6))
    image = open_image(path)
    maps = {"m": np.zeros((4, 5, 6), np.uint8)}
    files = write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    assert [file.name for file in files] == ["o_m.mha"]
    assert_same_space(SimpleITK.ReadImage(files[0]), SimpleITK.ReadImage(path))


def test_the_only_plane_of_a_volume_is_put_back(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(1, 5, 6))
    image = open_image(path)
    assert image.info.ndim == 2
    label = np.asarray(image.pixels[0])
    (file,) = write_in_space_of(path, tmp_path / "o", {"m": label}, info=image.info)
    assert_same_space(SimpleITK.ReadImage(file), SimpleITK.ReadImage(path))
    assert np.array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(file))[0], label
    )


def test_probabilities_of_one_plane_keep_their_place(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(1, 5, 6))
    image = open_image(path)
    maps = {"p": np.stack([np.zeros((5, 6)), np.ones((5, 6))]).astype(np.float16)}
    (file,) = write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    found = SimpleITK.ReadImage(file)
    assert found.GetSize() == (6, 5, 1, 2)
    assert_same_space(found[:, :, :, 1], SimpleITK.ReadImage(path))


def test_channels_of_an_mha_are_vectors(tmp_path: Path):
    path = scan(tmp_path / "a.mha", rising(4, 5, 6))
    image = open_image(path)
    maps = {"p": np.zeros((2, 4, 5, 6), np.float16)}
    (file,) = write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    found = SimpleITK.ReadImage(file)
    assert found.GetNumberOfComponentsPerPixel() == 2
    assert_same_space(found, SimpleITK.ReadImage(path))


def test_a_2d_image_stays_one(tmp_path: Path):
    path = scan(tmp_path / "a.nii", rising(5, 6))
    image = open_image(path)
    maps = {"m": np.asarray(image.pixels[0])}
    maps["p"] = np.zeros((2, 5, 6), np.float32)
    file, of_classes = write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    assert_same_space(SimpleITK.ReadImage(file), SimpleITK.ReadImage(path))
    assert SimpleITK.ReadImage(of_classes).GetSize() == (6, 5, 1, 2)


def test_axes_that_the_user_names_are_turned_back(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(6, 5, 4))
    image = open_image(path, axes="YXZ")
    assert image.info.shape == (1, 4, 6, 5)
    maps = {"m": np.asarray(image.pixels[0]), "p": np.zeros((2, 4, 6, 5), np.float16)}
    info = image.info
    files = write_in_space_of(path, tmp_path / "o", maps, info=info, axes="YXZ")
    read = [SimpleITK.ReadImage(file) for file in files]
    assert_same_space(read[0], SimpleITK.ReadImage(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(read[0]), rising(6, 5, 4))
    assert read[1].GetSize() == (4, 5, 6, 2)


def test_channels_along_the_fourth_axis_leave_a_volume(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(2, 4, 5, 6))
    image = open_image(path, axes="CZYX")
    label = np.asarray(image.pixels[1])
    (file,) = write_in_space_of(
        path, tmp_path / "o", {"m": label}, info=image.info, axes="CZYX"
    )
    found = SimpleITK.ReadImage(file)
    assert found.GetSize() == (6, 5, 4)
    assert np.allclose(found.GetDirection(), oblique().ravel(), atol=1e-6)
    assert np.allclose(found.GetOrigin(), ORIGIN)


def test_an_axis_outside_space_leaves_only_the_voxel_size(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(2, 4, 5, 6))
    image = open_image(path, axes="ZCYX")
    maps = {"m": np.zeros((2, 5, 6), np.uint8)}
    (file,) = write_in_space_of(
        path, tmp_path / "o", maps, info=image.info, axes="ZCYX"
    )
    found = SimpleITK.ReadImage(file)
    assert np.allclose(found.GetSpacing(), image.info.spacing[::-1])
    assert found.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_dicom_series_gives_a_nifti_in_its_space(tmp_path: Path):
    folder = tmp_path / "series"
    folder.mkdir()
    direction = oblique()
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(3):
        plane = SimpleITK.GetImageFromArray(rising(3, 5, 6)[z])
        plane.SetSpacing((0.5, 0.75))
        place = np.array(ORIGIN) + z * 2.5 * direction[:, 2]
        for tag, value in {
            "0008|0060": "CT",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"1.2.3.{z + 1}",
            "0020|000e": "1.2.3",
            "0020|000d": "1.2",
            "0020|0032": "\\".join(f"{x:.10g}" for x in place),
            "0020|0037": "\\".join(f"{x:.10g}" for x in direction[:, :2].T.ravel()),
            "0020|0013": str(z),
        }.items():
            plane.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{9 - z}.dcm"))
        writer.Execute(plane)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    series = reader.Execute()
    image = open_image(folder)
    assert image.info.spacing == pytest.approx((2.5, 0.75, 0.5))
    label = (np.asarray(image.pixels[0]) == 70).astype(np.uint8)
    (file,) = write_in_space_of(folder, tmp_path / "o", {"m": label}, info=image.info)
    assert file.name == "o_m.nii.gz"
    found = SimpleITK.ReadImage(file)
    assert_same_space(found, series)
    assert np.allclose(brightest_place(found), brightest_place(series == 70), atol=1e-5)
    assert np.allclose(space_of(folder).direction, direction)


def test_types_are_those_that_other_programs_read(tmp_path: Path):
    path = scan(tmp_path / "a.nii.gz", rising(1, 2, 2))
    image = open_image(path)
    maps = {
        "few": np.full((2, 2), 65535, np.uint32),
        "many": np.full((2, 2), 65536, np.uint32),
        "line": np.ones((2, 2), bool),
        "far": np.full((2, 2), np.inf, np.float32),
        "p": np.full((2, 2, 2), 0.5, np.float16),
    }
    files = write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    read = [SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(file)) for file in files]
    names = [values.dtype.name for values in read]
    assert names == ["uint16", "uint32", "uint8", "float32", "float32"]
    assert read[2].max() == 255
    assert (read[3] > 3e38).all()


def test_a_file_that_is_not_whole_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = scan(tmp_path / "a.nii.gz", rising(2, 3, 4))
    image = open_image(path)
    monkeypatch.setattr(
        SimpleITK,
        "WriteImage",
        lambda image, file, **how: Path(file).write_bytes(b"\x1f"),
    )
    maps = {"m": np.ones((2, 3, 4), np.uint8)}
    with pytest.raises(StorageError, match=r"o_m\.nii\.gz' could not be written whole"):
        write_in_space_of(path, tmp_path / "o", maps, info=image.info)
    assert [file.name for file in tmp_path.iterdir()] == ["a.nii.gz"]
