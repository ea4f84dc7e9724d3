"""The tables of task decomposition, from made-up scores."""

import numpy as np
import pytest

from benchmarks.image_sets import IMAGE_SETS
from benchmarks.score_tables import Result
from benchmarks.task_decomposition import (
    TASKS,
    failure_table,
    orderings,
    row_of,
    rows_for,
)
from benchmarks.trained_rows import settings_of_row


def result(row: str, seed: int, dice: list[float], doubt: list[float]) -> Result:
    return {"row": row, "seed": seed, "test": {"dice": dice, "disagreement": doubt}}


def test_doubt_about_the_worst_images_of_each_seed_is_scored():
    good, bad = [0.9, 0.8, 0.7, 0.6, 0.1], [0.1, 0.6, 0.7, 0.8, 0.9]
    results = [
        result("Base+Class", 0, good, [0.0, 0.0, 0.0, 0.0, 1.0]),
        result("Base+Class", 1, bad, [1.0, 0.0, 0.0, 0.0, 0.0]),
    ]
    line = failure_table(results)[-1]
    assert line.startswith("| Base+Class | 1.0000 | 0.0000 | 1.000 (")
    assert line.endswith("2 of 10 failed |")


def test_a_row_that_tells_no_classes_is_left_out():
    results = [result("Base", 0, [0.1, 0.9], [np.nan, np.nan])]
    assert all("Base" not in line for line in failure_table(results))


def test_every_step_of_the_paper_is_an_ordering_with_its_differences():
    found = {(o.first, o.second): o.paper for o in orderings(weak=False)}
    assert found["Base+Class+Sync", "Base+Class"] == (
        "Dice (%): ROBOT18 +1.83, BRATS18 +0.46, REFUGE18 +0.19"
    )
    assert found["Base", "Wnet+Unet"] == "Dice (%): BRATS18 +0.48"


@pytest.mark.parametrize("name", ["dsb2018", "acdc_scribble"])
@pytest.mark.parametrize("weak", [False, True])
def test_every_row_has_settings_that_are_allowed(name, weak):
    images = IMAGE_SETS[name]
    for row in rows_for(images, weak=weak, every=True):
        made = row_of(row, images, steps=6, weak=weak)
        settings = settings_of_row(made, ndim=images.ndim)
        assert settings["steps"] == 6
        if row in TASKS:
            assert (settings["decoder"], settings["context"]) == ("plain", True)
