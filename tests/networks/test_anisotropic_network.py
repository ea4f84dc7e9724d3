import pytest
import torch

from napari_mtseg.networks.anisotropic_network import AnisotropicNetwork
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

SCORES = {"context": False, "decoder": "unet", "classes": False, "n_scenes": 0}
UNET = {"decoder": "unet"}
PLAIN = {"decoder": "plain"}
LOW = {"decoder": "plain", "low_memory": True}
ROWS = [SCORES, UNET, PLAIN, LOW]


def small(in_channels=1, **settings):
    sizes = {"base": 2, "width": 2, "hidden": 3, "decoder_widths": (3, 2)}
    with seeded(2):
        return AnisotropicNetwork(
            in_channels, 3, **{"n_scenes": 2, **sizes, **settings}
        )


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def on_meta(**settings):
    with torch.device("meta"):
        return AnisotropicNetwork(4, 4, **{"n_scenes": 2, **settings})


TRUNK = 218_688  # derived in test_anisotropic_trunk.py

# A 3x3x3 convolution a -> b with batch norm has 27 a b + 2 b parameters.
# context: 1x1x1 32 -> 64, 2176; five 64 -> 64, 110 720 each
# pairs: three 64 -> 64, 110 720 each
# heads: 128 -> 128, 16 512, and 128 -> 4, 516, or 128 -> 2, 258
CONTEXT = 2176 + 5 * 110_720
PAIRS = 3 * 110_720
IMAGE_HEADS = (16_512 + 516) + (16_512 + 258)

# 32 -> 4, 32 -> 8 -> 8 and 32 -> 16 -> 16 by transposed convolutions of (1, 3, 3),
# each with 3 numbers per channel of norm and PReLU, then (1, 3, 3) 28 -> 4 with bias
SCORED = (1152 + 12) + (2304 + 24 + 576 + 24) + (4608 + 48 + 2304 + 48) + (1008 + 4)

# at half the size [128, 32] -> 32 -> 32, at full size [32, 32] -> 32 -> 32, then 1x1x1
# 32 -> 4
LEVELS = (138_240 + 64 + 27_648 + 64) + (55_296 + 64 + 27_648 + 64) + 132

# 128 -> 64 -> 32 -> 32, then 1x1x1 32 -> 4
DIRECT = (221_184 + 128) + (55_296 + 64) + (27_648 + 64) + 132


@pytest.mark.parametrize(
    ("settings", "parts", "expected"),
    [
        (SCORES, [TRUNK, SCORED], 230_800),
        (UNET, [TRUNK, CONTEXT, PAIRS, IMAGE_HEADS, LEVELS], 1_389_642),
        (PLAIN, [TRUNK, CONTEXT, PAIRS, IMAGE_HEADS, DIRECT], 1_444_938),
        (LOW, [TRUNK, CONTEXT, PAIRS, IMAGE_HEADS, DIRECT], 1_444_938),
    ],
)
def test_parameters_are_the_sum_of_their_parts(settings, parts, expected):
    network = on_meta(**settings)
    assert parameter_counts(network)["total"] == sum(parts) == expected
    rows = layer_table(network, 4, (2, 8, 8))
    assert sum(row.parameters for row in rows) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SCORES, (4, 116, 116)),
        (UNET, (14, 252, 252)),
        (PLAIN, (13, 248, 248)),
        (LOW, (13, 251, 251)),
        ({"separate_context": True}, (13, 248, 248)),
        ({"classes": False, "n_scenes": 0}, (12, 244, 244)),
        ({**UNET, "classes": False, "norm": "none"}, (14, 252, 252)),
    ],
)
def test_halo_is_the_support_of_the_gradient(settings, expected):
    network = small(base=1, width=1, **settings)
    assert network.size_multiple == (1, 4, 4)
    assert network.halo == expected
    across, along, _ = expected
    assert support_radius(network, 2 * across + 3, axis=0) == across
    assert support_radius(network, 2 * along // 4 * 4 + 16, axis=1) == along
    assert support_radius(network, 2 * along // 4 * 4 + 16, axis=2) == along


@pytest.mark.parametrize("settings", ROWS)
def test_pixels_beyond_the_halo_change_nothing(settings):
    network = small(**settings).eval()
    volume = drawn(1, 1, 2, 4, 640)
    whole, part = (network(v)["segmentation"] for v in (volume, volume[..., 40:]))
    far = 40 + network.halo[2]
    torch.testing.assert_close(part[..., far - 40 :], whole[..., far:])
    assert (part[..., :8] - whole[..., 40:48]).abs().max() > 1e-4


def test_planes_beyond_the_halo_change_nothing():
    network = small().eval()
    volume = drawn(1, 1, 30, 8, 8)
    whole, part = (network(v)["segmentation"] for v in (volume, volume[:, :, 9:]))
    far = 9 + network.halo[0]
    torch.testing.assert_close(part[:, :, far - 9 :], whole[:, :, far:])


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("settings", ROWS)
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 33, 6), (2, 5, 17), (19, 8, 8)])
def test_any_size_is_answered_in_its_own_size(settings, size, norm):
    network = small(norm=norm, **settings).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(2, 1, *size)).items()}
    assert shapes.pop("segmentation") == (2, 3, *size)
    assert shapes == (
        {} if settings is SCORES else {"classes": (2, 3), "scenes": (2, 2)}
    )


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("settings", [*ROWS, {"separate_context": True}])
def test_every_weight_learns(settings, norm):
    network = small(2, norm=norm, **settings).train()
    answers = network(drawn(2, 2, 3, 16, 16)).values()
    sum(answer.square().mean() for answer in answers).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_one_plane_of_one_deepest_pixel_learns():
    for settings in ROWS:
        network = small(**settings).train()
        network(drawn(1, 1, 1, 4, 4))["segmentation"].sum().backward()


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("settings", ROWS)
def test_prepared_network_answers_the_same(settings, norm):
    network = small(2, norm=norm, **settings).double()
    volume = drawn(2, 2, 3, 16, 16).double()
    for _ in range(3):
        network.train()(1 + 3 * volume)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)
    prepared = prepared_for_inference(network.eval())
    found = prepared(volume)
    for name, answer in network(volume).items():
        torch.testing.assert_close(found[name], answer, atol=1e-9, rtol=1e-9)


def test_preparing_keeps_norms_that_come_before_their_convolution():
    prepared = prepared_for_inference(small())
    block = prepared.encoder.stages[0].blocks[0]
    assert isinstance(block.branch[0], torch.nn.BatchNorm3d)
    assert isinstance(prepared.decoder.first.norm, torch.nn.Identity)


@pytest.mark.parametrize("settings", [UNET, PLAIN])
def test_the_class_head_alone_teaches_no_decoder(settings):
    network = small(**settings)
    network(drawn(2, 1, 2, 8, 8))["classes"].sum().backward()
    for part in (network.decoder, network.heads, network.pairs.heads["scenes"]):
        assert all(p.grad is None for p in part.parameters())
    for part in (network.encoder, network.context, network.pairs.heads["classes"]):
        assert all(p.grad is not None for p in part.parameters())


def test_low_memory_has_the_same_weights_and_other_answers():
    full, low = small().eval(), small(**LOW).eval()
    low.load_state_dict(full.state_dict())
    volume = drawn(1, 1, 2, 12, 12)
    answers = [n(volume)["segmentation"] for n in (full, low)]
    assert not torch.allclose(*answers)


def test_each_pair_may_have_a_context_of_its_own():
    assert len(small().context.cascades) == 1
    assert len(small(separate_context=True).context.cascades) == 3
    alone = small(separate_context=True, classes=False, n_scenes=0)
    assert len(alone.context.cascades) == 1


def test_context_is_dilated_inside_planes_only():
    (cascade,) = small().context.cascades
    dilations = [part.conv.dilation for part in cascade.convolutions]
    assert dilations == [(1, d, d) for d in (1, 2, 4, 8, 16)]


def test_a_network_says_what_its_heads_answer():
    network = small()
    assert network.head_channels == {"segmentation": 3}
    assert dict(network.image_heads) == {"classes": 3, "scenes": 2}
    assert network.activations == {"classes": "sigmoid"}
    assert dict(small(**SCORES).image_heads) == {}
    assert small(classes=False).activations == {}


def test_windows_are_exact_with_batch_norm_only():
    assert small(norm="instance").eval().norm_depends_on_tile
    assert small().train().norm_depends_on_tile
    assert not small().eval().norm_depends_on_tile


@pytest.mark.parametrize(
    "change", [{"classes": True}, {"n_scenes": 2}, {"decoder": "plain"}]
)
def test_parts_that_need_a_context_are_refused_without(change):
    with pytest.raises(ValueError, match="without a context"):
        small(**{**SCORES, **change})
