import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.workflows.export import Exported, export_as
from napari_mtseg.workflows.export_network import architecture, facts_of_architecture
from napari_mtseg.workflows.export_trial import normalised_image
from napari_mtseg.workflows.network_outputs import Predictor
from napari_mtseg.workflows.trained_model import facts_and_weights, trained_network
from tests.tiny_run import tiny_project, tiny_run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = tiny_project(tmp_path_factory.mktemp("project"))
    tiny_run(project)
    return project


@pytest.fixture(scope="module")
def program(project: Project) -> Exported:
    return export_as(find_run(project.path, None), project.path.parent / "m.pt2")


def test_a_program_answers_like_a_prediction_for_sizes_not_traced(
    project: Project, program: Exported
):
    info, tensors = facts_and_weights(find_run(project.path, None))
    predictor = Predictor(
        trained_network(info, tensors), device=torch.device("cpu"), memory=0.1
    )
    loaded = torch.export.load(program.path).module()
    for size in ((4, 4), (34, 18)):
        image = normalised_image(info, size)
        (found,) = loaded(torch.from_numpy(image[None]))
        expected = predictor(image)["segmentation"]
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


def test_what_was_checked_is_told_with_its_figure(program: Exported):
    assert [check.what for check in program.checks] == [
        "Loaded again by torch.export, it answers like the network on 1 image of 16 x "
        "32 pixels",
        "Loaded again by torch.export, it answers like the network on 2 images of 40 x "
        "16 pixels",
    ]
    figures = [check.figure for check in program.checks]
    assert all(check.passed for check in program.checks)
    assert all(figure is not None and figure <= 1e-4 for figure in figures)


def test_the_facts_and_the_card_are_inside(program: Exported):
    with zipfile.ZipFile(program.path) as archive:
        inside = {Path(name).name: name for name in archive.namelist()}
        facts = json.loads(archive.read(inside["model.json"]))
        card = archive.read(inside["README.md"]).decode()
    assert (facts["name"], facts["method"]) == ("m", "baseline")
    assert 'torch.export.load("m.pt2").module()' in card
    assert "a multiple of 2 along y and x, at least 4 pixels" in card


def test_an_architecture_by_its_facts_takes_the_weights(project: Project):
    info, tensors = facts_and_weights(find_run(project.path, None))
    network = architecture(**facts_of_architecture(info))
    assert {k.removeprefix("network.") for k in network.state_dict()} == set(tensors)
