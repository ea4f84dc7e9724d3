from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.domain.errors import ModelError, RunError, StorageError
from napari_mtseg.storage.checkpoint import load_checkpoint, save_checkpoint
from napari_mtseg.storage.class_edits import add_scene
from napari_mtseg.storage.image_tags import TagChange, set_tags
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.storage.write import write_json
from napari_mtseg.workflows import export
from napari_mtseg.workflows.export import export_as, export_model
from napari_mtseg.workflows.export_credits import Credits
from tests.tiny_run import tiny_project, tiny_run, write_image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return tiny_project(tmp_path)


def test_a_model_says_where_it_comes_from(project: Project, tmp_path: Path):
    run = tiny_run(project, seed=5)
    info, tensors = load_model_folder(export_model(project, None, tmp_path / "nuclei"))
    facts = info.provenance
    assert (info.name, info.method, info.n_channels) == ("nuclei", "baseline", 1)
    assert (info.axes, info.spacing, info.unit) == ("CYX", (1.0, 1.0), "pixel")
    assert [c.name for c in info.classes] == ["nucleus"]
    assert (facts.run, facts.seed, facts.step) == (run.path.name, 5, 7)
    assert facts.metrics["score"] == 0.75
    assert facts.measured_on.startswith("full masks of 1 image held out")
    trained_on = {e.fingerprint for e in project.images if e.split == "train"}
    assert set(facts.trained_on) == trained_on
    assert (facts.n_images, facts.n_full, facts.n_partial) == (1, 1, 0)
    assert tensors.keys() == load_checkpoint(run.checkpoint("best"))[0].keys()


def test_the_card_answers_what_a_stranger_asks(project: Project, tmp_path: Path):
    tiny_run(project)
    card = (export_model(project, None, tmp_path / "nuclei") / "README.md").read_text()
    for text in (
        "# nuclei\n",
        "nucleus, in 2D images with 1 channel.",
        "Method: Plain U-Net, `baseline`.",
        "Trained on 1 image: full masks on 1.",
        "| Dice of nucleus | 0.750 |",
        "mtseg predict nuclei IMAGES --out results",
        "not a medical device",
        "never runs code",
    ):
        assert text in card
    assert "## Notes" not in card


def test_the_card_tells_what_the_labels_could_not_teach(tmp_path: Path):
    project = tiny_project(tmp_path)
    scribbles = np.zeros((24, 20), np.uint8)
    scribbles[0], scribbles[5] = 1, 3
    drawn = replace(empty_annotation(scribbles.shape), scribbles=scribbles)
    project.save_annotation(project.image("train.tif"), drawn)
    tiny_run(project, method="joint_shape", settings={"variant": "mask+contour"})
    written = export_model(project, None, tmp_path / "m")
    info, _ = load_model_folder(written)
    (note,) = info.provenance.notes
    assert note.startswith(
        "The contour cannot be learned without a full mask, so the map "
        "'contour_probability' is noise: "
    )
    card = (written / "README.md").read_text()
    assert f"## Notes\n\nSaid when the training began:\n\n- {note}\n" in card


_SMALL = {"levels": 6, "width": 8, "hidden": 8, "low_memory": True}
TELLING = {**_SMALL, "encoder_weights": "none", "norm": "batch"}


@pytest.fixture
def tagged(project: Project, tmp_path: Path) -> Project:
    """Two more training images, of which nothing is known but their scenes."""
    for scene, name in enumerate(("day", "night")):
        add_scene(project, name)
        entry = project.add_image(write_image(tmp_path / f"{name}.tif", seed=7 + scene))
        set_tags(project, [entry], TagChange(scene=scene))
    return project


def test_a_card_names_the_scenes_and_the_table_of_answers(
    tagged: Project, tmp_path: Path
):
    settings = {**TELLING, "scenes": "on"}
    tiny_run(tagged, method="task_decomposition", settings=settings)
    written = export_model(tagged, None, tmp_path / "m")
    facts = load_model_folder(written)[0].provenance
    assert (facts.n_images, facts.n_tagged_only, len(facts.trained_on)) == (1, 2, 3)
    card = (written / "README.md").read_text()
    for text in (
        "nucleus, in 2D images with 1 channel. Of an image as a whole it tells which "
        "of these classes occur in it and its scene, one of day, night.",
        "Trained on 1 image: full masks on 1; 2 images more only by their tags.",
        "is a row of `images.csv`, which is written with the results.",
    ):
        assert text in card


def test_a_card_of_a_model_that_learns_no_tags_names_none(
    tagged: Project, tmp_path: Path
):
    tiny_run(tagged)
    written = export_model(tagged, None, tmp_path / "m")
    facts = load_model_folder(written)[0].provenance
    assert (facts.n_images, facts.n_tagged_only, len(facts.trained_on)) == (1, 0, 1)
    card = (written / "README.md").read_text()
    assert "Trained on 1 image: full masks on 1. Weights" in card
    assert "scene" not in card
    assert "images.csv" not in card


def test_the_card_of_a_model_that_tells_classes_alone_names_no_scene(
    tagged: Project, tmp_path: Path
):
    settings = {**TELLING, "scenes": "off"}
    tiny_run(tagged, method="task_decomposition", settings=settings)
    card = (export_model(tagged, None, tmp_path / "m") / "README.md").read_text()
    assert "it tells which of these classes occur in it.\n" in card
    assert "full masks on 1. Weights" in card
    assert "`images.csv`" in card


def test_a_card_without_metrics_says_not_measured(project: Project, tmp_path: Path):
    run = tiny_run(project)
    tensors, state = load_checkpoint(run.checkpoint("best"))
    save_checkpoint(run.checkpoint("best"), tensors, {**state, "metrics": {}})
    card = (export_model(project, None, tmp_path / "m") / "README.md").read_text()
    assert "## How good it is\n\nNot measured.\n" in card


def test_a_zip_is_named_as_one(project: Project, tmp_path: Path):
    tiny_run(project)
    written = export_model(project, None, tmp_path / "m.v2", as_zip=True)
    assert written == tmp_path / "m.v2.zip"
    assert load_model_folder(written)[0].name == "m.v2"


def test_the_card_of_a_package_names_the_file_that_is_written(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cards = []

    def write(path: Path, *_: object, card: str, said: object) -> Path:
        cards.append(card)
        return path

    monkeypatch.setattr(export, "write_bioimageio", write)
    monkeypatch.setattr(export, "onnx_checks", lambda *_: ())
    monkeypatch.setattr(export, "bioimageio_checks", lambda *_: ())
    said = Credits(authors=("Ann Example",))
    run = tiny_run(project)
    for name in ("m1.zip", "m2"):
        export_as(run, tmp_path / name, kind="bioimageio", said=said)
    assert "mtseg predict m1.zip IMAGES" in cards[0]
    assert "mtseg predict m2.bioimageio.zip IMAGES" in cards[1]


def test_a_run_is_chosen_by_name(project: Project, tmp_path: Path):
    first, _ = tiny_run(project, seed=1), tiny_run(project, seed=2)
    written = export_model(project, first.path.name, tmp_path / "m")
    assert load_model_folder(written)[0].provenance.seed == 1
    with pytest.raises(RunError, match="has no run 'nothing'"):
        export_model(project, "nothing", tmp_path / "n")


def test_what_exists_is_refused_before_anything_is_read(
    project: Project, tmp_path: Path
):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "keep.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists already"):
        export_model(project, None, tmp_path / "m")
    assert (tmp_path / "m" / "keep.txt").read_text() == "mine"


def test_weights_for_other_classes_than_the_project_has_now_are_named(
    project: Project, tmp_path: Path
):
    tiny_run(project)
    classes = [*project.info.classes, {"name": "debris", "colour": "#112233"}]
    facts = project.info.changed({"classes": classes}).model_dump(mode="json")
    write_json(project.path / "project.json", facts)
    with pytest.raises(RunError, match="do not fit 2 classes and 1 channels"):
        export_model(Project.open(project.path), None, tmp_path / "m")


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(
    project: Project, tmp_path: Path
):
    tiny_run(project)
    (tmp_path / "m").mkdir()
    before = {file.name for file in tmp_path.iterdir()}
    written = export_as(find_run(project.path, None), tmp_path / "m")
    assert {file.name for file in tmp_path.iterdir()} == before
    assert (written.path, written.kind) == (tmp_path / "m", "folder")
    assert [check.passed for check in written.checks] == [True]


def test_a_place_where_nothing_can_be_written_is_named(
    project: Project, tmp_path: Path
):
    tiny_run(project)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        export_as(find_run(project.path, None), tmp_path / "file" / "m.zip")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_model_written_again_keeps_where_it_comes_from(
    project: Project, tmp_path: Path
):
    tiny_run(project, seed=5)
    first = export_model(project, None, tmp_path / "first")
    second = export_as(first, tmp_path / "second.zip")
    assert second.info.name == "second"
    assert second.info.provenance == load_model_folder(first)[0].provenance
    assert second.info.provenance.seed == 5
