from dataclasses import replace

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks.image_sets import IMAGE_SETS, prepared


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
