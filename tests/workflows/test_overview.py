"""Pictures of what was found: outlines in the colours of the classes, and doubt."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.workflows.overview import SIDE, write_overview

CLASSES = (
    ClassInfo(name="cell", colour="#ff0000"),
    ClassInfo(name="rest", colour="#00ff00"),
)
TOP = 30
"""where the pictures begin below their caption"""


def drawn(folder: Path, objects, pixels=None, doubt=None, **choices) -> np.ndarray:
    objects = np.asarray(objects, np.uint32)
    doubt = np.zeros(objects.shape, np.float32) if doubt is None else doubt
    found = Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.zeros((3, *objects.shape), np.float16),
        instances=objects,
        class_of={1: 1, 2: 2},
        maps={"uncertainty": doubt},
    )
    pixels = np.zeros((1, *objects.shape), np.uint8) if pixels is None else pixels
    info = ImageInfo(
        axes="CZYX" if objects.ndim == 3 else "CYX",
        shape=pixels.shape,
        dtype="uint8",
        rgb=False,
        spacing=(1.0,) * objects.ndim,
    )
    image = Image(name=choices.pop("name", "a.tif"), pixels=pixels, info=info)
    path = folder / "a_overview.png"
    assert write_overview(path, found, image, classes=CLASSES, **choices) == path
    with Picture.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def is_colour(picture: np.ndarray, *colour: int) -> np.ndarray:
    return np.abs(picture - colour).sum(axis=-1) == 0


def test_outlines_have_the_colour_of_their_class(tmp_path: Path):
    objects = np.zeros((20, 40), np.uint32)
    objects[4:16, 4:16] = 1
    objects[4:16, 24:36] = 2
    picture = drawn(tmp_path, objects)
    panel = picture[TOP : TOP + 250, 8:508]
    red, green = is_colour(panel, 255, 0, 0), is_colour(panel, 0, 255, 0)
    assert red[:, :250].sum() > 500
    assert green[:, 250:].sum() > 500
    assert not red[:, 250:].any()
    assert not green[:, :250].any()
    # inside an object is the image
    assert is_colour(panel[125, 125], 0, 0, 0)


def test_doubt_stands_beside_it(tmp_path: Path):
    doubt = np.zeros((20, 40), np.float32)
    doubt[:, 20:] = 1
    panel = drawn(tmp_path, np.zeros((20, 40)), doubt=doubt)[TOP : TOP + 250, 516:1016]
    assert np.abs(panel[100, 100] - (0, 0, 4)).max() < 2
    assert np.abs(panel[100, 400] - (252, 255, 164)).max() < 2


@pytest.mark.parametrize("shape", [(50, 50), (30, 300), (300, 30), (1, 1)])
def test_the_two_pictures_together_are_about_a_thousand_pixels(tmp_path: Path, shape):
    height, width, _ = drawn(tmp_path, np.zeros(shape)).shape
    assert width - 24 <= SIDE + 1
    assert height - 60 <= SIDE + 1
    assert max(width - 24, height - 60) >= SIDE - 1


def test_of_a_volume_the_fullest_plane_is_shown(tmp_path: Path):
    volume = np.zeros((4, 20, 20), np.uint32)
    volume[1, 2:4, 2:4] = 2
    volume[2, 2:12, 2:12] = 1
    pixels = np.zeros((1, 4, 20, 20), np.uint8)
    pixels[0, 2, 15:, :] = 200
    doubt = np.zeros(volume.shape, np.float32)
    doubt[2] = 1
    picture = drawn(tmp_path, volume, pixels, doubt)
    left, right = picture[TOP : TOP + 500, 8:508], picture[TOP : TOP + 500, 516:1016]
    assert is_colour(left, 255, 0, 0).any()
    assert not is_colour(left, 0, 255, 0).any()
    assert left[490, 250].min() > 200
    assert np.abs(right[250, 250] - (252, 255, 164)).max() < 2


def test_a_colour_image_of_a_grey_model_is_shown_in_grey(tmp_path: Path):
    pixels = np.zeros((3, 20, 20), np.uint8)
    pixels[0, :, 10:] = 255
    picture = drawn(tmp_path, np.zeros((20, 20)), pixels, colour="grey")
    assert np.ptp(picture[TOP : TOP + 500, 8:508], axis=-1).max() == 0


def test_a_large_image_is_not_shown_pixel_by_pixel(tmp_path: Path):
    pixels = np.zeros((1, 4100, 4100), np.uint8)
    pixels[:, 2050:] = 255
    panel = drawn(tmp_path, np.zeros((4100, 4100)), pixels)[TOP : TOP + 500, 8:508]
    assert is_colour(panel[:249], 0, 0, 0).all()
    assert is_colour(panel[251:], 255, 255, 255).all()


def test_a_long_name_is_shortened(tmp_path: Path):
    assert drawn(tmp_path, np.zeros((20, 20)), name="x" * 500).shape[1] == SIDE + 24
