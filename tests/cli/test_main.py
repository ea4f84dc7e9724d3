import logging
import os
import sys

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli import main as main_module
from napari_mtseg.cli.main import app, main
from napari_mtseg.domain.errors import SettingsError

COMMANDS = (
    "demo",
    "project",
    "methods",
    "train",
    "predict",
    "evaluate",
    "review",
    "export",
)


def mtseg(*words):
    return CliRunner().invoke(app, words)


def ended(monkeypatch, *words):
    """Run the command as a shell does; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["mtseg", *words])
    with pytest.raises(SystemExit) as exit_of:
        main()
    return exit_of.value.code


def test_help_lists_every_command():
    shown = mtseg("--help")
    assert shown.exit_code == 0
    assert all(f" {command} " in shown.output for command in COMMANDS)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"project"}))
def test_every_help_page_shows_an_example(command):
    shown = mtseg(command, "-h")
    assert shown.exit_code == 0
    assert f"Example: mtseg {command}" in shown.output


@pytest.mark.parametrize("words", [["fly"], ["train"], ["train", "p", "--sped", "9"]])
def test_a_wrong_command_line_exits_with_2(monkeypatch, capsys, words):
    assert ended(monkeypatch, *words) == 2
    assert "Usage: mtseg" in capsys.readouterr().err


def test_an_error_that_the_user_can_mend_is_one_line_and_exit_code_1(
    monkeypatch, capsys
):
    assert ended(monkeypatch, "methods", "magic") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "mtseg: There is no method 'magic'. Choose one of: recursive_approximation, "
        "task_decomposition, joint_shape, high_resolution, cross_task, baseline.\n"
    )


def test_problems_get_a_line_each(monkeypatch, capsys):
    words = ("high_resolution", "--summary", "--set", "levels=3", "--set", "slices=5")
    assert ended(monkeypatch, "methods", *words) == 1
    assert capsys.readouterr().err.splitlines() == [
        "mtseg: slices=5 is for 3D images but the images are 2D. Set slices=1.",
        "mtseg: pathway=3 needs more than 3 levels, but levels is 3. Set a smaller "
        "pathway or more levels.",
    ]


def test_a_bug_crashes_loudly(monkeypatch):
    def buggy(**_facts):
        raise ValueError("a bug")

    monkeypatch.setattr(main_module, "app", buggy)
    with pytest.raises(ValueError, match="a bug"):
        main()


def test_other_libraries_do_not_talk_beside_the_sentence(monkeypatch, capsys):
    def failing(**_facts):
        logging.getLogger("tifffile").error("<tifffile.TiffFile> is damaged")
        raise SettingsError("One sentence.")

    monkeypatch.setattr(main_module, "app", failing)
    assert ended(monkeypatch) == 1
    assert capsys.readouterr().err == "mtseg: One sentence.\n"


def test_waiting_threads_sleep_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.setattr(main_module, "app", lambda **_facts: None)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    main()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    main()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
