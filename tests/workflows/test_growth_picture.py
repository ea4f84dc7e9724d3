import numpy as np
import pytest
from PIL import Image as Picture

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.growth_picture import (
    CAPTION,
    CELL,
    GAP,
    GROWN,
    OUTLINE,
    PAPER,
    Panel,
    grey_or_rgb,
    growth_panels,
    save_picture,
    with_contours,
    with_fill,
)
from tests.tiny_projects import disc_image, disc_project

BLACK = np.zeros((5, 5, 3), np.uint8)
SQUARE = np.pad(np.ones((3, 3), np.uint32), 1)


def panels_after(tmp_path, iterations, ndim=2):
    project = disc_project(tmp_path, n_images=2, ndim=ndim)
    run = RunFolder(tmp_path / "run")
    entry = project.images[1]
    _, objects = disc_image(1, ndim=ndim, n_discs=1)
    for iteration in iterations:
        run.save_grown(iteration, entry.id, objects)
    prediction = Prediction(
        classes=objects.astype(np.uint8),
        probabilities=np.zeros((2, *objects.shape), np.float16),
        instances=objects,
        class_of={1: 1},
    )
    return growth_panels(project, run, entry.id, prediction)


@pytest.mark.parametrize(
    ("iterations", "shown"),
    [((0,), [0]), ((0, 1), [0, 1]), (range(9), [0, 1, 2, 8])],
)
def test_the_panels_tell_the_growth_from_image_to_prediction(
    tmp_path, iterations, shown
):
    captions = [panel.caption for panel in panels_after(tmp_path, iterations)]
    grown = [f"iteration {i}" for i in shown]
    assert captions == ["disc_1.tif", "painted", *grown, "prediction"]


def test_of_a_volume_the_middle_plane_is_shown(tmp_path):
    for panel in panels_after(tmp_path, [0], ndim=3):
        assert panel.image.shape == (32, 32, 3)


def test_contours_are_drawn_on_the_inside_of_objects():
    drawn = with_contours(BLACK, SQUARE)
    expected = np.pad(np.ones((3, 3), bool), 1)
    expected[2, 2] = False
    assert np.array_equal((drawn == OUTLINE).all(axis=-1), expected)


def test_a_fill_lets_the_image_through_and_spares_the_rest():
    filled = with_fill(BLACK + np.uint8(100), SQUARE, GROWN)
    assert filled[2, 2].tolist() == [(100 + c) // 2 for c in GROWN]
    assert filled[0, 0].tolist() == [100, 100, 100]


def test_three_channels_are_shown_as_colours_and_others_as_grey():
    values = np.random.default_rng(0).normal(size=(3, 9, 9)).astype(np.float32)
    colours, grey = grey_or_rgb(values), grey_or_rgb(values[:2])
    assert (colours[..., 0] != colours[..., 1]).any()
    assert (grey[..., :1] == grey).all()
    assert (colours.min(), colours.max()) == (0, 255)


def test_a_constant_image_is_shown_without_a_warning():
    assert (grey_or_rgb(np.full((1, 4, 4), 7, np.float32)) == 0).all()


def test_rows_of_panels_become_one_picture(tmp_path):
    wide = Panel(caption="wide", image=np.zeros((2, 4, 3), np.uint8))
    path = tmp_path / "out" / "rows.png"
    save_picture(path, [[wide, wide], [wide]])
    with Picture.open(path) as sheet:
        assert sheet.size == (2 * (CELL + GAP) + GAP, 2 * (CELL + CAPTION + GAP) + GAP)
        assert sheet.getpixel((GAP + CELL - 1, GAP + CAPTION)) == (0, 0, 0)
        # A panel twice as wide as high fills half the height of its cell.
        assert sheet.getpixel((GAP, GAP + CAPTION + CELL // 2)) == PAPER


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        save_picture(tmp_path / "taken" / "a.png", [[Panel(caption="", image=BLACK)]])
