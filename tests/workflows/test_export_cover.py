import io

import numpy as np
import pytest
from PIL import Image as Picture

from napari_mtseg.domain.project import palette
from napari_mtseg.workflows.export_cover import cover_picture


@pytest.mark.parametrize("shape", [(24, 24), (20, 40), (5, 24, 24)])
def test_a_cover_is_twice_as_wide_as_high_and_shows_three_pictures(shape):
    (found,) = palette(("nucleus",))
    image = np.zeros((1, *shape), np.float32)
    image[..., shape[-1] // 2 :] = 1
    objects = image[0]
    probabilities = np.stack([1 - objects, objects])
    png = cover_picture(image, probabilities, (found,))
    pixels = np.asarray(Picture.open(io.BytesIO(png)))
    assert pixels.shape == (300, 600, 3)
    seen, probable, coloured = np.split(pixels, 3, axis=1)
    for panel in (seen, probable):
        assert panel[150, 10].tolist() == [0, 0, 0]
        assert panel[150, 190].tolist() == [255, 255, 255]
    colour = [int(found.colour[i : i + 2], 16) for i in (1, 3, 5)]
    wanted = [round(0.4 * 255 + 0.6 * c) for c in colour]
    np.testing.assert_allclose(coloured[150, 190], wanted, atol=1)
