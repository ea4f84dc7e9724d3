"""`mtseg train` in several processes, which a launcher starts with one command."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.events import (
    LabelsGrown,
    Noticed,
    StepFinished,
    from_json_line,
)
from napari_mtseg.storage.run_folder import runs_of
from tests.tiny_projects import TINY, disc_project

SMALL = [a for k, v in {**TINY, "steps": 3}.items() for a in ("--set", f"{k}={v}")]


GROWTH = {**TINY, "iterations": 2, "first_steps": 2, "steps_per_iteration": 2}
GROWING = [a for k, v in GROWTH.items() for a in ("--set", f"{k}={v}")]


def srun(n: int, *command: str) -> list[tuple[int, str]]:
    """Start a command as srun does; return the exit codes and what was said."""
    step = {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": str(n),
        "SLURM_STEP_NUM_TASKS": str(n),
        "SLURM_STEP_TASKS_PER_NODE": str(n),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NODEID": "0",
        "OMP_NUM_THREADS": "1",
    }
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "napari_mtseg.cli.main", *command],
            env={**os.environ, **step, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(n)
    ]
    said = [task.communicate(timeout=200)[0] for task in tasks]
    return [(task.returncode, text) for task, text in zip(tasks, said, strict=True)]


@pytest.mark.slow
def test_srun_with_one_command_trains_one_run(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    command = ["train", str(project.path), "--method", "baseline", *SMALL]
    lead, other = srun(2, *command)
    assert (lead[0], other) == (0, (0, ""))
    assert "done at step 3" in lead[1]
    (run,) = runs_of(project.path)
    assert [e.step for e in run.events() if isinstance(e, StepFinished)] == [1, 2, 3]


@pytest.mark.slow
def test_what_the_lead_cannot_make_is_told_once(tmp_path):
    project = disc_project(tmp_path, n_images=1, painted=False)
    lead, other = srun(2, "train", str(project.path), "--method", "baseline", *SMALL)
    assert lead[0] == 1
    assert lead[1].startswith("mtseg: ")
    assert other == (1, "")
    assert runs_of(project.path) == ()


def test_several_nodes_need_a_launcher(tmp_path):
    project = disc_project(tmp_path, n_images=1, full=1)
    done = CliRunner().invoke(app, ["train", str(project.path), "--nodes", "2"])
    assert isinstance(done.exception, SettingsError)
    assert "'srun --nodes=2 --ntasks-per-node=1 mtseg train PROJECT ...'" in str(
        done.exception
    )
    assert runs_of(project.path) == ()


def test_devices_that_cannot_share_a_batch_are_refused_before_any_starts(tmp_path):
    project = disc_project(tmp_path, n_images=1, full=1)
    command = ["train", str(project.path), "--method", "baseline", *SMALL]
    done = CliRunner().invoke(app, [*command, "--devices", "3"])
    assert isinstance(done.exception, SettingsError)
    assert str(done.exception) == (
        "batch_size is 2 but 3 devices train together. Set it to a multiple of 3."
    )
    assert runs_of(project.path) == ()


def test_more_devices_than_gpus_leave_no_run(tmp_path, monkeypatch):
    project = disc_project(tmp_path, n_images=1, full=1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    command = ["train", str(project.path), "--method", "baseline", *SMALL]
    done = CliRunner().invoke(app, [*command, "--devices", "2"])
    assert isinstance(done.exception, SettingsError)
    assert "2 processes are to train on a machine with 1 GPU." in str(done.exception)
    assert runs_of(project.path) == ()


@pytest.mark.slow
def test_srun_with_more_processes_than_patches_leaves_no_run(tmp_path):
    project = disc_project(tmp_path, n_images=1, full=1)
    odd = ["--set", "batch_size=3"]
    command = ["train", str(project.path), "--method", "baseline", *SMALL, *odd]
    lead, other = srun(2, *command)
    assert lead == (
        1,
        "mtseg: batch_size is 3 but 2 devices train together. Set it "
        "to a multiple of 2.\n",
    )
    assert other == (1, "")
    assert runs_of(project.path) == ()


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_the_paint_lacks_is_told_before_the_processes_begin(
    tmp_path, monkeypatch, words
):
    project = disc_project(tmp_path, n_images=2, full=2)
    monkeypatch.setattr("napari_mtseg.cli.train.train_together", lambda *_, **__: None)
    command = ["train", str(project.path), *GROWING, "--device", "cpu", *words]
    done = CliRunner().invoke(app, [*command, "--devices", "2"])
    assert done.exit_code == 0, done.output
    if words:
        told = [from_json_line(line) for line in done.stdout.splitlines()]
        assert isinstance(told[0], Noticed)
        assert told[0].message.startswith("No partial masks are painted:")
    else:
        assert done.stderr.startswith("note: No partial masks are painted:")
        assert done.stdout == ""


@pytest.mark.slow
def test_two_processes_report_the_growth_that_one_does(tmp_path):
    grown = []
    for n in (1, 2):
        folder = tmp_path / str(n)
        folder.mkdir()
        project = disc_project(folder, n_images=4, full=1)
        command = ["train", str(project.path), *GROWING, "--device", "cpu"]
        assert [code for code, _ in srun(n, *command)] == [0] * n
        (run,) = runs_of(project.path)
        grown.append([e for e in run.events() if isinstance(e, LabelsGrown)])
    alone, together = grown
    assert [len(e.files) for e in together] == [len(e.files) for e in alone] == [4, 4]
    for mine, ours in zip(alone, together, strict=True):
        assert ours.grown_share == pytest.approx(mine.grown_share, abs=0.05)


def test_the_number_of_processes_is_told_and_that_they_share_the_cores(
    tmp_path, monkeypatch
):
    project = disc_project(tmp_path, n_images=2, full=2)
    monkeypatch.setattr("torch.distributed.run.run", lambda _: None)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = ["train", str(project.path), "--method", "baseline", *SMALL]
    done = CliRunner().invoke(app, [*command, "--devices", "2", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert done.stderr.endswith(
        "2 processes train this run together\n"
        "note: they share the 6 cores of this machine, since they do not train on "
        "GPUs: that rarely pays. Without --devices one process uses all cores.\n"
    )
