import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from napari_mtseg.domain.errors import ModelError, RunError, SettingsError
from napari_mtseg.domain.settings import describe
from napari_mtseg.methods.catalog import (
    CATALOG,
    load_method,
    preset,
    preset_and_variant,
    settings_model,
)
from napari_mtseg.methods.protocol import Task
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import runs_of
from napari_mtseg.workflows.export import export_model
from napari_mtseg.workflows.run_requests import (
    RunRequest,
    method_to_train,
    requested_run,
    settings_of_request,
)
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.starting_point import starting_point
from napari_mtseg.workflows.train import train
from napari_mtseg.workflows.train_project import train_project
from tests.tiny_projects import TINY, disc_project
from tests.tiny_run import tiny_project, tiny_run

FEW = {"steps": 2, "patch": 24, "batch_size": 2, "validate_every": 99}


@dataclass(frozen=True)
class Source:
    model: Path
    """a model of a plain U-Net, for one channel and one class"""
    weights: dict


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    project = tiny_project(folder)
    settings = {"base_channels": 3, "normalisation": "zscore"}
    run = tiny_run(project, settings=settings, seed=5)
    model = export_model(project, None, folder / "cells-model")
    weights, _ = load_checkpoint(run.checkpoint("best"))
    return Source(model=model, weights=weights)


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=2, full=2)


def asked(parent, method="baseline", **values):
    return RunRequest(
        method=method, values={**FEW, **values}, device="cpu", parent=str(parent)
    )


def first_weights(run):
    """What the network of a run begins with: of a training that took no step."""
    return load_checkpoint(run.checkpoint("start"))[0]


def test_a_training_starts_from_the_weights_of_a_model(project, source):
    run, notices = requested_run(project, asked(source.model))
    assert "The training begins with the weights of the model 'cells-model'." in notices
    assert first_weights(run).keys() == source.weights.keys()
    for name, weight in first_weights(run).items():
        assert torch.equal(weight, source.weights[name]), name
    assert (run.info.parent, run.info.model) == (None, "cells-model")


def test_the_network_is_that_of_the_model_and_the_rest_that_of_the_preset(
    project, source
):
    settings = settings_of_request(project, asked(source.model))
    assert settings.base_channels == 3
    assert settings.levels == 2
    assert settings.normalisation == "zscore"
    assert settings.learning_rate == 1e-3  # of the preset 'fast'
    assert settings.steps == 2


def test_a_setting_that_the_weights_do_not_fit_is_refused(project, source):
    with pytest.raises(SettingsError) as error:
        settings_of_request(project, asked(source.model, base_channels=8))
    assert str(error.value) == (
        "base_channels=8 does not fit the weights of the model 'cells-model', which "
        "were learned with base_channels=3. Leave it out, or start from new weights."
    )


def test_a_setting_that_is_set_to_what_the_weights_need_is_allowed(project, source):
    settings = settings_of_request(project, asked(source.model, base_channels=3))
    assert settings.base_channels == 3


def test_the_settings_of_the_network_come_from_an_earlier_run_too(project):
    parent = tiny_run(project, settings={"base_channels": 5})
    settings = settings_of_request(project, asked("last"))
    assert settings.base_channels == 5
    with pytest.raises(SettingsError, match=f"the weights of run '{parent.info.id}'"):
        settings_of_request(project, asked(parent.info.id, base_channels=8))


@pytest.mark.parametrize("names", [["1Enc2Dec-MC"], ["fast", "1Enc2Dec-MC"]])
def test_a_variant_of_another_network_is_refused_alone_and_with_a_size(project, names):
    parent = tiny_run(project, method="joint_shape")
    preset, variant = preset_and_variant("joint_shape", names)
    request = RunRequest(
        method="joint_shape", preset=preset, variant=variant, parent="last"
    )
    sentence = "variant=mask\\+contour does not fit the weights of run|decoders=2 does"
    with pytest.raises(SettingsError, match=sentence):
        settings_of_request(project, request)
    with pytest.raises(SettingsError, match=sentence):
        train_project(project, preset=names[-1], start_from=parent.info.id)
    assert len(runs_of(project.path)) == 1


def test_the_variant_that_the_weights_were_learned_with_is_allowed(project):
    row = preset("joint_shape", "1Enc2Dec-MC", ndim=2)
    tiny_run(project, method="joint_shape", settings=row)
    request = RunRequest(method="joint_shape", preset="1Enc2Dec-MC", parent="last")
    assert settings_of_request(project, request).decoders == 2


def test_the_run_is_repeated_without_the_model(project, source, tmp_path):
    copy = shutil.copytree(source.model, tmp_path / "copy")
    run, _ = requested_run(project, asked(copy))
    shutil.rmtree(copy)
    list(train(project, run))
    before = load_checkpoint(run.checkpoint("last"))[0]
    run.checkpoint("last").unlink()
    list(train(project, run))
    after = load_checkpoint(run.checkpoint("last"))[0]
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_first_step_is_taken_from_the_weights_of_the_model(project, source):
    run, _ = requested_run(project, asked(source.model, learning_rate=1e-12, steps=1))
    list(train(project, run))
    learned, _ = load_checkpoint(run.checkpoint("last"))
    weight = next(name for name in source.weights if name.endswith("weight"))
    found = learned[f"network.{weight}"]
    assert torch.allclose(found, source.weights[weight], atol=1e-9)


def test_the_model_is_named_by_the_card_of_what_was_learned_from_it(
    project, source, tmp_path
):
    run, _ = requested_run(project, asked(source.model))
    list(train(project, run))
    second, _ = requested_run(project, asked(run.info.id))
    list(train(project, second))
    for name in (run.info.id, second.info.id):
        card = (export_model(project, name, tmp_path / name) / "README.md").read_text()
        assert (
            "It began with the weights of the model 'cells-model', whose licence holds "
            "on." in card
        )


def test_a_zip_is_as_good_as_a_folder(project, source, tmp_path):
    zipped = shutil.make_archive(str(tmp_path / "m"), "zip", source.model)
    run, _ = requested_run(project, asked(zipped))
    assert first_weights(run).keys() == source.weights.keys()


def test_weights_of_other_classes_are_drawn_and_the_user_is_told(tmp_path, source):
    project = tiny_project(tmp_path, classes=("nucleus", "debris", "fibre"))
    run, notices = requested_run(project, asked(source.model))
    (told,) = [notice for notice in notices if "drawn anew" in notice]
    head = {"heads.segmentation.weight", "heads.segmentation.bias"}
    assert source.weights.keys() - first_weights(run).keys() == head
    assert told == (
        "The training begins with the weights of the model 'cells-model'. 2 of "
        f"{len(source.weights)} are drawn anew (heads.segmentation.weight, "
        "heads.segmentation.bias): the model has 1 class, this project 3 classes."
    )
    list(train(project, run))


def test_weights_of_other_channels_are_drawn(tmp_path, source):
    project = tiny_project(
        tmp_path, shape=(2, 24, 20), ome=True, metadata={"axes": "CYX"}
    )
    run, notices = requested_run(project, asked(source.model))
    ending = ": the model has 1 channel, this project 2 channels."
    assert any(notice.endswith(ending) for notice in notices)
    assert len(first_weights(run)) < len(source.weights)


def test_a_model_for_planes_starts_no_training_on_volumes(tmp_path, source):
    project = disc_project(tmp_path, n_images=2, full=2, ndim=3)
    sentence = (
        "The model 'cells-model' is for 2D images but those of 'discs.mtseg' are 3D. "
        "Start from a model for 3D images, or from new weights."
    )
    with pytest.raises(ModelError) as error:
        settings_of_request(project, asked(source.model))
    assert str(error.value) == sentence
    settings = {**TINY, "steps": 1}
    with pytest.raises(ModelError) as error:
        start_run(project, "baseline", settings, parent=source.model)
    assert str(error.value) == sentence


def test_the_method_is_that_of_the_model(project, source):
    model = str(source.model)
    assert method_to_train(project, None, model) == "baseline"
    assert method_to_train(project, None, None) == "recursive_approximation"
    assert method_to_train(project, "cross_task", model) == "cross_task"
    with pytest.raises(RunError) as error:
        settings_of_request(project, asked(model, method="cross_task"))
    assert str(error.value) == (
        "The model 'cells-model' is of method baseline, not cross_task. Start from a "
        "model of the same method."
    )


def test_what_is_neither_run_nor_model_is_told_with_what_there_is(project):
    run = tiny_run(project)
    with pytest.raises(RunError) as error:
        starting_point(project, "nuclie")
    assert str(error.value).startswith(
        "'discs.mtseg' has no run 'nuclie', and there is no model at 'nuclie'. Its "
        f"runs: {run.info.id}."
    )


def test_weights_of_a_wholly_other_network_start_no_training(project, source):
    settings = {**TINY, "base_channels": 7, "steps": 1}
    with pytest.raises(ModelError) as error:
        start_run(project, "baseline", settings, device="cpu", parent=source.model)
    assert str(error.value) == (
        f"Only 7 of the {len(source.weights)} weights that this training needs are "
        "those of the model 'cells-model'. Start from another model, or from new "
        "weights."
    )
    assert not (project.path / "runs").exists()


def test_a_damaged_model_starts_no_training(project, source, tmp_path):
    broken = shutil.copytree(source.model, tmp_path / "broken")
    (broken / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is damaged"):
        requested_run(project, asked(broken))


def shapes_of(method, settings):
    """Names and shapes of the weights of a network on grey planes of two classes."""
    task = Task(n_channels=1, n_classes=2, spacing=(1.0, 1.0), n_scenes=2)
    with torch.device("meta"):
        network = load_method(method)(settings, task).network()
    return {name: tuple(t.shape) for name, t in network.state_dict().items()}


def other_values(about):
    """Values that a setting may have beside its default."""
    if about.choices:
        return [value for value in about.choices if value != about.default]
    if about.kind in {"whole number", "number"}:
        low = about.limits.get("ge", about.limits.get("gt", 0))
        steps = (about.default + (about.step or 1), low + (about.step or 1))
        return [type(about.default)(value) for value in steps]
    return []


@pytest.mark.parametrize("method", CATALOG)
def test_settings_that_change_the_weights_are_marked_as_the_networks(method):
    model = settings_model(method)
    small = {"base_channels": 4, "levels": 5}
    if method == "task_decomposition":
        small = {"base_channels": 4, "width": 8, "hidden": 8, "encoder_weights": "none"}
    if method == "high_resolution":
        small["pathway"] = 2
    expected = shapes_of(method, model.checked(small))
    unmarked = []
    for about in describe(model):
        if about.network or about.name == "encoder_weights":
            continue
        for value in other_values(about):
            try:
                settings = model.checked({**small, about.name: value})
            except SettingsError:
                continue
            if shapes_of(method, settings) != expected:
                unmarked.append((about.name, value))
    # These depend on the paint too: what does not fit is drawn.
    assert {name for name, _ in unmarked} <= {"scenes", "separation"}


def test_the_window_and_the_shell_read_the_settings_without_torch(source, tmp_path):
    Project.create(tmp_path / "empty", classes=["cell"])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from napari_mtseg.storage.project import Project\n"
        "from napari_mtseg.workflows.starting_point import starting_point\n"
        f"project = Project.open(Path({str(tmp_path / 'empty.mtseg')!r}))\n"
        f"assert starting_point(project, {str(source.model)!r}).method == 'baseline'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
