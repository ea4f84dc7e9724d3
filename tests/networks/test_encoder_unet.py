import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

HEADS = {"segmentation": 2, "boundary": 1}
NAMES = ["resnet34", "resnet50", "resnet101", "densenet121"]


def small(encoder="resnet34", **further):
    settings = {"encoder_base": 2, "base": 1, "high_resolution_width": 2, **further}
    with seeded(2):
        return EncoderUNet(1, HEADS, encoder=encoder, **settings)


def on_meta(in_channels, **settings):
    with torch.device("meta"):
        return EncoderUNet(in_channels, {"segmentation": 4}, **settings)


def drawn(*size):
    return torch.randn(*size, generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"encoder": "resnet34"}, 29_948_868),
        ({"encoder": "resnet50"}, 43_894_980),
        ({"encoder": "resnet101"}, 62_887_108),
        ({"encoder": "densenet121"}, 22_622_212),
        ({"encoder": "resnet34", "ndim": 3}, 89_523_012),
    ],
)
def test_parameters_and_layers_are_counted_without_weights(settings, expected):
    network = on_meta(5, **settings)
    assert parameter_counts(network)["total"] == expected
    rows = layer_table(network, 5, (32,) * settings.get("ndim", 2))
    assert sum(row.parameters for row in rows) == expected


@pytest.mark.parametrize(
    ("name", "expected"), zip(NAMES, [573, 337, 609, 1145], strict=True)
)
def test_halo_is_the_support_of_the_gradient(name, expected):
    network = small(name)
    assert network.halo == (expected, expected)
    length = 2 * expected // 32 * 32 + 96
    assert support_radius(network, length, head="boundary") == expected


@pytest.mark.parametrize(("stage", "expected"), [(2, 337), (3, 337), (4, 473)])
def test_halo_with_a_pathway_is_the_support_of_the_gradient(stage, expected):
    network = small("resnet50", high_resolution=stage)
    assert network.halo == (expected, expected)
    length = 2 * expected // 32 * 32 + 96
    assert support_radius(network, length, head="boundary") == expected


@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_pixels_beyond_the_halo_change_nothing(name):
    network = small(name, high_resolution=2).eval()
    image = drawn(1, 1, 32, 1600)
    whole, part = network(image), network(image[..., 256:])
    far = 256 + network.halo[1]
    for head, answer in whole.items():
        torch.testing.assert_close(part[head][..., far - 256 :], answer[..., far:])
    near = whole["boundary"][..., 256:288] - part["boundary"][..., :32]
    assert near.abs().max() > 1e-3


def test_halo_of_a_volume_is_that_of_an_image():
    assert small(ndim=3).halo == (573, 573, 573)


@pytest.mark.parametrize("name", ["resnet34", "densenet121"])
@pytest.mark.parametrize("size", [(1, 1), (33, 40), (2, 5, 33)])
def test_any_size_is_answered_in_its_own_size(name, size):
    network = small(name, ndim=len(size), high_resolution=3).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(1, 1, *size)).items()}
    assert shapes == {"segmentation": (1, 2, *size), "boundary": (1, 1, *size)}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", ["resnet34", "densenet121"])
def test_prepared_network_answers_the_same(name, ndim):
    network = small(name, ndim=ndim, high_resolution=2)
    network.train()(drawn(3, 1, *(32,) * ndim))
    network.eval()
    prepared = prepared_for_inference(network)
    image = drawn(1, 1, *(32,) * ndim)
    for head, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[head], answer, atol=1e-4, rtol=1e-4)


def test_the_pathway_is_concatenated_to_the_skip_of_its_stage():
    without, with_pathway = small(), small(high_resolution=3)
    more = [
        new.first.skip.in_channels - old.first.skip.in_channels
        for old, new in zip(without.decoder, with_pathway.decoder, strict=True)
    ]
    assert more == [0, 0, 2, 0]


@pytest.mark.parametrize(("stage", "width"), [(2, 128), (3, 256), (4, 512)])
def test_pathways_are_as_wide_as_in_the_paper(stage, width):
    assert on_meta(1, high_resolution=stage).skips.widths[stage - 2] == (
        (64, 64, 128)[stage - 2] + width
    )


def test_every_weight_learns():
    network = small(high_resolution=4).train()
    answers = network(drawn(2, 1, 64, 64)).values()
    sum(answer.square().mean() for answer in answers).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_network_says_what_its_heads_answer():
    network = small(activations={"boundary": "none", "distance": "sigmoid"})
    assert network.head_channels == HEADS
    assert network.activations == {"boundary": "none"}
    assert network.size_multiple == (32, 32)
    assert network.train().norm_depends_on_tile
    assert not network.eval().norm_depends_on_tile


@pytest.mark.parametrize("stage", [1, 5])
def test_a_stage_without_maps_for_a_pathway_is_refused(stage):
    with pytest.raises(ValueError, match="0 or 2 to 4"):
        small(high_resolution=stage)


def test_a_network_without_heads_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        EncoderUNet(1, {})
