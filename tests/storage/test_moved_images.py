import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage import moved_images
from napari_mtseg.storage.image_files import content_fingerprint
from napari_mtseg.storage.moved_images import found_again


def image(file, value=1):
    file.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(file, np.array([[0, value]], np.uint8))
    return file


def entry(file, key="a"):
    return ImageEntry(
        id=key,
        name=file.name,
        source=file.as_posix(),
        axes="CYX",
        shape=(1, 1, 2),
        rgb=False,
        dtype="uint8",
        spacing=(1, 1),
        unit="pixel",
        fingerprint=content_fingerprint(file),
        group=key,
    )


def test_files_of_the_same_name_are_read_first(tmp_path, monkeypatch):
    missing = entry(image(tmp_path / "old" / "z.tif"))
    for i in range(5):
        image(tmp_path / "new" / f"{i}.tif", i + 10)
    image(tmp_path / "new" / "z.tif")
    read = []
    monkeypatch.setattr(
        moved_images,
        "content_fingerprint",
        lambda file: read.append(file.name) or content_fingerprint(file),
    )
    assert found_again([missing], tmp_path / "new") == {"a": tmp_path / "new" / "z.tif"}
    assert read == ["z.tif"]


@pytest.mark.parametrize("inside", ["p.mtseg", ".hidden"])
def test_projects_and_hidden_folders_are_not_entered(tmp_path, inside):
    missing = entry(image(tmp_path / "new" / inside / "a.tif"))
    assert found_again([missing], tmp_path / "new") == {}


def test_folders_that_link_in_a_circle_are_entered_once(tmp_path):
    missing = entry(image(tmp_path / "old" / "a.tif", 7))
    image(tmp_path / "new" / "b" / "x.tif", 8)
    (tmp_path / "new" / "b" / "circle").symlink_to(tmp_path / "new")
    assert found_again([missing], tmp_path / "new") == {}


def test_nothing_missing_needs_no_reading(tmp_path):
    assert found_again([], tmp_path) == {}
