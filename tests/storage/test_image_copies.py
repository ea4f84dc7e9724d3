import errno
import shutil
from pathlib import Path

import pytest

from napari_mtseg.domain.errors import ImageError, StorageError
from napari_mtseg.storage.image_copies import copy_image, path_of_copy, remove_copy


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "a.zarr"
    (path / "c" / "0").mkdir(parents=True)
    (path / "zarr.json").write_text("{}")
    (path / "c" / "0" / "0").write_bytes(b"1")
    return path


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_a_copy_keeps_the_ending_of_its_file():
    assert path_of_copy(Path("a b.ome.tif"), "a_b") == "images/files/a_b.ome.tif"
    assert path_of_copy(Path("x/a.png"), "a-2") == "images/files/a-2.png"


def test_a_header_without_its_pixels_is_not_copied():
    with pytest.raises(ImageError) as caught:
        path_of_copy(Path("a.MHD"), "a")
    assert str(caught.value) == (
        "'a.MHD' keeps its pixels in a second file, so it cannot be copied into the "
        "project. Save it as .mha, or add it without --copy."
    )


def test_a_folder_is_copied_whole(folder, tmp_path):
    copy_image(folder, tmp_path / "files" / "b.zarr")
    assert names(tmp_path / "files" / "b.zarr") == names(folder)
    assert names(tmp_path / "files")[0] == "b.zarr"


def test_what_an_earlier_crash_left_is_replaced(folder, tmp_path):
    for left in (".b.zarr.tmp", "b.zarr"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "old").touch()
    copy_image(folder, tmp_path / "b.zarr")
    assert names(tmp_path / "b.zarr") == names(folder)
    assert not (tmp_path / ".b.zarr.tmp").exists()


@pytest.mark.parametrize("name", ["a.zarr", "a.tif"])
def test_a_disk_that_fills_up_leaves_no_half_copy(folder, tmp_path, monkeypatch, name):
    (tmp_path / "a.tif").write_bytes(b"1")
    copy_file = shutil.copyfile

    def filling_up(source, target):
        copy_file(source, target)
        if source.name != "zarr.json":
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(shutil, "copyfile", filling_up)
    with pytest.raises(StorageError, match="is full"):
        copy_image(tmp_path / name, tmp_path / "files" / name)
    assert not list((tmp_path / "files").iterdir())


def test_removing_what_is_not_there_does_nothing(tmp_path):
    remove_copy(tmp_path / "nothing")
