from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mtseg.domain.errors import ModelError, MtsegError, RunError
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.storage.checkpoint import load_checkpoint, save_checkpoint
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.ensemble import member_called
from napari_mtseg.workflows.export import export_model
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.runs import task_of
from napari_mtseg.workflows.trained_model import Source
from napari_mtseg.workflows.uncertainty_source import UncertaintySource
from tests.tiny_run import tiny_project, tiny_run

DROPOUT = UncertaintySource("dropout", passes=3)
ENSEMBLE = UncertaintySource("ensemble")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return tiny_project(tmp_path)


def keep_checkpoints(project: Project, run: RunFolder, n: int) -> None:
    """Give a run checkpoints of drawn weights."""
    facts = run.info
    settings = settings_model(facts.method).checked(facts.settings)
    method = load_method(facts.method)(settings, task_of(project, project.images))
    for number in range(1, n + 1):
        with seeded(100 + number):
            tensors = method.network().state_dict()
        save_checkpoint(run.checkpoint(f"kept-{number}"), tensors, {})


def load(source: Source, *members: Source) -> Model:
    return load_model(
        source, uncertainty=UncertaintySource("ensemble", members=members)
    )


def refused(kind: type[MtsegError], source: Source, how: UncertaintySource) -> str:
    with pytest.raises(kind) as caught:
        load_model(source, uncertainty=how)
    return str(caught.value)


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (24, 20)).astype(np.uint8)


def test_the_checkpoints_that_a_run_kept_join_its_best_one(project: Project):
    run = tiny_run(project)
    keep_checkpoints(project, run, 2)
    model = load_model(run, uncertainty=ENSEMBLE)
    assert model.uncertainty_from == "ensemble of 3"
    best = load_checkpoint(run.checkpoint("best"))[0]
    found, answers = model.predict(noise()), []
    for name in ("best", "kept-1", "kept-2"):
        save_checkpoint(run.checkpoint("best"), *load_checkpoint(run.checkpoint(name)))
        answers.append(load_model(run).predict(noise()).probabilities)
        save_checkpoint(run.checkpoint("best"), best, {})
    mean = np.mean(np.asarray(answers, np.float32), axis=0)
    np.testing.assert_allclose(found.probabilities, mean, atol=2e-3)
    spread = np.asarray(answers, np.float32).var(axis=0).mean(axis=0)
    variance = np.asarray(found.maps["variance"], np.float32)
    np.testing.assert_allclose(variance, spread, atol=2e-3)


def test_a_kept_checkpoint_that_is_the_best_one_counts_once(project: Project):
    run = tiny_run(project)
    keep_checkpoints(project, run, 1)
    best = load_checkpoint(run.checkpoint("best"))
    save_checkpoint(run.checkpoint("kept-2"), *best)
    model = load_model(run, uncertainty=ENSEMBLE)
    assert model.uncertainty_from == "ensemble of 2"
    save_checkpoint(run.checkpoint("kept-1"), *best)
    assert refused(RunError, run, ENSEMBLE) == (
        f"Run '{run.path.name}' kept no checkpoints that differ from its best one. "
        "Name further runs with --with RUN, or train again with more steps and --set "
        "kept_checkpoints=3."
    )


def test_runs_and_models_join_a_run_or_a_model(project: Project, tmp_path: Path):
    one, other = tiny_run(project, seed=1), tiny_run(project, seed=2)
    exported = export_model(project, other.path.name, tmp_path / "m")
    wider = tiny_run(project, seed=3, settings={"base_channels": 4})
    found = load(one, other, wider)
    assert found.uncertainty_from == "ensemble of 3"
    of_model = load(exported, one)
    answers = [
        m.predict(noise()).probabilities for m in (load(one, exported), of_model)
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=2e-3)


def test_a_run_without_dropout_offers_its_checkpoints(project: Project):
    run = tiny_run(project)
    name = run.path.name
    no_dropout = (
        f"Run '{name}' was trained without dropout, so it has no Monte Carlo "
        "uncertainty. Ask for --uncertainty ensemble "
    )
    again = ", or train again with --set dropout=0.2."
    other_runs = "with other runs instead (--with RUN)"
    assert refused(RunError, run, DROPOUT) == no_dropout + other_runs + again
    keep_checkpoints(project, run, 1)
    one = "instead, which uses its kept checkpoint"
    assert refused(RunError, run, DROPOUT) == no_dropout + one + again
    keep_checkpoints(project, run, 3)
    three = "instead, which uses its 3 kept checkpoints"
    assert refused(RunError, run, DROPOUT) == no_dropout + three + again


def test_a_model_without_dropout_offers_other_models(project: Project, tmp_path: Path):
    tiny_run(project)
    model = export_model(project, None, tmp_path / "m")
    assert refused(ModelError, model, DROPOUT) == (
        f"The model '{model}' was trained without dropout, so it has no Monte Carlo "
        "uncertainty. Ask for --uncertainty ensemble with other models instead (--with "
        "MODEL), or train again with --set dropout=0.2."
    )


def test_an_ensemble_of_one_is_refused(project: Project, tmp_path: Path):
    run = tiny_run(project)
    assert refused(RunError, run, ENSEMBLE) == (
        f"Run '{run.path.name}' kept no checkpoints for an ensemble. Name further runs "
        "with --with RUN, or train again with more steps and --set kept_checkpoints=3."
    )
    model = export_model(project, None, tmp_path / "m")
    assert refused(ModelError, model, ENSEMBLE) == (
        f"The model '{model}' holds the weights of one network, so it is no ensemble. "
        "Name further models with --with MODEL."
    )
    itself = UncertaintySource("ensemble", members=(model,))
    assert refused(ModelError, run, itself) == (
        f"The model '{model}' is in the ensemble already. Name another run or model "
        "with --with."
    )


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"method": "joint_shape"}, "method is joint_shape, not baseline"),
        (
            {"settings": {"normalisation": "zscore"}},
            "normalisation is zscore, not percentile",
        ),
    ],
)
def test_a_run_that_was_trained_otherwise_cannot_join(
    project: Project, other: dict, difference: str
):
    run, wrong = tiny_run(project), tiny_run(project, **other)
    members = UncertaintySource("ensemble", members=(wrong,))
    assert refused(RunError, run, members) == (
        f"Run '{wrong.path.name}' cannot join run '{run.path.name}' in an ensemble: "
        f"its {difference}. Choose one that was trained alike."
    )


def test_a_model_for_other_classes_cannot_join(project: Project, tmp_path: Path):
    other = tiny_project(tmp_path / "other", classes=("nucleus", "debris"))
    tiny_run(other)
    wrong = export_model(other, None, tmp_path / "m")
    run = tiny_run(project)
    members = UncertaintySource("ensemble", members=(wrong,))
    assert "its classes are nucleus, debris, not nucleus." in refused(
        ModelError, run, members
    )


def test_a_name_stands_for_a_run_before_it_stands_for_a_path(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = tiny_run(project)
    name = run.path.name
    monkeypatch.chdir(run.path.parent)
    for found in (member_called(name, project.path), member_called(name, None)):
        assert isinstance(found, RunFolder)
        assert found.path.resolve() == run.path.resolve()
        assert found.path.parents[1].name == project.path.name
    assert member_called(str(tmp_path), project.path) == tmp_path
    assert member_called("gone", None) == Path("gone")
    with pytest.raises(RunError, match="has no run 'gone'"):
        member_called("gone", project.path)


def test_weights_of_a_kept_checkpoint_that_is_damaged_are_named(project: Project):
    run = tiny_run(project)
    keep_checkpoints(project, run, 1)
    tensors, state = load_checkpoint(run.checkpoint("kept-1"))
    name = next(k for k, t in tensors.items() if t.is_floating_point())
    save_checkpoint(
        run.checkpoint("kept-1"), {**tensors, name: tensors[name] * torch.nan}, state
    )
    assert "are not all finite" in refused(ModelError, run, ENSEMBLE)
