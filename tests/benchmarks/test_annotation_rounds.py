"""The benchmark of what to annotate next, on numbers made up and on a tiny training."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imsave

from benchmarks import annotation_rounds
from benchmarks.annotation_rounds import METHOD, Trial, results_of, row_of
from benchmarks.annotation_rounds_table import (
    EVERYTHING,
    START,
    mean_over,
    summary_of,
    tables_of,
    with_start,
)
from benchmarks.budgeted_annotator import Effort
from benchmarks.image_sets import IMAGE_SETS
from benchmarks.trained_rows import settings_of_row
from napari_mtseg.uncertainty.suggestion import HOWS

EFFORT = Effort(n_rounds=2, objects=3, first_steps=2, steps=1)
TINY = {"base_channels": 2, "levels": 2, "patch": 16, "batch_size": 2}


def a_round(outlined, *dice):
    scenes = {"histology": len(outlined)}
    return {"outlined": outlined, "scenes": scenes, "dice": dice, "object_f1": dice}


def made_up():
    """Return the results of two seeds in which doubt is better than the others."""
    results = []
    for seed in range(2):
        start = a_round({"a": 3}, 0.2, 0.4)
        results.append({"row": START, "seed": seed, "rounds": [start]})
        best = [a_round({"a": 3, "b": 3, "c": 6}, 0.8, 1.0)]
        results.append({"row": EVERYTHING, "seed": seed, "rounds": best})
        for way in HOWS:
            end = 0.8 if way == "doubt" else 0.4
            rounds = [a_round({"b": 3}, 0.4, 0.6), a_round({"c": 3}, end, end)]
            results.append({"row": way, "seed": seed, "rounds": rounds})
    return [{**result, "seconds": 1.0} for result in results]


def test_the_mean_over_the_effort_weighs_rounds_by_what_they_cost():
    scores = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    assert mean_over(np.array([10.0, 20.0, 50.0]), scores) == pytest.approx([0.875, 1])


def test_a_single_round_has_its_score_as_mean():
    found = summary_of({"row": EVERYTHING, "rounds": [a_round({"a": 3}, 0.5, 0.25)]})
    assert found["test"]["area dice"] == found["test"]["last dice"] == [0.5, 0.25]


def test_every_way_begins_with_the_start_of_its_seed():
    curves = with_start(made_up())
    assert [len(c["rounds"]) for c in curves] == [3] * 6
    assert {c["rounds"][0]["dice"] for c in curves} == {(0.2, 0.4)}


def test_the_tables_show_scores_against_effort_and_what_was_outlined():
    lines = tables_of(made_up(), IMAGE_SETS["dsb2018"], EFFORT, quick=False)
    assert "| doubt, with spread | 0.300 | 0.500 | 0.800 |" in lines
    assert "| objects outlined | 3 | 6 | 9 |" in lines
    assert "| interval | 9 | 3.0 | 3.0 | histology 3.0 |" in lines
    difference = next(line for line in lines if line.startswith("| doubt minus random"))
    assert "0.400 (0.400 to 0.400), 2/2 seeds: **cannot tell**" in difference


@pytest.mark.parametrize("way", [START, EVERYTHING, *HOWS])
def test_every_training_has_settings_that_are_allowed(way):
    steps = settings_of_row(row_of(way, EFFORT))["steps"]
    assert steps == {START: 2, EVERYTHING: 4}.get(way, 1)
    assert METHOD == "baseline"


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """Return a trial on five 32 x 32 images of two bright squares, one for testing."""
    monkeypatch.setattr(annotation_rounds, "SIZE", TINY)
    folder = tmp_path / "dsb2018"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["name,split,scene"]
    for i in range(5):
        mask = np.zeros((32, 32), np.uint16)
        mask[4 + i : 12, 6:22] = 1
        mask[18:26, 6 + i : 22] = 2
        bright = np.where(mask > 0, 200, 20 + 10 * i).astype(np.uint8)
        image = np.stack([bright] * 3, axis=-1)
        imsave(folder / "masks" / f"i{i}.png", mask, check_contrast=False)
        imsave(folder / "images" / f"i{i}.png", image, check_contrast=False)
        lines.append(f"i{i},{'test' if i == 4 else 'train'},fluorescence")
    (folder / "split.csv").write_text("\n".join(lines))
    return Trial(
        way=START,
        seed=0,
        effort=replace(EFFORT, n_rounds=1),
        images=IMAGE_SETS["dsb2018"],
        data=folder,
        out=tmp_path / "out",
        device="cpu",
    )


@pytest.mark.slow
def test_rounds_begin_alike_cost_the_same_and_end_with_a_score(trial, monkeypatch):
    monkeypatch.setattr(annotation_rounds, "run_jobs", in_this_process)
    results = results_of(trial, HOWS, n_seeds=1, n_at_once=1)
    curves = with_start([{**r, "seconds": 1.0} for r in results])
    assert [c["row"] for c in curves] == list(HOWS)
    for curve in curves:
        assert [sum(r["outlined"].values()) for r in curve["rounds"]] == [3, 3]
        assert len(curve["rounds"][1]["dice"]) == 1
    projects = trial.out / "projects"
    assert not [f for f in projects.rglob("*") if f.stem.startswith("i4")]
    monkeypatch.delattr(annotation_rounds, "start_run")
    assert results_of(trial, HOWS, n_seeds=1, n_at_once=1) == results


def in_this_process(job, trials, **_):
    """Stand in for the processes of their own, which would not see the tiny size."""
    return [job(trial) for trial in trials]
