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
        ("Name,name ,scene\na,b,day\n", "has the column 'name' twice. Remove one."),
        (
            "name,scene\na,dusk\n",
            "row 2: the project has no scene 'dusk', only day, ni",
        ),
        ("name,present\na,dirt\n", "row 2: the project has no class 'dirt', only cell"),
        ("name,scene\na,day\n\nx,day\n", "row 4: the project has no image 'x'"),
        ("name,scene\n,day\n", "row 2: names no image"),
        (
            "name,scene\na,day\na.ome.tif,night\n",
            "row 3: says of 'a.ome.tif' something else than row 2",
        ),
        ("name,present,absent\na,cell,cell\n", "row 2: 'cell' is present and absent"),
        ("name,present\na,cell,debris\n", "row 2: has 3 cells for 2 columns; put a"),
    ],
)
def test_a_wrong_table_is_said_and_changes_nothing(project, tmp_path, text, sentence):
    result = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    assert isinstance(result.exception, MtsegError), result.output
    assert sentence in str(result.exception)
    assert not list(project.path.glob("annotations/*/annotation.json"))


def test_each_problem_of_a_table_gets_a_line(project, tmp_path):
    text = "name,scene,absent\nx,day,\na,dusk,dirt\nb,night,debris\n"
    result = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    assert str(result.exception).splitlines() == [
        "The table 'tags.csv' has 3 problems, so nothing was tagged. Correct it and "
        "try again.",
        "row 2: the project has no image 'x'",
        "row 3: the project has no scene 'dusk', only day, night; --add-scenes adds it",
        "row 3: the project has no class 'dirt', only cell, debris",
    ]
    assert tags(project, "b.tif") == Tags()


def test_the_same_problem_of_many_rows_is_one_line(project, tmp_path):
    rows = "".join(f"{'abc'[i % 3]},dusk\n" for i in range(7)) + "x,day\n"
    table = write_table(tmp_path, f"name,scene\n{rows}")
    result = mtseg("tag", project.path, "--table", table)
    assert str(result.exception).splitlines()[1:] == [
        "rows 2, 3, 4, 5, 6 and 2 more: the project has no scene 'dusk', only day, "
        "night; --add-scenes adds it",
        "row 9: the project has no image 'x'",
    ]


def test_of_many_problems_ten_are_told(project, tmp_path):
    text = "name,scene\n" + "".join(f"x{i},day\n" for i in range(14))
    result = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    lines = str(result.exception).splitlines()
    assert lines[0].startswith("The table 'tags.csv' has 14 problems")
    assert lines[10:] == ["row 11: the project has no image 'x9'", "and 4 more"]


@pytest.mark.parametrize(
    "text",
    [
        " NAME , Scene,Present\na,night,cell;debris\n",
        "name;scene;present\na;night;cell,debris\n",
        'Name;Scene;Present\na;night;"cell;debris"\n',
        "name\tscene\tpresent\na\tnight\t cell , debris \n",
        'name,scene,present\na,night,"cell,debris",,\n',
        "\n\nname,scene,present\r\na,night,cell;debris\r\n",
    ],
)
def test_a_table_is_read_as_programs_write_it(project, tmp_path, text):
    done = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    assert done.exit_code == 0, done.exception
    assert tags(project, "a.ome.tif") == Tags(scene=1, present={1: True, 2: True})


def test_other_columns_are_passed_over_and_named(project, tmp_path):
    text = "notes,name,Date taken,scene,\nblurry,a,May 3,day,\n"
    done = mtseg("tag", project.path, "--table", write_table(tmp_path, text))
    assert done.exit_code == 0, done.exception
    assert done.stderr.splitlines()[0] == "columns passed over: notes, Date taken"
    assert tags(project, "a.ome.tif") == Tags(scene=0)


def test_classes_are_parted_by_semicolons_too(project):
    done = mtseg("tag", project.path, "a", "--present", "cell; debris")
    assert done.exit_code == 0, done.exception
    assert tags(project, "a.ome.tif") == Tags(present={1: True, 2: True})


def test_a_new_scene_that_is_much_like_another_is_added_and_noted(project, tmp_path):
    table = write_table(tmp_path, "name,scene\na,nigh\nb,dusk\n")
    done = mtseg("tag", project.path, "--table", table, "--add-scenes")
    assert done.exit_code == 0, done.exception
    assert tags(project, "a.ome.tif") == Tags(scene=2)
    notes = [line for line in done.stderr.splitlines() if line.startswith("note")]
    assert notes == [
        "note: the new scene 'nigh' is much like 'night'; remove it with 'mtseg "
        "project scenes p.mtseg --remove nigh' if it is a typing error."
    ]


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
