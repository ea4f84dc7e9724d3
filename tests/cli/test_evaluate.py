import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner, Result

from napari_mtseg.cli.evaluate import run_evaluate
from napari_mtseg.domain.errors import RunError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.prediction_files import load_prediction, save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import new_run_folder
from napari_mtseg.storage.score_checks import load_score_check

SHAPE = (12, 12)
TRUTH = np.zeros(SHAPE, np.uint32)
TRUTH[1:5, 1:5] = 1


def mtseg_evaluate(*words: object) -> Result:
    app = typer.Typer(rich_markup_mode="markdown")
    app.command()(run_evaluate)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.create(tmp_path / "p.mtseg", classes=("nucleus",))
    (tmp_path / "masks").mkdir()
    for i, name in enumerate("abc"):
        noise = np.random.default_rng(i).integers(0, 255, SHAPE, np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", noise)
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", TRUTH)
        made.add_image(tmp_path / f"{name}.tif", split="test")
    facts = {"settings": {}, "seed": 0, "device": "cpu", "versions": {}}
    run = new_run_folder(made.path, {"method": "baseline", **facts})
    for entry in made.images:
        found = np.zeros(SHAPE, np.uint32) if entry.id == "c" else TRUTH
        prediction = Prediction(
            classes=found.astype(np.uint8),
            probabilities=np.zeros((2, *SHAPE), np.float16),
            instances=found,
            class_of={1: 1},
        )
        folder = made.path / "predictions" / run.path.name / entry.id
        save_prediction(folder, prediction, spacing=(1.0, 1.0), unit="pixel")
    return made


def test_scores_are_shown_with_intervals_and_empty_cases(project, tmp_path):
    result = mtseg_evaluate(project.path, "--masks", tmp_path / "masks")
    assert result.exit_code == 0, result.output
    assert "3 test images, against masks in" in result.stdout
    assert "0.667 [0.000, 1.000]" in result.stdout
    assert "Hausdorff (pixel)" in result.stdout
    assert "0.000 [0.000, 0.000] on 2" in result.stdout
    assert "nucleus: on 1 of 3 images exactly one of" in result.stderr


def test_scores_are_valid_json_for_scripts(project, tmp_path):
    result = mtseg_evaluate(project.path, "--masks", tmp_path / "masks", "--json")
    answer = json.loads(result.stdout, parse_constant=pytest.fail)
    assert answer["one_empty"] == {"nucleus": 1}
    assert answer["summary"]["nucleus"]["hausdorff"]["n_undefined"] == 1
    assert answer["images"][2]["hausdorff"] is None


def test_tables_are_written_where_asked(project, tmp_path):
    out = tmp_path / "scores"
    words = (project.path, "--masks", tmp_path / "masks", "--out", out)
    assert mtseg_evaluate(*words).exit_code == 0
    names = {file.name for file in out.iterdir()}
    assert names == {
        "per_image.csv",
        "per_object.csv",
        "evaluation.json",
        "scores.csv",
        "scores.png",
    }
    assert (out / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_predictions_without_scores_are_told(project, tmp_path):
    result = mtseg_evaluate(project.path, "--masks", tmp_path / "masks")
    assert "do the scores of doubt find failures?" not in result.stdout
    assert "note: These predictions were made by an older version" in result.stderr


def give_scores(project: Project) -> Path:
    """Give each prediction scores; the empty one, 'c', is the most doubtful."""
    (folder,) = (project.path / "predictions").iterdir()
    for i, entry in enumerate(project.images):
        prediction = load_prediction(folder / entry.id)
        scores = {"boundary_entropy": i / 2, "doubt": 1 - i / 2}
        scored = replace(prediction, scores=scores)
        save_prediction(folder / entry.id, scored, spacing=(1.0, 1.0), unit="pixel")
    return folder


def test_scores_are_shown_beside_the_best_and_the_random_order(project, tmp_path):
    give_scores(project)
    result = mtseg_evaluate(project.path, "--masks", tmp_path / "masks")
    assert result.exit_code == 0, result.output
    assert "1 of 3 images failed: Dice below 0.8" in result.stdout
    for label in ("doubt at outlines", "doubt", "best order", "random order"):
        assert f" {label} " in result.stdout
    assert "note: Only 3 images are held out and annotated" in result.stderr


def test_what_is_a_failure_is_the_users_choice(project, tmp_path):
    give_scores(project)
    words = (project.path, "--masks", tmp_path / "masks", "--failure-below", 0)
    assert "0 of 3 images failed: Dice below 0" in mtseg_evaluate(*words).stdout
    words = (*words[:-1], 1.5)
    assert mtseg_evaluate(*words).exit_code == 2


def test_the_check_is_kept_beside_the_predictions(project, tmp_path):
    folder = give_scores(project)
    masks = tmp_path / "masks"
    words = (project.path, "--masks", masks, "--split", "held-out", "--json")
    answer = json.loads(mtseg_evaluate(*words).stdout, parse_constant=pytest.fail)
    check = load_score_check(folder)
    assert check is not None
    assert (check.split, check.n_images, check.n_failed) == ("held-out", 3, 1)
    told = answer["score_check"]
    assert told["sentences"]["doubt"] == check.sentence("doubt")
    assert told["scores"]["boundary_entropy"]["auroc"] == 1
    assert told["scores"]["doubt"]["auroc"] == 0


def test_the_table_of_scores_has_a_row_per_score_and_order(project, tmp_path):
    give_scores(project)
    out = tmp_path / "scores"
    words = (project.path, "--masks", tmp_path / "masks", "--out", out)
    assert mtseg_evaluate(*words).exit_code == 0
    with (out / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == [
        "boundary_entropy",
        "doubt",
        "best order",
        "random order",
    ]
    assert [row["found_by_10_percent"] for row in rows] == ["1", "0", "1", "0.333333"]
    assert rows[2]["auroc"] == ""


def test_an_unknown_run_is_one_sentence(project, tmp_path):
    masks = tmp_path / "masks"
    result = mtseg_evaluate(project.path, "--masks", masks, "--run", "nope")
    assert isinstance(result.exception, RunError)
    assert "has no run 'nope'. Its runs:" in str(result.exception)


def test_the_help_page_shows_an_example():
    assert "Example: mtseg evaluate" in mtseg_evaluate("--help").output
