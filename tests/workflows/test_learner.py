"""What learns: optimisers, an adversary, and checkpoints kept for an ensemble."""

import pytest
import tifffile
import torch

from napari_mtseg.domain.events import StepFinished
from napari_mtseg.methods.catalog import load_method, settings_of
from napari_mtseg.methods.protocol import Task
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.learner import Learner
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import kept_steps, train
from tests.tiny_projects import TINY, disc_image, disc_project

ADVERSARY = {
    **TINY,
    "steps": 6,
    "adversary_channels": 2,
    "passes": 2,
    "dropout": 0.2,
    "adversary": "geman_mcclure",
}


def project_with_unpainted(folder):
    """Return a project of one fully masked image and one without any paint."""
    project = disc_project(folder, n_images=1, full=1)
    file = folder / "unpainted.tif"
    tifffile.imwrite(file, disc_image(7, ndim=2, n_discs=1)[0])
    project.add_image(file, split="train")
    return project


def started(project, method="cross_task", **values) -> RunFolder:
    run, _ = start_run(project, method, values, device="cpu")
    return run


def last_tensors(run):
    return load_checkpoint(run.checkpoint("last"))[0]


def test_an_adversary_learns_beside_the_network_and_is_saved_with_it(tmp_path):
    project = project_with_unpainted(tmp_path)
    run = started(project, **ADVERSARY)
    events = [e for e in train(project, run) if isinstance(e, StepFinished)]
    assert {"adversary", "misleading"} <= set(events[-1].losses)
    saved = last_tensors(run)
    assert any(name.startswith("adversary.") for name in saved)
    assert any(name.startswith("adversary_adam.exp_avg.") for name in saved)
    predicting = load_checkpoint(run.checkpoint("best"))[0]
    assert not any(name.startswith("adversary") for name in predicting)


def test_the_adversary_moves_away_from_where_it_was_drawn(tmp_path):
    project = project_with_unpainted(tmp_path)
    run = started(project, **ADVERSARY)
    list(train(project, run))
    settings = settings_of("cross_task", preset_name="fast", ndim=2, values=ADVERSARY)
    method = load_method("cross_task")(
        settings, Task(n_channels=1, n_classes=1, spacing=(1.0, 1.0))
    )
    drawn = Learner(method, seed=0, device=torch.device("cpu"), total_steps=6).tensors()
    learned = last_tensors(run)
    moved = [
        not torch.equal(drawn[name], learned[name])
        for name in drawn
        if name.startswith("adversary.") and name.endswith("weight")
    ]
    assert moved
    assert all(moved)


@pytest.mark.parametrize(
    "values", [ADVERSARY, {**ADVERSARY, "optimizer": "adam", "teacher": True}]
)
def test_a_stopped_training_with_an_adversary_goes_on_as_if_it_had_not_been(
    tmp_path, values
):
    project = project_with_unpainted(tmp_path)
    whole, cut = started(project, **values), started(project, **values)
    list(train(project, whole))
    begun = train(project, cut)
    for event in begun:
        if isinstance(event, StepFinished) and event.step == 3:
            break
    begun.close()
    list(train(project, cut))
    expected, found = last_tensors(whole), last_tensors(cut)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_momentum_of_plain_descent_is_saved(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    run = started(project, "baseline", **{**TINY, "steps": 2, "optimizer": "sgd"})
    list(train(project, run))
    saved = last_tensors(run)
    assert any(name.startswith("sgd.momentum_buffer.") for name in saved)
    assert not any(name.startswith("adam.") for name in saved)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [1, 1, 1, 1]),
        ("stepped", [1, 1, 0.1, 0.01]),
        ("cosine", [1, 0.5782, 0.5, 0.0432]),
    ],
)
def test_the_learning_rate_follows_its_schedule(schedule, rates):
    settings = settings_of(
        "baseline",
        preset_name="fast",
        ndim=2,
        values={**TINY, "schedule": schedule, "learning_rate": 1.0},
    )
    task = Task(n_channels=1, n_classes=1, spacing=(1.0, 1.0))
    learner = Learner(
        load_method("baseline")(settings, task),
        seed=0,
        device=torch.device("cpu"),
        total_steps=6000,
    )
    shares = (0.0, 0.45 if schedule == "cosine" else 0.4, 0.5, 0.8667)
    found = [learner._learning_rate(share) for share in shares]
    assert found == pytest.approx(rates, abs=1e-3)


def test_checkpoints_are_kept_evenly_over_the_last_third():
    assert kept_steps(300, 3) == (233, 267, 300)
    assert kept_steps(300, 1) == (300,)
    assert kept_steps(300, 0) == ()
    assert kept_steps(9, 3) == (7, 8, 9)
    assert kept_steps(2, 3) == (2,)


def test_kept_checkpoints_hold_what_predicts(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    run = started(project, "baseline", **{**TINY, "steps": 9, "kept_checkpoints": 3})
    list(train(project, run))
    assert run.kept_checkpoints() == ("kept-01", "kept-02", "kept-03")
    kept = [load_checkpoint(run.checkpoint(name)) for name in run.kept_checkpoints()]
    assert [state["step"] for _, state in kept] == [7, 8, 9]
    best = load_checkpoint(run.checkpoint("best"))[0]
    last = kept[-1][0]
    assert last.keys() == best.keys()
    assert all(torch.equal(last[name], best[name]) for name in best)
    first = kept[0][0]
    assert any(not torch.equal(first[name], best[name]) for name in best)
