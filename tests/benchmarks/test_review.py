"""The review benchmark: its settings, what it asks, and a tiny run of all of it."""

import sys

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks import review
from benchmarks.candidate_scores import CANDIDATES
from benchmarks.image_sets import IMAGE_SETS
from benchmarks.review import parsed_arguments, plan_of_set
from benchmarks.review_answers import (
    SOURCES,
    outliers_of,
    quality_of,
    scores_of,
    seeds_of_runs,
)
from benchmarks.trained_rows import settings_of_row
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.uncertainty.entropy import predictive_entropy


def prediction_of(found):
    classes = np.array([found], np.uint8)
    probability = np.where(classes, 0.75, 0.25).astype(np.float16)
    both = np.stack([1 - probability, probability])
    return Prediction(
        classes=classes,
        probabilities=both,
        instances=classes.astype(np.uint32),
        class_of={1: 1} if classes.any() else {},
        maps={"uncertainty": predictive_entropy(both)},
        scores={"doubt": 0.5, "boundary_entropy": 0.25, "unknown": 1.0},
    )


def image_set(folder, name, n=6):
    """Write a small image set of discs and return its folder."""
    data = folder / name
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True)
    lines = ["name,split,scene"]
    rows, columns = np.ogrid[:48, :48]
    for i in range(n):
        mask = ((rows - 24) ** 2 + (columns - 20 - i) ** 2 < 100).astype(np.uint8)
        imsave(data / "masks" / f"i{i}.png", mask, check_contrast=False)
        imsave(data / "images" / f"i{i}.png", 150 * mask + 20, check_contrast=False)
        lines.append(f"i{i},{'test' if i == n - 1 else 'train'},")
    (data / "split.csv").write_text("\n".join(lines))
    return data


def test_dice_and_what_is_wrong_are_told():
    truth = np.array([[1, 1, 1, 1]], np.uint8)
    found = quality_of(prediction_of([1, 0, 0, 0]), truth)
    assert found == {"dice": 0.4, "precision": 1, "recall": 0.25, "n_objects": 1}
    nothing = quality_of(prediction_of([0, 0, 0, 0]), truth)
    assert nothing == {"dice": 0, "precision": 0, "recall": 0, "n_objects": 0}


def test_scores_of_the_program_stand_beside_candidates():
    scores = scores_of(prediction_of([1, 0]))
    assert set(scores) == {"doubt", "boundary_entropy", *CANDIDATES}


def test_an_image_without_objects_is_the_farthest_outlier():
    def image(size, n=1.0):
        names = ("log_size", "log_elongation", "fill")
        table = {
            f"{name}_{what}": 0.0 for name in names for what in ("mean", "variance")
        }
        return {**table, "n": n, "log_size_mean": size}

    found = outliers_of([image(1.0), image(1.0), image(4.0), image(0.0, n=0.0)])
    sizes = [one["size_outlier"] for one in found]
    assert sizes[3] == sizes[2] + 1 > sizes[0] == sizes[1]


def test_runs_of_a_project_have_seeds_of_their_own():
    seeds = [seed for first in range(3) for seed in seeds_of_runs(first, 3)]
    assert len(set(seeds)) == len(seeds)
    assert seeds_of_runs(2, 2)[0] == 2


@pytest.mark.parametrize("name", review.SETS)
@pytest.mark.parametrize("method", review.METHODS)
def test_every_set_is_measured_with_settings_that_are_allowed(tmp_path, name, method):
    data = image_set(tmp_path, name)
    arguments = parsed_arguments(["--data", str(data), "--method", method])
    plan = plan_of_set(arguments, data)
    settings = settings_of_row(plan.rows[0])
    assert (settings["dropout"], settings["steps"]) == (review.DROPOUT, review.STEPS)
    n_project = plan.images.n_train - plan.images.n_held_out
    assert round(plan.rows[0].labelled * n_project) == review.N_LABELLED
    assert plan.images.licence == IMAGE_SETS[name].licence


def test_another_folder_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parsed_arguments(["--data", str(tmp_path)])
    assert "must be a folder of" in capsys.readouterr().err


@pytest.mark.slow
def test_a_tiny_run_trains_asks_and_tabulates(tmp_path, monkeypatch, capsys):
    data = image_set(tmp_path, "hc18", n=14)
    monkeypatch.setattr(review, "QUICK_STEPS", 6)
    monkeypatch.setattr(review, "QUICK", {"n_train": 13, "n_held_out": 10})
    words = ["--data", str(data), "--quick", "--base", "2", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", ["review", *words, "--out", str(tmp_path / "out")])
    review.main()
    printed = capsys.readouterr().out
    assert all(f"**{source}**" in printed for source in SOURCES)
    assert "`sample_disagreement`" in printed
    table = next((tmp_path / "out").rglob("table.md"))
    assert table.read_text().strip() == printed.strip()
    again = table.stat().st_mtime_ns
    review.main()
    assert table.stat().st_mtime_ns > again
    assert capsys.readouterr().out == printed
    projects = list((tmp_path / "out").rglob("*.mtseg"))
    assert len(projects) == 1
    truth = tifffile.imread(next((tmp_path / "out").rglob("masks/i0.tif")))
    assert truth.max() == 1
