"""The waiting child as the window starts it: a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.domain.events import TrainingFailed, TrainingFinished
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.waiting import usable_devices
from tests.tiny_projects import TINY, disc_project

COMMAND = [sys.executable, "-m", "napari_mtseg.cli.main", "wait"]
VALUES = {**TINY, "steps": 4, "validate_every": 2}
TRAIN = {
    "ask": "train",
    "method": "baseline",
    "values": VALUES,
    "device": "cpu",
}


class Child:
    """A waiting child, spoken to as the window does."""

    def __init__(self, project, command=COMMAND):
        self.project = project
        self.process = subprocess.Popen(
            [*command, str(project.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait(timeout=10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def answer(self, *requests):
        for request in requests:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, answer) -> RunFolder:
        return RunFolder(self.project.path / "runs" / answer["run"])


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, validate=1)


def test_the_command_is_not_for_people(project):
    shown = CliRunner().invoke(app, ["--help"])
    assert " train " in shown.output
    assert " wait " not in shown.output


def test_an_idle_child_ends_with_its_input(project):
    with Child(project) as child:
        devices = list(usable_devices())
        assert child.answer() == {"answer": "ready", "devices": devices}
        child.process.stdin.close()
        assert child.process.wait(timeout=10) == 0
        assert child.process.stdout.read() == child.process.stderr.read() == ""


def test_a_child_is_asked_trains_into_its_log_and_ends(project):
    with Child(project) as child:
        child.answer()
        assert child.answer({"ask": "fly"})["answer"] == "refused"
        assert child.answer({"ask": "readiness"})["recommended"]
        run = child.run(child.answer(TRAIN))
        # The window may be gone by now.
        child.process.stdin.close()
        child.process.stdout.close()
        child.process.stderr.close()
        assert child.process.wait(timeout=60) == 0
    assert isinstance(run.events()[-1], TrainingFinished)
    log = (run.path / "log.txt").read_text().splitlines()
    sentences = [line.split("  ", 1)[1] for line in log]
    assert sentences[0] == f"run {run.path.name}: baseline, 4 steps on cpu"
    assert sentences[1].startswith("note: A step with 2 patches takes about ")
    assert sentences[2].startswith("step 2: validation Dice ")
    assert sentences[-1].startswith("done at step 4, validation Dice ")


def test_a_request_that_came_before_it_was_ready_is_answered(project):
    with Child(project) as child:
        assert child.answer({"ask": "readiness"})["answer"] == "ready"
        assert child.answer()["answer"] == "readiness"


@pytest.mark.skipif(sys.platform != "linux", reason="niceness per thread")
def test_a_training_yields_to_the_window_in_all_its_threads(project):
    with Child(project) as child:
        child.answer()
        values = {**VALUES, "steps": 100_000}
        run = child.run(child.answer({**TRAIN, "values": values}))
        until(lambda: '"step_finished"' in text_of(run.events_file))
        tasks = Path(f"/proc/{child.process.pid}/task").iterdir()
        nice = {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks}
        assert nice == {10}


BUGGY = """
import sys
from napari_mtseg.workflows import waiting
def train(project, run):
    print("a library speaks", flush=True)
    raise KeyError("a bug")
    yield
waiting.train = train
from napari_mtseg.cli.main import main
sys.argv = ["mtseg", "wait", sys.argv[1]]
main()
"""


def test_a_bug_leaves_its_traceback_in_the_log_and_a_sentence_in_the_events(project):
    with Child(project, [sys.executable, "-c", BUGGY]) as child:
        child.answer()
        run = child.run(child.answer(TRAIN))
        assert child.process.wait(timeout=60) == 1
        assert child.process.stderr.read() == ""
    message = (
        "The training stopped because of an error in the program: KeyError: 'a bug'. "
        "See the log."
    )
    assert run.events() == (TrainingFailed(step=0, message=message),)
    log = (run.path / "log.txt").read_text()
    assert log.startswith("a library speaks\n")
    assert message in log
    assert "Traceback (most recent call last):" in log
    assert log.endswith("KeyError: 'a bug'\n")


NOISY = """
import sys
from napari_mtseg.workflows import waiting
really = waiting.ready
def ready():
    print("a library speaks", flush=True)
    return really()
waiting.ready = ready
from napari_mtseg.cli.main import main
sys.argv = ["mtseg", "wait", sys.argv[1]]
main()
"""


def test_only_answers_come_on_stdout(project):
    with Child(project, [sys.executable, "-c", NOISY]) as child:
        assert child.answer()["answer"] == "ready"
        child.process.stdin.close()
        assert child.process.stderr.read() == "a library speaks\n"


def text_of(file) -> str:
    return file.read_text() if file.exists() else ""


def until(is_true, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
