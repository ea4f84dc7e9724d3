from dataclasses import replace

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks.image_sets import (
    IMAGE_SETS,
    UNLABELLED,
    evenly,
    prepared,
    shrunk_strokes,
)
from napari_mtseg.storage.image_files import open_image


@pytest.fixture
def data(tmp_path):
    """Return a folder of four 8 x 8 images whose masks hold codes 0, 191 and 255."""
    folder = tmp_path / "published"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["name,split,split_block"]
    for i in range(4):
        mask = np.full((8, 8), 255, np.uint8)
        mask[:, :4] = 191
        mask[0, 0] = 0
        imsave(folder / "masks" / f"z{i}.png", mask, check_contrast=False)
        imsave(folder / "images" / f"z{i}.png", mask, check_contrast=False)
        lines.append(
            f"z{i},{'test' if i == 0 else 'train'},{'test' if i == 3 else 'train'}"
        )
    (folder / "split.csv").write_text("\n".join(lines))
    return folder


def test_the_split_column_of_the_set_decides(data, tmp_path):
    items = prepared(data, tmp_path / "out", IMAGE_SETS["sstem_vnc"])
    assert {item.name: item.split for item in items} == {
        "z0": "train",
        "z1": "train",
        "z2": "train",
        "z3": "test",
    }


def test_mask_codes_become_classes(data, tmp_path):
    images = replace(IMAGE_SETS["sstem_vnc"], shrink=1)
    mask = tifffile.imread(prepared(data, tmp_path / "out", images)[0].mask)
    assert mask[0, 0] == 1
    assert (mask[1:, :4] == 2).all()
    assert (mask[:, 4:] == 0).all()


def test_a_code_without_class_is_refused(data, tmp_path):
    images = replace(IMAGE_SETS["sstem_vnc"], class_of_value={255: 0, 191: 1})
    with pytest.raises(ValueError, match=r"hold values without class: \[0\]"):
        prepared(data, tmp_path / "out", replace(images, shrink=1))


def test_fewer_training_images_are_taken_evenly_and_no_test_image_is_lost(
    data, tmp_path
):
    images = replace(IMAGE_SETS["sstem_vnc"], n_train=2)
    items = prepared(data, tmp_path / "out", images)
    assert [item.name for item in items] == ["z0", "z1", "z3"]


def test_every_set_names_its_licence():
    assert all("CC" in images.licence for images in IMAGE_SETS.values())


def test_held_out_images_are_training_images_and_no_test_image_is_held_out(
    data, tmp_path
):
    images = replace(IMAGE_SETS["sstem_vnc"], n_held_out=1)
    items = prepared(data, tmp_path / "out", images)
    assert [item.split for item in items] == ["held out", "train", "train", "test"]


def test_fewer_test_images_are_taken_evenly(data, tmp_path):
    lines = (data / "split.csv").read_text().replace("train", "test")
    (data / "split.csv").write_text(lines)
    images = replace(IMAGE_SETS["sstem_vnc"], n_test=2)
    items = prepared(data, tmp_path / "out", images)
    assert [item.name for item in items] == ["z0", "z2"]


def test_names_are_spread_evenly_over_their_order():
    assert evenly(list("abcdef"), 3) == ["a", "c", "e"]
    assert evenly(list("ab"), 5) == ["a", "b"]
    assert evenly(list("ab"), None) == ["a", "b"]
    assert evenly([], 3) == []


def test_a_block_of_strokes_keeps_a_label_only_if_its_labelled_pixels_agree():
    none = UNLABELLED
    strokes = np.array([[1, none, 0, 2, 3], [none, none, none, none, none]], np.uint8)
    assert shrunk_strokes(strokes, 2).tolist() == [[1, none, 3]]
    assert shrunk_strokes(strokes, 1).tolist() == strokes.tolist()
    assert shrunk_strokes(np.stack([strokes] * 3), 2).shape == (3, 1, 3)


@pytest.fixture
def volumes(tmp_path):
    """Return a folder of two volumes with masks and scribbles, one for testing."""
    folder = tmp_path / "published"
    mask = np.zeros((3, 16, 16), np.uint8)
    mask[:, 4:12, 4:12] = 1
    strokes = np.where(mask == 1, 1, UNLABELLED).astype(np.uint8)
    for what, array in (("image", mask * 0.5), ("mask", mask), ("scribble", strokes)):
        (folder / f"{what}s").mkdir(parents=True)
        for i in range(2):
            np.savez(folder / f"{what}s" / f"v{i}.npz", **{what: array})
    (folder / "split.csv").write_text("name,split\nv0,train\nv1,test\n")
    return folder


def test_volumes_keep_the_voxel_size_of_their_set(volumes, tmp_path):
    images = replace(IMAGE_SETS["acdc_scribble"], spacing=(10.0, 3.0, 3.0))
    item = prepared(volumes, tmp_path / "out", images)[0]
    info = open_image(item.image).info
    assert (info.spatial_shape, info.spacing, info.unit) == (
        (3, 8, 8),
        (10.0, 3.0, 3.0),
        "millimeter",
    )


def test_scribbles_lie_beside_the_masks_where_a_set_has_them(volumes, tmp_path):
    item = prepared(volumes, tmp_path / "out", IMAGE_SETS["acdc_scribble"])[0]
    strokes = tifffile.imread(item.scribble)
    assert (strokes == np.where(tifffile.imread(item.mask) == 1, 1, UNLABELLED)).all()
    images = replace(IMAGE_SETS["acdc_scribble"], scribbles=False)
    assert prepared(volumes, tmp_path / "without", images)[0].scribble is None
