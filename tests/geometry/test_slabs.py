import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.geometry.slabs import slabs


@given(st.lists(st.integers(1, 7), min_size=2, max_size=3), st.integers(1, 60))
def test_slabs_cover_each_line_once_and_are_no_larger_than_asked(shape, n_pixels):
    parts = list(slabs(shape, n_pixels=n_pixels))
    lines = np.concatenate([np.arange(shape[0])[part] for part in parts])
    assert lines.tolist() == list(range(shape[0]))
    per_line = int(np.prod(shape[1:]))
    assert all(
        part.stop - part.start == 1 or (part.stop - part.start) * per_line <= n_pixels
        for part in parts
    )


def test_an_array_without_pixels_has_no_slab():
    assert list(slabs((3, 0))) == list(slabs((0, 3))) == []
