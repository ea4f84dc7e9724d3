import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts

HEADS = {"segmentation": 2, "boundary": 1}


def small(**further):
    with seeded(2):
        return FCN(1, HEADS, base=1, **further)


def on_meta(in_channels, heads, **settings):
    with torch.device("meta"):
        return FCN(in_channels, heads, **settings)


def test_stages_are_those_of_vgg16():
    network = on_meta(3, {"segmentation": 4})
    assert parameter_counts(network.stages)["conv_weights"] == 14_710_464
    rows = layer_table(network, 3, (32, 32))
    widths = [row.output_shape[0] for row in rows if row.kind == "Conv2d"]
    stages = [64, 64, 128, 128, *[256] * 3, *[512] * 6]
    assert widths == [*stages, 2048, 2048, 4, 4, 4]


def test_a_further_head_costs_three_score_layers():
    one = parameter_counts(on_meta(1, {"segmentation": 2}))["total"]
    two = parameter_counts(on_meta(1, HEADS))["total"]
    assert two - one == 256 + 512 + 2048 + 3


def test_scores_of_three_resolutions_are_summed():
    network = small().eval()
    scores = network.heads["segmentation"]
    for number, layer in enumerate([scores.third, scores.fourth, scores.fifth]):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, 10.0**number)
    answer = network(torch.zeros(1, 1, 32, 64))["segmentation"]
    torch.testing.assert_close(answer, torch.full((1, 2, 32, 64), 111.0))


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (33, 40), (2, 5, 33)])
def test_any_size_is_answered_in_its_own_size(size):
    network = small(ndim=len(size)).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(1, 1, *size)).items()}
    assert shapes == {"segmentation": (1, 2, *size), "boundary": (1, 1, *size)}


def test_halo_is_the_support_of_the_gradient():
    network = small().eval().double()
    assert network.size_multiple == (32, 32)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    for stage in network.stages:
        stage[-1] = nn.AvgPool2d(2)
    image = torch.ones(1, 1, 768, 32, dtype=torch.double, requires_grad=True)
    rows = network(image)["boundary"][0, 0].sum(dim=1)
    radius = 0
    for position in range(384, 384 + 32):
        (gradient,) = torch.autograd.grad(rows[position], image, retain_graph=True)
        reached = gradient[0, 0].sum(dim=1).nonzero().ravel()
        radius = max(radius, position - int(reached[0]), int(reached[-1]) - position)
    assert network.halo == (radius, radius) == (245, 245)


def test_pixels_beyond_the_halo_change_nothing():
    network = small().eval()
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(1, 1, 32, 768, generator=generator)
    whole, part = network(image), network(image[..., 256:])
    far = 256 + network.halo[1]
    for head, answer in whole.items():
        torch.testing.assert_close(part[head][..., far - 256 :], answer[..., far:])


def test_halo_of_a_volume_is_that_of_an_image():
    assert small(ndim=3).halo == (small().halo[0],) * 3


@pytest.mark.parametrize("ndim", [2, 3])
def test_prepared_network_answers_the_same(ndim):
    network = small(ndim=ndim)
    image = torch.randn(2, 1, *(32,) * ndim, generator=torch.Generator().manual_seed(1))
    network.train()(torch.cat([image, 2 * image]))
    network.eval()
    prepared = prepared_for_inference(network)
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[name], answer, atol=1e-4, rtol=1e-4)


def test_every_weight_learns():
    network = small().train()
    image = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    sum(answer.square().mean() for answer in network(image).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_network_says_what_its_heads_answer():
    network = small(activations={"boundary": "none", "distance": "sigmoid"})
    assert network.head_channels == HEADS
    assert network.activations == {"boundary": "none"}
    assert not network.eval().norm_depends_on_tile


def test_a_network_without_heads_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        FCN(1, {})
