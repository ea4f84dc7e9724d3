import numpy as np
import pytest

from napari_mtseg.storage.full_masks import is_mixture, part_digests

SHAPE = (520, 8)
OLD = np.zeros(SHAPE, np.uint32)
NEW = np.ones(SHAPE, np.uint32)


@pytest.mark.parametrize(("upper", "lower"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_parts_of_two_masks_are_a_mixture(upper, lower):
    objects = np.full(SHAPE, upper, np.uint32)
    objects[512:] = lower
    assert is_mixture(objects, OLD, part_digests(NEW))


def test_a_stroke_within_a_part_is_no_mixture():
    objects = OLD.copy()
    objects[513, 2:4] = 1
    assert not is_mixture(objects, OLD, part_digests(NEW))


def test_masks_of_another_shape_are_no_mixture():
    assert not is_mixture(OLD[:-1], OLD, part_digests(NEW))


def test_volumes_are_compared_by_their_parts_too():
    old, new = np.zeros((2, 17, 4, 4), np.uint32)
    new[:] = 3
    mixed = old.copy()
    mixed[16] = 3
    assert is_mixture(mixed, old, part_digests(new))
    mixed[15] = 3
    assert not is_mixture(mixed, old, part_digests(new))
