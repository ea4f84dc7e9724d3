import numpy as np
import pytest

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.storage.score_tables import (
    OBJECTS,
    SLICES,
    load_object_scores,
    load_slice_scores,
    save_table,
)
from napari_mtseg.uncertainty.quality import RegionSums, slice_scores

SUMS = (
    "n_band",
    "n_inside",
    "n_objects",
    "n_both",
    "band_entropy",
    "inside_entropy",
    "object_entropy",
    "confidence",
)


def test_columns_come_back_as_numbers(tmp_path):
    columns = {
        "id": np.array([1, 2**32 - 1]),
        "fill": np.array([0.123456789, 1e-9]),
    }
    save_table(tmp_path / OBJECTS, columns)
    found = load_object_scores(tmp_path)
    assert list(found) == ["id", "fill"]
    assert found["id"].tolist() == [1, 2**32 - 1]
    assert found["fill"].tolist() == pytest.approx([0.123456789, 1e-9], rel=1e-5)
    assert {column.dtype for column in found.values()} == {np.dtype(np.float64)}
    assert load_slice_scores(tmp_path) == {}


def test_numbers_of_pixels_are_written_in_full(tmp_path):
    sums = RegionSums(
        n_outputs=2, **dict.fromkeys(SUMS, np.array([1234567.0, 7654321.0]))
    )
    planes = slice_scores(sums, np.zeros((2, 2, 1, 1)), np.zeros((2, 1, 1), np.float32))
    save_table(tmp_path / SLICES, planes)
    found = load_slice_scores(tmp_path)["n_object_pixels"]
    assert found.tolist() == [1234567, 7654321]


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    save_table(tmp_path / SLICES, {"plane": np.empty(0), "n": np.empty(0, np.int64)})
    found = load_slice_scores(tmp_path)
    assert {name: column.shape for name, column in found.items()} == {
        "plane": (0,),
        "n": (0,),
    }


def test_no_columns_leave_no_table(tmp_path):
    save_table(tmp_path / OBJECTS, {"id": np.array([1])})
    save_table(tmp_path / OBJECTS, {})
    assert not (tmp_path / OBJECTS).exists()
    save_table(tmp_path / OBJECTS, {})
    assert load_object_scores(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "id,size\n1\n", "id\nmany\n", "id\n\xff\n"])
def test_a_damaged_table_says_so(tmp_path, text):
    (tmp_path / OBJECTS).write_bytes(text.encode("latin-1"))
    with pytest.raises(ProjectError, match="is damaged: it is no table of numbers"):
        load_object_scores(tmp_path)
