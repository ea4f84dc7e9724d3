from dataclasses import replace

import numpy as np
import pytest
import tifffile

from benchmarks.image_sets import IMAGE_SETS, UNLABELLED, Item
from benchmarks.painted_projects import (
    labelled_of,
    painted_project,
    painted_scribbles,
)

IMAGES = replace(IMAGE_SETS["hc18"], shrink=1)


@pytest.fixture
def items(tmp_path):
    """Return ten training images with a square each, and a test image."""
    made = []
    mask = np.zeros((16, 16), np.uint16)
    mask[4:12, 4:12] = 1
    strokes = np.where(mask, 1, UNLABELLED).astype(np.uint8)
    strokes[0] = 0
    for i in range(11):
        files = [tmp_path / f"{what}{i}.tif" for what in ("image", "mask", "scribble")]
        for file, pixels in zip(files, (mask * 9 + i, mask, strokes), strict=True):
            tifffile.imwrite(file, pixels)
        made.append(
            Item(
                name=f"image{i}",
                split="test" if i == 10 else "train",
                scene="",
                image=files[0],
                mask=files[1],
                scribble=files[2],
            )
        )
    return made


def project_of(tmp_path, items, name="p.mtseg", **choices):
    chosen = {"paint": "all full", "labelled": 0.2, "seed": 0, **choices}
    return painted_project(tmp_path / name, items, IMAGES, **chosen)


def painted(project):
    return [e for e in project.images if not project.annotation(e).is_empty]


def test_the_share_is_painted_and_the_rest_is_there_without_paint(tmp_path, items):
    project = project_of(tmp_path, items)
    assert len(project.images) == 10
    assert [project.annotation(e).has_full for e in painted(project)] == [True, True]


def test_the_rest_may_stay_out_of_the_project(tmp_path, items):
    project = project_of(tmp_path, items, unlabelled=False)
    assert len(project.images) == len(painted(project)) == 2


def test_the_choice_depends_on_the_seed_alone(tmp_path, items):
    names = [i.name for i in items[:10]]
    chosen = {
        seed: [i.name for i in labelled_of(items[:10], 0.2, seed=seed)]
        for seed in range(5)
    }
    for seed, found in chosen.items():
        project = project_of(
            tmp_path, items, f"{seed}.mtseg", paint="real scribbles", seed=seed
        )
        assert sorted(e.name for e in painted(project)) == sorted(
            f"{name}.tif" for name in found
        )
    assert len({tuple(found) for found in chosen.values()}) > 1
    assert all(set(found) <= set(names) for found in chosen.values())


def test_at_least_one_image_is_labelled_and_all_without_a_share(items):
    assert len(labelled_of(items, 0.01, seed=0)) == 1
    assert labelled_of(items, None, seed=0) == items


def test_a_larger_share_holds_the_smaller_one(items):
    few, many = (labelled_of(items, share, seed=3) for share in (0.2, 0.4))
    assert many[: len(few)] == few


def test_what_nobody_drew_on_stays_unpainted(tmp_path, items):
    strokes = np.array([[0, 1, 3, UNLABELLED]], np.uint8)
    assert painted_scribbles(strokes).tolist() == [[1, 3, 5, 0]]
    project = project_of(tmp_path, items, paint="real scribbles")
    annotation = project.annotation(painted(project)[0])
    assert annotation.origin == "imported"
    assert not annotation.has_full
    assert np.unique(annotation.scribbles).tolist() == [0, 1, 3]


def test_a_set_without_scribbles_cannot_be_painted_with_them(tmp_path, items):
    without = [replace(item, scribble=None) for item in items]
    with pytest.raises(ValueError, match="there are no scribbles of 'image"):
        project_of(tmp_path, without, paint="real scribbles")
