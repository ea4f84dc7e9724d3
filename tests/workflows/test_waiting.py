"""The child that waits for a run: what it answers, and how a training ends."""

import json

import pytest

from napari_mtseg.domain.errors import MemoryShortageError, ProjectError, RunError
from napari_mtseg.domain.events import (
    RunStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
)
from napari_mtseg.storage.run_folder import Control, find_run, runs_of
from napari_mtseg.workflows import waiting
from napari_mtseg.workflows.waiting import (
    AskedRun,
    asked_run,
    ready,
    train_to_the_end,
    why_it_failed,
)
from tests.tiny_projects import TINY, disc_project
from tests.tiny_run import tiny_run

VALUES = {**TINY, "steps": 2}
TRAIN = {
    "ask": "train",
    "method": "baseline",
    "preset": "fast",
    "values": VALUES,
    "seed": 3,
    "device": "cpu",
    "parent": None,
}


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path)


def spoken(project, *requests):
    """Return the run that was asked for, and the answers."""
    lines = [r if isinstance(r, str) else json.dumps(r) for r in requests]
    answers = []
    asked = asked_run(project.path, lines, answers.append)
    return asked, json.loads(json.dumps(answers))


# --- Answers -------------------------------------------------------------------


def test_the_first_answer_names_the_devices():
    answer = ready()
    assert answer["answer"] == "ready"
    assert answer["devices"][0] == "cpu"


def test_readiness_is_told_as_often_as_it_is_asked(project):
    asked, answers = spoken(project, *[{"ask": "readiness"}] * 2)
    assert asked is None
    assert answers[0] == answers[1]
    assert answers[0].keys() == {
        "answer", "summary", "methods", "recommended", "reason",
    }  # fmt: skip
    assert answers[0]["answer"] == "readiness"
    assert answers[0]["methods"]["baseline"] == {
        "ready": True,
        "problems": [],
        "notices": [],
    }


def test_settings_that_cannot_be_trained_are_told_with_the_readiness(project):
    run = {"method": "high_resolution", "values": {"pathway": 4, "levels": 3}}
    wrong = {**run, "values": {"levels": 0}}
    fine = {"method": "baseline"}
    requests = [{"ask": "readiness", "run": asked} for asked in (run, wrong, fine)]
    _, answers = spoken(project, *requests)
    assert all(answer["methods"]["high_resolution"]["ready"] for answer in answers)
    asked = [answer["asked"] for answer in answers]
    assert [found["ready"] for found in asked] == [False, False, True]
    assert asked[0]["method"] == "high_resolution"
    assert "levels is 3" in asked[0]["problems"][0]
    assert "'levels' is 0" in asked[1]["problems"][0]


def test_a_method_that_is_not_ready_says_why(tmp_path):
    _, (answer,) = spoken(disc_project(tmp_path, painted=False), {"ask": "readiness"})
    found = answer["methods"]["recursive_approximation"]
    assert not found["ready"]
    assert found["problems"][0].startswith("Nothing is painted on the training images.")


def test_a_run_is_made_and_no_further_request_is_read(project):
    asked, answers = spoken(project, TRAIN, {"ask": "readiness"})
    run = find_run(project.path, None)
    assert answers == [{"answer": "run", "run": run.path.name, "notices": []}]
    assert asked.run.path == run.path
    assert (run.info.seed, run.info.settings["steps"]) == (3, 2)


def test_the_notices_of_a_run_come_with_it(tmp_path):
    project = disc_project(tmp_path, full=3)
    request = {**TRAIN, "method": "recursive_approximation", "values": TINY}
    asked, (answer,) = spoken(project, request)
    assert answer["notices"][0].startswith("No partial masks are painted:")
    assert asked.notices == tuple(answer["notices"])


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            "learn!",
            "The request 'learn!' is not JSON. Send one JSON object per line.",
        ),
        (
            "[1]",
            "The request '[1]' asks for nothing that is known. Its 'ask' must be one "
            "of: readiness, train, resume.",
        ),
        (
            "{}",
            "The request '{}' asks for nothing that is known. Its 'ask' must be one "
            "of: readiness, train, resume.",
        ),
        (
            {**TRAIN, "method": "magic"},
            "There is no method 'magic'. Choose one of: recursive_approximation, "
            "task_decomposition, joint_shape, high_resolution, cross_task, baseline.",
        ),
        ({"ask": "resume"}, "The request to resume names no run. Add 'run'."),
        (
            {"ask": "resume", "run": "first"},
            "'discs.mtseg' has no run yet, so none of the name 'first'. Start one "
            "with 'mtseg train discs.mtseg'.",
        ),
    ],
)
def test_a_bad_request_is_refused_and_the_next_one_answered(
    project, request_, sentence
):
    _, answers = spoken(project, request_, "", {"ask": "readiness"})
    assert answers[0] == {"answer": "refused", "message": sentence}
    assert answers[1]["answer"] == "readiness"


@pytest.mark.parametrize(
    "changed",
    [{"ask": "train"}, {**TRAIN, "seed": "x"}, {**TRAIN, "values": {"steps": -1}}],
)
def test_a_run_that_cannot_be_is_refused(project, changed):
    _, answers = spoken(project, changed)
    assert [a["answer"] for a in answers] == ["refused"]
    assert runs_of(project.path) == ()


def test_too_little_paint_is_refused_with_the_sentences_of_mtseg_train(tmp_path):
    _, (answer,) = spoken(disc_project(tmp_path, painted=False), TRAIN)
    assert answer["message"] == (
        "Nothing is painted on the training images. Paint at least one object and "
        "some background."
    )


def test_a_stopped_run_is_resumed_without_its_wish_to_stop(project):
    run = tiny_run(project)
    run.set_control(Control(stop=True, current_image="a"))
    asked, (answer,) = spoken(project, {"ask": "resume", "run": run.path.name})
    assert answer == {"answer": "run", "run": run.path.name, "notices": []}
    assert asked.run.control() == Control(current_image="a")


def test_a_run_that_trains_already_is_not_resumed_and_goes_on(project):
    run = tiny_run(project)
    run.set_control(Control(stop=True))
    with run.lock():
        asked, (answer,) = spoken(project, {"ask": "resume", "run": run.path.name})
    assert asked is None
    assert "is already being written by process" in answer["message"]
    assert run.control().stop


# --- Training ------------------------------------------------------------------


def asked_for(project, **values) -> AskedRun:
    asked, _ = spoken(project, {**TRAIN, "values": {**VALUES, **values}})
    return asked


def failing(monkeypatch, asked, error, *, after=()):
    """Train; ``error`` comes after some events. Return what was said and recorded."""
    said = []

    def broken(_project, run):
        for event in after:
            run.append(event)
            yield event
        raise error

    monkeypatch.setattr(waiting, "train", broken)
    with pytest.raises(type(error)):
        train_to_the_end(asked, said.append)
    return said, asked.run.events()


def test_what_happens_in_a_training_is_said(project):
    asked, said = asked_for(project), []
    noted = AskedRun(project=asked.project, run=asked.run, notices=("Mind the gap.",))
    train_to_the_end(noted, said.append)
    name = asked.run.path.name
    assert said[:2] == [
        "note: Mind the gap.",
        f"run {name}: baseline, 2 steps on cpu",
    ]
    assert said[-1] == "done at step 2"
    assert isinstance(asked.run.events()[-1], TrainingFinished)


BEGUN = (
    RunStarted(method="baseline", total_steps=2, device="cpu", resumed_at=0),
    StepFinished(step=1, of=2, losses={"total": 1.0}, seconds=0.1),
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            KeyError("nucleus"),
            "The training stopped because of an error in the program: KeyError: "
            "'nucleus'. See the log.",
        ),
        (
            MemoryError(),
            "The memory ran out. Close other programs and resume this run, or start "
            "a new one with a smaller patch or batch_size.",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"),
            "The memory ran out. Close other programs and resume this run, or start "
            "a new one with a smaller patch or batch_size.",
        ),
        (
            KeyboardInterrupt(),
            "The training was interrupted. Resume the run to go on.",
        ),
        (RunError("No snapshot."), "No snapshot."),
    ],
)
def test_whatever_goes_wrong_is_the_last_event(monkeypatch, project, error, sentence):
    said, recorded = failing(monkeypatch, asked_for(project), error, after=BEGUN)
    assert recorded == (*BEGUN, TrainingFailed(step=1, message=sentence))
    assert said[-1] == sentence


def test_a_failure_before_the_first_event_is_recorded_too(monkeypatch, project):
    _, recorded = failing(monkeypatch, asked_for(project), ValueError("two\nlines"))
    message = (
        "The training stopped because of an error in the program: ValueError: two "
        "lines. See the log."
    )
    assert recorded == (TrainingFailed(step=0, message=message),)


def test_a_failure_that_the_training_told_itself_is_not_told_twice(project):
    asked = asked_for(project)
    (project.path.parent / "disc_0.tif").unlink()
    with pytest.raises(Exception, match=r"'disc_0\.tif' is missing"):
        train_to_the_end(asked, lambda _text: None)
    assert [type(event) for event in asked.run.events()] == [TrainingFailed]


def test_the_same_failure_after_resuming_is_told_again(project):
    asked = asked_for(project)
    asked.run.snapshot_file.unlink()
    for n_failures in (1, 2):
        with pytest.raises(RunError, match=r"has no snapshot\.json"):
            train_to_the_end(asked, lambda _text: None)
        failed = [isinstance(e, TrainingFailed) for e in asked.run.events()]
        assert failed == [True] * n_failures


def test_a_run_that_somebody_else_trains_is_left_alone(project):
    asked = asked_for(project)
    with asked.run.lock(), pytest.raises(ProjectError):
        train_to_the_end(asked, lambda _text: None)
    assert asked.run.events() == ()


def test_a_shortage_that_is_known_before_has_its_own_sentence():
    assert why_it_failed(MemoryShortageError("Cut it.")) == "Cut it."
