import numpy as np
import pytest
import tifffile

from benchmarks.example_recipes import RECIPES
from benchmarks.example_samples import SHAPE, blobs
from napari_mtseg.storage.example_models import SAMPLE_IMAGE, example_model
from napari_mtseg.storage.model_folder import CARD_FILE, read_model_info


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_was_made_as_its_recipe_says(name):
    recipe, info = RECIPES[name], read_model_info(example_model(name))
    assert info.method == recipe.method
    assert {k: info.settings[k] for k in recipe.settings} == dict(recipe.settings)
    card = (example_model(name) / CARD_FILE).read_text(encoding="utf-8")
    assert recipe.data in card
    assert recipe.limits in card
    assert recipe.weights in card


@pytest.mark.parametrize("name", RECIPES)
def test_the_image_to_try_a_model_with_is_made_again(name, tmp_path):
    RECIPES[name].write_sample(tmp_path / SAMPLE_IMAGE)
    again = tifffile.imread(tmp_path / SAMPLE_IMAGE)
    shipped = tifffile.imread(example_model(name) / SAMPLE_IMAGE)
    # Libraries may round differently: a grey value, not more.
    assert np.abs(again.astype(int) - shipped).max() <= 1


def test_blobs_hardly_touch():
    volume, objects = blobs(SHAPE, seed=0)
    assert volume.shape == objects.shape == SHAPE
    assert volume[objects > 0].mean() > volume[objects == 0].mean() + 100
    beside = (objects[..., 1:] != objects[..., :-1]) & (objects[..., 1:] > 0)
    assert (beside & (objects[..., :-1] > 0)).sum() <= 5
