"""Measurements of what was found in an image."""

import numpy as np
import pytest

from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.workflows.measure import measured_objects, uncertainty_of

OBJECTS = np.array([[0, 4, 4], [0, 4, 9]], np.uint32)
PIXELS = np.array([[[9, 1, 2], [9, 3, 8]], [[0, 5, 5], [0, 5, 7]]], np.uint16)


def found(**maps) -> Prediction:
    probabilities = np.zeros((2, 2, 3), np.float16)
    probabilities[:] = 0.5
    probabilities[:, 0] = [[1.0], [0.0]]
    return Prediction(
        classes=(OBJECTS > 0).astype(np.uint8),
        probabilities=probabilities,
        instances=OBJECTS,
        class_of={4: 1, 9: 2},
        maps=maps,
    )


def image() -> Image:
    info = ImageInfo(
        axes="CYX",
        shape=PIXELS.shape,
        dtype="uint16",
        rgb=False,
        spacing=(0.5, 2.0),
        unit="micrometer",
    )
    return Image(name="a.tif", pixels=PIXELS, info=info)


def test_size_intensity_and_doubt_of_each_object_are_told():
    table = measured_objects(found(), image(), class_names={1: "cell", 2: "rest"})
    assert table["object"].tolist() == [4, 9]
    assert table["class_name"].tolist() == ["cell", "rest"]
    assert table["area_um2"].tolist() == [3, 1]
    assert table["mean_intensity_0"].tolist() == [2, 8]
    assert table["max_intensity_1"].tolist() == [5, 7]
    # The first row is certain, the second is not: a third of object 4.
    assert table["mean_uncertainty"] == pytest.approx([1 / 3, 1])


def test_the_map_of_doubt_is_used_where_there_is_one():
    doubt = np.full((2, 3), 0.25, np.float32)
    told = found(uncertainty=doubt)
    table = measured_objects(told, image(), class_names={1: "cell", 2: "rest"})
    assert table["mean_uncertainty"].tolist() == [0.25, 0.25]
    assert uncertainty_of(told, slice(0, 1)).tolist() == [[0.25] * 3]
    assert uncertainty_of(found(), slice(1, 2)) == pytest.approx(np.ones((1, 3)))
