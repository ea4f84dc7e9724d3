import numpy as np
import pytest
import SimpleITK
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from napari_mtseg.domain.errors import AnnotationError, ImageError
from napari_mtseg.storage.label_files import read_labels

YX = np.array([[0, 1, 1], [2, 0, 300]], np.uint16)
ZYX = np.stack([YX, YX[::-1], YX * 2])


def saved(folder, array, name="m.npy"):
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, array, photometric="minisblack")
    elif path.suffix == ".zarr":
        zarr.create_array(path, data=array)
    elif path.suffix == ".png":
        Picture.fromarray(array).save(path)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), path)
    return path


def sentence_of(path, shape, **options):
    with pytest.raises(AnnotationError) as error:
        read_labels(path, shape, **options)
    return str(error.value)


@pytest.mark.parametrize("name", ["m.npy", "m.tif", "m.zarr", "m.png", "m.nrrd"])
def test_a_2d_mask_round_trips(tmp_path, name):
    labels = read_labels(saved(tmp_path, YX, name), (2, 3))
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels, YX)


@pytest.mark.parametrize("name", ["m.npy", "m.tif", "m.zarr", "m.nii.gz"])
def test_a_3d_mask_of_few_planes_round_trips(tmp_path, name):
    np.testing.assert_array_equal(
        read_labels(saved(tmp_path, ZYX, name), (3, 2, 3)), ZYX
    )


def test_axes_of_length_1_are_passed_over(tmp_path):
    path = saved(tmp_path, YX[None, None])
    np.testing.assert_array_equal(read_labels(path, (2, 3)), YX)
    np.testing.assert_array_equal(read_labels(path, (1, 2, 3)), YX[None])


@pytest.mark.parametrize("dtype", [bool, np.float32, np.int64])
def test_whole_numbers_of_any_type_are_taken(tmp_path, dtype):
    path = saved(tmp_path, (YX > 0).astype(dtype))
    np.testing.assert_array_equal(read_labels(path, (2, 3)), YX > 0)


def test_a_palette_gives_its_indices_not_its_colours(tmp_path):
    picture = Picture.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.save(tmp_path / "m.png")
    assert read_labels(tmp_path / "m.png", (2, 2)).tolist() == [[0, 1], [2, 1]]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6))
def test_every_object_id_survives(tmp_path_factory, ids):
    path = saved(tmp_path_factory.mktemp("m"), np.array([ids], np.int64))
    assert read_labels(path, (1, len(ids))).tolist() == [ids]


def test_a_mask_of_another_size_is_one_sentence(tmp_path):
    path = saved(tmp_path, np.zeros((10, 12), np.uint8), "a.png")
    assert sentence_of(path, (10, 10), image_name="b.tif") == (
        "Mask 'a.png' is 10 x 12 pixels but its image 'b.tif' is 10 x 10: a mask needs "
        "the size of its image. Export it again at that size."
    )
    assert sentence_of(path, (4, 10, 12)) == (
        "Mask 'a.png' is 10 x 12 pixels but its image is 4 x 10 x 12: a mask needs "
        "the size of its image. Export it again at that size."
    )


@pytest.mark.parametrize("name", ["m.png", "m.npy"])
def test_a_colour_mask_is_one_sentence(tmp_path, name):
    path = saved(tmp_path, np.zeros((6, 7, 3), np.uint8), name)
    assert sentence_of(path, (6, 7)) == (
        f"Mask '{name}' is a colour picture, but a mask holds one number per pixel: 0 "
        "for background, other values for objects or classes. Export it as a label "
        "image."
    )


def test_a_jpeg_mask_is_one_sentence(tmp_path):
    assert sentence_of(tmp_path / "m.jpg", (2, 3)) == (
        "Mask 'm.jpg' is a JPEG, which changes values near edges. "
        "Export it as PNG or TIFF."
    )


@pytest.mark.parametrize(("value", "shown"), [(0.25, "0.25"), (np.nan, "nan")])
def test_values_between_whole_numbers_are_one_sentence(tmp_path, value, shown):
    path = saved(tmp_path, np.array([[0, value]]))
    assert sentence_of(path, (1, 2)) == (
        f"Mask 'm.npy' holds the value {shown}, but whole numbers from 0 up are "
        "expected. Export labels, not probabilities or intensities."
    )


@pytest.mark.parametrize("value", [-1, 2**32])
def test_values_out_of_range_are_one_sentence(tmp_path, value):
    assert sentence_of(saved(tmp_path, np.array([[0, value]])), (1, 2)) == (
        f"Mask 'm.npy' holds the value {value}, but whole numbers from 0 to 4294967295 "
        "are expected. Use 0 for background and small numbers for objects or classes."
    )


def test_infinite_values_are_out_of_range(tmp_path):
    assert "holds the value inf" in sentence_of(
        saved(tmp_path, np.array([[0, np.inf]])), (1, 2)
    )


def test_values_that_are_no_numbers_are_one_sentence(tmp_path):
    assert sentence_of(saved(tmp_path, np.array([[0, 1j]])), (1, 2)) == (
        "Mask 'm.npy' holds complex128 values, but whole numbers from 0 up are "
        "expected. Export it as a label image of integers."
    )


def test_missing_and_damaged_masks_are_one_sentence(tmp_path):
    path = tmp_path / "m.npy"
    missing = f"There is no file or folder '{path}'. Check the path."
    assert sentence_of(path, (2, 3)) == missing
    path.write_bytes(b"nothing")
    assert sentence_of(path, (2, 3)) == (
        "'m.npy' cannot be read: it is damaged, cut off, or not what its name says. "
        "Copy or export it again from its source."
    )
    with pytest.raises(ImageError, match="There is no file or folder"):
        read_labels(tmp_path / "m.tif", (2, 3))


def test_a_pickled_array_runs_no_code(tmp_path):
    path = tmp_path / "m.npy"
    np.save(path, np.array([[object()]]), allow_pickle=True)
    assert "cannot be read" in sentence_of(path, (1, 1))
