import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from napari_mtseg.cli.export import run_export
from napari_mtseg.cli.predict import run_predict
from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.domain.errors import (
    ImageError,
    ModelError,
    MtsegError,
    RunError,
    SettingsError,
)
from napari_mtseg.storage.batch_ledger import read_ledger
from napari_mtseg.storage.prediction_files import has_prediction, load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.predict import Model
from tests.tiny_run import tiny_project, tiny_run, write_image

app = typer.Typer()
app.command("predict")(run_predict)
app.command("export")(run_export)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = tiny_project(tmp_path)
    tiny_run(made)
    return made


@pytest.fixture
def model(project: Project, tmp_path: Path) -> Path:
    done = run("export", project.path, "--out", tmp_path / "nuclei")
    assert done.exit_code == 0, done.output
    return tmp_path / "nuclei"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def written(folder: Path) -> set[str]:
    """Return the results of images in a folder, beside what tells of all of them."""
    of_all = {"batch.jsonl", "images.csv", "report.html", ".lock"}
    return {file.name for file in folder.iterdir()} - of_all


def refused(kind: type[MtsegError], *words: object) -> str:
    done = run(*words)
    assert isinstance(done.exception, kind), done.output
    assert done.exit_code != 0
    return str(done.exception)


def test_the_images_of_a_project_are_predicted(project: Project):
    done = run("predict", project.path)
    assert done.exit_code == 0, done.output
    assert "3 images predicted:" in done.stderr
    name = project.path / "predictions" / next(project.path.glob("runs/*")).name
    assert all(has_prediction(name / entry.id) for entry in project.images)


def test_a_split_of_a_project_is_predicted_and_told_as_json(project: Project):
    found = json.loads(run("predict", project.path, "--split", "test", "--json").stdout)
    assert [p["image"] for p in found["predicted"]] == ["test.tif"]
    assert found["failed"] == []
    assert found["predicted"][0]["objects"].keys() == {"nucleus"}


def test_one_image_of_a_project_is_predicted_by_its_name(project: Project):
    one = project.images[1]
    done = run("predict", project.path, "--image", one.name)
    assert done.exit_code == 0, done.output
    predicted = [path.parent.name for path in project.path.glob(
        "predictions/*/*/prediction.json"
    )]  # fmt: skip
    assert predicted == [one.id]


def test_one_image_and_a_split_exclude_each_other(project: Project):
    sentence = refused(
        SettingsError, "predict", project.path, "--image", "a", "--split", "test"
    )
    assert sentence == "--image names the one image. Leave out --split."


def test_a_project_is_found_without_its_suffix(project: Project):
    assert (
        run("predict", project.path.with_suffix(""), "--split", "test").exit_code == 0
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_an_exported_model_predicts_without_its_project(
    project: Project, tmp_path: Path, zipped: bool
):
    target = tmp_path / ("m.zip" if zipped else "m")
    words = ["--zip"] if zipped else []
    shown = run("export", project.path, "--out", tmp_path / "m", *words, "--json")
    assert json.loads(shown.stdout)["model"] == str(target)
    images = tmp_path / "images"
    write_image(images / "a.tif")
    project.path.rename(tmp_path / "gone")
    asked = ("predict", target, images, "--out", tmp_path / "out", "--no-overview")
    done = run(*asked, "--maps", "classes")
    assert done.exit_code == 0, done.output
    assert "1 image predicted:" in done.stderr
    assert written(tmp_path / "out") == {"a_classes.tif"}


def test_maps_of_the_method_are_written_by_their_names(
    project: Project, tmp_path: Path
):
    tiny_run(project, method="recursive_approximation")
    run("export", project.path, "--out", tmp_path / "m")
    words = ("predict", tmp_path / "m", tmp_path / "train.tif", "--out", tmp_path / "o")
    done = run(*words, "--maps", "approximation, distance", "--no-overview")
    assert done.exit_code == 0, done.output
    assert written(tmp_path / "o") == {"train_approximation.tif", "train_distance.tif"}
    sentence = refused(SettingsError, *words, "--maps", "boundary")
    assert sentence.endswith("uncertainty, approximation, segmentation.")


def test_failed_images_are_listed_and_the_exit_code_is_one(model: Path, tmp_path: Path):
    images = tmp_path / "images"
    write_image(images / "a.tif")
    (images / "b.tif").write_text("no image")
    words = ("predict", model, images, tmp_path / "gone.tif", "--out", tmp_path / "out")
    done = run(*words)
    assert done.exit_code == 1
    assert "1 image predicted:" in done.stderr
    assert "2 failed:" in done.stderr
    assert "'b.tif' cannot be read" in done.stderr
    assert "gone.tif" in done.stderr
    as_json = run(*words, "--json")
    assert as_json.exit_code == 1
    failed = json.loads(as_json.stdout)["failed"]
    assert [f["image"] for f in failed] == ["b.tif", "gone.tif"]


def test_what_is_done_is_passed_over_and_told(model: Path, tmp_path: Path):
    words = ("predict", model, tmp_path / "test.tif", "--out", tmp_path / "o")
    assert "1 image predicted:" in run(*words, "--maps", "classes").stderr
    done = run(*words, "--maps", "classes")
    assert done.exit_code == 0
    said = f"no image was predicted; 1 had been done before; see {tmp_path / 'o'}"
    assert said in done.stderr
    assert f"report: {tmp_path / 'o' / 'report.html'}" in done.stderr
    found = json.loads(run(*words, "--maps", "classes", "--json").stdout)
    assert [one["image"] for one in found["skipped"]] == ["test.tif"]
    assert found["predicted"] == []
    assert found["report"] == str(tmp_path / "o" / "report.html")


def test_ctrl_c_tells_how_to_go_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def pressed(*_args: object, **_choices: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Model, "predict_image", pressed)
    out = tmp_path / "o"
    done = run("predict", model, tmp_path / "test.tif", "--out", out)
    assert done.exit_code == 130
    assert done.stderr.endswith(
        f"stopped; what is done is in {out}, and the same command does the rest\n"
    )
    progress = read_ledger(out)
    assert progress is not None
    assert not progress.is_running


def test_a_map_that_was_not_learned_is_announced_where_it_is_asked_for(tmp_path: Path):
    project = tiny_project(tmp_path)
    scribbles = np.zeros((24, 20), np.uint8)
    scribbles[0], scribbles[5] = 1, 3
    drawn = replace(empty_annotation(scribbles.shape), scribbles=scribbles)
    project.save_annotation(project.image("train.tif"), drawn)
    tiny_run(project, method="joint_shape", settings={"variant": "mask+contour"})
    run("export", project.path, "--out", tmp_path / "m")
    words = ("predict", tmp_path / "m", tmp_path / "train.tif", "--out", tmp_path / "o")
    said = "note: when this model was trained: The contour cannot be learned without "
    assert said in run(*words, "--maps", "contour_probability").stderr
    assert said not in run(*words).stderr


def test_a_model_for_other_channels_names_the_file(model: Path, tmp_path: Path):
    file = write_image(tmp_path / "rgb.tif", (24, 20, 3), photometric="rgb")
    done = run("predict", model, file, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "The model expects 1 channel but 'rgb.tif' has 3." in done.stderr
    words = ("--channels", "0", "--out", tmp_path / "out")
    assert run("predict", model, file, *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "A model needs images and a folder for the results, for example:"),
        (["a.tif"], "A model needs images and a folder for the results, for example:"),
        (
            ["a.tif", "--out", "o", "--run", "x"],
            "a model has no runs or split. Leave out",
        ),
        (
            ["a.tif", "--out", "o", "--maps", "classes,x"],
            "This model has no map 'x'. Choose from: classes, instances, "
            "probabilities, contours, distance, uncertainty.",
        ),
        (["a.tif", "--out", "o", "--channels", "red"], "must be numbers from 0"),
        (["a.tif", "--out", "o", "--device", "tpu"], "Device 'tpu' is not known"),
        (["*.xyz", "--out", "o"], "No image fits '*.xyz'. Check the pattern."),
        (
            ["a.tif", "--out", "o", "--also", "svg"],
            "'svg' cannot be written beside the maps. Choose from: rois, coco.",
        ),
        (
            ["a.tif", "--out", "o", "--blocks", "maybe"],
            "--blocks is 'maybe' but must be one of: auto, always, never.",
        ),
        (
            ["a.tif", "--out", "o", "--workers", "2", "--scheduler", "tcp://x:1"],
            "--workers starts processes here, --scheduler uses those of a cluster. "
            "Leave out one of them.",
        ),
    ],
)
def test_a_wrong_choice_for_a_model_gets_a_sentence(
    model: Path,
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(write_image(tmp_path / "here" / "a.tif").parent)
    assert sentence in refused(MtsegError, "predict", model, *words)


def test_a_mistyped_image_is_refused_before_anything_is_loaded_or_made(
    model: Path, tmp_path: Path
):
    (model / "weights.safetensors").unlink()
    gone, out = tmp_path / "gone.tif", tmp_path / "out"
    sentence = f"There is no file or folder '{gone}'. Check the path."
    assert refused(MtsegError, "predict", model, gone, "--out", out) == sentence
    assert not out.exists()


def test_options_for_images_are_refused_where_a_project_predicts_its_own(
    project: Project,
):
    found = refused(SettingsError, "predict", project.path, "--out", "o", "--again")
    assert found == (
        f"'{project.path}' is a project, whose own images are predicted where no "
        "others are named. Leave out --out and --again."
    )


def test_images_of_any_place_are_predicted_with_the_run_of_a_project(
    project: Project, tmp_path: Path
):
    image = write_image(tmp_path / "images" / "a.tif", seed=9)
    words = ("predict", project.path, image)
    assert refused(SettingsError, *words) == (
        "Images need a folder for the results, for example: mtseg predict "
        f"{project.path} IMAGES --out results."
    )
    name = next(project.path.glob("runs/*")).name
    done = run(*words, "--out", tmp_path / "o", "--run", name, "--json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["predicted"]
    assert found["image"] == "a.tif"
    assert (tmp_path / "o" / "a_instances.tif").exists()
    assert not (project.path / "predictions").exists()
    own = refused(SettingsError, *words, "--out", tmp_path / "o", "--split", "test")
    assert own == (
        "The images that are named are predicted, not the project's. Leave out --split."
    )


def test_what_is_missing_is_named(project: Project, tmp_path: Path):
    words = ("predict", tmp_path / "nothing", "a.tif", "--out", "o")
    sentence = f"There is no project or model '{words[1]}'. Check the path."
    assert refused(ModelError, *words) == sentence
    assert refused(ModelError, *words[:2]) == sentence
    no_run = ("predict", project.path, "--run", "nothing")
    assert "has no run 'nothing'" in refused(RunError, *no_run)
    empty = Project.create(tmp_path / "empty.mtseg", classes=["a"])
    assert "has no images" in refused(ImageError, "predict", empty.path)


def test_an_export_never_writes_over_what_exists(project: Project, model: Path):
    words = ("export", project.path, "--out", model)
    assert "exists already" in refused(ModelError, *words)


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose run tells classes and scenes, and finds no nucleus."""
    project = tiny_project(tmp_path)
    scenes = ("histology", "fluorescence")
    project.update_info(project.info.changed({"scenes": scenes}))
    tiny_run(project)
    predict_image = Model.predict_image

    def told(self, image, **choices):
        found = predict_image(self, image, **choices)
        return replace(
            found,
            classes=np.zeros_like(found.classes),
            present={1: 0.87},
            scenes=(0.93, 0.07),
            scores={"disagreement": 0.87},
        )

    monkeypatch.setattr(Model, "predict_image", told)
    return project


SAID = "test.tif: scene histology 93 %; disagreement 0.87 about nucleus"


def test_scene_and_disagreement_are_said_of_each_image_of_a_project(telling: Project):
    done = run("predict", telling.path, "--split", "test")
    assert SAID in done.stderr
    assert "in 1 of them, segmentation and class prediction disagree" in done.stderr
    (folder,) = (file.parent for file in telling.path.glob("predictions/*/*/*.json"))
    answer = load_answer(folder)
    assert answer.disagreeing == (1,)
    assert answer.class_names == ("nucleus",)
    assert answer.scene_names == ("histology", "fluorescence")


def test_an_exported_model_writes_what_it_says_of_images_into_one_table(
    telling: Project, tmp_path: Path
):
    run("export", telling.path, "--out", tmp_path / "m")
    images = [tmp_path / "test.tif", tmp_path / "train.tif"]
    words = ("predict", tmp_path / "m", *images, "--out", tmp_path / "o")
    done = run(*words)
    assert SAID in done.stderr
    with (tmp_path / "o" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["test", "train"]
    told = {
        "image": "test",
        "status": "done",
        "scene": "histology",
        "scene histology": "0.9300",
        "scene fluorescence": "0.0700",
        "class nucleus": "0.8700",
        "disagreeing": "nucleus",
        "disagreement": "0.8700",
    }
    assert rows[0].items() >= told.items()
    (first, _) = json.loads(run(*words, "--json", "--again").stdout)["predicted"]
    assert first["scene"] == "histology"
    assert first["scenes"] == {"histology": 0.93, "fluorescence": 0.07}
    assert first["present"] == {"nucleus": 0.87}
    assert first["disagreeing"] == ["nucleus"]
    assert first["disagreement"] == 0.87


def test_of_a_model_that_tells_nothing_nothing_is_said(model: Path, tmp_path: Path):
    words = ("predict", model, tmp_path / "test.tif", "--out", tmp_path / "o")
    assert "scene" not in run(*words).stderr
    columns = (tmp_path / "o" / "images.csv").read_text().splitlines()[0].split(",")
    assert {"scene", "disagreeing", "doubt"}.isdisjoint(columns)
    (found,) = json.loads(run(*words, "--json", "--again").stdout)["predicted"]
    assert (found["scene"], found["scenes"], found["present"]) == (None, {}, {})
    assert found["disagreement"] is None


def test_the_images_to_look_at_first_are_named_with_their_scores(project: Project):
    found = json.loads(run("predict", project.path, "--json").stdout)["predicted"]
    doubts = {one["image"]: one["scores"]["boundary_entropy"] for one in found}
    assert len(doubts) == 3
    in_order = sorted(doubts, key=lambda name: -doubts[name])
    named = ", ".join(f"{name} {doubts[name]:.2f}" for name in in_order)
    assert f"most doubt inside: {named}" in run("predict", project.path).stderr
