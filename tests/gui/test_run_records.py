import pytest

from napari_mtseg.domain.events import (
    RunStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
    ValidationFinished,
)
from napari_mtseg.gui.run_records import (
    RunReader,
    RunRecord,
    differing_settings,
    estimated_seconds,
)
from napari_mtseg.storage.run_folder import new_run_folder

STARTED = RunStarted(method="baseline", total_steps=40, device="cpu", resumed_at=0)
FAILED = TrainingFailed(step=2, message="The disk is full. Free some of it.")


def ended(reason):
    return TrainingFinished(step=2, reason=reason, metrics={})


def step(n, seconds=1.0):
    return StepFinished(step=n, of=40, losses={"total": 1.0}, seconds=seconds)


def made_run(folder, *events):
    info = {
        "method": "baseline",
        "settings": {"steps": 40},
        "seed": 0,
        "device": "cpu",
        "versions": {},
    }
    run = new_run_folder(folder, info)
    for event in events:
        run.append(event)
    return run


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([STARTED, step(1), step(2), ended("done")], "done"),
        ([STARTED, step(1), ended("stopped")], "stopped"),
        ([STARTED, step(1), ended("stopped"), STARTED, step(2)], "cut off"),
        ([STARTED, step(1), FAILED], "failed"),
        ([STARTED, step(1)], "cut off"),
        ([], "cut off"),
    ],
)
def test_how_a_run_ended_is_known(tmp_path, events, outcome):
    made_run(tmp_path, *events)
    (record,) = RunReader().records(tmp_path)
    assert record.outcome == outcome


def test_a_record_tells_score_steps_and_pace(tmp_path):
    best = ValidationFinished(step=1, metrics={"score": 0.8}, is_best=True)
    worse = ValidationFinished(step=2, metrics={"score": 0.7}, is_best=False)
    events = [STARTED, step(1, seconds=90), best, step(2, seconds=3), worse]
    made_run(tmp_path, *events)
    (record,) = RunReader().records(tmp_path)
    assert (record.score, record.n_steps, record.total_steps) == (0.8, 2, 40)
    assert record.seconds_per_step == 3
    assert record.curves["score"].y == [0.8, 0.7]
    assert record.title == "Plain U-Net"


def test_damaged_runs_say_so_and_hide_no_other(tmp_path):
    first = made_run(tmp_path, STARTED, step(1))
    (first.path / "run.json").write_text("{")
    second = made_run(tmp_path, STARTED, step(1))
    second.events_file.write_bytes(b"\xff\x00 no event\n")
    newest, oldest = RunReader().records(tmp_path)
    assert (newest.outcome, newest.n_steps) == ("cut off", 0)
    assert oldest.outcome == "damaged"
    assert "run.json" in oldest.message


def test_a_run_that_trains_is_read_anew_and_others_are_not(tmp_path):
    run = made_run(tmp_path, STARTED, step(1))
    reader = RunReader()
    (first,) = reader.records(tmp_path)
    assert reader.records(tmp_path)[0] is first
    with run.lock():
        assert reader.records(tmp_path)[0].outcome == "training"
    run.append(step(2))
    assert reader.records(tmp_path)[0].n_steps == 2


def record(**facts):
    return RunRecord(**{"id": "r", "method": "baseline", "outcome": "done", **facts})


def test_settings_that_differ_are_found():
    first = record(settings={"steps": 40, "flip": True, "rate": 1e-3}, device="cpu")
    second = record(settings={"steps": 80, "flip": True}, device="cpu", seed=3)
    assert differing_settings([first, second]) == {
        "seed": ("0", "3"),
        "steps": ("40", "80"),
        "rate": ("0.001", "-"),
    }


def test_a_duration_comes_from_the_newest_run_of_the_same_size():
    settings = {"steps": 40, "levels": 2, "rate": 0.1}
    units = {"steps": "steps", "levels": "levels", "rate": ""}
    other_rate = {**settings, "rate": 0.2}
    larger = {**settings, "levels": 5}
    runs = [
        record(settings=larger, total_steps=40, seconds_per_step=9.0),
        record(settings=settings, method="other", total_steps=40, seconds_per_step=9.0),
        record(settings=settings, total_steps=40),
        record(settings=other_rate, total_steps=40, seconds_per_step=2.0),
    ]
    facts = {"method": "baseline", "settings": settings, "units": units}
    assert estimated_seconds(runs, **facts) == 80
    assert estimated_seconds(runs[:3], **facts) is None
