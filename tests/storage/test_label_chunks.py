import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage import label_arrays
from napari_mtseg.storage.label_arrays import boxes_of_paint, load_labels, save_labels
from napari_mtseg.storage.label_chunks import chunk_key, chunks_in_folder, chunks_of

SHAPE = (10, 14)
"""3 x 4 chunks of 4 x 4, the last ones narrower"""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(label_arrays, "CHUNK_2D", (4, 4))


def saved(folder, *places):
    labels = np.zeros(SHAPE, np.uint32)
    for n, place in enumerate(places, start=1):
        labels[place] = n
    save_labels(folder, labels)
    return labels


def test_keys_name_chunks():
    assert chunk_key((1, 0, 12)) == "c/1/0/12"
    assert chunks_of(["c/1/10", "zarr.json", "c/1/9", "c/1/9.tmp"]) == ((1, 9), (1, 10))


def test_only_painted_chunks_are_there(tmp_path):
    saved(tmp_path / "a", (0, 0), (9, 13))
    assert chunks_in_folder(tmp_path / "a") == ((0, 0), (2, 3))


def test_the_boxes_of_paint_are_tight_and_skip_what_was_erased(tmp_path):
    folder = tmp_path / "a"
    labels = saved(folder, (1, 1), (2, 3), (9, 13), (5, 5))
    labels[5, 5] = 0
    save_labels(folder, labels)
    assert chunks_in_folder(folder) == ((0, 0), (1, 1), (2, 3))
    assert boxes_of_paint(folder) == (
        Box(start=(1, 1), stop=(3, 4)),
        Box(start=(9, 13), stop=(10, 14)),
    )


def test_nothing_is_painted_where_nothing_was_saved(tmp_path):
    assert boxes_of_paint(tmp_path / "a") == ()


@given(st.tuples(*[st.integers(0, n - 1) for n in SHAPE]), st.data())
def test_a_box_is_read_and_written_as_a_part_of_the_whole(
    tmp_path_factory, start, data
):
    stop = tuple(
        data.draw(st.integers(a + 1, n)) for a, n in zip(start, SHAPE, strict=True)
    )
    box = Box(start=start, stop=stop)
    folder = tmp_path_factory.mktemp("labels") / "a"
    whole = saved(folder, (0, 0), (3, 4), (9, 13), (6, 6))
    found = load_labels(folder, SHAPE, np.uint32, box=box)
    np.testing.assert_array_equal(found, whole[box.slices])
    part = np.full(box.shape, 77, np.uint32)
    save_labels(folder, part, box=box, shape=SHAPE)
    whole[box.slices] = 77
    np.testing.assert_array_equal(load_labels(folder, SHAPE, np.uint32), whole)
    assert save_labels(folder, whole) == 0


def test_labels_must_fill_their_box(tmp_path):
    with pytest.raises(ValueError, match="labels are"):
        save_labels(
            tmp_path / "a",
            np.zeros((2, 2), np.uint8),
            box=Box(start=(0, 0), stop=(3, 3)),
            shape=SHAPE,
        )


def test_a_box_of_labels_of_another_shape_is_refused(tmp_path):
    saved(tmp_path / "partial", (0, 0))
    with pytest.raises(AnnotationError, match="but their image is 20 x 20"):
        load_labels(
            tmp_path / "partial",
            (20, 20),
            np.uint32,
            box=Box(start=(0, 0), stop=(5, 5)),
        )


def test_an_empty_image_larger_than_memory_is_loaded_at_once(tmp_path):
    shape = (2**17, 2**17)
    first = np.ones((4, 4), np.uint8)
    box = Box(start=(2**17 - 4, 4), stop=(2**17, 8))
    save_labels(tmp_path / "a", first, box=box, shape=shape)
    assert boxes_of_paint(tmp_path / "a") == (box,)
    around = Box(start=(2**17 - 6, 0), stop=(2**17, 9))
    found = load_labels(tmp_path / "a", shape, np.uint8, box=around)
    assert found.sum() == 16
    assert found[2:, 4:8].all()
