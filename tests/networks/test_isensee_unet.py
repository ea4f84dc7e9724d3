import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.isensee_unet import IsenseeUNet, SummedScores
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

HEADS = {"segmentation": 2, "boundary": 1}
FLAT = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))


def small(heads=HEADS, **settings):
    with seeded(2):
        return IsenseeUNet(1, heads, **{"base": 1, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def test_parameters_of_four_modalities_are_those_that_hmedn_counts():
    with torch.device("meta"):
        network = IsenseeUNet(4, {"segmentation": 4}, ndim=3)
    counts = parameter_counts(network)
    assert counts == {"conv_weights": 8_263_040, "total": 8_267_468}, "8.27 million"
    rows = layer_table(network, 4, (16, 16, 32))
    assert sum(row.parameters for row in rows) == counts["total"]


def test_a_further_head_costs_three_score_layers():
    with torch.device("meta"):
        one, two = IsenseeUNet(1, {"segmentation": 2}), IsenseeUNet(1, HEADS)
    further = parameter_counts(two)["total"] - parameter_counts(one)["total"]
    assert further == 16 + 32 + 64 + 3


def test_scores_of_three_levels_are_summed_by_repetition():
    scores = SummedScores((1, 1, 1), 1, ((2, 2), (2, 2)))
    for number, layer in enumerate(scores.scores):
        nn.init.constant_(layer.weight, 10.0**number)
        nn.init.zeros_(layer.bias)
    coarse = torch.tensor([[[[1.0, 2.0]]]])
    answer = scores([torch.ones(1, 1, 4, 8), torch.ones(1, 1, 2, 4), coarse])
    assert answer[0, 0].tolist() == [[111.0] * 4 + [211.0] * 4] * 4


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 40), (2, 5, 17)])
def test_any_size_is_answered_in_its_own_size(size, norm):
    network = small(ndim=len(size), norm=norm).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(1, 1, *size)).items()}
    assert shapes == {"segmentation": (1, 2, *size), "boundary": (1, 1, *size)}


def test_instance_norm_learns_from_a_patch_of_one_deepest_pixel():
    network = small().train()
    sum(a.square().sum() for a in network(drawn(1, 1, 16, 16)).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_without_norm_every_weight_learns():
    network = small(norm="none", base=2).train()
    sum(a.square().sum() for a in network(drawn(1, 1, 16, 16)).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_halo_is_the_support_of_the_gradient():
    network = small(norm="batch")
    assert network.size_multiple == (16, 16)
    assert network.halo == (123, 123)
    assert support_radius(network, 272) == 123


def test_thick_slices_are_read_less_far():
    network = small(ndim=3, norm="batch", pools=FLAT)
    assert network.size_multiple == (4, 16, 16)
    assert network.halo == (support_radius(network, 120, axis=0), 123, 123)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_prepared_network_answers_the_same(ndim, norm):
    network = small(ndim=ndim, norm=norm)
    image = drawn(2, 1, *(32,) * ndim)
    network.train()(torch.cat([image, 2 * image]))
    prepared = prepared_for_inference(network.eval())
    for name, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[name], answer, atol=1e-4, rtol=1e-4)


def test_windows_are_exact_with_batch_norm_only():
    assert small().eval().norm_depends_on_tile
    assert not small(norm="batch").eval().norm_depends_on_tile


def test_activations_of_absent_heads_are_passed_over():
    network = small(activations={"boundary": "none", "distance": "sigmoid"})
    assert network.activations == {"boundary": "none"}
    assert network.head_channels == HEADS


def test_a_network_without_heads_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        small({})
