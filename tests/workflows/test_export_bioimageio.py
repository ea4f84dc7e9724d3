import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bioimageio.spec import load_model_description

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.networks.unet import UNet
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.workflows.export import Exported, export_as
from napari_mtseg.workflows.export_bioimageio import bioimageio_name
from napari_mtseg.workflows.export_credits import Credits
from napari_mtseg.workflows.export_tensors import (
    halo_of,
    least_size,
    size_of_test_image,
)
from napari_mtseg.workflows.predict import load_model
from tests.tiny_run import tiny_project, tiny_run

SAID = Credits(
    authors=("Ann Example", "Bob Example"),
    license="CC-BY-4.0",
    cite=("Doe 2024, doi:10.1000/cells",),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = tiny_project(tmp_path_factory.mktemp("project"))
    tiny_run(project)
    return project


@pytest.fixture(scope="module")
def package(project: Project) -> Exported:
    out = project.path.parent / "nuclei"
    run = find_run(project.path, None)
    return export_as(run, out, kind="bioimageio", said=SAID)


def test_bioimageio_core_passes_it_with_both_kinds_of_weights(package: Exported):
    assert package.path.name == "nuclei.bioimageio.zip"
    assert [c.what for c in package.checks if "bioimageio" in c.what] == [
        "bioimageio.spec finds the description valid",
        "bioimageio.core gets the test answers from the PyTorch weights, and answers "
        "of the right size for other images",
        "bioimageio.core gets the test answers from the ONNX weights, and answers of "
        "the right size for other images",
        "'bioimageio test' passes",
    ]
    assert all(check.passed for check in package.checks)


def test_the_description_says_who_made_it_and_what_it_takes(package: Exported):
    found: Any = load_model_description(package.path, perform_io_checks=False)
    assert [author.name for author in found.authors] == ["Ann Example", "Bob Example"]
    assert (found.name, str(found.license)) == ("nuclei", "CC-BY-4.0")
    assert str(found.cite[0].doi) == "10.1000/cells"
    (image,), (answer,) = found.inputs, found.outputs
    assert [a.id for a in image.axes] == ["batch", "channel", "y", "x"]
    assert [(a.size.min, a.size.step) for a in image.axes[2:]] == [(22, 2)] * 2
    assert [a.halo for a in answer.axes[2:]] == [10, 10]
    assert answer.axes[1].channel_names == ["background", "nucleus"]
    steps = [step.id for step in image.preprocessing]
    assert steps == ["ensure_dtype", "scale_range", "scale_linear", "ensure_dtype"]


def test_the_training_images_are_named_by_their_content(
    project: Project, package: Exported
):
    found: Any = load_model_description(package.path, perform_io_checks=False)
    training = found.config.model_extra["napari_mtseg"]["training"]
    trained_on = [e.fingerprint for e in project.images if e.split == "train"]
    assert training["sha256_of_images"] == trained_on
    assert training["n_images"] == 1


def test_its_pickle_holds_tensors_alone(package: Exported):
    with zipfile.ZipFile(package.path) as archive, archive.open("weights.pt") as file:
        weights = torch.load(file, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in weights.values())


def test_nothing_is_left_beside_it(package: Exported):
    hidden = [p.name for p in package.path.parent.iterdir() if p.name.startswith(".")]
    assert hidden == []


@pytest.mark.parametrize("unpacked", [False, True])
def test_it_predicts_like_the_run_and_is_never_unpickled(
    project: Project,
    package: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    unpacked: bool,
):
    path = package.path
    if unpacked:
        path = tmp_path / "unpacked"
        with zipfile.ZipFile(package.path) as archive:
            archive.extractall(path)
    monkeypatch.delattr(torch, "load")
    pixels = np.random.default_rng(0).normal(size=(24, 20)).astype(np.float32)
    found = load_model(path).predict(pixels)
    expected = load_model(find_run(project.path, None)).predict(pixels)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert load_model_folder(path)[0].name == "nuclei"


def test_a_model_is_written_in_another_format(package: Exported, tmp_path: Path):
    again = export_as(package.path, tmp_path / "plain")
    info, tensors = load_model_folder(again.path)
    _, expected = load_model_folder(package.path)
    assert (info.name, info.provenance) == ("plain", package.info.provenance)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_an_author_is_asked_for_before_anything_is_read(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no author is given. Add --author"):
        export_as(tmp_path / "missing", tmp_path / "m.bioimageio.zip")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("nuclei (v2)", "nuclei (v2)"), ("z", "model z"), ("zell/é.x", "zell---x")],
)
def test_names_have_the_letters_and_the_length_that_are_wanted(name, wanted):
    assert bioimageio_name(name) == wanted


def test_blocks_give_up_a_halo_of_whole_cells_and_keep_something():
    deep = ExportedNetwork(UNet(1, 2, ndim=3, base=2, levels=4))
    assert deep.size_multiple == (8, 8, 8)
    assert halo_of(deep) == (8, 8, 8)
    assert least_size(deep) == (24, 24, 24)
    assert size_of_test_image(deep) == (24, 48, 48)
    thick = ExportedNetwork(UNet(1, 2, ndim=3, base=2, levels=2, pools=((1, 2, 2),)))
    assert halo_of(thick) == (6, 8, 8)
    assert least_size(thick) == (13, 18, 18)
