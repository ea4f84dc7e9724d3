import pytest
import torch

from napari_mtseg.networks.samples import Ensemble, MonteCarloDropout
from napari_mtseg.networks.summary import bytes_per_pixel
from napari_mtseg.networks.unet import UNet
from napari_mtseg.networks.window_memory import bytes_per_window_pixel

CPU = torch.device("cpu")


def network(**further):
    return UNet(1, 2, base=4, levels=3, dropout=0.5, **further).eval()


def needed(asked, samples=None):
    return bytes_per_window_pixel(
        asked, 1, multiple=asked.size_multiple, device=CPU, samples=samples
    )


def test_one_answer_needs_what_the_network_needs():
    asked = network()
    one = bytes_per_pixel(asked, 1, multiple=asked.size_multiple, device=CPU)
    assert needed(asked) == one


@pytest.mark.parametrize("place", ["deepest", "decoder", "last", "ends"])
def test_what_is_kept_between_passes_is_counted_and_not_more_with_more_passes(place):
    asked = network(dropout_place=place)
    few, many = (MonteCarloDropout(asked, n_passes=n, seed=0) for n in (5, 50))
    assert needed(asked) < needed(asked, few) < 2 * needed(asked)
    assert needed(asked, few) == needed(asked, many)


def test_the_networks_of_an_ensemble_need_memory_one_after_the_other():
    asked = network()
    two, five = (
        needed(asked, Ensemble([asked] * 2)),
        needed(asked, Ensemble([asked] * 5)),
    )
    assert two == five
    assert two < 1.5 * needed(asked)


def test_the_largest_network_of_an_ensemble_counts():
    asked, larger = network(), UNet(1, 2, base=16, levels=3).eval()
    assert needed(asked, Ensemble([asked, larger])) > needed(larger)
