import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.high_resolution_pathway import (
    DenseLink,
    HighResolutionPathway,
    SkipPathways,
    draw_xavier,
)
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table
from napari_mtseg.networks.unet import UNet
from tests.gradient_support import support_radius


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def small_pathway(**settings):
    with seeded(2):
        return HighResolutionPathway(3, 2, **{"ndim": 2, **settings})


def small_unet(**settings):
    with seeded(2):
        return UNet(1, 2, **{"base": 2, "levels": 3, **settings})


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_are_those_of_the_specification():
    assert n_parameters(HighResolutionPathway(32, 32, ndim=2)) == 178_432


def test_first_three_blocks_have_the_smaller_dilation_alone():
    pathway = small_pathway(dilations=(3, 5))
    found = [
        (block[0].first.conv.dilation[0], block[0].conv.dilation[0])
        for block in pathway.blocks
    ]
    assert found == [(3, 3)] * 3 + [(3, 5)] * 6


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dilations": (3, 5)}, (66, 66)),
        ({"dilations": (2, 4)}, (48, 48)),
        ({"dilations": (3, 5), "n_blocks": 6}, (42, 42)),
        ({"dilations": (2, 4), "ndim": 3}, (48, 48, 48)),
        ({"dilations": (2, 4), "ndim": 3, "in_plane": True}, (18, 48, 48)),
    ],
)
def test_reach_is_the_sum_of_the_dilations(settings, expected):
    assert small_pathway(**settings).reach == expected


@pytest.mark.parametrize("ndim", [2, 3])
def test_size_is_kept(ndim):
    image = drawn(2, 3, *(4, 5, 7)[-ndim:])
    assert small_pathway(ndim=ndim)(image).shape == (2, 2, *image.shape[2:])


def test_link_equals_a_convolution_of_the_concatenated_maps():
    with seeded(2):
        link = DenseLink(3, 2, 4, ndim=2, norm="none")
    maps = [drawn(2, 2, 5, 6), drawn(2, 2, 5, 6) + 1, drawn(2, 2, 5, 6) ** 2]
    weight = torch.cat([part.weight for part in link.parts], 1)
    expected = F.relu(F.conv2d(torch.cat(maps, 1), weight))
    torch.testing.assert_close(link(maps), expected)


def test_all_blocks_are_linked_to_the_end():
    pathway = small_pathway(norm="none")
    for block in pathway.blocks:
        nn.init.zeros_(block[0].conv.weight)
    image = drawn(1, 3, 4, 4)
    entered = pathway.entry(image)
    weight = sum(part.weight for part in pathway.exit.parts)
    torch.testing.assert_close(pathway(image), F.relu(F.conv2d(entered, weight)))


def test_gradients_reach_every_weight():
    pathway = small_pathway()
    pathway(drawn(2, 3, 12, 12)).square().sum().backward()
    assert all(p.grad is not None for p in pathway.parameters())
    assert all(part.weight.grad.any() for part in pathway.exit.parts)


def test_xavier_counts_all_maps_of_a_link_as_one_input():
    with seeded(2):
        link = DenseLink(10, 8, 16, ndim=2, norm="none")
        draw_xavier(link)
    bound = (6 / (10 * 8 + 16)) ** 0.5
    weights = torch.cat([part.weight for part in link.parts])
    assert 0.9 * bound < float(weights.detach().abs().max()) <= bound


def test_xavier_starts_biases_at_zero():
    convolution = nn.Conv2d(4, 4, 3)
    draw_xavier(convolution)
    bound = (6 / (36 + 36)) ** 0.5
    assert 0.8 * bound < float(convolution.weight.detach().abs().max()) <= bound
    assert not convolution.bias.any()


def test_without_a_stage_skips_are_as_they_were():
    skips = SkipPathways((2, 4), ((2, 2), (2, 2)), stage=0)
    maps = [drawn(1, 2, 8, 8), drawn(1, 4, 4, 4), drawn(1, 8, 2, 2)]
    assert all(a is b for a, b in zip(skips(maps), maps, strict=True))
    assert (skips.widths, skips.reach) == ((2, 4), ((0, 0), (0, 0)))
    assert n_parameters(skips) == 0


def test_the_pathway_is_joined_to_the_skip_of_its_stage():
    with seeded(2):
        skips = SkipPathways((2, 4), ((2, 2), (2, 2)), stage=2, width=3)
    maps = [drawn(1, 2, 8, 8), drawn(1, 4, 4, 4), drawn(1, 8, 2, 2)]
    found = skips.eval()(maps)
    assert [m.shape[1] for m in found] == [*skips.widths, 8] == [2, 7, 8]
    assert skips.reach == ((0, 0), (48, 48))
    assert torch.equal(found[1][:, :4], maps[1])
    assert torch.equal(found[1][:, 4:], skips.pathway(maps[1]))


def test_planes_far_apart_are_not_dilated_across():
    pools = ((1, 2, 2), (2, 2, 2))
    first, second = (SkipPathways((2, 4), pools, stage=s) for s in (1, 2))
    assert first.reach[0] == (18, 48, 48)
    assert second.reach[1] == (48, 48, 48)


def test_a_stage_without_skip_is_refused():
    for stage in (-1, 3):
        with pytest.raises(ValueError, match=f"at stage {stage}, not 0..2"):
            SkipPathways((2, 4), ((2, 2), (2, 2)), stage=stage)


def test_unet_without_pathway_is_as_it_was():
    assert n_parameters(UNet(1, 2, high_resolution=0)) == 7_849_058


def test_unet_pays_for_its_pathway_and_a_wider_skip():
    plain, further = (
        small_unet(),
        small_unet(high_resolution=2, high_resolution_width=3),
    )
    pathway = HighResolutionPathway(4, 3, ndim=2)
    wider_skip = 3 * 4 * 9
    expected = n_parameters(plain) + n_parameters(pathway) + wider_skip
    assert n_parameters(further) == expected


@pytest.mark.parametrize(("stage", "length"), [(1, 160), (2, 320)])
def test_unet_halo_with_a_pathway_is_the_support_of_the_gradient(stage, length):
    network = small_unet(base=1, high_resolution=stage)
    assert support_radius(network, length) == network.halo[0] > small_unet().halo[0]


@pytest.mark.parametrize(("axis", "length"), [(0, 64), (1, 140)])
def test_unet_halo_in_thick_volumes_is_the_support_of_the_gradient(axis, length):
    pools = ((1, 2, 2), (2, 2, 2))
    network = small_unet(base=1, ndim=3, pools=pools, high_resolution=1)
    assert support_radius(network, length, axis=axis) == network.halo[axis]


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("ndim", [2, 3])
def test_unet_answers_any_size_and_the_same_when_prepared(ndim, stage):
    network = small_unet(ndim=ndim, high_resolution=stage)
    image = drawn(1, 1, *(5, 9, 14)[-ndim:])
    network.train()(image.tile(2, *[1] * (ndim + 1)) * 2)
    network.eval()
    prepared = prepared_for_inference(network)
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    expected = network(image)["segmentation"]
    assert expected.shape == (1, 2, *image.shape[2:])
    found = prepared(image)["segmentation"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_layers_of_a_unet_with_a_pathway_add_up():
    network = small_unet(high_resolution=1)
    rows = layer_table(network, 1, (8, 8))
    assert sum(row.parameters for row in rows) == n_parameters(network)


def test_unet_answers_by_head():
    heads = {"segmentation": 3, "boundary": 1}
    network = UNet(
        1, heads, base=2, levels=2, activations={"boundary": "none", "other": "none"}
    )
    shapes = {k: tuple(v.shape) for k, v in network(drawn(2, 1, 4, 4)).items()}
    assert shapes == {"segmentation": (2, 3, 4, 4), "boundary": (2, 1, 4, 4)}
    assert network.head_channels == heads
    assert network.activations == {"boundary": "none"}
