"""Targets kept on disk: what is read is what was saved, or nothing."""

import numpy as np

from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.storage.target_files import load_targets, save_targets


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
