import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.dense_seg import DenseSeg, FusedScores
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

HEADS = {"segmentation": 2, "boundary": 1}
FLAT = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))


def small(heads=HEADS, **settings):
    with seeded(2):
        return DenseSeg(1, heads, **{"ndim": 2, "base": 2, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def test_weights_but_for_upsampling_are_those_of_the_authors():
    with torch.device("meta"):
        network = DenseSeg(2, {"segmentation": 4})
    upsampled = parameter_counts(network.heads["segmentation"].ups)["conv_weights"]
    transposed = 4 * sum(
        channels // 4 * size**3
        for channels, size in zip((96, 112, 120, 124), (4, 6, 10, 18), strict=True)
    )
    counts = parameter_counts(network)
    assert counts["conv_weights"] - upsampled + transposed == 1_546_432, "1.55 million"
    rows = layer_table(network, 2, (16, 16, 16))
    assert sum(row.parameters for row in rows) == counts["total"]


def test_blocks_grow_by_64_and_transitions_halve():
    with torch.device("meta"):
        network = DenseSeg(4, {"segmentation": 4})
    entering = [block[0].layers[0].num_features for block in network.blocks]
    assert entering == [32, 48, 56, 60]
    leaving = [up[0].in_channels for up in network.heads["segmentation"].ups]
    assert leaving == [96, 112, 120, 124]


def test_a_head_of_many_classes_gets_a_map_per_class_from_each_block():
    for n_outputs, n_maps in ((1, 4), (4, 4), (6, 6)):
        fused = FusedScores((2, 3), n_outputs, ((2, 2),))
        assert fused.score[-1].in_channels == 2 + n_maps


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 40), (2, 5, 17)])
def test_any_size_is_answered_in_its_own_size(size):
    network = small(ndim=len(size)).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(1, 1, *size)).items()}
    assert shapes == {"segmentation": (1, 2, *size), "boundary": (1, 1, *size)}


def test_halo_is_the_support_of_the_gradient():
    network = small()
    assert network.size_multiple == (16, 16)
    assert network.halo == (146, 146)
    assert support_radius(network, 320) == 146


def test_thick_slices_are_read_less_far():
    network = small(ndim=3, pools=FLAT)
    assert network.size_multiple == (4, 16, 16)
    assert network.halo == (support_radius(network, 120, axis=0), 146, 146)


def test_pixels_beyond_the_halo_change_nothing():
    network = small().eval()
    image = drawn(1, 1, 16, 400)
    whole, part = network(image), network(image[..., 160:])
    far = 160 + network.halo[1]
    for head, answer in whole.items():
        torch.testing.assert_close(part[head][..., far - 160 :], answer[..., far:])


@pytest.mark.parametrize("ndim", [2, 3])
def test_prepared_network_answers_the_same(ndim):
    network = small(ndim=ndim)
    image = drawn(2, 1, *(16,) * ndim)
    network.train()(2 * image + 1)
    prepared = prepared_for_inference(network.eval())
    for name, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[name], answer, atol=1e-4, rtol=1e-4)


def test_every_weight_learns():
    network = small().train()
    sum(a.square().mean() for a in network(drawn(2, 1, 32, 32)).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_activations_of_absent_heads_are_passed_over():
    network = small(activations={"boundary": "none", "distance": "sigmoid"})
    assert network.activations == {"boundary": "none"}
    assert network.head_channels == HEADS


def test_a_network_without_heads_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        small({})
