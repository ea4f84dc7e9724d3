from datetime import UTC, datetime

import numpy as np
import pytest

from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.domain.events import Noticed, StepFinished
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.run_folder import (
    Control,
    RunFolder,
    find_run,
    new_run_folder,
    runs_of,
)
from napari_mtseg.storage.write import write_json

STARTED_WITH = {
    "method": "baseline",
    "settings": {"steps": 4},
    "seed": 3,
    "device": "cpu",
    "versions": {"python": "3.11"},
}
EVENTS = (
    Noticed(message="a"),
    StepFinished(step=1, of=2, losses={"total": 1.0}, seconds=0.5),
    Noticed(message="b"),
)


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "cells.mtseg"
    path.mkdir()
    return path


@pytest.fixture
def run(project):
    return new_run_folder(project, STARTED_WITH)


def test_a_run_remembers_what_it_was_started_with(run):
    info = RunFolder(run.path).info
    assert info.id == run.path.name
    assert (info.method, info.settings, info.seed) == ("baseline", {"steps": 4}, 3)
    assert info.parent is None
    age = datetime.now(UTC) - datetime.fromisoformat(info.created)
    assert abs(age.total_seconds()) < 60


def test_runs_of_one_second_are_in_the_order_of_their_start(project):
    methods = ["z", "a", "m", "a", *"bcdefghijkl"]
    runs = [new_run_folder(project, {**STARTED_WITH, "method": m}) for m in methods]
    assert [r.path for r in runs_of(project)] == [r.path for r in runs]
    assert find_run(project, None).path == runs[-1].path


def test_a_run_that_another_process_made_meanwhile_is_not_taken(project, monkeypatch):
    first = new_run_folder(project, STARTED_WITH)
    monkeypatch.setattr(type(project), "glob", lambda *args: iter(()))
    second = new_run_folder(project, STARTED_WITH)
    assert first.path != second.path


def test_a_run_is_found_by_its_name(project, run):
    assert find_run(project, run.path.name).path == run.path


def test_a_run_that_is_not_there_is_one_sentence(project, run):
    with pytest.raises(RunError) as caught:
        find_run(project, "x")
    assert str(caught.value) == (
        f"'cells.mtseg' has no run 'x'. Its runs: {run.path.name}."
    )


def test_a_project_without_runs_is_one_sentence(project):
    with pytest.raises(RunError) as caught:
        find_run(project, None)
    assert str(caught.value) == (
        "'cells.mtseg' has no run yet. Start one with 'mtseg train cells.mtseg'."
    )
    with pytest.raises(RunError) as caught:
        find_run(project, "x")
    assert str(caught.value) == (
        "'cells.mtseg' has no run yet, so none of the name 'x'. Start one with "
        "'mtseg train cells.mtseg'."
    )


def test_a_folder_that_is_no_run_is_one_sentence(project):
    with pytest.raises(RunError) as caught:
        _ = RunFolder(project / "runs" / "x").info
    assert str(caught.value) == (
        "There is no run 'x' in 'cells.mtseg'. List the runs with 'mtseg project info'."
    )


def test_a_damaged_run_file_is_one_sentence_that_names_it(run):
    write_json(run.path / "run.json", {"id": "x"})
    with pytest.raises(ProjectError, match=r"run\.json' is damaged.*'method' is miss"):
        _ = run.info


def test_control_is_empty_until_somebody_wishes_something(run):
    assert run.control() == Control()
    run.set_control(Control(stop=True, current_image="a"))
    assert run.control() == Control(stop=True, current_image="a")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b'{"stop": "x"}', b"\xff\x00", b'{"halt": 1}']
)
def test_a_damaged_control_file_never_disturbs_the_training(run, content):
    (run.path / "control.json").write_bytes(content)
    assert run.control() == Control()


def test_events_come_back_in_order(run):
    assert run.events() == ()
    for event in EVENTS:
        run.append(event)
    assert run.events() == EVENTS


@pytest.mark.parametrize("cut", [b'{"event":"noti', b"\x00\x00\x00", b"\xff\xfe{"])
def test_a_line_that_a_crash_cut_off_is_passed_over(run, cut):
    run.append(EVENTS[0])
    with run.events_file.open("ab") as file:
        file.write(cut)
    assert run.events() == EVENTS[:1]
    for event in EVENTS[1:]:
        run.append(event)
    assert run.events() == EVENTS


def test_events_can_be_taken_back(run):
    for event in EVENTS:
        run.append(event)
    run.rewrite_events(EVENTS[:2])
    assert run.events() == EVENTS[:2]


@pytest.mark.parametrize("shape", [(5, 6), (3, 5, 6), (1, 5, 6), (5, 6, 3), (5, 6, 4)])
def test_grown_labels_come_back(run, shape):
    objects = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    objects.flat[-1] = 2**32 - 1
    assert run.save_grown(3, "a", objects) == "grown/003/a.tif"
    found = run.load_grown(3, "a")
    assert found is not None
    assert found.dtype == np.uint32
    assert np.array_equal(found, objects)
    assert run.load_grown(2, "a") is None


def test_the_last_growth_is_known(run):
    assert run.last_iteration() == 0
    for iteration in (0, 2, 10):
        run.save_grown(iteration, "a", np.ones((2, 2), np.uint32))
    (run.path / "grown" / "99.tmp").mkdir()
    assert run.last_iteration() == 10


def test_damaged_grown_labels_are_one_sentence(run):
    run.save_grown(1, "a", np.ones((2, 2), np.uint32))
    file = run.path / "grown" / "001" / "a.tif"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(RunError, match=r"a\.tif' are damaged .* Start a new run"):
        run.load_grown(1, "a")


def test_a_preview_is_read_without_running_code(run):
    maps = {"classes": np.ones((2, 3), np.uint8)}
    assert run.save_preview("a", maps) == "previews/a.npz"
    with np.load(run.path / "previews" / "a.npz", allow_pickle=False) as found:
        assert found.files == ["classes"]
        assert np.array_equal(found["classes"], maps["classes"])


def test_the_lock_says_that_the_training_lives(run):
    assert not is_locked(run.path)
    with run.lock():
        assert is_locked(run.path)
        with pytest.raises(ProjectError, match=rf"\(run {run.path.name}\) is already"):
            RunFolder(run.path).lock().acquire()
    assert not is_locked(run.path)


def test_every_file_of_a_run_lies_inside_its_folder(run):
    for path in (run.snapshot_file, run.events_file, run.checkpoint("last")):
        assert path.is_relative_to(run.path)
    assert run.checkpoint("best").name == "best.safetensors"
