"""`mtseg train` in several processes, which a launcher starts with one command."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.events import StepFinished
from napari_mtseg.storage.run_folder import runs_of
from tests.tiny_projects import TINY, disc_project

SMALL = [a for k, v in {**TINY, "steps": 3}.items() for a in ("--set", f"{k}={v}")]


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
