import os
from pathlib import Path

from napari_mtseg.storage.file_stamp import file_stamp


def write(path: Path, text: str, *, when: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(when, when))
    return path


def test_a_file_counts_by_its_size_and_change(tmp_path: Path):
    file = write(tmp_path / "a.tif", "four", when=5000)
    assert file_stamp(file) == [1, 4, 5000]


def test_of_a_folder_files_count_however_deep(tmp_path: Path):
    image = tmp_path / "a.zarr"
    write(image / ".zattrs", "{}", when=1000)
    chunk = write(image / "0" / "1" / "0", "abc", when=2000)
    assert file_stamp(image) == [2, 5, 2000]
    write(chunk, "abx", when=3000)
    assert file_stamp(image) == [2, 5, 3000]


def test_the_pixels_beside_a_header_count(tmp_path: Path):
    header = write(tmp_path / "a.mhd", "head", when=1000)
    write(tmp_path / "a.raw", "pixels", when=2000)
    write(tmp_path / "b.raw", "others", when=9000)
    assert file_stamp(header) == [2, 10, 2000]


def test_what_is_not_there_has_no_stamp(tmp_path: Path):
    assert file_stamp(tmp_path / "a.tif") == []
    (tmp_path / "empty").mkdir()
    assert file_stamp(tmp_path / "empty") == []
