"""The benchmark of dropout's place, on two answers made up and on a tiny training."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks.dropout_place import (
    PLACES,
    row_of,
    scores_of_image,
    sources_of,
    train_and_ask,
    truth_of,
)
from benchmarks.dropout_place_table import (
    DECIDING,
    ENSEMBLE,
    METRICS,
    NO_DROPOUT,
    ONE_PASS,
    PASSES,
    SPLITS,
    best_place,
    choice,
    image_interval,
    of_split,
    orderings,
    tables_of,
)
from benchmarks.image_sets import IMAGE_SETS, Item
from benchmarks.row_command import Plan
from benchmarks.trained_rows import Trial, settings_of_row
from napari_mtseg.domain.prediction import Prediction


def answered(area, n=2):
    """Return the scores of one way of answering ``n`` images, all of the same area."""
    scores = dict.fromkeys(METRICS, [0.5] * n)
    return {"seconds": 1.0, **scores, DECIDING.metric: [area] * n}


def results(**areas):
    """Make results of one seed from place=(area held out, area in the test)."""
    made = [
        {
            "row": NO_DROPOUT,
            "seed": 0,
            "answers": {
                way: {split: answered(1.0) for split in SPLITS}
                for way in (ONE_PASS, ENSEMBLE)
            },
        }
    ]
    for place, pair in areas.items():
        found = dict(zip(SPLITS, (answered(area) for area in pair), strict=True))
        made.append(
            {"row": place, "seed": 0, "answers": {ONE_PASS: found, PASSES: found}}
        )
    return made


def prediction_of(classes, **maps):
    return Prediction(
        classes=np.array(classes, np.uint8),
        probabilities=np.zeros((2, 1, 4), np.float16),
        instances=np.zeros((1, 4), np.uint32),
        class_of={},
        maps={name: np.array(values, np.float32) for name, values in maps.items()},
        scores={"doubt": 0.25},
    )


def test_pixels_are_ordered_by_every_kind_of_doubt_that_the_answer_has():
    found = scores_of_image(
        prediction_of(
            [[0, 1, 1, 0]],
            uncertainty=[[0.0, 0.1, 0.2, 0.9]],
            variance=[[0.9, 0.1, 0.2, 0.0]],
        ),
        np.array([[0, 1, 1, 1]], np.uint8),
    )
    assert found["dice"] == pytest.approx(0.8)
    assert found["doubt"] == 0.25
    assert found["area uncertainty"] == pytest.approx(1000 / 16)
    assert found["excess uncertainty"] == pytest.approx(0)
    assert found["excess variance"] > 0
    assert np.isnan(found["area mutual_information"])


def test_the_place_is_chosen_on_held_out_images_and_shown_on_test_images():
    found = results(last=(2.0, 5.0), ends=(3.0, 4.0))
    held_out, test = (of_split(found, split) for split in SPLITS)
    assert best_place(held_out) == "last, passes"
    text = choice(held_out, test, "last, passes")[0]
    assert "**last, passes** (2.00)" in text
    assert "it comes 2. of 2; 'ends, passes' is the least" in text


def test_the_chosen_place_is_compared_with_every_other_row():
    test = of_split(results(last=(2.0, 5.0), ends=(3.0, 4.0)), "test")
    pairs = [(o.first, o.second) for o in orderings(test, "last, passes")]
    assert pairs[:2] == [
        ("last, passes", "no dropout, one pass"),
        ("last, passes", "no dropout, ensemble"),
    ]
    assert ("ends, passes", "ends, one pass") in pairs
    assert ("no dropout, ensemble", "no dropout, one pass") in pairs
    assert len(set(pairs)) == len(pairs)


def test_images_without_a_score_are_left_out_of_their_order():
    doubts, risks = np.array([[0.1, 0.2, 0.3]]), np.array([[0.0, np.nan, 1.0]])
    found = image_interval(doubts, risks, "area")
    assert (found.n, found.n_undefined) == (2, 1)
    assert found.mean == pytest.approx(1000 * (0 + 1 / 2) / 2)
    assert image_interval(doubts, risks * np.nan, "area").n == 0


@pytest.mark.parametrize("method", ["baseline", "joint_shape", "high_resolution"])
@pytest.mark.parametrize("place", [NO_DROPOUT, *PLACES])
def test_every_row_has_settings_that_are_allowed(place, method):
    row = row_of(place, method=method, share=0.3, steps=5)
    settings = settings_of_row(row)
    assert settings["dropout"] == (0 if place == NO_DROPOUT else 0.3)
    assert settings["steps"] == 5
    assert place in {NO_DROPOUT, settings["dropout_place"]}


def test_a_row_without_dropout_answers_with_its_checkpoints_instead():
    assert list(sources_of(NO_DROPOUT, n_passes=3)) == [ONE_PASS, ENSEMBLE]
    assert sources_of("last", n_passes=3)[PASSES].passes == 3


@pytest.mark.slow
def test_a_tiny_run_trains_asks_and_tabulates(tmp_path):
    folder = tmp_path / "hc18"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["name,split"]
    for i in range(7):
        mask = np.zeros((32, 32), np.uint8)
        mask[6 + i : 20, 6:22] = 1
        imsave(folder / "masks" / f"i{i}.png", mask, check_contrast=False)
        imsave(folder / "images" / f"i{i}.png", 150 * mask + 20, check_contrast=False)
        lines.append(f"i{i},{'test' if i == 6 else 'train'}")
    (folder / "split.csv").write_text("\n".join(lines))
    images = replace(IMAGE_SETS["hc18"], shrink=1, n_train=6, n_held_out=2)
    tiny = {"base_channels": 2, "levels": 2, "patch": 16, "batch_size": 2, "steps": 6}
    rows = [
        replace(row_of(place, method="baseline", share=0.5, steps=6), shared=tiny)
        for place in (NO_DROPOUT, "decoder")
    ]
    job = partial(train_and_ask, n_passes=2)
    found = [
        job(
            Trial(
                row=row,
                seed=0,
                images=images,
                data=folder,
                out=tmp_path / "out",
                device="cpu",
            )
        )
        for row in rows
    ]
    passes = found[1]["answers"][PASSES]
    assert [len(passes[split]["dice"]) for split in SPLITS] == [2, 1]
    assert np.isfinite(passes["test"]["area variance"]).all()
    plan = Plan(images=images, rows=rows, n_seeds=1, steps=6, quick=True, out=tmp_path)
    lines = tables_of(plan, found, share=0.5, n_passes=2)
    assert any("**decoder, passes**" in line for line in lines)
    projects = tmp_path / "out" / "projects"
    held_out = ("i0", "i3", "i6")
    assert not [f for f in projects.rglob("*") if f.stem.startswith(held_out)]


def test_objects_of_a_mask_are_one_class(tmp_path):
    mask = tmp_path / "mask.tif"
    tifffile.imwrite(mask, np.array([[0, 7, 300]], np.uint16))
    item = Item(name="a", split="test", scene="", image=mask, mask=mask)
    assert truth_of(item, IMAGE_SETS["dsb2018"]).tolist() == [[0, 1, 1]]
