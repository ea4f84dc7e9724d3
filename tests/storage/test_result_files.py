"""The table of what a model says of images as a whole."""

import csv
import errno
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.result_files import (
    ANSWERS,
    AnswerTable,
    WholeImage,
    write_results,
)


def told(histology: float, nucleus: float, **more) -> WholeImage:
    scenes = {"histology": histology, "fluorescence": 1 - histology}
    return WholeImage(scenes=scenes, present={"nucleus": nucleus}, **more)


def written(stem: Path, instances: np.ndarray, class_of: dict[int, int]) -> None:
    shape = instances.shape
    found = Prediction(
        classes=np.zeros(shape, np.uint8),
        probabilities=np.zeros((2, *shape), np.float16),
        instances=instances,
        class_of=class_of,
    )
    info = ImageInfo(
        axes="CZYX" if len(shape) == 3 else "CYX",
        shape=(1, *shape),
        dtype="uint8",
        rgb=False,
        spacing=(1.0,) * len(shape),
    )
    names = {1: "cell", 2: "rest"}
    write_results(stem, found, maps=["instances"], info=info, class_names=names)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / ANSWERS).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_tells_scene_classes_and_disagreement(tmp_path: Path):
    table = AnswerTable(tmp_path, ["a"])
    table.add("a", told(0.25, 0.875, disagreeing=("nucleus",), disagreement=0.875))
    assert (tmp_path / ANSWERS).read_text().splitlines() == [
        "image,scene,scene histology,scene fluorescence,class nucleus,disagreeing,"
        "disagreement",
        "a,fluorescence,0.2500,0.7500,0.8750,nucleus,0.8750",
    ]


def test_no_table_is_made_for_a_model_that_tells_nothing(tmp_path: Path):
    AnswerTable(tmp_path, ["a"]).add("a", WholeImage())
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_scenes_has_no_column_for_them(tmp_path: Path):
    AnswerTable(tmp_path, ["a"]).add("a", WholeImage(present={"x": math.nan}))
    assert rows(tmp_path) == [
        {"image": "a", "class x": "", "disagreeing": "", "disagreement": ""}
    ]


def test_an_image_that_is_predicted_again_keeps_one_row(tmp_path: Path):
    first = AnswerTable(tmp_path, ["a", "b"])
    first.add("a", told(0.25, 0.5))
    first.add("b", told(0.5, 0.5))
    again = AnswerTable(tmp_path, ["a", "c"])
    again.add("c", told(0.5, 0.5))
    again.add("a", told(0.75, 0.5))
    found = [(row["image"], row["scene"]) for row in rows(tmp_path)]
    assert found == [("b", "histology"), ("c", "histology"), ("a", "histology")]


def test_the_table_of_another_model_is_replaced(tmp_path: Path):
    AnswerTable(tmp_path, ["a"]).add("a", told(0.25, 0.5))
    AnswerTable(tmp_path, ["b"]).add("b", WholeImage(present={"gland": 1.0}))
    assert [row["image"] for row in rows(tmp_path)] == ["b"]


def test_a_row_that_was_cut_off_does_not_stay(tmp_path: Path):
    first = AnswerTable(tmp_path, ["a", "b"])
    first.add("a", told(0.25, 0.5))
    with (tmp_path / ANSWERS).open("a") as file:
        file.write("b,histo")
    AnswerTable(tmp_path, ["c"]).add("c", told(0.25, 0.5))
    assert [row["image"] for row in rows(tmp_path)] == ["a", "c"]


def test_names_with_commas_quotes_and_line_breaks_stay_one_cell(tmp_path: Path):
    names = ['a, "b"', "two\nlines"]
    table = AnswerTable(tmp_path, names)
    for name in names:
        table.add(name, WholeImage(scenes={"x\ny, z": 1.0}))
    found = rows(tmp_path)
    assert [row["image"] for row in found] == ['a, "b"', "two lines"]
    assert found[0]["scene"] == "x y, z"
    again = AnswerTable(tmp_path, names[1:])
    again.add(names[1], WholeImage(scenes={"x\ny, z": 1.0}))
    assert len(rows(tmp_path)) == 2


def test_rows_of_one_table_have_the_same_columns(tmp_path: Path):
    table = AnswerTable(tmp_path, ["a", "b"])
    table.add("a", told(0.25, 0.5))
    with pytest.raises(ValueError, match="other columns"):
        table.add("b", WholeImage(present={"nucleus": 1.0}))


def test_a_table_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "out").write_text("")
    table = AnswerTable(tmp_path / "out", ["a"])
    with pytest.raises(StorageError, match="is a file, not a folder"):
        table.add("a", told(0.25, 0.5))


def test_the_doubt_of_several_answers_is_a_column_of_its_own(tmp_path: Path):
    AnswerTable(tmp_path, ["a"]).add("a", WholeImage(doubt=0.3125))
    assert rows(tmp_path) == [{"image": "a", "doubt": "0.3125"}]
    AnswerTable(tmp_path, ["b"]).add("b", told(0.25, 0.5, doubt=2.0))
    assert [row["doubt"] for row in rows(tmp_path)] == ["2.0000"]


def test_a_disk_that_fills_up_leaves_no_half_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(file, *args, **facts):
        file.write(b"II*")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(StorageError, match="full"):
        written(tmp_path / "a", np.zeros((3, 4), np.uint32), {})
    assert list(tmp_path.iterdir()) == []


def test_objects_are_counted_in_planes_and_volumes(tmp_path: Path):
    instances = np.array([[[0, 9, 9], [0, 0, 2]], [[9, 0, 0], [2, 2, 2]]], np.uint32)
    written(tmp_path / "a", instances, {2: 1, 9: 2})
    assert (tmp_path / "a_objects.csv").read_text().splitlines() == [
        "object,class,class_name,pixels",
        "2,1,cell,4",
        "9,2,rest,3",
    ]
