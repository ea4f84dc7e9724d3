import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.dropout import has_dropout
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.samples import MonteCarloDropout
from napari_mtseg.networks.vnet import VNet
from tests.gradient_support import support_radius

SEGMENTATION = {"segmentation": 1}
BOTH = {"segmentation": 2, "distance": 1}
THICK = ((1, 2, 2), (2, 2, 2))


def on_meta(heads, **settings):
    with torch.device("meta"):
        return VNet(1, heads, **settings)


def small(heads=BOTH, **settings):
    with seeded(4):
        return VNet(1, heads, **{"ndim": 2, "base": 2, "levels": 3, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def trained_looking(network):
    """Give every batch norm statistics and scales that are not 0 and 1."""
    with seeded(5):
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                nn.init.normal_(module.get_buffer("running_mean"), 0, 0.3)
                nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


def without_biases(network):
    """Take away what may keep a ReLU shut."""
    for name, parameter in network.named_parameters():
        if name.endswith("conv.bias"):
            nn.init.zeros_(parameter)
    return network


@pytest.mark.parametrize(
    ("heads", "further", "expected"),
    [
        (SEGMENTATION, {}, 9_448_849),
        ({"segmentation": 2}, {"binary": ("segmentation",)}, 9_448_849),
        ({"segmentation": 1, "distance": 1}, {}, 9_448_866),
        (
            {"segmentation": 1, "distance": 1},
            {"separate_decoders": True},
            11_520_802,
        ),
        (BOTH, {"separate_decoders": True, "binary": ["segmentation"]}, 11_520_802),
    ],
)
def test_parameters_are_those_of_the_specification(heads, further, expected):
    network = on_meta(heads, **further)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_a_single_head_has_a_single_decoder():
    assert len(small(SEGMENTATION, separate_decoders=True).decoders) == 1


def test_the_second_decoder_answers_for_all_heads_but_the_first():
    heads = {"segmentation": 2, "distance": 1, "contour": 1}
    network = small(heads, separate_decoders=True, dropout=0)
    network(drawn(2, 1, 8, 8))["segmentation"].sum().backward()
    first, second = network.decoders
    assert all(p.grad is not None for p in first.parameters())
    assert all(p.grad is None for p in second.parameters())
    network.zero_grad()
    answers = network(drawn(2, 1, 8, 8))
    (answers["distance"] + answers["contour"]).sum().backward()
    assert all(p.grad is None for p in first.parameters())
    assert all(p.grad is not None for p in second.parameters())
    assert list(answers) == list(heads)


@pytest.mark.parametrize(
    ("levels", "separate", "radius"), [(5, False, 145), (5, True, 145), (2, False, 7)]
)
def test_halo_is_the_support_of_the_gradient(levels, separate, radius):
    heads = {"segmentation": 1, "distance": 1}
    network = VNet(1, heads, ndim=2, base=1, levels=levels, separate_decoders=separate)
    assert network.halo == (radius, radius)
    assert support_radius(without_biases(network), 336, head="distance") == radius


@pytest.mark.parametrize("axis", [0, 1])
def test_halo_of_thick_slices_is_the_support_of_the_gradient(axis):
    network = VNet(1, SEGMENTATION, base=1, levels=3, pools=THICK)
    assert network.halo[0] < network.halo[1] == network.halo[2]
    assert support_radius(without_biases(network), 72, axis=axis) == network.halo[axis]


def test_shrinking_leaves_axes_that_are_not_pooled():
    network = small(ndim=3, pools=THICK)
    assert network.size_multiple == (2, 4, 4)
    kernels = [down.conv.kernel_size for down in network.encoder.down]
    assert kernels == [(1, 2, 2), (2, 2, 2)]
    volume = torch.zeros(1, 1, 5, 9, 12)
    assert network.eval()(volume)["distance"].shape == (1, 1, 5, 9, 12)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (7, 13)])
def test_any_size_is_answered_in_its_own_size(size):
    for network in (small(), small().eval(), small(norm="instance")):
        answers = network(drawn(1, 1, *size))
        assert answers["segmentation"].shape == (1, 2, *size)
        assert answers["distance"].shape == (1, 1, *size)


def test_blocks_have_1_2_3_3_3_convolutions_and_more_levels_3_each():
    network = on_meta(SEGMENTATION, levels=6)
    assert [len(block) for block in network.encoder.blocks] == [1, 2, 3, 3, 3, 3]
    upwards = [len(level.block) for level in network.decoders[0].levels]
    assert upwards == [3, 3, 3, 2, 1]
    assert [len(block) for block in on_meta(SEGMENTATION, levels=2).encoder.blocks] == [
        1,
        2,
    ]


def test_a_binary_heads_softmax_is_the_sigmoid_of_its_one_output():
    network = small(binary=("segmentation",)).eval()
    logits = network(drawn(1, 1, 8, 8))["segmentation"]
    assert network.head_channels["segmentation"] == 2
    assert network.heads["segmentation"].out_channels == 1
    assert (logits[:, 0] == 0).all()
    torch.testing.assert_close(logits.softmax(1)[:, 1], logits[:, 1].sigmoid())


@pytest.mark.parametrize("binary", [("distance",), ("contour",)])
def test_a_binary_head_of_other_than_two_channels_is_refused(binary):
    with pytest.raises(ValueError, match="no two channels"):
        small(binary=binary)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(
    ("place", "deepest", "after_levels"),
    [
        ("ends", True, [False, True]),
        ("deepest", True, [False, False]),
        ("decoder", False, [True, True]),
        ("last", False, [False, True]),
    ],
)
def test_dropout_is_where_asked_in_every_decoder(
    place, deepest, after_levels, separate
):
    network = small(dropout_place=place, separate_decoders=separate)
    assert has_dropout(network.drop) == deepest
    for decoder in network.decoders:
        assert [has_dropout(drop) for drop in decoder.drops] == after_levels
    assert len(network.decoders) == 1 + separate


def test_dropout_drops_whole_maps_at_both_ends_while_training_only():
    network = small(norm="none", dropout=0.5)
    zeros = []

    def note(_, __, maps):
        zeros.append([bool((m == 0).all()) for m in maps[0]])

    for module in (network.drop, network.decoders[0].drops[-1]):
        module.register_forward_hook(note)
    image = drawn(1, 1, 8, 8)
    with seeded(0):
        network(image)
    assert [len(maps) for maps in zeros] == [8, 2]
    assert any(zeros[0])
    network.eval()
    torch.testing.assert_close(network(image), network(image))
    assert not has_dropout(small(dropout=0))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("separate", [False, True])
def test_folded_network_answers_the_same(ndim, separate):
    network = trained_looking(small(ndim=ndim, separate_decoders=separate))
    image = drawn(1, 1, *(16,) * ndim)
    prepared = prepared_for_inference(network)
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, logits in network(image).items():
        torch.testing.assert_close(prepared(image)[name], logits, atol=1e-4, rtol=1e-4)


def test_sums_in_place_without_gradients_leave_what_both_decoders_read():
    network = small(separate_decoders=True).eval()
    image = drawn(1, 1, 8, 8)
    with torch.no_grad():
        without = network(image)
    torch.testing.assert_close(without, network(image), atol=0, rtol=0)


def test_without_norm_the_signal_reaches_the_answer():
    network = small(norm="none", base=8, levels=5, dropout=0)
    deepest = network.encoder(drawn(2, 1, 32, 32))[-1]
    assert 0.05 < deepest.std() < 5


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("place", ["ends", "deepest", "decoder", "last"])
def test_passes_with_dropout_compute_once_what_lies_before_it(place, separate):
    network = small(base=4, dropout_place=place, separate_decoders=separate)
    trained_looking(network)
    image = drawn(1, 1, 16, 16)
    passes = MonteCarloDropout(network, n_passes=4, seed=3)
    n_calls = dict.fromkeys(("encoder", "deep", "fine"), 0)
    levels = network.decoders[0].levels

    def count(part):
        def called(*_):
            n_calls[part] += 1

        return called

    network.encoder.blocks[0][0].conv.register_forward_hook(count("encoder"))
    levels[0].up.conv.register_forward_hook(count("deep"))
    levels[-1].up.conv.register_forward_hook(count("fine"))
    found = [a["segmentation"].clone() for a in passes(image)]
    expected = {
        "ends": (1, 4, 4),
        "deepest": (1, 4, 4),
        "decoder": (1, 1, 4),
        "last": (1, 1, 1),
    }
    assert tuple(n_calls.values()) == expected[place]
    assert any(not torch.equal(found[0], other) for other in found[1:])
