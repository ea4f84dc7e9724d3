from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.storage import tiff_results
from napari_mtseg.storage.tiff_results import write_ome_tiff


@pytest.mark.parametrize(("side", "is_big"), [(10, False), (16, True)])
def test_the_size_that_decides_for_big_tiff_is_that_of_the_stored_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, is_big: bool
):
    monkeypatch.setattr(tiff_results, "_BIG_TIFF_FROM", 600)
    values = np.zeros((side, side), np.float16)
    info = ImageInfo(
        axes="CYX",
        shape=(1, side, side),
        dtype="uint8",
        rgb=False,
        spacing=(1.0, 1.0),
        unit="pixel",
    )
    path = write_ome_tiff(tmp_path / "map.tif", values, info=info)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff == is_big
        assert file.series[0].dtype == np.float32
