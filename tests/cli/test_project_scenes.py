"""`mtseg project scenes` lists, adds, renames and removes scenes."""

import json

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.project import app
from napari_mtseg.cli.project_scenes import likeness_notes
from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.storage.class_edits import add_scene
from napari_mtseg.storage.image_tags import TagChange, set_each_tags, tags_of
from napari_mtseg.storage.project import Project
from tests.tiny_run import write_image


def mtseg(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def project(tmp_path):
    """a shows the day, b and c the mistyped scene, d the night, e nothing."""
    scenes = ["day", "nigh", "night"]
    made = Project.create(tmp_path / "p", classes=["cell"], scenes=scenes)
    for seed, name in enumerate("abcde"):
        made.add_image(write_image(tmp_path / f"{name}.tif", (4, 6), seed=seed))
    said = {"a": 0, "b": 1, "c": 1, "d": 2}
    set_each_tags(made, {key: TagChange(scene=scene) for key, scene in said.items()})
    return made


def scene_of(project, name):
    opened = Project.open(project.path)
    return tags_of(opened, opened.image(f"{name}.tif")).scene


def test_scenes_are_listed_with_their_number_of_images(project):
    shown = mtseg("scenes", project.path)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        "day    1 image",
        "nigh   2 images",
        "night  1 image",
    ]
    assert shown.stderr == "scene not given: 1 image\n"


def test_scripts_get_the_counts_as_json(project):
    shown = mtseg("scenes", project.path, "--json")
    assert json.loads(shown.stdout) == {
        "scenes": {"day": 1, "nigh": 2, "night": 1},
        "without_scene": ["e"],
        "untagged": [],
    }


def test_a_project_without_scenes_says_how_to_add_one(tmp_path):
    made = Project.create(tmp_path / "p", classes=["cell"])
    shown = mtseg("scenes", made.path)
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr == "The project has no scenes. Add one with --add NAME.\n"


def test_a_mistyped_scene_is_removed(project):
    done = mtseg("scenes", project.path, "--remove", "nigh", "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == "removed the scene nigh; 2 images had it\n"
    assert json.loads(done.stdout) == {
        "scenes": {"day": 1, "night": 1},
        "without_scene": ["b", "c", "e"],
        "untagged": ["b", "c"],
    }
    assert [scene_of(project, name) for name in "abcd"] == [0, None, None, 1]


def test_a_scene_is_renamed_and_its_images_keep_it(project):
    done = mtseg("scenes", project.path, "--rename", "nigh", "late night")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("renamed the scene nigh to late night\n")
    assert "late night  2 images" in done.stdout


def test_a_scene_is_added(project):
    done = mtseg("scenes", project.path, "--add", " dusk ")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("added the scene dusk\n")
    assert Project.open(project.path).info.scenes == ("day", "nigh", "night", "dusk")
    assert "dusk   0 images" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--remove", "dusk"),
            "The project has no scene 'dusk', only day, nigh, night. Check the name.",
        ),
        (
            ("--rename", "dusk", "dawn"),
            "The project has no scene 'dusk', only day, nigh, night. Check the name.",
        ),
        (
            ("--rename", "nigh", "night"),
            "The project has a scene 'night' already. Remove 'nigh' with --remove "
            "instead, and tag its images as 'night'.",
        ),
        (
            ("--rename", "day", "day"),
            "The scene 'day' is called so already. Name another.",
        ),
        (("--rename", "day", " "), "The scene has no name. Type one."),
        (("--add", ""), "The scene has no name. Type one."),
        (
            ("--add", "day"),
            "The project has a scene 'day' already. Choose another name.",
        ),
        (
            ("--add", "none"),
            "'none' cannot be the name of a scene: 'mtseg project tag' takes scenes "
            "away by it. Choose another name.",
        ),
        (
            ("--add", "dusk", "--remove", "day"),
            "More than one of --add, --rename and --remove was given. Give one at a "
            "time.",
        ),
    ],
)
def test_wrong_wishes_are_one_sentence_and_change_nothing(project, words, sentence):
    result = mtseg("scenes", project.path, *words)
    assert isinstance(result.exception, MtsegError), result.output
    assert str(result.exception) == sentence
    assert Project.open(project.path).info == project.info


def test_a_scene_without_name_in_a_project_without_scenes(tmp_path):
    made = Project.create(tmp_path / "p", classes=["cell"])
    result = mtseg("scenes", made.path, "--remove", "day")
    assert str(result.exception).startswith("The project has no scene 'day', none yet.")


def test_nothing_changes_while_the_window_has_the_project_open(project):
    with project.annotation_lock():
        result = mtseg("scenes", project.path, "--remove", "day")
    assert "is already being written by process" in str(result.exception)
    assert scene_of(project, "a") == 0


def test_a_scene_beyond_those_of_the_project_counts_as_none(project):
    add_scene(project, "dusk")
    set_each_tags(project, {"e": TagChange(scene=3)})
    project.update_info(project.info.changed({"scenes": project.info.scenes[:3]}))
    shown = mtseg("scenes", project.path, "--json")
    assert json.loads(shown.stdout)["without_scene"] == ["e"]
    mtseg("scenes", project.path, "--remove", "day")
    shown = mtseg("scenes", project.path, "--json")
    assert json.loads(shown.stdout)["without_scene"] == ["a", "e"]


def test_what_is_much_alike_is_told_whatever_its_case():
    notes = likeness_notes(
        ["dpeth", "DEPTH", "height", "red  light"],
        ["depth", "red light"],
        project="p.mtseg",
    )
    assert notes == (
        "note: the new scene 'dpeth' is much like 'depth'; remove it with 'mtseg "
        "project scenes p.mtseg --remove dpeth' if it is a typing error.",
        "note: the new scene 'DEPTH' is much like 'depth'; remove it with 'mtseg "
        "project scenes p.mtseg --remove DEPTH' if it is a typing error.",
        "note: the new scene 'red  light' is much like 'red light'; remove it with "
        "'mtseg project scenes p.mtseg --remove \"red  light\"' if it is a typing "
        "error.",
    )


def test_paint_and_other_tags_of_an_image_are_left_alone(project):
    set_each_tags(project, {"b": TagChange(present={1: True}, exhaustive=True)})
    mtseg("scenes", project.path, "--remove", "nigh")
    opened = Project.open(project.path)
    assert tags_of(opened, opened.image("b")) == Tags(
        present={1: True}, exhaustive=True
    )
