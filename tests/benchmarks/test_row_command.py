import argparse

import pytest

from benchmarks.image_sets import IMAGE_SETS
from benchmarks.row_command import (
    Plan,
    chosen_rows,
    header,
    images_of,
    parsed,
    row_parser,
)


def arguments_of(tmp_path, name, *more):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "split.csv").write_text("name,split\n")
    return parsed(row_parser("", steps=9), ["--data", str(folder), *more])


def test_an_unknown_image_set_is_refused_by_name(tmp_path, capsys):
    with pytest.raises(SystemExit):
        arguments_of(tmp_path, "cats")
    assert "must be a folder of: dsb2018, hc18, sstem_vnc" in capsys.readouterr().err


def test_a_folder_without_split_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parsed(row_parser("", steps=9), ["--data", str(tmp_path / "hc18")])
    assert "there is no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "n_train"), [("dsb2018", 16), ("hc18", 16), ("sstem_vnc", 15)]
)
def test_a_quick_run_has_at_most_sixteen_training_images(tmp_path, name, n_train):
    assert images_of(arguments_of(tmp_path, name, "--quick")).n_train == n_train


def test_the_lines_above_a_table_name_the_licence_and_say_what_was_painted(tmp_path):
    plan = Plan(
        images=IMAGE_SETS["sstem_vnc"],
        rows=(),
        n_seeds=3,
        steps=9,
        quick=True,
        out=tmp_path,
    )
    text = "\n".join(header(plan, [{"test": {"dice": [0.5, 0.5]}}], "full masks"))
    assert "CC BY-NC-SA 3.0, shrunk 4 times." in text
    assert "2 test images, 4 classes averaged within each image" in text
    assert "15 training images with full masks; 3 seed(s), 9 steps" in text
    assert "Quick run: it shows that the command works, nothing more." in text


def test_all_rows_are_trained_unless_some_are_named():
    everything = argparse.Namespace(rows=None)
    assert chosen_rows(everything, ("a", "b")) == ("a", "b")
    named = argparse.Namespace(rows=["c", "a"])
    assert chosen_rows(named, ("a", "b", "c")) == ("a", "c"), "in the table's order"


def test_an_unknown_row_ends_the_command_with_those_that_there_are():
    with pytest.raises(SystemExit) as error:
        chosen_rows(argparse.Namespace(rows=["d"]), ("a", "b"))
    assert str(error.value) == "there is no row d; the rows of this run are: a, b"
