"""`mtseg predict --uncertainty`, from the options to what is said and saved."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from napari_mtseg.cli.predict import run_predict
from napari_mtseg.domain.errors import ModelError, MtsegError, RunError, SettingsError
from napari_mtseg.storage.prediction_files import load_answer, load_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.export import export_model
from tests.tiny_run import tiny_project, tiny_run

app = typer.Typer()
app.command("predict")(run_predict)
app.command("other")(lambda: None)

DROPOUT = ("--uncertainty", "dropout", "--passes", "3")
SAMPLED = {"expected_entropy", "mutual_information", "variance"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return tiny_project(tmp_path)


@pytest.fixture
def dropping(project: Project) -> RunFolder:
    return tiny_run(project, settings={"dropout": 0.5})


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["predict", *(str(word) for word in words)])


def refused(kind: type[MtsegError], *words: object) -> str:
    done = run(*words)
    assert isinstance(done.exception, kind), done.output
    return str(done.exception)


def test_the_doubt_of_each_image_is_said_and_saved(
    project: Project, dropping: RunFolder
):
    done = run(project.path, *DROPOUT)
    assert done.exit_code == 0, done.output
    folder = project.path / "predictions" / dropping.path.name
    doubt_of = {}
    for entry in project.images:
        answer = load_answer(folder / entry.id)
        assert answer.uncertainty_from == "3 passes with dropout"
        doubt_of[entry.name] = answer.scores["doubt"]
        assert f"{entry.name}: doubt {doubt_of[entry.name]:.2f}" in done.stderr
        assert load_prediction(folder / entry.id).maps.keys() >= SAMPLED
    assert "uncertainty from 3 passes with dropout\nmost doubt inside: " in done.stderr


def test_doubt_is_told_as_json_and_repeated_by_its_seed(
    project: Project, dropping: RunFolder
):
    def told(*words: str) -> dict:
        words = (*DROPOUT, "--split", "test", *words)
        (found,) = json.loads(run(project.path, *words, "--json").stdout)["predicted"]
        return found

    one = told()
    assert one["uncertainty_from"] == "3 passes with dropout"
    assert one["doubt"] > 0
    assert told("--seed", "0")["doubt"] == one["doubt"]
    assert told("--seed", "1")["doubt"] != one["doubt"]


def test_one_pass_says_nothing_of_doubt(project: Project, dropping: RunFolder):
    done = run(project.path, "--split", "test")
    assert "doubt" not in done.stderr
    shown = run(project.path, "--split", "test", "--json").stdout
    (found,) = json.loads(shown)["predicted"]
    assert found["doubt"] is None
    assert found["uncertainty_from"] == "one pass"


def test_maps_of_several_answers_are_written_by_their_names(
    project: Project, dropping: RunFolder, tmp_path: Path
):
    model = export_model(project, None, tmp_path / "m")
    words = (
        model,
        tmp_path / "test.tif",
        "--out",
        tmp_path / "o",
        "--maps",
        "variance",
    )
    done = run(*words, *DROPOUT, "--json")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "o" / "test_variance.tif").exists()
    assert "doubt" in (tmp_path / "o" / "images.csv").read_text().splitlines()[0]
    (told,) = json.loads(done.stdout)["predicted"]
    lines = (tmp_path / "o" / "batch.jsonl").read_text().splitlines()
    (noted,) = [r for r in map(json.loads, lines) if r["kind"] == "image"]
    assert (noted["doubt"], noted["scores"]) == (told["doubt"], told["scores"])
    assert refused(SettingsError, *words).startswith(
        "The map 'variance' compares several answers for an image"
    )


def test_runs_and_models_are_members_by_name_and_by_path(
    project: Project, tmp_path: Path
):
    one, other = tiny_run(project, seed=1), tiny_run(project, seed=2)
    model = export_model(project, one.path.name, tmp_path / "m")
    ensemble = ("--uncertainty", "ensemble", "--with")
    of_runs = run(
        project.path, "--run", one.path.name, *ensemble, other.path.name, "--json"
    )
    images = (tmp_path / "train.tif", "--out", tmp_path / "o")
    of_model = run(model, *images, *ensemble, other.path, "--json")
    doubts = set()
    for done in (of_runs, of_model):
        answers = {p["image"]: p for p in json.loads(done.stdout)["predicted"]}
        assert answers["train.tif"]["uncertainty_from"] == "ensemble of 2"
        doubts.add(answers["train.tif"]["doubt"])
    assert len(doubts) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--uncertainty", "magic"),
            "There is no uncertainty from 'magic'. Choose one of: one-pass, dropout, "
            "ensemble.",
        ),
        (
            ("--passes", "5"),
            "Only --uncertainty dropout draws at random; add it if it is meant. Leave "
            "out --passes.",
        ),
        (
            ("--uncertainty", "dropout", "--passes", "1"),
            "The number of passes is 1 but must be 2 to 1000. Choose another one with "
            "--passes.",
        ),
    ],
)
def test_options_that_cannot_be_meant_get_a_sentence(
    project: Project, words: tuple[str, ...], sentence: str
):
    tiny_run(project)
    assert refused(SettingsError, project.path, *words) == sentence


def test_a_run_without_dropout_or_checkpoints_says_what_to_do(project: Project):
    name = tiny_run(project).path.name
    assert refused(RunError, project.path, *DROPOUT) == (
        f"Run '{name}' was trained without dropout, so it has no Monte Carlo "
        "uncertainty. Ask for --uncertainty ensemble with other runs instead (--with "
        "RUN), or train again with --set dropout=0.2."
    )
    words = (project.path, "--uncertainty", "ensemble")
    assert f"Run '{name}' kept no checkpoints for an ensemble." in refused(
        RunError, *words
    )
    gone = refused(RunError, *words, "--with", "gone")
    assert gone == f"'{project.path.name}' has no run 'gone'. Its runs: {name}."


def test_a_member_that_is_no_model_is_named(project: Project, tmp_path: Path):
    tiny_run(project)
    model = export_model(project, None, tmp_path / "m")
    words = (model, tmp_path / "test.tif", "--out", tmp_path / "o")
    with_gone = ("--uncertainty", "ensemble", "--with", "gone")
    sentence = refused(ModelError, *words, *with_gone)
    assert sentence == "There is no model 'gone'. Check the path."
