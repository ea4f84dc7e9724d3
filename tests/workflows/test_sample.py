import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage import data

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.workflows.sample import TILE, write_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample"))


def test_the_tiles_cover_the_whole_section_without_overlap(sample):
    whole = data.immunohistochemistry()
    tiles = [tifffile.imread(file) for file in sample.images]
    n = whole.shape[1] // TILE
    rows = [np.concatenate(tiles[i : i + n], axis=1) for i in range(0, len(tiles), n)]
    assert np.array_equal(np.concatenate(rows), whole)


def test_each_tile_has_a_mask_of_its_size_and_name(sample):
    for image, mask in zip(sample.images, sample.masks, strict=True):
        assert image.name == mask.name
        assert tifffile.imread(mask).shape == tifffile.imread(image).shape[:2]


def test_epithelium_covers_a_part_of_the_section(sample):
    share = np.mean([(tifffile.imread(mask) > 0).mean() for mask in sample.masks])
    assert 0.2 < share < 0.7


def test_the_sample_is_the_same_each_time(sample, tmp_path):
    again = write_sample(tmp_path)
    for first, second in zip(sample.masks, again.masks, strict=True):
        assert np.array_equal(tifffile.imread(first), tifffile.imread(second))


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def denied(*_args, **_facts):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StorageError, match="cannot be written: permission denied"):
        write_sample(tmp_path / "sample")
