import numpy as np
import pytest
import tifffile

from napari_mtseg.storage.example_models import (
    EXPECTED_CLASSES,
    SAMPLE_IMAGE,
    example_model,
    example_models,
    in_one_line,
)
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.model_folder import CARD_FILE, WEIGHTS_FILE, read_model_info
from napari_mtseg.workflows.predict import load_model

LARGEST = 3_000_000
"""bytes of a model's folder"""

NON_COMMERCIAL = ("acdc", "sstem", "hippocampus", "-nc-")


def test_there_are_three_and_one_is_for_volumes():
    dimensions = {
        name: read_model_info(path).ndim for name, path in example_models().items()
    }
    assert dimensions == {"blobs3d": 3, "fetal_head": 2, "nuclei": 2}


@pytest.mark.parametrize("name", ["blobs3d", "fetal_head", "nuclei"])
class TestExampleModel:
    def test_it_still_finds_what_it_found(self, name):
        folder = example_model(name)
        expected = tifffile.imread(folder / EXPECTED_CLASSES)
        model = load_model(folder, device="cpu")
        found = model.predict_image(open_image(folder / SAMPLE_IMAGE)).classes
        overlap = 2 * np.sum((found > 0) & (expected > 0))
        assert found.shape == expected.shape
        assert expected.any()
        assert overlap / (np.sum(found > 0) + np.sum(expected > 0)) > 0.99

    def test_it_is_small(self, name):
        folder = example_model(name)
        assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST
        assert (folder / WEIGHTS_FILE).is_file()

    def test_its_card_says_where_it_comes_from_and_under_what_licence(self, name):
        card = (example_model(name) / CARD_FILE).read_text(encoding="utf-8")
        for title in (
            "## What it segments",
            "## How it was trained",
            "## On images that took no part",
            "## Images and licences",
            "## What it is not fit for",
            "## Made again by",
        ):
            assert title in card
        assert "Licence of these weights: " in card
        assert not any(word in card.lower() for word in NON_COMMERCIAL)

    def test_its_provenance_is_known(self, name):
        info = read_model_info(example_model(name))
        assert info.name == name
        assert info.provenance.trained_on
        assert info.provenance.metrics["score"] > 0.8


def test_a_model_is_described_in_one_line():
    info = read_model_info(example_model("nuclei"))
    assert in_one_line(info) == (
        "nucleus; 2D images, 1 channel read as grey; method high_resolution"
    )
