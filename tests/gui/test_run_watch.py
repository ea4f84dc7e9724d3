import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from napari_mtseg.domain.events import (
    CheckpointSaved,
    Noticed,
    RunStarted,
    StepFinished,
    TrainingFinished,
)
from napari_mtseg.gui.run_follower import Pace, RunFollower, training_run
from napari_mtseg.gui.run_watch import RunWatch
from napari_mtseg.storage.event_reader import EventReader
from napari_mtseg.storage.run_folder import Control, new_run_folder

PACE = Pace(read=0.02, lock=0.1, stop=0.3)
QUICK = 10_000
INFO = {
    "method": "baseline",
    "settings": {},
    "seed": 0,
    "device": "cpu",
    "versions": {},
}
STARTED = RunStarted(method="baseline", total_steps=4, device="cpu", resumed_at=0)
DONE = TrainingFinished(step=4, reason="done", metrics={})
STOPPED = TrainingFinished(step=2, reason="stopped", metrics={})
HOLD = """
import sys, time
from pathlib import Path
from napari_mtseg.storage.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def step(number):
    return StepFinished(step=number, of=4, losses={"total": 1.0}, seconds=0.1)


@pytest.fixture
def run(tmp_path):
    return new_run_folder(tmp_path / "cells.mtseg", INFO)


@pytest.fixture
def watched(qtbot, run):
    """Watch the run; what is told is kept."""
    watches = []

    def watch(pace=PACE, **reading):
        reader = EventReader(run.events_file, **reading)
        made = RunWatch(RunFollower(run, reader=reader, pace=pace))
        made.told, made.end = [], []
        made.happened.connect(made.told.append)
        made.ended.connect(lambda *end: made.end.append(end))
        watches.append(made)
        return made

    yield watch
    for made in watches:
        made.close()


def test_old_events_come_in_one_piece_and_new_ones_as_they_happen(run, watched, qtbot):
    with run.lock():
        for event in (STARTED, step(1)):
            run.append(event)
        watch = watched()
        qtbot.waitUntil(lambda: watch.told == [(STARTED, step(1))], timeout=QUICK)
        run.append(step(2))
        qtbot.waitUntil(lambda: watch.told[1:] == [(step(2),)], timeout=QUICK)
        run.append(DONE)
        qtbot.waitUntil(lambda: watch.told[2:] == [(DONE,)], timeout=QUICK)
        assert watch.end == []
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end == [("done", "The training is done after 4 steps.")]


def test_the_end_of_an_earlier_training_is_not_that_of_this_one(run, watched, qtbot):
    for event in (STARTED, STOPPED):
        run.append(event)
    with run.lock():
        watch = watched()
        qtbot.waitUntil(lambda: len(watch.told) == 1, timeout=QUICK)
        run.rewrite_events((STARTED,))
        again = RunStarted(method="b", total_steps=4, device="cpu", resumed_at=2)
        run.append(again)
        qtbot.waitUntil(
            lambda: [e for es in watch.told[1:] for e in es] == [STARTED, again],
            timeout=QUICK,
        )
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end[0][0] == "failed"


def test_a_lock_that_is_free_without_a_last_word_is_a_failure(run, watched, qtbot):
    with run.lock():
        run.append(STARTED)
        watch = watched()
        qtbot.waitUntil(lambda: bool(watch.told), timeout=QUICK)
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end == [
        (
            "failed",
            "The training ended without a word (it may have been killed or run out of "
            "memory). It had not saved a checkpoint yet: Resume begins it again.",
        )
    ]


def test_last_words_after_the_lock_is_free_are_heard(run, watched, qtbot):
    with run.lock():
        run.append(STARTED)
        watch = watched(Pace(read=0.02, lock=1.0, stop=9.0))
        qtbot.waitUntil(lambda: bool(watch.told), timeout=QUICK)
    run.append(STOPPED)
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end[0][0] == "stopped"


def test_wishes_keep_each_other(run, watched, qtbot):
    with run.lock():
        watch = watched(Pace(read=0.02, lock=0.1, stop=9.0))
        watch.look_at("a")
        qtbot.waitUntil(lambda: run.control().current_image == "a", timeout=QUICK)
        watch.stop()
        both = Control(stop=True, current_image="a")
        qtbot.waitUntil(lambda: run.control() == both, timeout=QUICK)


def test_a_wish_that_cannot_be_written_is_told_once_and_kept(run, watched, qtbot):
    with run.lock():
        watch = watched(Pace(read=0.02, lock=0.1, stop=9.0))
        (run.path / "control.json").mkdir()
        watch.look_at("a")
        qtbot.waitUntil(lambda: bool(watch.told), timeout=QUICK)
        qtbot.wait(100)
        assert len(watch.told) == 1
        assert isinstance(watch.told[0][0], Noticed)
        (run.path / "control.json").rmdir()
        qtbot.waitUntil(lambda: run.control().current_image == "a", timeout=QUICK)


def test_somebody_elses_training_that_will_not_stop_is_ended(run, watched, qtbot):
    run.append(STARTED)
    run.append(CheckpointSaved(step=2, file="x"))
    holder = held_by_another_process(run)
    watch = watched()
    watch.stop()
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end == [
        (
            "stopped",
            "The training did not stop within 0.3 s and was ended. The last "
            "checkpoint counts; Resume goes on from step 2.",
        )
    ]
    assert holder.wait(5) != 0
    holder.stdout.close()


def test_a_process_that_is_no_training_is_never_ended(run, watched, qtbot, monkeypatch):
    monkeypatch.setattr(psutil.Process, "cmdline", lambda self: ["python", "mail.py"])
    holder = held_by_another_process(run)
    watch = watched()
    watch.stop()
    qtbot.wait(600)
    assert holder.poll() is None
    assert watch.end == []
    holder.kill()
    holder.wait()
    holder.stdout.close()


def test_a_watch_that_is_closed_leaves_no_thread_and_says_nothing(run, watched, qtbot):
    n_threads = threading.active_count()
    with run.lock():
        watch = watched()
        run.append(STARTED)
        watch.close()
    qtbot.wait(300)
    assert threading.active_count() == n_threads
    assert watch.told == []
    assert watch.end == []


def is_gone(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_a_run_that_is_deleted_is_over(run, watched, qtbot):
    lock = run.lock().acquire()
    watch = watched()
    lock.release()
    # Somebody who only asks whether it is locked may just be making the lock file.
    qtbot.waitUntil(lambda: is_gone(run.path), timeout=QUICK)
    watch.look_at("a")
    qtbot.waitUntil(lambda: bool(watch.end), timeout=QUICK)
    assert watch.end[0][0] == "failed"


def test_the_window_goes_on_while_a_slow_disk_is_read(run, watched, qtbot, monkeypatch):
    def slowly(_reader):
        time.sleep(0.5)
        return (STARTED,)

    monkeypatch.setattr(EventReader, "new_events", slowly)
    with run.lock():
        watch = watched()
        n_turns = 0
        while not watch.told:
            qtbot.wait(1)
            n_turns += 1
    assert n_turns > 10


def test_the_run_that_trains_is_found(run):
    project = run.path.parents[1]
    new_run_folder(project, INFO)
    assert training_run(project) is None
    with run.lock():
        assert training_run(project) == run.path.name


def held_by_another_process(run):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert holder.stdout.readline() == "held\n"
    return holder
