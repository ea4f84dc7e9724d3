import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import given

from napari_mtseg.geometry.pixel_outlines import pixel_outlines, signed_area


def filled(outlines, shape) -> np.ndarray:
    """Return the pixels whose middle lies inside an odd number of outlines."""
    y, x = (axis + 0.5 for axis in np.indices(shape))
    inside = np.zeros(shape, bool)
    for outline in outlines:
        for (y0, x0), (y1, _) in zip(outline, np.roll(outline, -1, 0), strict=True):
            crosses = (min(y0, y1) < y) & (y < max(y0, y1)) & (x0 < x)
            inside ^= crosses
    return inside


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)))
def test_outlines_hold_exactly_the_pixels_of_the_mask(mask):
    outlines = pixel_outlines(mask)
    assert np.array_equal(filled(outlines, mask.shape), mask)
    assert sum(map(signed_area, outlines)) == mask.sum()


def test_only_corners_are_listed():
    mask = np.array([[1, 1, 0], [1, 1, 1]], bool)
    (outline,) = pixel_outlines(mask)
    assert outline.tolist() == [[0, 0], [0, 2], [1, 2], [1, 3], [2, 3], [2, 0]]


def test_a_hole_has_an_outline_of_negative_area():
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert [signed_area(outline) for outline in pixel_outlines(ring)] == [9, -1]


def test_pieces_that_meet_at_a_corner_are_apart():
    assert [signed_area(o) for o in pixel_outlines(np.eye(2, dtype=bool))] == [1, 1]
    assert [signed_area(o) for o in pixel_outlines(~np.eye(2, dtype=bool))] == [1, 1]


def test_an_empty_mask_has_no_outline():
    assert pixel_outlines(np.zeros((2, 3), bool)) == []
