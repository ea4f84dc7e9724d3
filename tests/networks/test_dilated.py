import numpy as np
import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import bytes_per_pixel, layer_table
from tests.gradient_support import support_radius

CPU = torch.device("cpu")
S = {"segmentation": 2}


def small(heads=S, **settings):
    with seeded(3):
        return DilatedNetwork(1, heads, **{"width": 2, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


@pytest.mark.parametrize(
    ("dilations", "n_blocks", "field"),
    [((3, 5), 9, 133), ((2, 4), 9, 97), ((3, 5), 6, 85)],
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_receptive_fields_are_those_of_the_paper(dilations, n_blocks, field, ndim):
    network = small(width=1, dilations=dilations, n_blocks=n_blocks, ndim=ndim)
    assert 2 * support_radius(network, 160, axis=ndim - 1) + 1 == field
    assert [2 * radius + 1 for radius in network.halo] == [field] * ndim


def test_planes_far_apart_are_seen_less_deep():
    network = small(width=1, ndim=3, in_plane=True)
    assert network.halo == (18, 48, 48)
    assert support_radius(network, 48, axis=0) == 18


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (17, 31)])
def test_any_size_is_answered_by_head(size):
    network = small({"segmentation": 2, "boundary": 1}).eval()
    shapes = {k: tuple(v.shape) for k, v in network(drawn(2, 1, *size)).items()}
    assert shapes == {"segmentation": (2, 2, *size), "boundary": (2, 1, *size)}


def test_nothing_is_pooled():
    assert small().size_multiple == (1, 1)
    assert small(ndim=3).size_multiple == (1, 1, 1)


@pytest.mark.parametrize("ndim", [2, 3])
def test_prepared_for_inference_answers_the_same(ndim):
    network = small(ndim=ndim)
    image = drawn(2, 1, *(8,) * ndim)
    network.train()(image * 2 + 1)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    expected = network(image)["segmentation"]
    found = prepared(image)["segmentation"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_exact_windows_equal_the_whole_image():
    network = prepared_for_inference(small(n_blocks=2, dilations=(1, 2)))
    image = 30 * drawn(1, 41, 50).numpy()
    per_pixel = bytes_per_pixel(network, 1, multiple=(1, 1), device=CPU)
    whole, parts = (
        apply_in_windows(
            network, image, device=CPU, memory_budget_bytes=int(budget), outputs=[*S]
        )
        for budget in (1e12, per_pixel * 20 * 50)
    )
    assert (whole[1].mode, parts[1].mode) == ("whole", "exact")
    found, expected = parts[0]["segmentation"], whole[0]["segmentation"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_layers_add_up_without_memory_for_weights():
    with torch.device("meta"):
        network = DilatedNetwork(1, S)
    rows = layer_table(network, 1, (64, 64))
    total = sum(p.numel() for p in network.parameters())
    assert sum(row.parameters for row in rows) == total


def test_memory_does_not_grow_with_the_number_of_blocks():
    few, many = (
        bytes_per_pixel(small(n_blocks=n).eval(), 1, multiple=(1, 1), device=CPU)
        for n in (3, 9)
    )
    assert many <= 1.2 * few


def test_activations_of_absent_heads_are_passed_over():
    activations = {"boundary": "none"}
    assert small(activations=activations).activations == {}
    heads = {"segmentation": 2, "boundary": 1}
    assert small(heads, activations=activations).activations == activations


def test_a_network_without_heads_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        small({})
