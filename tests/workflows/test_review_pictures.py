import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.workflows.review_pictures import (
    SIDE,
    in_doubt_colours,
    review_picture,
)
from tests.reviewed_projects import predict, reviewed_project, runs


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


def test_outlines_and_doubt_are_drawn_where_they_are(tmp_path: Path):
    project = reviewed_project(tmp_path)
    predict(project, runs(project)[0], {"a": 0.5})
    made = review_picture(project, project.image("a"), runs(project)[0])
    outlines, doubt = pixels(made.outlines), pixels(made.doubt)
    assert outlines.shape == doubt.shape == (270, SIDE, 3)
    assert made.plane is None
    # A pixel of the image is 22.5 pixels wide; object 1 spans rows and columns 1 to 5.
    yellow = np.abs(outlines - (240, 228, 66)).sum(axis=2) < 60
    assert yellow[23:112, 21:23].mean() > 0.5
    assert not yellow[:, :20].any()
    assert np.abs(doubt[60, 60] - (188, 55, 84)).max() < 6
    assert np.abs(doubt[5, 5] - (0, 0, 4)).max() < 6


def test_of_a_volume_the_plane_with_most_object_pixels_is_shown(tmp_path: Path):
    shape = (4, 12, 16)
    project = reviewed_project(tmp_path, shape=shape)
    objects = np.zeros(shape, np.uint32)
    objects[2, 3:9, 3:9] = objects[1, 3, 3] = 1
    predict(project, runs(project)[0], {"a": 0.5}, objects)
    made = review_picture(project, project.image("a"), runs(project)[0])
    assert made.plane == 2


def test_large_images_become_small_pictures(tmp_path: Path):
    shape = (30, 800)
    project = reviewed_project(tmp_path, shape=shape)
    objects = np.zeros(shape, np.uint32)
    objects[5:20, 100:500] = 1
    predict(project, runs(project)[0], {"a": 0.5}, objects)
    made = review_picture(project, project.image("a"), runs(project)[0])
    assert pixels(made.outlines).shape == (14, SIDE, 3)


def test_a_prediction_of_another_size_is_one_sentence(tmp_path: Path):
    project = reviewed_project(tmp_path)
    predict(project, runs(project)[0], {"a": 0.5}, np.ones((3, 3), np.uint32))
    with pytest.raises(ProjectError, match="not of the image's size"):
        review_picture(project, project.image("a"), runs(project)[0])


def test_undefined_doubt_is_drawn_as_none():
    nan = np.full((1, 1), np.nan)
    assert in_doubt_colours(nan).tolist() == [[[0, 0, 4]]]
