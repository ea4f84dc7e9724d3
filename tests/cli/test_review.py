import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from napari_mtseg.cli.review import run_review
from napari_mtseg.domain.errors import ProjectError, SettingsError
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from tests.reviewed_projects import predict, reviewed_project, runs


def mtseg_review(*words: object) -> Result:
    app = typer.Typer(rich_markup_mode="markdown")
    app.command()(run_review)
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: object) -> dict:
    result = mtseg_review(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    predict(made, runs(made)[0], {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2})
    return made


def test_images_are_listed_the_most_doubtful_first(project):
    shown = mtseg_review(project.path)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0] == f"run {runs(project)[0]}: 4 predicted, 0 flagged, 4 unreviewed"
    assert lines[1] == (
        "no threshold is set; set one with 'mtseg review p.mtseg --flag --worst 10%'"
    )
    order = [line.split()[1] for line in lines if ".tif" in line]
    assert order == ["b.tif", "c.tif", "d.tif", "a.tif"]


def test_the_worst_are_flagged_and_can_be_listed_later(project):
    shown = mtseg_review(project.path, "--flag", "--worst", "50 %")
    assert shown.exit_code == 0, shown.output
    assert "4 predicted, 2 flagged" in shown.stdout
    assert "flagged from boundary_entropy 0.3 on (set by " in shown.stdout
    found = answer(project.path, "--list", "--filter", "flagged")
    assert [image["id"] for image in found["images"]] == ["b", "c"]
    assert found["rule"]["threshold"] == 0.3
    assert found["n_flagged"] == 2


def test_a_threshold_of_another_score_flags(project):
    words = ("--flag", "--score", "low_confidence", "--threshold", "0.15")
    found = answer(project.path, *words)
    assert [image["id"] for image in found["images"]] == ["b", "c"]
    assert ReviewLog(project.path).flag_rule(runs(project)[0]) is not None


def test_a_state_without_images_is_said(project):
    shown = mtseg_review(project.path, "--filter", "accepted")
    assert "No image is in this state." in shown.stderr


def test_verdicts_are_given_and_taken_back_in_a_shell(project):
    given = answer(project.path, "--accept", "a", "--accept", "d.tif", "--note", "fine")
    assert [one["record"]["image_id"] for one in given["judged"]] == ["a", "d"]
    assert given["judged"][0]["record"]["note"] == "fine"
    assert "held out (test)" in given["judged"][1]["notices"][0]
    assert mtseg_review(project.path, "--reject", "b").stdout == "b.tif: rejected\n"
    found = answer(project.path, "--filter", "accepted", "--sort", "low_confidence")
    assert [image["id"] for image in found["images"]] == ["d", "a"]
    said = [mtseg_review(project.path, "--undo") for _ in range(4)]
    assert [one.stdout for one in said] == [
        "b.tif: last verdict taken back\n",
        "d.tif: last verdict taken back\n",
        "a.tif: last verdict taken back\n",
        "",
    ]
    assert "is left to take back" in said[3].stderr
    assert project.annotation(project.image("a")).is_empty


def test_an_unknown_image_is_found_before_anything_is_changed(project):
    result = mtseg_review(project.path, "--accept", "a", "--accept", "z")
    assert isinstance(result.exception, ProjectError)
    assert ReviewLog(project.path).records() == ()


def test_images_to_annotate_are_named(project):
    found = answer(project.path, "--suggest", "1")
    assert found == {"suggested": [{"id": "b", "name": "b.tif"}]}
    shown = mtseg_review(project.path, "--suggest", 5, "--how", "random", "--seed", 1)
    assert sorted(shown.stdout.split()) == ["a.tif", "b.tif"]
    assert "Only 2 training images are not annotated yet." in shown.stderr


def test_a_report_is_written_where_asked(project, tmp_path):
    found = answer(project.path, "--report", tmp_path / "study" / "r", "--pictures", 1)
    names = [Path(file).name for file in found["files"]]
    assert names == ["review.html", "review.csv"]
    assert all(Path(file).exists() for file in found["files"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--list", "--flag"),
            "--list and --flag cannot be done at once. Give one of them.",
        ),
        (
            ("--worst", "10%"),
            "--worst goes with --flag, not with --list. Leave it out, or add --flag.",
        ),
        (
            ("--flag",),
            "--flag needs either --threshold X or --worst 10%.",
        ),
        (
            ("--flag", "--worst", "10%", "--threshold", "1"),
            "--flag needs either --threshold X or --worst 10%.",
        ),
        (
            ("--flag", "--worst", "10"),
            "--worst got '10' but expects a percentage, for example --worst 10%.",
        ),
        (
            ("--flag", "--worst", "0%"),
            "The worst 0 % of the images cannot be flagged: the share must be above 0 "
            "and at most 100 %.",
        ),
        (
            ("--undo", "--note", "x"),
            "--note goes with --accept or --reject, not with --undo. Leave it out, or "
            "add --accept or --reject.",
        ),
    ],
)
def test_what_does_not_go_together_is_one_sentence(project, words, sentence):
    result = mtseg_review(project.path, *words)
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == sentence


def test_predictions_of_older_versions_are_listed_without_scores(project):
    folder = project.path / "predictions" / runs(project)[0]
    for file in folder.glob("*/prediction.json"):
        facts = json.loads(file.read_text())
        file.write_text(json.dumps({**facts, "scores": {}, "statistics": {}}))
    shown = mtseg_review(project.path)
    assert shown.exit_code == 0, shown.output
    assert "These predictions have no scores; predict again" in shown.stderr


def test_no_window_and_no_torch_is_needed_to_list(project):
    import subprocess

    code = (
        "import sys; from napari_mtseg.cli.main import app\n"
        f"app(['review', {str(project.path)!r}], standalone_mode=False)\n"
        "print([n for n in ('torch', 'qtpy', 'napari') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("as_json", [True, False])
def test_verdicts_before_one_that_is_refused_are_told(project, as_json):
    file = project.path / "predictions" / runs(project)[0] / "b" / "instances.tif"
    file.write_bytes(file.read_bytes()[:50])
    words = ["--json"] if as_json else []
    result = mtseg_review(project.path, "--accept", "a", "--accept", "b", *words)
    assert isinstance(result.exception, ProjectError)
    if as_json:
        told = json.loads(result.stdout)["judged"]
        assert [one["record"]["image_id"] for one in told] == ["a"]
    else:
        assert result.stdout == "a.tif: accepted\n"
