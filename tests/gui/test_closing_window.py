"""Closing the window: with a training behind it, and with paint that is not saved."""

import json
import sys
from pathlib import Path

import psutil
import pytest
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QPushButton,
)

from benchmarks.window_driver import wait_until
from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.events import CheckpointSaved, StepFinished
from napari_mtseg.gui.menu_entries import open_dock
from napari_mtseg.gui.trainer import TrainRequest
from napari_mtseg.storage.batch_ledger import read_ledger
from napari_mtseg.storage.locks import OWNER_FILE, is_locked
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from tests.gui.painted_projects import on_disk, plain_project
from tests.gui.trained_projects import trained_run
from tests.tiny_projects import TINY, disc_project

FAKE_MTSEG = (sys.executable, str(Path(__file__).parent / "fake_mtseg.py"))
LONG = {**TINY, "steps": 100_000, "checkpoint_every": 20}
"""settings of a training that would go on for minutes"""


class Guard(QObject):
    """Keeps a window whose dock would let it close, for napari's fixture to close."""

    def __init__(self, window):
        super().__init__()
        self.window = window
        self.n_closed = 0
        window.installEventFilter(self)

    def eventFilter(self, watched, event):  # noqa: N802 - Qt's name
        if event.type() != QEvent.Type.Close:
            return False
        self.n_closed += 1
        event.ignore()
        return True

    def close(self):
        """Close the window as its close button does; return whether it would go."""
        before = self.n_closed
        self.window.close()
        return self.n_closed > before


@pytest.fixture
def opened(make_napari_viewer):
    """Open a window on a project; at the end nothing of it trains or waits."""
    guards, docks = [], []

    def open_window(project):
        viewer = make_napari_viewer(show=True)
        known = [guard.window for guard in guards]
        window = next(
            widget
            for widget in QApplication.topLevelWidgets()
            if isinstance(widget, QMainWindow) and widget not in known
        )
        # Before the dock comes, so that the dock hears of closing first.
        guards.append(Guard(window))
        dock = open_dock(viewer)
        docks.append(dock)
        dock.open_project(project.path)
        wait_until(lambda: dock.editing.is_shown, seconds=60)
        return viewer, dock, guards[-1].close

    yield open_window
    for guard in guards:
        guard.window.removeEventFilter(guard)
    for dock in docks:
        dock.trainer.stop()
        dock.leave()
    # napari's fixture fails where anything still holds its window.
    guards.clear()
    docks.clear()


class Answer:
    """Clicks a button of the next question, and keeps what was asked."""

    def __init__(self, label):
        self.asked = ""
        self.default = ""
        self._label = label
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(20)

    def _look(self):
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            return
        self._timer.stop()
        self.asked = box.text()
        self.default = box.defaultButton().text()
        buttons = {button.text().replace("&", ""): button for button in box.buttons()}
        QTest.mouseClick(buttons[self._label], Qt.MouseButton.LeftButton)

    def never_asked(self):
        self._timer.stop()
        return not self.asked


def start_training(dock, project):
    """Train with the real child until it has saved a checkpoint; return the run."""
    seen = []
    dock.trainer.happened.connect(seen.extend)
    dock.trainer.train(
        TrainRequest(method="baseline", preset="fast", values=LONG, device="cpu")
    )
    saved = lambda: any(isinstance(e, CheckpointSaved) for e in seen)  # noqa: E731
    wait_until(saved, seconds=120)
    return RunFolder(project.path / "runs" / dock.trainer.run_id)


def n_steps(run):
    return sum(isinstance(event, StepFinished) for event in run.events())


@pytest.mark.slow
def test_a_training_that_was_let_run_on_is_found_and_stopped_in_the_next_window(
    opened, tmp_path
):
    project = disc_project(tmp_path)
    _, dock, close = opened(project)
    run = start_training(dock, project)
    question = Answer("Keep the window open")
    assert not close()
    assert question.asked == (
        "A training is running. It can go on without this window; opening the project "
        "again finds it."
    )
    assert dock.trainer.is_training
    assert dock.state.project is not None

    question = Answer("Let it run on")
    assert close()
    assert question.default == "Let it run on"
    n_before = n_steps(run)
    wait_until(lambda: n_steps(run) > n_before + 5, seconds=60)
    assert is_locked(run.path)

    _, dock, _ = opened(project)
    assert dock.state.run_id == run.path.name
    assert dock.trainer.is_training
    dock.state.page = "train"
    bar = dock.pages["train"].findChild(QPushButton, "stop_training")
    wait_until(bar.isVisible, seconds=30)
    seen = []
    dock.trainer.happened.connect(seen.extend)
    wait_until(lambda: any(isinstance(e, StepFinished) for e in seen), seconds=30)
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton)
    wait_until(lambda: not dock.trainer.is_training, seconds=30)
    assert not is_locked(run.path)
    assert run.checkpoint("last").exists()
    dock.state.close_project()


@pytest.mark.slow
def test_a_training_is_stopped_with_its_window_if_so_wished(opened, tmp_path):
    project = disc_project(tmp_path)
    _, dock, close = opened(project)
    run = start_training(dock, project)
    question = Answer("Stop it")
    assert close()
    assert question.asked
    wait_until(lambda: not is_locked(run.path), seconds=30)
    assert run.checkpoint("last").exists()
    assert json.loads((run.path / "metrics.json").read_text())["reason"] == "stopped"


@pytest.mark.slow
def test_a_killed_training_is_a_sentence_and_resume_goes_on(opened, tmp_path):
    project = disc_project(tmp_path)
    _, dock, _ = opened(project)
    dock.state.page = "train"
    run = start_training(dock, project)
    told = []
    dock.trainer.ended.connect(lambda how, sentence: told.append((how, sentence)))
    owner = json.loads((run.path / OWNER_FILE).read_text())
    psutil.Process(owner["pid"]).kill()
    wait_until(lambda: bool(told), seconds=30)
    how, sentence = told[0]
    assert how == "failed"
    assert "Nothing is lost: Resume goes on from step" in sentence
    resume = dock.findChild(QPushButton, "outcome_resume")
    # Shown, and laid out.
    wait_until(lambda: resume.isVisible() and resume.height() > 10, seconds=30)
    n_before = n_steps(run)
    QTest.mouseClick(resume, Qt.MouseButton.LeftButton)
    wait_until(lambda: n_steps(run) > n_before + 5, seconds=120)
    assert dock.trainer.run_id == run.path.name
    steps = [event.step for event in run.events() if isinstance(event, StepFinished)]
    assert steps == list(range(1, len(steps) + 1))


def test_closing_the_window_asks_before_a_folder_stays_half_segmented(opened, tmp_path):
    project = plain_project(tmp_path)
    trained_run(project)
    _, dock, close = opened(project)
    dock.commands._mtseg = FAKE_MTSEG
    (tmp_path / "scans").mkdir()
    dock.findChild(QLineEdit, "segment_images").setText(str(tmp_path / "scans"))
    dock.findChild(QPushButton, "start_segmenting").click()
    export = dock.pages["export"]
    wait_until(lambda: "1 of 5 images" in export.closing_question, seconds=30)
    question = Answer("Keep the window open")
    assert not close()
    assert question.asked == (
        "Images are being segmented. 1 of 5 images is done. Closing the window stops "
        "that. What is done is kept; Start on the Export page goes on with the rest."
    )
    results = tmp_path / "scans-results"
    assert is_locked(results)
    question = Answer("Stop and close")
    assert close()
    assert question.default == "Keep the window open"
    assert not is_locked(results)
    assert read_ledger(results).n_done == 1


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(self, entry, annotation, *, box=None):
        raise StorageError("The disk is full. Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(Project, "save_annotation", refuse)
        yield patch


def test_paint_that_cannot_be_saved_keeps_the_window_open(opened, tmp_path, full_disk):
    project = plain_project(tmp_path)
    viewer, _, close = opened(project)
    viewer.layers["Partial masks"].paint((5, 5), 1)
    question = Answer("Keep the window open")
    assert not close()
    assert question.asked == (
        "Not saved: The disk is full. Free some space. Close anyway? What was painted "
        "since the last save would be lost."
    )
    assert question.default == "Keep the window open"
    assert viewer.layers["Partial masks"].data[5, 5] == 1

    full_disk.undo()
    question = Answer("Keep the window open")
    assert close()
    assert question.never_asked()
    assert on_disk(project).partial.objects[5, 5] == 1


def test_a_window_closes_without_saving_if_so_wished(opened, tmp_path, full_disk):
    project = plain_project(tmp_path)
    viewer, dock, close = opened(project)
    viewer.layers["Partial masks"].paint((5, 5), 1)
    question = Answer("Close anyway")
    assert close()
    assert question.asked
    assert dock.state.project is None


def test_a_dock_that_is_closed_saves_and_lets_go_of_the_project(opened, tmp_path):
    project = plain_project(tmp_path)
    viewer, dock, _ = opened(project)
    viewer.layers["Partial masks"].paint((5, 5), 1)
    viewer.window.remove_dock_widget(dock)
    wait_until(lambda: dock.state.project is None, seconds=10)
    assert on_disk(project).partial.objects[5, 5] == 1
    again = open_dock(viewer)
    assert again is not dock
    again.open_project(project.path)
    wait_until(lambda: again.editing.is_shown, seconds=60)
    assert viewer.layers["Partial masks"].data[5, 5] == 1
    again.leave()
