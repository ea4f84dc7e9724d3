"""ROI sets hold exactly the pixels of the objects."""

import builtins
from pathlib import Path

import numpy as np
import pytest
import roifile

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.storage.roi_files import write_rois

NAMES = {1: "cell", 2: "A/B: rest"}


def saved(folder: Path, objects, class_of=None, **choices) -> list[roifile.ImagejRoi]:
    objects = np.asarray(objects, np.uint32)
    if class_of is None:
        class_of = dict.fromkeys(np.unique(objects).tolist(), 1)
    path = write_rois(
        folder / "a_rois.zip", objects, class_of=class_of, class_names=NAMES, **choices
    )
    found = roifile.roiread(path)
    assert isinstance(found, list)
    return found


def pixels_of(roi: roifile.ImagejRoi, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels that ImageJ fills: those whose middle is inside.

    A pixel has its middle half a pixel from its corner; with several outlines, inside
    an odd number of them.
    """
    y, x = (axis + 0.5 for axis in np.indices(shape))
    inside = np.zeros(shape, bool)
    for outline in roi.coordinates(multi=True):
        for (x0, y0), (_, y1) in zip(outline, np.roll(outline, -1, 0), strict=True):
            inside ^= (min(y0, y1) < y) & (y < max(y0, y1)) & (x0 < x)
    return inside


def test_a_roi_holds_exactly_the_pixels_of_its_object(tmp_path: Path):
    rng = np.random.default_rng(0)
    objects = np.zeros((40, 50), np.uint32)
    yy, xx = np.ogrid[:40, :50]
    for number in range(1, 9):
        y, x = rng.integers(0, (40, 50))
        objects[(yy - y) ** 2 + (xx - x) ** 2 < rng.integers(4, 60)] = number
    for roi in saved(tmp_path, objects):
        number = int(roi.name.split()[1])
        assert np.array_equal(pixels_of(roi, objects.shape), objects == number)


def test_holes_and_pieces_are_one_composite(tmp_path: Path):
    objects = np.zeros((6, 9), np.uint32)
    objects[1:5, 1:5] = 7
    objects[2, 2] = 0
    objects[3, 7] = 7
    (roi,) = saved(tmp_path, objects)
    assert roi.composite
    assert (roi.top, roi.left, roi.bottom, roi.right) == (1, 1, 5, 8)
    assert np.array_equal(pixels_of(roi, objects.shape), objects == 7)


def test_a_roi_tells_class_and_colour(tmp_path: Path):
    rois = saved(tmp_path, [[3, 0, 12]], {3: 1, 12: 2}, class_colours={1: "#010203"})
    assert [roi.name for roi in rois] == ["cell 0003", "A_B_ rest 0012"]
    assert [roi.group for roi in rois] == [1, 2]
    assert rois[0].stroke_color == b"\xff\x01\x02\x03"
    assert rois[1].hexcolor(rois[1].stroke_color) == "#56b4e9"
    assert [roi.roitype for roi in rois] == [roifile.ROI_TYPE.TRACED] * 2


def test_each_plane_of_a_volume_has_its_position(tmp_path: Path):
    volume = np.zeros((3, 4, 4), np.uint32)
    volume[1:, 1:3, 1:3] = 5
    volume[2, 0, 0] = 6
    found = saved(tmp_path, volume)
    assert [(roi.name, roi.position) for roi in found] == [
        ("cell 0005 z 0002", 2),
        ("cell 0005 z 0003", 3),
        ("cell 0006 z 0003", 3),
    ]


def test_far_places_of_a_large_image_are_kept(tmp_path: Path):
    objects = np.zeros((2, 50_000), np.uint32)
    objects[1, 49_000:49_003] = 1
    (roi,) = saved(tmp_path, objects)
    assert np.asarray(roi.coordinates()).tolist() == [
        [49_000, 1],
        [49_003, 1],
        [49_003, 2],
        [49_000, 2],
    ]


def test_an_image_without_objects_has_an_empty_set(tmp_path: Path):
    assert saved(tmp_path, np.zeros((3, 3))) == []


def test_without_roifile_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = builtins.__import__

    def without(name, *args, **options):
        if name == "roifile":
            raise ModuleNotFoundError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        SettingsError,
        match=r"^ImageJ ROI sets need the extra 'export': pip install "
        r"'napari-mtseg\[export\]'\.$",
    ):
        saved(tmp_path, [[1]])
    assert list(tmp_path.iterdir()) == []
