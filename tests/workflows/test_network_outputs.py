import numpy as np
import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.samples import EXPECTED_ENTROPY, VARIANCE
from napari_mtseg.networks.unet import UNet
from napari_mtseg.workflows.network_outputs import Predictor

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).normal(size=(1, 16, 20)).astype(np.float32)


def network(seed=0, dropout=0.5):
    with seeded(seed):
        return UNet(1, 2, base=2, levels=2, dropout=dropout)


def predictor(*further, **settings):
    members = [network(seed) for seed in further]
    return Predictor(network(), device=CPU, memory=1, members=members, **settings)


def test_one_pass_has_no_spread_and_says_so():
    one = predictor()
    assert set(one(PIXELS)) == {"segmentation"}
    assert one.description == predictor(passes=1).description == "one pass"


def test_passes_with_dropout_are_repeatable_bit_for_bit():
    maps = [predictor(passes=4, seed=seed)(PIXELS) for seed in (5, 5, 6)]
    for name in ("segmentation", EXPECTED_ENTROPY, VARIANCE):
        assert np.array_equal(maps[0][name], maps[1][name])
        assert not np.array_equal(maps[0][name], maps[2][name])
    assert predictor(passes=4).description == "4 passes with dropout"


def test_an_ensemble_answers_with_the_mean_of_its_networks():
    ensemble = predictor(1, 2)
    alone = [
        Predictor(network(seed), device=CPU, memory=1)(PIXELS)["segmentation"]
        for seed in range(3)
    ]
    maps = ensemble(PIXELS)
    np.testing.assert_allclose(maps["segmentation"], np.mean(alone, 0), atol=1e-6)
    np.testing.assert_allclose(maps[VARIANCE], np.var(alone, 0).mean(0), atol=1e-6)
    assert ensemble.description == "ensemble of 3"


def test_what_has_no_such_doubt_is_refused():
    with pytest.raises(ValueError, match="no dropout"):
        Predictor(network(dropout=0.0), device=CPU, memory=1, passes=2)
    with pytest.raises(ValueError, match="without dropout"):
        predictor(1, passes=2)
