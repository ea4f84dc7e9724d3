import numpy as np
import pytest
import tifffile
from qtpy.QtGui import QPixmap

from napari_mtseg.gui.thumbnails import SIDE, Thumbnails, thumbnail_of
from napari_mtseg.storage.project import Project
from tests.tiny_projects import disc_project


def project_of(tmp_path, pixels, **options):
    tifffile.imwrite(tmp_path / "image.tif", pixels, **options)
    project = Project.create(tmp_path / "p", classes=["object"])
    return project, project.add_image(tmp_path / "image.tif")


def test_a_picture_is_small_and_keeps_its_proportions(tmp_path):
    ramp = np.arange(300 * 150, dtype=np.uint16).reshape(300, 150)
    picture = thumbnail_of(*project_of(tmp_path, ramp))
    height, width, _ = picture.shape
    assert height <= SIDE
    assert height == pytest.approx(2 * width, abs=1)


def test_grey_values_are_stretched_to_what_a_screen_shows(tmp_path):
    ramp = np.linspace(1000, 1100, 64 * 64).reshape(64, 64).astype(np.uint16)
    picture = thumbnail_of(*project_of(tmp_path, ramp))
    assert picture.min() == 0
    assert picture.max() == 255


def test_colours_of_a_photo_stay_as_they_are(tmp_path):
    photo = np.zeros((20, 20, 3), np.uint8)
    photo[..., 0], photo[:10, :, 1] = 200, 40
    picture = thumbnail_of(*project_of(tmp_path, photo, photometric="rgb"))
    assert picture[0, 0].tolist() == pytest.approx([200, 40, 0], abs=1)


def test_of_a_volume_the_middle_plane_is_shown(tmp_path):
    volume = np.zeros((5, 16, 16), np.uint8)
    volume[2, :, :8] = 100
    volume[0, :, 8:] = 100
    entry_of = project_of(tmp_path, volume, metadata={"axes": "ZYX"}, ome=True)
    picture = thumbnail_of(*entry_of)
    assert picture[:, :8].min() == 255
    assert picture[:, 8:].max() == 0


def test_pictures_come_later_and_are_kept(qtbot, tmp_path):
    project = disc_project(tmp_path, painted=False)
    thumbnails = Thumbnails()
    thumbnails.show_project(project)
    first = project.images[0]
    with qtbot.waitSignal(thumbnails.made) as made:
        assert thumbnails.pixmap(first) is None
    assert made.args == [first.id]
    assert isinstance(thumbnails.pixmap(first), QPixmap)
    assert not thumbnails.pixmap(first).isNull()


def test_a_missing_file_gives_no_picture_until_it_is_there_again(qtbot, tmp_path):
    project = disc_project(tmp_path, painted=False)
    entry = project.images[0]
    file = project.source_path(entry)
    file.rename(tmp_path / "away.tif")
    thumbnails = Thumbnails()
    thumbnails.show_project(project)
    with qtbot.waitSignal(thumbnails.made):
        thumbnails.pixmap(entry)
    assert thumbnails.pixmap(entry).isNull()
    (tmp_path / "away.tif").rename(file)
    thumbnails.forget_failures()
    with qtbot.waitSignal(thumbnails.made):
        thumbnails.pixmap(entry)
    assert not thumbnails.pixmap(entry).isNull()


def test_no_picture_of_another_project_appears(qtbot, tmp_path):
    project = disc_project(tmp_path, painted=False)
    thumbnails = Thumbnails()
    thumbnails.show_project(project)
    thumbnails.pixmap(project.images[0])
    thumbnails.show_project(None)
    qtbot.waitUntil(lambda: not thumbnails.is_working)
    assert thumbnails.pixmap(project.images[0]) is None
