import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.cli.train import show_progress
from napari_mtseg.domain.errors import AnnotationError, SettingsError
from napari_mtseg.domain.events import (
    LabelsGrown,
    Noticed,
    RunStarted,
    StepFinished,
    TrainingFinished,
    ValidationFinished,
    from_json_line,
)
from napari_mtseg.storage.run_folder import Control, RunFolder, find_run
from tests.tiny_projects import TINY, disc_project

SMALL = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
RUN_MAIN = "from napari_mtseg.cli.main import main; main()"


def mtseg(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def train(project, *words, steps=3):
    return mtseg(
        "train", project.path, "--method", "baseline", *SMALL, "--device", "cpu",
        "--set", f"steps={steps}", *words,
    )  # fmt: skip


def events_of(result):
    return [from_json_line(line) for line in result.stdout.splitlines()]


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path)


def test_a_training_ends_with_exit_code_0_and_says_what_happened(project):
    result = train(project)
    assert result.exit_code == 0, result.output
    run = find_run(project.path, None)
    assert f"run {run.path.name}: baseline, 3 steps on cpu\n" in result.stderr
    assert "done at step 3\n" in result.stderr
    assert result.stdout == ""
    assert run.checkpoint("best").exists()


def test_json_prints_the_events_of_the_run_one_per_line(project):
    result = train(project, "--json")
    assert result.exit_code == 0, result.output
    assert events_of(result) == list(find_run(project.path, None).events())
    assert result.stderr == ""


def test_json_tells_what_the_paint_lacks(tmp_path):
    project = disc_project(tmp_path, full=3)
    result = mtseg(
        "train", project.path, *SMALL, "--set", "iterations=1", "--set",
        "first_steps=0", "--set", "steps_per_iteration=1", "--json",
    )  # fmt: skip
    first = events_of(result)[0]
    assert isinstance(first, Noticed)
    assert first.message.startswith("No partial masks are painted:")


def test_settings_seed_and_preset_reach_the_run(project):
    assert train(project, "--seed", 5, "--preset", "balanced").exit_code == 0
    info = find_run(project.path, None).info
    assert info.seed == 5
    assert info.settings["steps"] == 3
    assert info.settings["schedule"] == "constant"


def test_a_size_and_a_variant_of_a_method_go_together(project):
    found = train(project, "--preset", "SL", "--preset", "balanced")
    assert found.exit_code == 0, found.output
    settings = find_run(project.path, None).info.settings
    assert settings["labels"] == "full"
    assert settings["schedule"] == "constant"
    alone = train(project, "--preset", "SL")
    assert alone.exit_code == 0, alone.output
    assert find_run(project.path, None).info.settings["labels"] == "full"


def test_two_sizes_are_refused(project):
    result = train(project, "--preset", "fast", "--preset", "paper")
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception).startswith("'fast' and 'paper' are both sizes of ")


def test_problems_of_a_training_stand_on_a_line_each(project):
    words = ("--method", "high_resolution", "--set", "slices=5", "--set", "levels=3")
    result = mtseg("train", project.path, *words)
    assert isinstance(result.exception, AnnotationError)
    assert str(result.exception).splitlines() == [
        "slices=5 is for 3D images but the images are 2D. Set slices=1.",
        "pathway=3 needs more than 3 levels, but levels is 3. Set a smaller pathway or "
        "more levels.",
    ]


def test_a_training_of_one_step_is_said_to_have_one(project):
    assert ": baseline, 1 step on cpu\n" in train(project, steps=1).stderr


def test_a_stopped_run_says_how_to_go_on_and_is_resumed(project, monkeypatch):
    monkeypatch.setattr(RunFolder, "control", lambda self: Control(stop=True))
    stopped = train(project)
    assert stopped.exit_code == 0
    run = find_run(project.path, None)
    path = os.path.relpath(project.path)
    go_on = f"go on with: mtseg train {path} --resume {run.path.name}\n"
    assert stopped.stderr.endswith(f"stopped at step 0\n{go_on}")
    monkeypatch.undo()
    run.set_control(Control(stop=True))
    resumed = mtseg("train", project.path, "--resume", "last", "--json")
    assert resumed.exit_code == 0, resumed.output
    assert events_of(resumed)[-1] == TrainingFinished(step=3, reason="done", metrics={})
    assert find_run(project.path, None).path == run.path


def test_from_last_starts_a_new_run_from_the_weights_of_the_newest(project):
    assert train(project).exit_code == 0
    parent = find_run(project.path, None).path.name
    assert train(project, "--from", "last").exit_code == 0
    child = find_run(project.path, None)
    assert child.path.name != parent
    assert child.info.parent == parent


@pytest.mark.parametrize(
    "words", [["--set", "steps=9"], ["--from", "last"], ["--preset", "paper"]]
)
def test_resume_takes_no_new_settings(project, words):
    result = mtseg("train", project.path, "--resume", "last", *words)
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == (
        "--resume goes on with a run's own settings. Leave out --preset, --set and "
        "--from, or start a new run."
    )


def test_events_are_told_as_sentences(tmp_path, capsys):
    happened = [
        RunStarted(method="baseline", total_steps=9, device="cpu", resumed_at=4),
        StepFinished(step=5, of=9, losses={"total": 1.0}, seconds=0.1),
        Noticed(message="Mind [the] gap."),
        LabelsGrown(step=5, iteration=2, grown_share=0.25, files={"a": "a.tif"}),
        ValidationFinished(step=9, metrics={"score": 0.5}, is_best=True),
        TrainingFinished(step=9, reason="done", metrics={"score": 0.5}),
    ]
    assert show_progress(iter(happened), RunFolder(tmp_path / "first")) == "done"
    assert capsys.readouterr().err.splitlines() == [
        "run first: baseline, 9 steps on cpu, resumed at step 4",
        "note: Mind [the] gap.",
        "labels grown, iteration 2: +25% on 1 image",
        "step 9: validation Dice 0.500, the best so far",
        "done at step 9, validation Dice 0.500",
    ]


def begin_long_training(project):
    """Start a training in a process of its own and wait for its third step."""
    words = ["train", str(project.path), "--method", "baseline", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_MAIN, *words, "--set", "steps=100000", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A test that runs in the background would hand down an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for line in process.stdout:
        event = from_json_line(line)
        if isinstance(event, StepFinished) and event.step >= 3:
            return process
    raise RuntimeError(process.stderr.read())


def test_ctrl_c_stops_in_order_and_the_run_can_be_resumed(project):
    process = begin_long_training(project)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    run = find_run(project.path, None)
    assert process.returncode == 130
    assert said == (
        "\nstopping; press Ctrl-C again to end at once\n"
        f"go on with: mtseg train {os.path.relpath(project.path)} "
        f"--resume {run.path.name}\n"
    )
    *_, last = run.events()
    assert isinstance(last, TrainingFinished)
    assert last.reason == "stopped"
    assert run.checkpoint("last").exists()
    assert run.checkpoint("best").exists()


def test_a_second_ctrl_c_ends_at_once(project, monkeypatch, capfd):
    def pressed_twice(_project, run):
        yield RunStarted(method="baseline", total_steps=9, device="cpu", resumed_at=0)
        os.kill(os.getpid(), signal.SIGINT)
        yield Noticed(message=f"stop is {run.control().stop}")
        os.kill(os.getpid(), signal.SIGINT)
        yield Noticed(message="never reached")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr("napari_mtseg.workflows.train.train", pressed_twice)
        result = train(project, "--json")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert [e.message for e in events_of(result)[1:]] == ["stop is True"]
    assert "go on with: mtseg train " in result.stderr
    assert "press Ctrl-C again" in capfd.readouterr().err


def test_an_ignored_ctrl_c_stays_ignored(project, monkeypatch):
    def pressed(_project, _run):
        os.kill(os.getpid(), signal.SIGINT)
        yield TrainingFinished(step=1, reason="done", metrics={})

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr("napari_mtseg.workflows.train.train", pressed)
        assert train(project).exit_code == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
