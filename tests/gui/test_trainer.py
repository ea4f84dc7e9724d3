import gc
import json
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import psutil
import pytest

from napari_mtseg.domain.events import Noticed, RunStarted, StepFinished
from napari_mtseg.gui.run_follower import Pace, training_run
from napari_mtseg.gui.trainer import (
    MethodReadiness,
    ReadinessReport,
    Trainer,
    TrainRequest,
)
from napari_mtseg.storage.locks import OWNER_FILE, is_locked
from napari_mtseg.storage.run_folder import Control, RunFolder
from tests.tiny_projects import TINY, disc_project

MTSEG = (sys.executable, str(Path(__file__).parent / "fake_mtseg.py"))
PACE = Pace(read=0.02, lock=0.1, stop=1.0)
QUICK = 15_000
"""Milliseconds in which a fake child does anything, also on a busy machine."""


class Heard:
    """What a trainer told, in order."""

    def __init__(self, trainer):
        self.all = []
        self.events = []
        self.main = threading.current_thread()
        for name in ("prepared", "readiness_changed", "devices_changed", "started"):
            getattr(trainer, name).connect(self._note(name))
        for name in ("refused", "ended"):
            getattr(trainer, name).connect(self._note(name))
        trainer.happened.connect(self._keep)

    def _note(self, name):
        def note(*values):
            assert threading.current_thread() is self.main
            self.all.append((name, *values))

        return note

    def _keep(self, events):
        assert threading.current_thread() is self.main
        self.events.append(events)

    def last(self, name):
        found = [values for told, *values in self.all if told == name]
        return found[-1] if found else None

    def count(self, name):
        return sum(told == name for told, *_ in self.all)

    def steps(self):
        return [e.step for some in self.events for e in some if is_step(e)]


def is_step(event):
    return isinstance(event, StepFinished)


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "cells.mtseg"
    path.mkdir()
    return path


@pytest.fixture
def trainer(qtbot, project):
    made = Trainer(mtseg=MTSEG, pace=PACE, next_child_after=0.5)
    made.heard = Heard(made)
    yield made
    made.release()
    for pid in children(project):
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


@pytest.fixture
def wait_for(qtbot, trainer):
    def wait(name, count=1):
        qtbot.waitUntil(lambda: trainer.heard.count(name) >= count, timeout=QUICK)
        return trainer.heard.last(name)

    return wait


def children(project):
    file = project / "children"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def wanted(method="steps", **values):
    return TrainRequest(method=method, preset="fast", **values)


def run_of(project, run_id):
    return RunFolder(project / "runs" / run_id)


def test_a_child_waits_with_its_devices(trainer, project, wait_for):
    trainer.prepare(project)
    wait_for("prepared")
    assert trainer.heard.last("devices_changed") == [("cpu", "cuda")]
    assert not trainer.is_training
    trainer.prepare(project)
    assert len(children(project)) == 1


def test_readiness_comes_as_a_report(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.ask_readiness()
    assert wait_for("readiness_changed") == [
        ReadinessReport(
            summary="3 partial masks on 1 image.",
            methods={
                "baseline": MethodReadiness(ready=False, problems=("No full mask.",)),
                "recursive_approximation": MethodReadiness(ready=True, notices=("a.",)),
            },
            recommended="recursive_approximation",
            reason="It grows partial masks.",
        )
    ]


def test_readiness_is_told_for_the_settings_that_were_asked_last(
    trainer, project, wait_for
):
    trainer.prepare(project)
    wait_for("prepared")
    trainer.ask_readiness(wanted(values={"patch": 8}))
    (report,) = wait_for("readiness_changed")
    found = MethodReadiness(ready=False, problems=("patch is wrong.",), notices=("b.",))
    assert report.asked == ("steps", found)
    for n in range(1, 50):
        trainer.ask_readiness(wanted(values={f"levels{n}": 8}))
    wait_for("readiness_changed", 3)
    (report,) = trainer.heard.last("readiness_changed")
    assert report.asked[1].problems == ("levels49 is wrong.",)


def test_questions_that_pile_up_become_one(trainer, project, wait_for, qtbot):
    trainer.prepare(project)
    for _ in range(50):
        trainer.ask_readiness()
    wait_for("readiness_changed", 2)
    assert (project / "asked").read_text().count("readiness") == 2


def test_a_run_is_told_from_its_first_event_to_its_last(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted(values={"steps": 4}, seed=3, device="cpu"))
    assert trainer.is_training
    (run_id,) = wait_for("started")
    assert trainer.run_id == run_id
    assert run_of(project, run_id).info.settings == {"steps": 4}
    assert wait_for("ended") == [
        "done",
        "The training is done after 200 steps, validation Dice 0.500.",
    ]
    assert trainer.heard.events[0] == (Noticed(message="Few labels."),)
    assert trainer.heard.steps() == list(range(1, 201))
    assert not trainer.is_training
    wait_for("prepared", 2)


def test_a_run_asked_for_during_the_import_begins_after_it(trainer, project, wait_for):
    (project / "importing").touch()
    trainer.prepare(project)
    trainer.train(wanted())
    assert trainer.is_training
    assert trainer.heard.all == []
    (project / "importing").unlink()
    wait_for("started")


def test_a_stop_during_the_import_is_obeyed_at_once(trainer, project, wait_for):
    (project / "importing").touch()
    trainer.prepare(project)
    trainer.train(wanted())
    trainer.stop()
    assert trainer.heard.all == [("refused", "Stopped before the training began.")]
    (project / "importing").unlink()
    wait_for("prepared")
    assert not (project / "runs").exists()


def test_a_stop_before_the_answer_stops_the_run(trainer, project, wait_for):
    trainer.prepare(project)
    wait_for("prepared")
    trainer.train(wanted())
    trainer.stop()
    assert wait_for("ended")[0] == "stopped"


def test_a_refusal_is_a_sentence_and_the_child_goes_on(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted("nonsense"))
    assert wait_for("refused") == ["No method nonsense."]
    assert not trainer.is_training
    trainer.train(wanted())
    wait_for("started")
    assert len(children(project)) == 1


def test_only_one_run_trains_at_a_time(trainer, project, wait_for):
    trainer.train(wanted())
    assert wait_for("refused") == ["No project is open. Open one, then train."]
    trainer.prepare(project)
    trainer.train(wanted())
    trainer.train(wanted())
    assert wait_for("refused", 2) == [
        "A training is going on. Stop it, then start another."
    ]
    wait_for("started")
    assert trainer.heard.count("started") == 1


def test_a_stopped_run_goes_on_where_it_was(trainer, project, wait_for, qtbot):
    trainer.prepare(project)
    trainer.train(wanted())
    (run_id,) = wait_for("started")
    qtbot.waitUntil(lambda: len(trainer.heard.steps()) > 20, timeout=QUICK)
    trainer.stop()
    how, sentence = wait_for("ended")
    n = trainer.heard.steps()[-1]
    assert (how, sentence) == (
        "stopped",
        f"The training was stopped at step {n}. The best so far is kept; Resume goes "
        "on from there.",
    )
    trainer.heard.events.clear()
    trainer.resume(run_id)
    assert wait_for("started", 2) == [run_id]
    assert wait_for("ended", 2)[0] == "done"
    assert trainer.heard.steps() == list(range(1, 201))
    resumed = [
        e.resumed_at
        for some in trainer.heard.events
        for e in some
        if isinstance(e, RunStarted)
    ]
    assert resumed == [0, n]


def test_the_image_that_is_looked_at_outlives_a_stop(trainer, project, wait_for, qtbot):
    trainer.look_at("a")
    trainer.prepare(project)
    trainer.train(wanted("deaf"))
    run = run_of(project, *wait_for("started"))
    qtbot.waitUntil(lambda: run.control() == Control(current_image="a"), timeout=QUICK)
    trainer.stop()
    trainer.look_at("b")
    both = Control(current_image="b", stop=True)
    qtbot.waitUntil(lambda: run.control() == both, timeout=QUICK)


def test_a_run_that_does_not_stop_is_ended(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted("deaf"))
    run = run_of(project, *wait_for("started"))
    trainer.stop()
    assert wait_for("ended") == [
        "stopped",
        "The training did not stop within 1 s and was ended. The last checkpoint "
        "counts; Resume goes on from step 3.",
    ]
    assert not is_locked(run.path)


def test_a_stop_that_was_overwritten_is_asked_again(trainer, project, wait_for, qtbot):
    trainer.prepare(project)
    trainer.train(wanted("deaf"))
    run = run_of(project, *wait_for("started"))
    trainer.stop()
    qtbot.waitUntil(lambda: run.control().stop, timeout=QUICK)
    run.set_control(Control())
    qtbot.waitUntil(lambda: run.control().stop, timeout=QUICK)


def test_a_failure_is_the_sentence_of_the_run(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted("fails"))
    assert wait_for("ended") == ["failed", "No memory. Do this."]


def test_a_killed_training_is_a_sentence_with_a_way_on(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted("dies"))
    assert wait_for("ended") == [
        "failed",
        "The training ended without a word (it may have been killed or run out of "
        "memory). Nothing is lost: Resume goes on from step 3.",
    ]
    trainer.resume(trainer.run_id)
    assert wait_for("ended", 2)[0] == "done"


def test_a_child_that_cannot_begin_refuses_with_its_reason(trainer, project, wait_for):
    (project / "broken").touch()
    trainer.prepare(project)
    trainer.train(wanted())
    assert wait_for("refused") == [
        "The process that trains ended before it could begin: OSError: no torch here. "
        "Try again."
    ]
    trainer.ask_readiness()
    (report,) = wait_for("readiness_changed")
    assert "no torch here" in report.summary
    assert report.methods == {}
    (project / "broken").unlink()
    trainer.train(wanted())
    wait_for("started")


def test_a_program_that_is_not_there_is_a_sentence(qtbot, project):
    trainer = Trainer(mtseg=("no-such-program",))
    heard = Heard(trainer)
    trainer.prepare(project)
    trainer.train(wanted())
    qtbot.waitUntil(lambda: heard.count("refused") == 1, timeout=QUICK)
    assert "'no-such-program' could not be started" in heard.last("refused")[0]
    trainer.release()


def test_a_training_outlives_the_window_and_is_found_again(
    trainer, project, wait_for, qtbot
):
    trainer.prepare(project)
    trainer.train(wanted("deaf"))
    (run_id,) = wait_for("started")
    qtbot.waitUntil(lambda: len(trainer.heard.steps()) > 5, timeout=QUICK)
    trainer.release()
    assert is_locked(run_of(project, run_id).path)
    assert training_run(project) == run_id

    trainer.heard.events.clear()
    trainer.prepare(project)
    assert trainer.watch(run_id)
    assert trainer.is_training
    wait_for("started", 2)
    qtbot.waitUntil(lambda: len(trainer.heard.events) > 1, timeout=QUICK)
    assert isinstance(trainer.heard.events[0][0], RunStarted)
    steps = trainer.heard.steps()
    assert steps == list(range(1, len(steps) + 1))
    owner = json.loads((run_of(project, run_id).path / OWNER_FILE).read_text())
    assert owner["pid"] in children(project)
    trainer.stop()
    assert wait_for("ended")[0] == "stopped"
    assert not trainer.watch(run_id)
    assert training_run(project) is None


def test_a_window_that_closes_on_a_stop_still_stops_the_run(trainer, project, wait_for):
    trainer.prepare(project)
    trainer.train(wanted("deaf"))
    (run_id,) = wait_for("started")
    trainer.stop()
    trainer.release()
    assert run_of(project, run_id).control().stop


def test_another_project_ends_the_idle_child_of_the_first(
    trainer, project, wait_for, tmp_path
):
    trainer.prepare(project)
    wait_for("prepared")
    other = tmp_path / "other.mtseg"
    other.mkdir()
    trainer.prepare(other)
    assert not psutil.pid_exists(children(project)[0])
    wait_for("prepared", 2)


def test_a_child_that_was_ended_is_replaced_on_demand(trainer, project, wait_for):
    trainer.prepare(project)
    wait_for("prepared")
    trainer.kill_idle()
    assert not psutil.pid_exists(children(project)[0])
    trainer.ask_readiness()
    wait_for("readiness_changed")


def test_nothing_waits_for_a_child(trainer, project, wait_for):
    trainer.prepare(project)
    wait_for("prepared")
    trainer.train(wanted("deaf"))
    wait_for("started")
    began = perf_counter()
    trainer.look_at("a")
    trainer.stop()
    trainer.look_at("b")
    assert perf_counter() - began < 0.05


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files")
def test_ten_starts_and_stops_leave_nothing_behind(qtbot, project):
    trainer = Trainer(mtseg=MTSEG, pace=PACE, next_child_after=0.1)
    heard = Heard(trainer)

    def cycle(n):
        trainer.prepare(project)
        trainer.train(wanted())
        qtbot.waitUntil(lambda: heard.count("started") == n, timeout=QUICK)
        trainer.stop()
        qtbot.waitUntil(lambda: heard.count("ended") == n, timeout=QUICK)
        trainer.release()

    others = set(psutil.Process().children())

    def none_is_left():
        return set(psutil.Process().children()) <= others

    def files_and_threads():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    cycle(1)
    qtbot.waitUntil(none_is_left, timeout=QUICK)
    n_files, n_threads = files_and_threads()
    for n in range(2, 12):
        cycle(n)
    qtbot.waitUntil(none_is_left, timeout=QUICK)
    qtbot.waitUntil(lambda: threading.active_count() <= n_threads, timeout=QUICK)
    assert files_and_threads() == (n_files, n_threads)
    assert not any(map(psutil.pid_exists, children(project)))


@pytest.mark.slow
def test_the_real_child_trains_stops_resumes_and_survives_a_kill(qtbot, tmp_path):
    project = disc_project(tmp_path)
    trainer = Trainer(next_child_after=0.5)
    heard = Heard(trainer)
    minute = 60_000

    def wait(name, count=1):
        qtbot.waitUntil(lambda: heard.count(name) >= count, timeout=minute)
        return heard.last(name)

    trainer.prepare(project.path)
    trainer.ask_readiness()
    (report,) = wait("readiness_changed")
    assert report.methods[report.recommended].ready
    assert "cpu" in heard.last("devices_changed")[0]
    trainer.train(wanted("nonsense"))
    assert "nonsense" in wait("refused")[0]

    values = {**TINY, "steps": 5000, "checkpoint_every": 10}
    trainer.train(wanted("baseline", values=values, device="cpu"))
    (run_id,) = wait("started")
    qtbot.waitUntil(lambda: len(heard.steps()) > 20, timeout=minute)
    began = perf_counter()
    trainer.stop()
    assert wait("ended")[0] == "stopped"
    assert perf_counter() - began < 2

    trainer.resume(run_id)
    wait("started", 2)
    n_before = len(heard.steps())
    qtbot.waitUntil(lambda: len(heard.steps()) > 2 * n_before, timeout=minute)
    owner = json.loads((run_of(project.path, run_id).path / OWNER_FILE).read_text())
    psutil.Process(owner["pid"]).kill()
    how, sentence = wait("ended", 2)
    assert how == "failed"
    assert "Nothing is lost: Resume goes on from step" in sentence

    trainer.resume(run_id)
    wait("started", 3)
    trainer.stop()
    assert wait("ended", 3)[0] == "stopped"
    trainer.release()
