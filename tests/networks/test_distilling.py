import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.distilling import DistillingNetwork, pathway_width
from napari_mtseg.networks.distilling_blocks import DenseBlock, EnlargingConv
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import bytes_per_pixel
from tests.gradient_support import support_radius

CPU = torch.device("cpu")
THICK = ((1, 2, 2), (2, 2, 2))
S = {"segmentation": 2}
SB = {"segmentation": 2, "boundary": 1}


def on_meta(in_channels, heads, **settings):
    with torch.device("meta"):
        return DistillingNetwork(in_channels, heads, **settings)


def small(heads=S, **settings):
    with seeded(4):
        return DistillingNetwork(1, heads, **{"base": 2, "levels": 3, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("stage", "expected"),
    [(0, 3_175_060), (1, 3_361_048), (2, 3_473_144), (3, 3_776_056), (4, 4_221_944)],
)
def test_parameters_are_those_of_the_specification(stage, expected):
    network = on_meta(5, {"segmentation": 4}, high_resolution=stage)
    assert n_parameters(network) == expected


def test_hmedn_has_a_boundary_head_more():
    network = on_meta(5, {"segmentation": 4, "boundary": 1}, high_resolution=3)
    assert n_parameters(network) == 3_791_681


@pytest.mark.parametrize(("stage", "expected"), [(2, 4_206_120), (3, 5_820_328)])
def test_parameters_in_3d_are_those_of_the_specification(stage, expected):
    heads = {"segmentation": 4}
    network = on_meta(4, heads, ndim=3, high_resolution=stage, dropout=0.2)
    assert n_parameters(network) == expected


def test_three_pools_make_dstnet2():
    network = on_meta(5, {"segmentation": 4}, levels=4)
    assert n_parameters(network) == 797_300
    assert len(network.sides) == 2


def test_pathway_widths_are_those_of_the_paper():
    assert [pathway_width(s, 24, ndim=2) for s in (1, 2, 3, 4)] == [32, 40, 56, 72]
    assert [pathway_width(s, n, ndim=3) for s, n in ((2, 32), (3, 64))] == [32, 64]


@pytest.mark.parametrize(
    ("settings", "radius"),
    [
        ({"high_resolution": 0}, 108),
        ({"high_resolution": 1}, 108),
        ({"high_resolution": 2}, 110),
        ({"high_resolution": 3}, 224),
        ({"high_resolution": 4}, 452),
        ({"levels": 4}, 52),
        ({"high_resolution": 2, "dilations": (3, 5)}, 146),
    ],
)
def test_halo_of_the_papers_networks(settings, radius):
    assert on_meta(1, S, **settings).halo == (radius, radius)


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({"levels": 2}, 48),
        ({"levels": 3}, 80),
        ({"levels": 5, "base": 1}, 256),
        ({"levels": 3, "high_resolution": 1}, 160),
        ({"levels": 3, "high_resolution": 2}, 256),
        ({"levels": 4, "high_resolution": 2, "dilations": (1, 2)}, 192),
        ({"levels": 4, "high_resolution": 3, "dilations": (1, 1)}, 320),
    ],
)
def test_halo_is_the_support_of_the_gradient(settings, length):
    network = small(high_resolution_width=1, **settings)
    assert support_radius(network, length) == network.halo[0]


@pytest.mark.parametrize("head", ["segmentation", "boundary"])
def test_halo_holds_for_every_head(head):
    network = small(SB, high_resolution=1, high_resolution_width=1)
    assert support_radius(network, 160, head=head) == network.halo[0]


@pytest.mark.parametrize(
    ("stage", "axis", "length"),
    [(0, 0, 64), (0, 1, 80), (1, 0, 64), (1, 1, 140), (2, 0, 150), (2, 1, 256)],
)
def test_halo_of_thick_volumes_is_the_support_of_the_gradient(stage, axis, length):
    network = small(
        base=1,
        ndim=3,
        pools=THICK,
        high_resolution=stage,
        high_resolution_width=1,
    )
    assert support_radius(network, length, axis=axis) == network.halo[axis]


def test_planes_far_apart_are_not_dilated_across():
    first, second = (
        small(ndim=3, pools=THICK, high_resolution=stage).pathway.reach
        for stage in (1, 2)
    )
    assert (first, second) == ((18, 48, 48), (48, 48, 48))


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 17), (3, 20)])
@pytest.mark.parametrize("stage", [0, 2])
def test_any_size_is_answered_in_its_own_size(size, stage):
    network = small(SB, high_resolution=stage).eval()
    shapes = {k: tuple(v.shape) for k, v in network(drawn(2, 1, *size)).items()}
    assert shapes == {"segmentation": (2, 2, *size), "boundary": (2, 1, *size)}


@pytest.mark.parametrize("size", [(1, 8, 8), (5, 9, 14)])
def test_any_size_of_a_volume_with_thick_slices(size):
    network = small(ndim=3, pools=THICK, high_resolution=1).eval()
    assert network(drawn(1, 1, *size))["segmentation"].shape == (1, 2, *size)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_end_of_the_pathway_answers_only_in_training(stage):
    network = small(SB, high_resolution=stage)
    training = network.train()(drawn(2, 1, 9, 10))
    assert list(training) == ["segmentation", "boundary", "auxiliary"]
    assert training["auxiliary"].shape == (2, 2, 9, 10)
    assert list(network.eval()(drawn(2, 1, 9, 10))) == ["segmentation", "boundary"]
    assert list(network.head_channels) == ["segmentation", "boundary"]
    assert list(small().train()(drawn(2, 1, 8, 8))) == ["segmentation"]


def test_deep_supervision_teaches_the_pathway_and_what_leads_to_it():
    network = small(high_resolution=2)
    network(drawn(2, 1, 16, 16))["auxiliary"].square().sum().backward()
    taught = {
        n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None
    }
    assert taught == {"encoder", "pathway", "auxiliary"}
    assert all(p.grad is None for p in network.encoder.stages[2].parameters())


def test_heads_teach_all_but_the_auxiliary_head():
    network = small(SB, high_resolution=2)
    answers = network(drawn(2, 1, 16, 16))
    sum(answers[name].square().sum() for name in SB).backward()
    without = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is None}
    assert without == {"auxiliary"}


def test_coarser_stages_reach_the_heads_by_side_channels():
    network = small(base=4, levels=4).eval()
    image = drawn(1, 1, 16, 16)
    seen = []
    network.heads.register_module("other", nn.Identity())
    network.heads["other"].register_forward_hook(lambda _, __, out: seen.append(out))
    network(image)
    assert seen[0].shape == (1, 4 + 2 * 16, 16, 16)


def test_dense_block_links_all_layers_to_its_end():
    block = DenseBlock(3, 8, ndim=2, norm="batch")
    widths = [
        (m.conv.in_channels, m.conv.out_channels)
        for m in block.children()
        if hasattr(m, "conv")
    ]
    assert widths == [(3, 4), (7, 4), (11, 8)]


def test_enlarging_repeats_each_pixel_where_all_weights_are_equal():
    enlarge = EnlargingConv(1, 1, factors=(1, 2), norm="none")
    nn.init.ones_(enlarge.conv.weight)
    coarse = torch.tensor([[[[1.0, 2.0]]]])
    assert enlarge(coarse)[0, 0].tolist() == [[1, 1, 2, 2]]


def test_dropout_drops_whole_maps_and_only_in_training():
    with seeded(1):
        block = DenseBlock(1, 16, ndim=2, norm="none", dropout=0.5)
        ones = block.train()(torch.ones(1, 1, 4, 4))
        whole = block.eval()(torch.ones(1, 1, 4, 4))
    dropped = (ones == 0).flatten(2).all(2)[0]
    active = (whole > 0).flatten(2).any(2)[0]
    assert (dropped & active).any()
    kept = ~dropped & active
    assert kept.any()
    torch.testing.assert_close(ones[0, kept], 2 * whole[0, kept])
    assert all(not isinstance(m, nn.Dropout2d) for m in small().modules())


def test_without_norm_training_and_evaluation_agree():
    network = small(SB, high_resolution=1, norm="none")
    image = drawn(2, 1, 8, 12)
    training, evaluation = network.train()(image), network.eval()(image)
    for name, answer in evaluation.items():
        torch.testing.assert_close(training[name], answer)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("stage", [0, 1])
def test_prepared_for_inference_answers_the_same(ndim, stage):
    network = small(SB, ndim=ndim, high_resolution=stage)
    image = drawn(2, 1, *(16,) * ndim)
    network.train()(image * 2 + 1)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, expected in network(image).items():
        found = prepared(image)[name]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_exact_windows_equal_the_whole_image():
    network = small(SB, high_resolution=2, dilations=(1, 1))
    network = prepared_for_inference(network)
    image = drawn(1, 255, 42).numpy()
    per_pixel = bytes_per_pixel(network, 1, multiple=(4, 4), device=CPU)
    whole, parts = (
        apply_in_windows(
            network, image, device=CPU, memory_budget_bytes=int(budget), outputs=[*SB]
        )
        for budget in (1e12, 1.001 * per_pixel * 240 * 44)
    )
    assert (whole[1].mode, parts[1].mode) == ("whole", "exact")
    for name, expected in whole[0].items():
        np.testing.assert_allclose(parts[0][name], expected, atol=1e-5)


def test_weights_repeat_exactly():
    pairs = zip(
        small(high_resolution=1).parameters(),
        small(high_resolution=1).parameters(),
        strict=True,
    )
    assert all(torch.equal(a, b) for a, b in pairs)


def test_first_activations_keep_their_scale():
    with seeded(4):
        network = DistillingNetwork(1, S, base=8, levels=4, high_resolution=3)
    seen = []
    network.heads["segmentation"].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    network.train()(drawn(2, 1, 64, 64))
    assert 0.2 < float(seen[0].detach().std()) < 5


def test_norm_depends_on_the_tile_unless_it_is_frozen_or_absent():
    assert small(norm="instance").eval().norm_depends_on_tile
    assert small().train().norm_depends_on_tile
    assert not small().eval().norm_depends_on_tile


def test_activations_of_absent_heads_are_passed_over():
    activations = {"boundary": "none"}
    assert small(activations=activations).activations == {}
    assert small(SB, activations=activations).activations == activations


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"a segmentation head is needed, got \['b'\]"):
        small({"b": 1})
    with pytest.raises(ValueError, match=r"at stage 3, not 0\.\.2"):
        small(high_resolution=3)
    with pytest.raises(ValueError, match="2 rows of 2 pooling factors"):
        small(pools=[(2, 2)])
