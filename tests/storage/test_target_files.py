"""Targets kept on disk: what is read is what was saved, or nothing."""

import numpy as np

from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.storage.target_files import (
    load_targets,
    pixels_copied,
    pixels_copy,
    save_targets,
)


def some_targets() -> ImageTargets:
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    return ImageTargets(
        maps={"classes": codes, "distance_1": codes.astype(np.float32) / 2},
        known=codes,
        objects=codes.astype(np.uint32),
        stratum="weak",
        facts={"scene": np.array(-1), "settled": np.array([1, 0])},
    )


def test_targets_come_back_as_they_were(tmp_path):
    save_targets(tmp_path / "a", some_targets())
    found = load_targets(tmp_path / "a")
    assert found is not None
    assert found.stratum == "weak"
    assert list(found.maps) == ["classes", "distance_1"]
    for name, values in some_targets().maps.items():
        assert found.maps[name].dtype == values.dtype
        assert np.array_equal(found.maps[name], values)
    assert np.array_equal(found.known, some_targets().known)
    assert found.objects.dtype == np.uint32
    assert found.facts["scene"].shape == ()
    assert {name: v.tolist() for name, v in found.facts.items()} == {
        "scene": -1,
        "settled": [1, 0],
    }


def test_what_was_cut_off_while_it_was_written_counts_as_missing(tmp_path):
    assert load_targets(tmp_path / "a") is None
    save_targets(tmp_path / "a", some_targets())
    (tmp_path / "a" / "targets.json").unlink()
    assert load_targets(tmp_path / "a") is None


def test_a_damaged_file_counts_as_missing(tmp_path):
    save_targets(tmp_path / "a", some_targets())
    (tmp_path / "a" / "known.npy").write_bytes(b"\x93NUMPY")
    assert load_targets(tmp_path / "a") is None


def test_a_map_that_is_the_same_everywhere_takes_one_pixel(tmp_path):
    shape = (300, 200)
    blank = ImageTargets(
        maps={"weight": np.ones(shape, np.float32)},
        known=np.full(shape, 255, np.uint8),
        objects=np.zeros(shape, np.uint32),
        stratum="none",
    )
    save_targets(tmp_path / "a", blank)
    assert sum(file.stat().st_size for file in (tmp_path / "a").iterdir()) < 2000
    found = load_targets(tmp_path / "a")
    assert found is not None
    for values, wanted in ((found.known, 255), (found.maps["weight"], 1)):
        assert values.shape == shape
        assert values.strides == (0, 0)
        assert (values == wanted).all()


def test_a_map_is_whole_if_its_last_pixel_differs(tmp_path):
    targets = some_targets()
    targets.known[:] = 3
    targets.known[-1, -1] = 4
    save_targets(tmp_path / "a", targets)
    found = load_targets(tmp_path / "a")
    assert found is not None
    assert np.array_equal(found.known, targets.known)


def test_copied_pixels_stay_beside_new_targets(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    assert pixels_copy(tmp_path / "a") is None
    copied = pixels_copied(tmp_path / "a", pixels)
    assert isinstance(copied, np.memmap)
    save_targets(tmp_path / "a", some_targets())
    assert np.array_equal(pixels_copied(tmp_path / "a", 0 * pixels), pixels)
    assert np.array_equal(pixels_copy(tmp_path / "a"), pixels)
