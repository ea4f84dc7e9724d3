import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from napari_mtseg.cli.export import run_export
from napari_mtseg.domain.errors import ModelError, MtsegError, SettingsError
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.project import Project
from tests.tiny_run import tiny_project, tiny_run

app = typer.Typer()
app.command("export")(run_export)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = tiny_project(tmp_path)
    tiny_run(made)
    return made


def export(*words: object) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def refusal(error: type[MtsegError], *words: object) -> str:
    with pytest.raises(error) as found:
        export(*words)
    return str(found.value)


def test_it_says_what_was_written_and_what_was_checked(
    project: Project, tmp_path: Path
):
    done = export(project.path, "--out", tmp_path / "nuclei")
    run = load_model_folder(tmp_path / "nuclei")[0].provenance.run
    assert done.stdout == ""
    assert done.stderr == (
        "  writing nuclei\n"
        "  checking: reading it again\n"
        f"model 'nuclei' written to {tmp_path / 'nuclei'}\n"
        f"  baseline, run {run}, step 7\n"
        "  checked: Read again, the model has the weights that were written: no "
        "difference\n"
        f"  use it: mtseg predict {tmp_path / 'nuclei'} IMAGES --out results\n"
    )


def test_a_path_with_a_space_is_quoted(project: Project, tmp_path: Path):
    out = tmp_path / "my nuclei"
    told = export(project.path, "--out", out).stderr
    assert told.endswith(f"  use it: mtseg predict '{out}' IMAGES --out results\n")
    assert "mtseg predict 'my nuclei' IMAGES" in (out / "README.md").read_text()


def test_json_tells_the_checks(project: Project, tmp_path: Path):
    out = tmp_path / "nuclei"
    told = json.loads(export(project.path, "--out", out, "--zip", "--json").stdout)
    assert told == {
        "model": f"{out}.zip",
        "format": "zip",
        "run": load_model_folder(tmp_path / "nuclei.zip")[0].provenance.run,
        "step": 7,
        "metrics": {"score": 0.75, "dice class 1": 0.75},
        "checks": [
            {
                "what": "Read again, the model has the weights that were written",
                "passed": True,
                "figure": 0.0,
            }
        ],
    }


def test_the_format_follows_from_the_name_or_from_the_option(
    project: Project, tmp_path: Path
):
    export(project.path, "--out", tmp_path / "a.zip")
    export(tmp_path / "a.zip", "--out", tmp_path / "b", "--format", "zip")
    assert (tmp_path / "b.zip").is_file()
    export(tmp_path / "b.zip", "--out", tmp_path / "c")
    assert (tmp_path / "c" / "model.json").is_file()


def test_two_formats_at_once_are_refused(project: Project, tmp_path: Path):
    words = (project.path, "--out", tmp_path / "m", "--zip", "--format", "onnx")
    assert refusal(SettingsError, *words) == (
        "--zip and --format onnx ask for two formats. Leave out one of them."
    )


def test_a_model_has_no_runs(project: Project, tmp_path: Path):
    model = tmp_path / "m"
    export(project.path, "--out", model)
    words = (model, "--out", tmp_path / "n", "--run", "newest")
    assert refusal(ModelError, *words) == (
        f"'{model}' is a model, which has no runs. Leave out --run."
    )


def test_what_is_neither_a_project_nor_a_model_is_named(tmp_path: Path):
    words = (tmp_path / "missing", "--out", tmp_path / "m")
    assert "missing" in refusal(MtsegError, *words)


def test_a_missing_author_is_told_before_anything_is_written(
    project: Project, tmp_path: Path
):
    words = (project.path, "--out", tmp_path / "m", "--format", "bioimageio")
    assert refusal(ModelError, *words).endswith("Add --author 'YOUR NAME'.")
    assert not list(tmp_path.glob("*m.*"))


def test_a_file_ending_that_is_no_formats_makes_nothing(
    project: Project, tmp_path: Path
):
    out = tmp_path / "ex.tflite"
    said = refusal(ModelError, project.path, "--out", out)
    assert said.startswith(f"The ending '.tflite' of '{out}' is not that of a format.")
    assert not out.exists()
    export(project.path, "--out", out, "--format", "folder")
    assert load_model_folder(out)[0].name == "ex.tflite"


def test_what_is_said_of_a_model_is_on_its_card(project: Project, tmp_path: Path):
    said = ("--author", "Ann", "--author", "Bob", "--license", "MIT", "--cite", "Us")
    export(project.path, "--out", tmp_path / "m", *said)
    card = (tmp_path / "m" / "README.md").read_text()
    assert (
        "## Credits\n\n- Made by: Ann, Bob\n- Licence of the weights: MIT\n"
        "- To cite: Us\n"
    ) in card
    export(project.path, "--out", tmp_path / "n")
    assert "## Credits" not in (tmp_path / "n" / "README.md").read_text()


def test_files_for_other_programs_say_how_they_are_read(
    project: Project, tmp_path: Path
):
    out = tmp_path / "m.pt2"
    done = export(project.path, "--out", out)
    assert done.stderr.endswith(
        f"  use it: import torch; model = torch.export.load({str(out)!r}).module()\n"
    )
