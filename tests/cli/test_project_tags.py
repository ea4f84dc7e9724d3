"""`mtseg project tag` says many things of many images, or one sentence."""

import json

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.project import app
from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import MtsegError, ProjectError
from napari_mtseg.storage.image_tags import tags_of
from napari_mtseg.storage.project import Project
from tests.tiny_run import write_image


def mtseg(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def tags(project, name):
    opened = Project.open(project.path)
    return tags_of(opened, opened.image(name))


@pytest.fixture
def project(tmp_path):
    made = Project.create(
        tmp_path / "p", classes=["cell", "debris"], scenes=["day", "night"]
    )
    for seed, name in enumerate(("a.ome.tif", "b.tif", "c.tif")):
        made.add_image(write_image(tmp_path / name, seed=seed))
    return made


def write_table(folder, text):
    file = folder / "tags.csv"
    file.write_text(text)
    return file


def test_named_images_get_a_scene_and_classes(project):
    done = mtseg(
        "tag", project.path, "a", "b.tif", "--scene", "night", "--absent", "debris"
    )
    assert done.exit_code == 0, done.output
    assert tags(project, "a.ome.tif") == Tags(scene=1, present={2: False})
    assert tags(project, "b.tif") == Tags(scene=1, present={2: False})
    assert tags(project, "c.tif") == Tags()
    assert done.stderr.splitlines() == [
        "2 images tagged",
        "scene not given: 1 image",
        "images without a tag of a class: cell 3, debris 1",
    ]


def test_all_images_are_meant_where_none_is_named(project):
    both = "cell,debris"
    mtseg("tag", project.path, "--present", both, "--scene", "day", "--exhaustive")
    expected = Tags(scene=0, present={1: True, 2: True}, exhaustive=True)
    assert all(tags(project, e.name) == expected for e in project.images)


def test_what_was_said_can_be_taken_back(project):
    mtseg("tag", project.path, "--present", "cell", "--scene", "day", "--exhaustive")
    again = mtseg(
        *("tag", project.path, "b", "--unknown", "cell"),
        *("--scene", "none", "--not-exhaustive"),
    )
    assert again.exit_code == 0, again.output
    assert tags(project, "b.tif") == Tags()
    assert tags(project, "c.tif") == Tags(scene=0, present={1: True}, exhaustive=True)


def test_images_that_are_tagged_so_already_are_counted(project):
    mtseg("tag", project.path, "a", "--scene", "day")
    done = mtseg("tag", project.path, "--scene", "day")
    assert done.stderr.startswith("2 images tagged, 1 so already\n")


def test_a_table_says_it_image_by_image(project, tmp_path):
    rows = "name,scene,present,absent\na,day,cell; debris,\nb.tif,,cell,debris\n,,,\n"
    done = mtseg("tag", project.path, "--table", write_table(tmp_path, rows), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "tagged": {
            "a": {
                "scene": "day",
                "present": ["cell", "debris"],
                "absent": [],
                "exhaustive": False,
            },
            "b": {
                "scene": None,
                "present": ["cell"],
                "absent": ["debris"],
                "exhaustive": False,
            },
        },
        "added_scenes": [],
        "without_scene": ["b", "c"],
        "presence_unknown": {"cell": 1, "debris": 1},
    }


def test_an_empty_cell_keeps_what_was_said(project, tmp_path):
    mtseg("tag", project.path, "--scene", "night", "--present", "cell")
    table = write_table(tmp_path, "name,scene,present\na,,\nb,none,\n")
    mtseg("tag", project.path, "--table", table)
    assert tags(project, "a.ome.tif") == Tags(scene=1, present={1: True})
    assert tags(project, "b.tif") == Tags(present={1: True})


def test_scenes_that_are_missing_are_added_on_demand(project, tmp_path):
    table = write_table(tmp_path, "name,scene\na,dusk\nb,dawn\nc,dusk\n")
    done = mtseg("tag", project.path, "--table", table, "--add-scenes")
    assert done.exit_code == 0, done.output
    assert Project.open(project.path).info.scenes == ("day", "night", "dusk", "dawn")
    assert tags(project, "c.tif") == Tags(scene=2)
    assert "added the scenes dusk, dawn" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "What to say about the images was not given. Choose --scene,"),
        (("x.tif", "--scene", "day"), "has no image 'x.tif'. List them with 'mtseg"),
        (
            ("--scene", "dusk"),
            "The project has no scene 'dusk', only day, night. Check the name, or add "
            "it with --add-scenes.",
        ),
        (
            ("--absent", "dirt,dust"),
            "The project has no class 'dirt', 'dust', only cell, debris. Check the "
            "name.",
        ),
        (("--present", "cell", "--unknown", "cell"), "'cell' is named twice in"),
        (("a", "--table", "x.csv"), "goes with no names and no other tags"),
        (("--scene", "day", "--table", "x.csv"), "goes with no names and no other"),
        (("--table", "gone.csv"), "The table 'gone.csv' does not exist. Check the"),
    ],
)
def test_wrong_wishes_are_one_sentence(project, words, sentence):
    result = mtseg("tag", project.path, *words)
    assert isinstance(result.exception, MtsegError), result.output
    assert sentence in str(result.exception)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,scene\na,day\n", "has the columns file, scene but needs 'name' and"),
        ("name,kind\na,day\n", "has the columns name, kind but needs 'name' and any"),
        ("name\na\n", "has the columns name but needs 'name' and any of scene,"),
        ("", "has the columns none but needs"),
        ("name,scene\na,dusk\nb,dawn\n", "has no scene 'dusk', 'dawn', only day"),
        ("name,present\na,dirt\n", "has no class 'dirt', only cell, debris."),
        ("name,scene\nx,day\ny,day\n", "has no image 'x', 'y'. List them"),
        ("name,scene\na,day\na.ome.tif,night\n", "two different lines for 'a.ome.tif'"),
        ("name,present,absent\na,cell,cell\n", "'cell' is present and absent. Keep"),
    ],
)
def test_a_wrong_table_is_one_sentence_and_changes_nothing(
    project, tmp_path, text, sentence
):
    result = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    assert isinstance(result.exception, MtsegError), result.output
    assert sentence in str(result.exception)
    assert not list(project.path.glob("annotations/*/annotation.json"))


def test_a_table_that_is_no_text_is_said(project, tmp_path):
    (tmp_path / "tags.csv").write_bytes(b"name,scene\n\xff\xfe,day\n")
    result = mtseg("tag", project.path, "--table", tmp_path / "tags.csv")
    assert "is no CSV file in UTF-8" in str(result.exception)


def test_a_name_of_two_images_asks_for_their_ids(project, tmp_path):
    project.add_image(write_image(tmp_path / "more" / "b.tif", seed=9))
    result = mtseg("tag", project.path, "b.tif", "--scene", "day")
    assert isinstance(result.exception, ProjectError)
    assert "'b.tif' is the name of 2 images of the project. Name them by their" in str(
        result.exception
    )


def test_nothing_is_tagged_while_the_window_has_the_project_open(project):
    with project.annotation_lock():
        result = mtseg("tag", project.path, "--scene", "day")
    assert "is already being written by process" in str(result.exception)


def test_info_counts_the_images_of_each_scene(project):
    mtseg("tag", project.path, "a", "c", "--scene", "night")
    shown = mtseg("info", project.path)
    assert "scenes day (0 images), night (2), not given (1)" in shown.stdout
    assert "scene" in shown.stdout.split("image", 2)[2]
    images = json.loads(mtseg("info", project.path, "--json").stdout)["images"]
    assert [image["tags"]["scene"] for image in images] == ["night", None, "night"]
