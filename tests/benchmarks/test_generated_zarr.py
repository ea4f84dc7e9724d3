import numpy as np

from benchmarks.generated_zarr import pattern, write_generated
from napari_mtseg.storage.image_files import open_image


def test_parts_of_the_pattern_are_those_of_the_whole(tmp_path):
    path = write_generated(tmp_path / "image.ome.zarr", 1100)
    pixels = np.asarray(open_image(path).pixels)[0]
    rows, columns = slice(1000, 1100), slice(900, 1060)
    grey, classes = pattern(rows, columns)
    np.testing.assert_array_equal(pixels[rows, columns], grey)
    whole = pattern(slice(0, 1100), slice(0, 1100))[1]
    np.testing.assert_array_equal(whole[rows, columns], classes)
    assert 0.1 < whole.mean() < 0.5
