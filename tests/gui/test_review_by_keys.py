"""Thirty images predicted, judged by keys, the window killed, reopened, and trained."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton

from benchmarks.window_driver import wait_until
from napari_mtseg.gui.menu_entries import open_dock
from napari_mtseg.gui.review_table import ReviewTable
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import runs_of
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import train
from tests.gui.reviewing_window import N_VERDICTS, STROKE
from tests.tiny_projects import TINY, disc_project

N_IMAGES = 30
SETTINGS = {**TINY, "steps": 30}


@pytest.fixture
def project(tmp_path):
    made = disc_project(tmp_path, n_images=N_IMAGES, full=2)
    for entry in made.images[2:]:
        # Nothing is painted on the others.
        folder = made.annotation_folder(entry)
        for file in sorted(folder.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        folder.rmdir()
    run, _ = start_run(made, "baseline", SETTINGS, seed=0, device="cpu")
    for _ in train(made, run):
        pass
    return made


def n_lines(journal):
    return journal.read_text().count("\n") if journal.exists() else 0


def verdicts_until_killed(project, journal):
    """Review in a window of another process, kill it, and return what it told."""
    log = journal.with_suffix(".log")
    words = ["-m", "tests.gui.reviewing_window", str(project.path), str(journal)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + 500
        while n_lines(journal) < N_VERDICTS:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    lines = map(json.loads, journal.read_text().splitlines())
    return {image: verdict for line in lines for image, verdict in line.items()}


def click(dock, name):
    button = dock.findChild(QAbstractButton, name)
    assert button is not None, name
    wait_until(button.isEnabled, seconds=60)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_verdicts_by_keys_survive_a_kill_and_the_next_training_learns_from_them(
    project, tmp_path, make_napari_viewer
):
    told = verdicts_until_killed(project, tmp_path / "journal")
    assert sorted(told.values()) == sorted(["accepted", "rejected", "corrected"] * 3)

    viewer = make_napari_viewer(show=True)
    dock = open_dock(viewer)
    dock.open_project(project.path)
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    click(dock, "page_review")
    table = dock.findChild(ReviewTable)
    wait_until(lambda: table.rowCount() == N_IMAGES, seconds=60)
    rows = [table.rows.row(n) for n in range(N_IMAGES)]
    shown = {row.image.id: row.verdict for row in rows if row.verdict is not None}
    assert shown == told

    click(dock, "train_again")
    wait_until(lambda: dock.state.page == "train", seconds=60)
    # The page has read the run's own settings once it starts from it.
    wait_until(lambda: dock.state.start_from is None, seconds=60)
    click(dock, "train")
    wait_until(lambda: len(runs_of(project.path)) == 2, seconds=120)
    wait_until(lambda: not dock.trainer.is_training, seconds=120)
    before, again = runs_of(project.path)
    dock.leave()
    assert again.info.parent == before.path.name
    assert again.info.settings == before.info.settings
    check_what_was_learned(Project.open(project.path), before, again, told)


def check_what_was_learned(project, before, again, told):
    snapshot = load_snapshot(project, again.path / "snapshot.json")
    for image, verdict in told.items():
        paint = snapshot.annotation(project.image(image))
        if verdict == "rejected":
            assert paint.is_empty
            continue
        assert paint.complete.whole
        assert paint.origin == f"{verdict} {before.path.name}"
        row, columns = int(STROKE[0][0]), [int(x) for _, x in STROKE]
        is_painted = bool(np.all(paint.full.objects[row, columns]))
        assert is_painted == (verdict == "corrected")
