import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.gui.layer_files import image_layers, pixels_of_layer, write_layer
from napari_mtseg.storage.image_files import open_image


def written(tmp_path, layer):
    return open_image(write_layer(tmp_path, pixels_of_layer(layer)))


def test_only_images_count():
    viewer = ViewerModel()
    viewer.add_image(np.ones((4, 4)), name="cells")
    viewer.add_layer(Labels(np.ones((4, 4), int)))
    assert [layer.name for layer in image_layers(viewer)] == ["cells"]


def test_a_volume_keeps_its_pixels_and_its_voxel_size(tmp_path):
    pixels = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    layer = Image(pixels, scale=(2, 0.5, 0.25), units=("um",) * 3, name="stack")
    image = written(tmp_path, layer)
    assert image.info.spacing == (2.0, 0.5, 0.25)
    assert image.info.unit == "micrometer"
    np.testing.assert_array_equal(image.pixels[0], pixels)


def test_a_photo_stays_a_photo(tmp_path):
    photo = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    image = written(tmp_path, Image(photo, rgb=True))
    assert image.info.rgb
    np.testing.assert_array_equal(image.pixels, photo.transpose(2, 0, 1))


def test_named_axes_are_believed(tmp_path):
    layer = Image(
        np.arange(80, dtype=np.uint8).reshape(2, 5, 8), axis_labels=("c", "y", "x")
    )
    info = written(tmp_path, layer).info
    assert info.axes == "CYX"
    assert info.shape == (2, 5, 8)


def test_axes_that_nobody_named_are_asked_for(tmp_path):
    layer = Image(np.zeros((2, 3, 4, 5)), name="movie")
    with pytest.raises(ImageError, match=r"'movie' has 4 axes.*Name its axes"):
        pixels_of_layer(layer)


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(bool, "uint8"), (float, "float32"), (np.int64, "uint16"), (np.int16, "int16")],
)
def test_types_that_tiff_lacks_are_stored_as_near_ones(tmp_path, dtype, stored):
    pixels = (np.arange(64).reshape(8, 8) % 2).astype(dtype)
    assert written(tmp_path, Image(pixels)).info.dtype == stored


def test_layers_of_one_name_become_two_files(tmp_path):
    layer = pixels_of_layer(Image(np.ones((4, 4), np.uint8), name="a/b: c"))
    first, second = (write_layer(tmp_path, layer) for _ in range(2))
    assert first.name == "a_b_ c.ome.tif"
    assert second.name == "a_b_ c_2.ome.tif"


def test_of_a_pyramid_the_finest_level_is_written(tmp_path):
    levels = [np.ones((64, 64), np.uint8), np.ones((32, 32), np.uint8)]
    assert written(tmp_path, Image(levels, multiscale=True)).info.shape == (1, 64, 64)
