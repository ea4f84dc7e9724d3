"""COCO files hold exactly the pixels of the objects."""

import json
from pathlib import Path

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.coco_files import merge_coco, write_coco

NAMES = {1: "cell", 2: "rest"}


def saved(path: Path, objects, class_of=None, names=None) -> dict:
    objects = np.asarray(objects, np.uint32)
    if class_of is None:
        class_of = dict.fromkeys(np.unique(objects).tolist(), 1)
    write_coco(
        path,
        objects,
        class_of=class_of,
        class_names=names or NAMES,
        file_name=f"{path.stem}.png",
    )
    return json.loads(path.read_text())


def pixels_of(annotation: dict, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask that a reader of COCO makes of a segmentation."""
    told = annotation["segmentation"]
    if isinstance(told, dict):
        assert told["size"] == list(shape)
        inside = np.repeat(np.arange(len(told["counts"])) % 2 == 1, told["counts"])
        filled = np.zeros(shape[0] * shape[1], bool)
        filled[: len(inside)] = inside
        return filled.reshape(shape[::-1]).T
    y, x = (axis + 0.5 for axis in np.indices(shape))
    mask = np.zeros(shape, bool)
    for polygon in told:
        corners = np.reshape(polygon, (-1, 2))
        inside = np.zeros(shape, bool)
        for (x0, y0), (_, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
            inside ^= (min(y0, y1) < y) & (y < max(y0, y1)) & (x0 < x)
        mask |= inside
    return mask


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        np.uint32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.integers(0, 2),
    )
)
def test_an_annotation_holds_exactly_the_pixels_of_its_object(tmp_path: Path, objects):
    content = saved(tmp_path / "a.json", objects)
    found = {one["object"]: one for one in content["annotations"]}
    assert set(found) == set(np.unique(objects).tolist()) - {0}
    for number, one in found.items():
        mask = objects == number
        assert np.array_equal(pixels_of(one, objects.shape), mask)
        assert one["area"] == mask.sum()
        rows, columns = np.nonzero(mask)
        x, y, width, height = one["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)


def test_a_hole_makes_runs_and_a_solid_object_a_polygon(tmp_path: Path):
    objects = np.ones((3, 4), np.uint32)
    objects[1, 1] = 0
    objects[:, 3] = 2
    ring, bar = saved(tmp_path / "a.json", objects)["annotations"]
    assert ring["segmentation"] == {"size": [3, 4], "counts": [0, 4, 1, 4, 3]}
    assert bar["segmentation"] == [[3, 0, 4, 0, 4, 3, 3, 3]]


def test_a_name_that_is_no_utf_8_is_written_so_that_it_can_be_read(tmp_path: Path):
    path = write_coco(
        tmp_path / "a.json",
        np.ones((1, 1), np.uint32),
        class_of={1: 1},
        class_names=NAMES,
        file_name="b\udcff.tif",
    )
    (image,) = json.loads(path.read_text())["images"]
    assert image["file_name"] == r"b\udcff.tif"


def test_classes_are_categories(tmp_path: Path):
    content = saved(tmp_path / "a.json", [[4, 0, 9]], {4: 2, 9: 1})
    assert [one["category_id"] for one in content["annotations"]] == [2, 1]
    assert [one["iscrowd"] for one in content["annotations"]] == [0, 0]
    told = [(one["id"], one["name"]) for one in content["categories"]]
    assert told == [(1, "cell"), (2, "rest")]
    assert content["images"] == [
        {"id": 1, "file_name": "a.png", "width": 3, "height": 1}
    ]


def test_each_plane_of_a_volume_is_an_image(tmp_path: Path):
    volume = np.zeros((2, 3, 3), np.uint32)
    volume[:, 1, 1] = 5
    content = saved(tmp_path / "a.json", volume)
    assert [(one["id"], one["plane"]) for one in content["images"]] == [(1, 0), (2, 1)]
    found = [(one["image_id"], one["object"]) for one in content["annotations"]]
    assert found == [(1, 5), (2, 5)]


def test_files_of_many_images_become_one(tmp_path: Path):
    saved(tmp_path / "a.json", [[1, 0, 2]])
    saved(tmp_path / "b.json", [[0, 0]])
    saved(tmp_path / "c.json", [[3]])
    files = [tmp_path / f"{name}.json" for name in "abc"]
    content = json.loads(merge_coco(files, tmp_path / "all.json").read_text())
    images = [(one["id"], one["file_name"]) for one in content["images"]]
    assert images == [(1, "a.png"), (2, "b.png"), (3, "c.png")]
    found = [(one["id"], one["image_id"]) for one in content["annotations"]]
    assert found == [(1, 1), (2, 1), (3, 3)]
    assert len(content["categories"]) == 2


def test_files_of_other_classes_are_not_merged(tmp_path: Path):
    saved(tmp_path / "a.json", [[1]])
    saved(tmp_path / "b.json", [[1]], names={1: "gland"})
    with pytest.raises(
        ImageError,
        match=r"^'b\.json' has the classes gland, but 'a\.json' has cell, rest\. "
        r"Merge files of one model only\.$",
    ):
        merge_coco([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "all.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"images": []}', "3"])
def test_a_file_that_is_no_coco_file_is_named(tmp_path: Path, content: str):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ImageError, match="is missing or no COCO file"):
        merge_coco([tmp_path / "a.json"], tmp_path / "all.json")
