import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner, Result

from napari_mtseg.cli.project import app
from napari_mtseg.domain.annotation import Box, CompleteRegion, empty_annotation
from napari_mtseg.domain.errors import MtsegError, SettingsError
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import new_run_folder

SHAPE = (24, 24)


def mtseg(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def make_images(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        tifffile.imwrite(folder / name, rng.integers(0, 255, SHAPE, np.uint8))
    return folder


def make_masks(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:10, 2:10], labels[12:22, 12:22] = 1, 2
    for name in names:
        tifffile.imwrite(folder / name, labels)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    photos = make_images(tmp_path / "photos", "a.tif", "b.tif", "c.tif")
    result = mtseg(
        "new", tmp_path / "cells", "--classes", "nucleus, debris", "--images", photos
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "cells.mtseg"


def test_a_new_project_has_its_classes_and_images(project):
    opened = Project.open(project)
    assert [c.name for c in opened.info.classes] == ["nucleus", "debris"]
    assert [e.name for e in opened.images] == ["a.tif", "b.tif", "c.tif"]


def test_a_new_project_can_keep_copies(tmp_path):
    photos = make_images(tmp_path / "photos", "a.tif")
    made = mtseg("new", tmp_path / "p", "--classes", "x", "--images", photos, "--copy")
    assert made.exit_code == 0, made.output
    (entry,) = Project.open(tmp_path / "p").images
    assert entry.copied


def test_the_sample_is_a_project_with_a_split(tmp_path):
    made = mtseg("sample", tmp_path / "s", "--json")
    assert made.exit_code == 0, made.output
    project = Project.open(Path(json.loads(made.stdout)["project"]))
    splits = [entry.split for entry in project.images]
    assert [splits.count(s) for s in ("train", "validate", "test")] == [11, 1, 4]
    assert not any(project.annotation(entry).has_partial for entry in project.images)


def test_the_sample_can_be_painted(tmp_path):
    made = mtseg("sample", tmp_path / "s", "--painted")
    assert made.exit_code == 0, made.output
    project = Project.open(tmp_path / "s" / "glands.mtseg")
    assert any(project.annotation(entry).has_partial for entry in project.images)


def test_a_project_is_not_made_over_another(project):
    result = mtseg("new", project, "--classes", "x")
    assert isinstance(result.exception, MtsegError)
    assert "exists already" in str(result.exception)


def test_bad_files_are_listed_and_the_others_added(project, tmp_path):
    more = make_images(tmp_path / "more", "d.tif")
    (more / "bad.png").write_bytes(b"no picture")
    result = mtseg("add", project, more, tmp_path / "gone.tif", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert [image["name"] for image in answer["added"]] == ["d.tif"]
    assert len(answer["failed"]) == 2
    assert "2 files could not be added:" in result.stderr
    assert "'bad.png'" in result.stderr


def test_an_empty_folder_is_a_failure_that_is_named(project, tmp_path):
    (tmp_path / "empty").mkdir()
    result = mtseg("add", project, tmp_path / "empty")
    assert result.exit_code == 1
    assert "holds no image of a supported format" in result.stderr


def test_copies_lie_inside_the_project(project, tmp_path):
    more = make_images(tmp_path / "more", "d.tif")
    assert mtseg("add", project, more / "d.tif", "--copy").exit_code == 0
    entry = Project.open(project).image("d.tif")
    assert entry.copied
    assert (project / entry.source).exists()


def test_a_split_file_gives_each_image_its_split(project, tmp_path):
    table = tmp_path / "split.csv"
    table.write_text("name,split\na,test\nb.tif,val\n")
    result = mtseg("split", project, "--split-file", table, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["changed"] == {"a": "test", "b": "validate"}
    assert "1 train, 1 validate, 1 test" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,part\na,test\n", "has the columns file, part but needs 'name' and"),
        ("name,split\na,dev\n", "gives 'a' the split 'dev' but expects train,"),
    ],
)
def test_a_wrong_split_file_is_said(project, tmp_path, text, sentence):
    (tmp_path / "split.csv").write_text(text)
    result = mtseg("split", project, "--split-file", tmp_path / "split.csv")
    assert sentence in str(result.exception)


def test_a_named_image_takes_its_group_along(tmp_path):
    photos = make_images(tmp_path / "photos", "p1_a.tif", "p1_b.tif", "p2_a.tif")
    mtseg("new", tmp_path / "p", "--classes", "x")
    project = tmp_path / "p.mtseg"
    result = mtseg("add", project, photos, "--group-by", r"^(p\d+)_")
    assert result.exit_code == 0, result.output
    assert mtseg("split", project, "p1_a.tif", "--to", "test").exit_code == 0
    splits = {e.name: e.split for e in Project.open(project).images}
    assert splits == {"p1_a.tif": "test", "p1_b.tif": "test", "p2_a.tif": "train"}


def test_shares_split_groups_the_same_way_each_time(project):
    first = mtseg("split", project, "--test-share", 0.5, "--json")
    again = mtseg("split", project, "--test-share", 0.5, "--json")
    assert first.exit_code == again.exit_code == 0
    assert json.loads(again.stdout)["changed"] == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("split",), "How to split was not said"),
        (("split", "--test-share", "0.7", "--validate-share", "0.7"), "at most 1"),
        (("split", "--to", "test", "--test-share", "0.7"), "do not go together"),
        (("split", "nobody.tif", "--to", "test"), "has no image 'nobody.tif'"),
        (("add", "x.tif", "--channels", "red"), "--channels is 'red' but expects"),
        (("add", "x.tif", "--group-by", "(("), "which is no regular expression"),
        (
            ("simulate", "--masks", "x", "--kinds", "dots"),
            "Setting 'kinds.0' is 'dots'",
        ),
        (("import", "x"), "has no labels.json"),
    ],
)
def test_wrong_wishes_are_one_sentence(project, words, sentence):
    command, *rest = words
    result = mtseg(command, project, *rest)
    assert isinstance(result.exception, MtsegError), result.output
    assert sentence in str(result.exception)


def test_info_shows_what_is_annotated(project, tmp_path):
    masks = make_masks(tmp_path / "masks", "a.tif", "b.tif", "c.tif")
    mtseg("split", project, "c.tif", "--to", "test")
    result = mtseg("simulate", project, "--masks", masks, "--full-count", 1)
    assert result.exit_code == 0, result.output
    shown = mtseg("info", project)
    assert "2 full (whole image)" in shown.stdout
    assert "2 partial, all marked" in shown.stdout
    facts = json.loads(mtseg("info", project, "--json").stdout)
    by_name = {image["name"]: image for image in facts["images"]}
    assert by_name["c.tif"]["annotation"] is None
    assert sorted(
        image["annotation"]["full_objects"]
        for image in facts["images"]
        if image["annotation"]
    ) == [0, 2]


def test_info_shows_runs_boxes_and_voxel_sizes(tmp_path):
    project = Project.create(tmp_path / "p.mtseg", classes=("x",), scenes=("day",))
    pixels = np.random.default_rng(0).integers(0, 255, (2, *SHAPE), np.uint8)
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "CYX", **sizes})
    entry = project.add_image(tmp_path / "a.ome.tif", channels=(1,), group="mouse")
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(9, 9)),))
    empty = empty_annotation(SHAPE)
    project.save_annotation(entry, replace(empty, complete=region))
    facts = {"settings": {}, "seed": 0, "device": "cpu", "versions": {}}
    run = new_run_folder(project.path, {"method": "baseline", **facts})
    ended = {"reason": "done", "step": 9, "metrics": {"score": 0.875}}
    (run.path / "metrics.json").write_text(json.dumps(ended))
    shown = mtseg("info", project.path).stdout
    for text in (
        "scenes day",
        "channels of every image: 1 of 2",
        "voxel of every image: 0.5 x 0.5 micrometer",
        "mouse",
        "0 full (1 box)",
        "0.875",
    ):
        assert text in shown


def test_info_of_an_empty_project_says_what_to_do(tmp_path):
    mtseg("new", tmp_path / "p", "--classes", "x", "--colour", "rgb")
    shown = mtseg("info", tmp_path / "p.mtseg")
    assert "Add images with 'mtseg project add p.mtseg FOLDER'" in shown.stderr
    assert "read as rgb" in shown.stdout


def test_simulation_is_reported_for_scripts(project, tmp_path):
    masks = make_masks(tmp_path / "masks", "a.tif", "b.tif", "c.tif")
    result = mtseg("simulate", project, "--masks", masks, "--json")
    answer = json.loads(result.stdout)
    assert sorted(i["paint"] for i in answer["images"].values()) == [
        "full",
        "weak",
        "weak",
    ]


def test_moved_images_are_found_again(project, tmp_path):
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    assert "missing: 3 image files" in mtseg("info", project).stderr
    (tmp_path / "elsewhere" / "a.tif").rename(tmp_path / "a.tif")
    half = mtseg("relink", project, tmp_path / "elsewhere", "--json")
    assert half.exit_code == 1
    assert json.loads(half.stdout) == {"relinked": ["b", "c"], "missing": ["a"]}
    assert mtseg("relink", project, tmp_path).exit_code == 0
    assert "missing" not in mtseg("info", project).stderr


def test_labels_go_out_and_in_again(project, tmp_path):
    masks = make_masks(tmp_path / "masks", "a.tif")
    assert mtseg("import", project, masks, "--kind", "full").exit_code == 0
    exported = mtseg("export", project, tmp_path / "out", "--json")
    assert json.loads(exported.stdout)["exported"] == ["a"]
    refused = mtseg("import", project, tmp_path / "out")
    assert refused.exit_code == 1
    assert "Replace them on purpose with --overwrite" in refused.stderr
    assert mtseg("import", project, tmp_path / "out", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        "new",
        "add",
        "sample",
        "split",
        "info",
        "relink",
        "simulate",
        "import",
        "export",
    ],
)
def test_every_help_page_shows_an_example(command):
    assert f"Example: mtseg project {command}" in mtseg(command, "--help").output


def test_paths_may_be_relative(tmp_path, monkeypatch):
    photos = make_images(tmp_path / "photos", "a.tif")
    squeezed = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    tifffile.imwrite(photos / "b.tif", squeezed, compression="zlib")
    monkeypatch.chdir(tmp_path)
    result = mtseg("new", "p", "--classes", "x", "--images", "photos")
    assert result.exit_code == 0, result.output
    assert [e.source for e in Project.open(Path("p.mtseg")).images] == [
        "../photos/a.tif",
        "../photos/b.tif",
    ]


def test_an_error_is_one_that_the_shell_shows():
    with pytest.raises(SettingsError):
        CliRunner().invoke(app, ["split", "p"], catch_exceptions=False)


def test_drawing_a_validation_share_leaves_the_test_images_alone(project):
    opened = Project.open(project)
    held_out = opened.images[0]
    opened.update_image(held_out.changed({"split": "test"}))
    result = mtseg("split", project, "--validate-share", "1")
    assert result.exit_code == 0, result.output
    splits = {e.id: e.split for e in Project.open(project).images}
    assert splits.pop(held_out.id) == "test"
    assert set(splits.values()) == {"validate"}


def test_a_share_that_draws_no_image_is_explained(project):
    drawn = mtseg("split", project, "--validate-share", "0.000001")
    assert "0 images moved" in drawn.stderr
    assert drawn.stderr.endswith(
        "note: no image fell into 'validate': each group of images is drawn by itself, "
        "with a chance of 1e-06, so few may give none. Try another --seed, or name "
        "images with --to validate.\n"
    )
    assert "note" not in mtseg("split", project, "--validate-share", "1").stderr
