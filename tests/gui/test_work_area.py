from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import Box
from napari_mtseg.gui.work_area import (
    SIDES_2D,
    area_around,
    holds,
    middle,
    needs_work_area,
)
from napari_mtseg.storage.label_arrays import CHUNK_2D, CHUNK_3D

SLIDE = (32768, 40000)
VOLUME = (900, 5000, 3000)


def test_only_large_images_are_painted_on_in_parts():
    assert needs_work_area(SLIDE)
    assert needs_work_area(VOLUME)
    assert not needs_work_area((8192, 8192))
    assert not needs_work_area((200, 2048, 2048))


def test_a_view_that_is_too_large_has_no_area():
    view = Box(start=(0, 0), stop=(SIDES_2D[0] + 1, 100))
    assert area_around(view, SLIDE) is None


def test_a_view_beside_the_image_changes_nothing():
    view = Box(start=(-900, -900), stop=(-100, -100))
    area = area_around(middle(SLIDE), SLIDE)
    assert area_around(view, SLIDE) is None
    assert holds(area, view, SLIDE)


@given(
    st.tuples(st.integers(-2000, 33000), st.integers(-2000, 41000)),
    st.tuples(*[st.integers(1, SIDES_2D[0])] * 2),
)
def test_an_area_holds_the_view_in_whole_chunks_of_the_image(start, size):
    view = Box(start=start, stop=tuple(a + n for a, n in zip(start, size, strict=True)))
    area = area_around(view, SLIDE)
    if area is None:
        assert view.clipped(Box(start=(0, 0), stop=SLIDE)) is None
        return
    assert holds(area, view, SLIDE)
    sides = zip(area.start, area.stop, SLIDE, CHUNK_2D, strict=True)
    assert all(0 <= a < b <= n and a % chunk == 0 for a, b, n, chunk in sides)
    assert all(n <= 4096 for n in area.shape)


def test_an_area_of_a_volume_reaches_over_planes():
    view = Box(start=(450, 100, 2000), stop=(451, 900, 3300))
    area = area_around(view, VOLUME)
    assert holds(area, view, VOLUME)
    assert area.shape[0] == 32
    assert all(a % chunk == 0 for a, chunk in zip(area.start, CHUNK_3D, strict=True))
