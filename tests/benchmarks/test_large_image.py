import numpy as np
import zarr

from benchmarks.large_image import CHUNK, EVERY, GROUND, write_large_image
from napari_mtseg.storage.image_files import open_coarser, open_image


def test_the_levels_of_a_generated_image_are_thinner_copies(tmp_path):
    path = write_large_image(tmp_path / "a.ome.zarr", side=2 * CHUNK)
    full = np.asarray(zarr.open_group(path, mode="r")["0"])
    (half,) = open_coarser(path)
    np.testing.assert_array_equal(np.asarray(half)[0], full[::2, ::2])
    assert open_image(path).info.spacing == (0.5, 0.5)
    assert (full[:CHUNK, :CHUNK] > 2 * GROUND).any()
    assert EVERY > 1
    assert (full[CHUNK:] == GROUND).all()
