from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imsave

from benchmarks import high_resolution, joint_shape
from benchmarks.image_sets import IMAGE_SETS
from benchmarks.trained_rows import Row, Trial, settings_of_row, train_and_score

TINY = {
    "base_channels": 2,
    "levels": 2,
    "patch": 16,
    "batch_size": 2,
    "steps": 2,
}


@pytest.fixture
def trial(tmp_path):
    """Return a trial on three 32 x 32 images of a bright square, one for testing."""
    folder = tmp_path / "hc18"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["name,split"]
    for i in range(3):
        mask = np.zeros((32, 32), np.uint8)
        mask[6 + i : 20, 6:22] = 1
        imsave(folder / "masks" / f"i{i}.png", mask, check_contrast=False)
        imsave(folder / "images" / f"i{i}.png", 150 * mask + 20, check_contrast=False)
        lines.append(f"i{i},{'test' if i == 2 else 'train'}")
    (folder / "split.csv").write_text("\n".join(lines))
    return Trial(
        row=Row(title="U-Net, tiny", method="baseline", shared=TINY, paint="all full"),
        seed=0,
        images=replace(IMAGE_SETS["hc18"], shrink=1, n_train=2),
        data=folder,
        out=tmp_path / "out",
        device="cpu",
    )


@pytest.mark.parametrize("paint", ["all full", "weak"])
def test_a_row_is_trained_and_scored_on_every_test_image(trial, paint):
    result = train_and_score(replace(trial, row=replace(trial.row, paint=paint)))
    assert result["row"] == "U-Net, tiny"
    assert len(result["test"]["dice"]) == 1
    assert 0 <= result["test"]["dice"][0] <= 1


def test_masks_of_test_images_never_enter_the_project(trial):
    train_and_score(trial)
    project = trial.out / "projects" / "U-Net_tiny-0.mtseg"
    assert project.exists()
    assert not [file for file in project.rglob("*") if "i2" in file.name]


def test_a_variant_is_stronger_than_what_rows_share_and_a_rows_own_value_strongest():
    row = Row(
        title="SL",
        method="baseline",
        shared={"labels": "all", "dice_weight": 0.5, "steps": 7},
        variant="SL",
        values={"dice_weight": 0.25},
        paint="few full",
    )
    settings = settings_of_row(row)
    assert settings["labels"] == "full"
    assert settings["dice_weight"] == 0.25
    assert settings["steps"] == 7


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("name", [*joint_shape.ROWS, "baseline"])
def test_every_joint_shape_row_has_valid_settings_of_one_size(name, weak):
    settings = settings_of_row(joint_shape.row_of(name, steps=5, weak=weak))
    sizes = {k: settings[k] for k in ("base_channels", "levels", "steps", "batch_size")}
    assert sizes == {"base_channels": 16, "levels": 5, "steps": 5, "batch_size": 4}


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *high_resolution.REGION_ROWS,
            *high_resolution.NUCLEI_ROWS,
            *high_resolution.WEAK_NUCLEI_ROWS,
        }
    ),
)
def test_every_high_resolution_row_has_valid_settings(name):
    row = high_resolution.row_of(name, steps=5, weak=False)
    settings = settings_of_row(row)
    assert settings["base_channels"] == 8
    assert settings["steps"] == 5
    assert settings.get("nuclei", False) == ("nuclei" in name)
    assert row.pieces == ("no watershed" in name)


def test_the_orderings_of_the_papers_name_rows_that_are_trained():
    joint = set(joint_shape.ROWS)
    for ordering in joint_shape.orderings(weak=False):
        assert {ordering.first, ordering.second} <= joint
    for orderings, rows in (
        (high_resolution.region_orderings(), high_resolution.REGION_ROWS),
        (high_resolution.nuclei_orderings(), high_resolution.NUCLEI_ROWS),
    ):
        for ordering in orderings:
            assert {ordering.first, ordering.second} <= set(rows)


def test_the_papers_differences_are_those_of_its_tables():
    by_rows = {(o.first, o.second): o for o in joint_shape.orderings(weak=False)}
    assert by_rows["Conv-MD", "Conv-MD-D1"].paper == (
        "Dice: cup +0.0009, disc -0.0001, polyp +0.0400"
    )
    first = high_resolution.region_orderings()[0]
    assert first.paper == "Dice (%) +2.8 / +4.6 / +3"
    assert high_resolution.nuclei_orderings()[0].paper == (
        "F1 (%) +2.6; object Dice (%) +1.9; Hausdorff (mm) -1.43"
    )
