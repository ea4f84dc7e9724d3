import pytest
import torch
from torch.nn import functional as F

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.decomposed_network import DecomposedNetwork
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

WITHOUT_CONTEXT = {"context": False, "classes": False, "decoder": "unet", "n_scenes": 0}
BASELINE = {"classes": False, "n_scenes": 0}


def small(in_channels=1, **further):
    sizes = {"base": 4, "width": 8, "hidden": 8, "decoder_base": 2}
    settings = {**sizes, "n_scenes": 2, "decoder_widths": (4, 2), **further}
    with seeded(2):
        return DecomposedNetwork(in_channels, 3, **settings)


def on_meta(n_classes_out=12, n_scenes=0, **settings):
    with torch.device("meta"):
        return DecomposedNetwork(3, n_classes_out, n_scenes, **settings)


def count(*parts):
    return sum(parameter_counts(part)["total"] for part in parts)


def drawn(*size):
    return torch.randn(*size, generator=torch.Generator().manual_seed(6))


def test_parameters_are_those_of_the_published_code():
    network = on_meta(12, 3)
    heads = network.pairs.heads
    assert {
        "encoder": count(network.encoder),
        "context": count(network.context, network.pairs.pairs),
        "classes": count(heads["classes"]),
        "scenes": count(heads["scenes"]),
        "decoder": count(network.decoder, network.heads),
    } == {
        "encoder": 14_714_688,
        "context": 6_818_048,
        "classes": 134_412,
        "scenes": 132_099,
        "decoder": 323_084,
    }
    assert count(network) == 22_122_331
    assert count(on_meta(3, 2)) == 22_119_464


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # neither pairs nor image heads, and a decoder that reads 256 channels
        (BASELINE, 14_714_688 + 5_047_808 + 323_084 - 256 * 64 * 9),
        ({"low_memory": True, "n_scenes": 3}, 22_122_331),
        # two more cascades
        ({"separate_context": True, "n_scenes": 3}, 22_122_331 + 2 * 2_950_400),
        ({**WITHOUT_CONTEXT, "norm": "batch"}, 25_717_964),
        ({**WITHOUT_CONTEXT, "norm": "batch", "encoder": "resnet34"}, 29_942_860),
        ({**WITHOUT_CONTEXT, "norm": "batch", "encoder": "resnet50"}, 43_888_972),
        ({"decoder": "unet", "norm": "batch", **BASELINE}, 29_587_660),
    ],
)
def test_parameters_of_the_other_rows_are_counted_without_weights(settings, expected):
    network = on_meta(**settings)
    assert count(network) == expected
    rows = layer_table(network, 3, (32, 32))
    assert sum(row.parameters for row in rows) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 660),
        ({"low_memory": True}, 675),
        ({"separate_context": True}, 660),
        (BASELINE, 644),
        ({"decoder": "unet"}, 726),
        (WITHOUT_CONTEXT, 214),
        ({"encoder": "resnet34"}, 1019),
        ({"encoder": "resnet50", "decoder": "unet"}, 849),
        ({**WITHOUT_CONTEXT, "encoder": "resnet50"}, 337),
    ],
)
def test_halo_is_the_support_of_the_gradient(settings, expected):
    network = small(**{"base": 2, "width": 2, "decoder_base": 1, **settings})
    assert network.halo == (expected, expected)
    assert support_radius(network, 2 * expected // 32 * 32 + 96) == expected


@pytest.mark.parametrize("decoder", ["plain", "unet"])
def test_pixels_beyond_the_halo_change_nothing(decoder):
    network = small(decoder=decoder).eval()
    image = drawn(1, 1, 32, 1152)
    whole, part = (network(x)["segmentation"] for x in (image, image[..., 256:]))
    far = 256 + network.halo[1]
    torch.testing.assert_close(part[..., far - 256 :], whole[..., far:])
    near = whole[..., 256:288] - part[..., :32]
    assert near.abs().max() > 1e-3


@pytest.mark.parametrize("encoder", ["vgg16", "resnet34"])
@pytest.mark.parametrize("decoder", ["plain", "unet"])
@pytest.mark.parametrize("size", [(1, 1), (33, 40)])
def test_any_size_is_answered_in_its_own_size(encoder, decoder, size):
    network = small(encoder=encoder, decoder=decoder).train()
    answers = network(torch.ones(1, 1, *size))
    assert {name: tuple(answer.shape) for name, answer in answers.items()} == {
        "segmentation": (1, 3, *size),
        "classes": (1, 3),
        "scenes": (1, 2),
    }


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("encoder", ["vgg16", "resnet34"])
@pytest.mark.parametrize("decoder", ["plain", "unet"])
def test_prepared_network_answers_the_same(norm, encoder, decoder):
    network = small(norm=norm, encoder=encoder, decoder=decoder)
    network.train()(drawn(3, 1, 64, 32))
    network.eval()
    prepared = prepared_for_inference(network)
    image = drawn(1, 1, 64, 32)
    for head, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[head], answer, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "batch"},
        {"norm": "batch", "decoder": "unet", "separate_context": True},
        {"norm": "batch", "encoder": "resnet34", **WITHOUT_CONTEXT},
        {"norm": "none", "low_memory": True},
    ],
)
def test_every_weight_learns(settings):
    network = small(3, **settings).train()
    answers = network(drawn(2, 3, 64, 64)).values()
    sum(answer.square().mean() for answer in answers).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("decoder", ["plain", "unet"])
def test_what_the_class_head_learns_does_not_reach_the_segmentation(decoder):
    network = small(decoder=decoder)
    answers = network(drawn(1, 1, 32, 32))
    present = torch.ones_like(answers["classes"])
    F.binary_cross_entropy_with_logits(answers["classes"], present).backward()
    apart = [
        network.heads,
        network.decoder,
        network.pairs.heads["scenes"],
        network.pairs.pairs["segmentation_scene"],
    ]
    assert all(p.grad is None for part in apart for p in part.parameters())
    shared = [
        network.encoder,
        network.context,
        network.pairs.heads["classes"],
        network.pairs.pairs["segmentation_class"],
        network.pairs.pairs["class_scene"],
    ]
    weights = [w for part in shared for w in part.parameters() if w.ndim > 1]
    assert all(weight.grad.abs().sum() > 0 for weight in weights)


def test_a_class_head_alone_shares_one_pair_with_the_segmentation():
    network = small(n_scenes=0)
    assert list(network.pairs.pairs) == ["segmentation_class"]
    assert list(network(drawn(1, 1, 32, 32))) == ["segmentation", "classes"]


@pytest.mark.parametrize(
    ("n_scenes", "classes", "expected"), [(2, True, 3), (0, True, 1), (0, False, 1)]
)
def test_each_pair_may_have_a_context_of_its_own(n_scenes, classes, expected):
    settings = {"n_scenes": n_scenes, "classes": classes}
    assert len(small(separate_context=True, **settings).context.cascades) == expected
    assert len(small(**settings).context.cascades) == 1


def test_low_memory_has_the_same_weights_and_other_answers():
    full, low = small().eval(), small(low_memory=True).eval()
    low.load_state_dict(full.state_dict())
    image = drawn(1, 1, 32, 32)
    full, low = (network(image) for network in (full, low))
    torch.testing.assert_close(low["classes"], full["classes"])
    assert (low["segmentation"] - full["segmentation"]).abs().max() > 1e-3


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_first_answers_are_neither_silent_nor_certain(norm):
    network = small(3, norm=norm, base=8, width=16, decoder_widths=(16, 8))
    for answer in network.train()(drawn(2, 3, 64, 64)).values():
        assert 1e-3 < answer.std() < 5


def test_biases_of_convolutions_start_at_zero():
    network = small()
    parts = [network.encoder, network.context, network.pairs.pairs, network.decoder]
    parameters = [p for part in parts for p in part.named_parameters()]
    biases = [value for name, value in parameters if name.endswith("bias")]
    # 13 of VGG16, one of the transposed convolution, 5 of the cascade, 3 pairs, 3
    assert len(biases) == 25
    assert not any(bias.any() for bias in biases)


def test_a_network_says_what_its_heads_answer():
    network = small()
    assert network.head_channels == {"segmentation": 3}
    assert network.image_heads == {"classes": 3, "scenes": 2}
    assert network.activations == {"classes": "sigmoid"}
    assert network.size_multiple == (32, 32)
    assert small(**BASELINE).image_heads == {}


def test_only_norms_make_answers_depend_on_the_tile():
    assert not small().train().norm_depends_on_tile
    assert small(norm="batch").train().norm_depends_on_tile
    assert small(encoder="resnet34").train().norm_depends_on_tile
    assert not small(encoder="resnet34").eval().norm_depends_on_tile
    assert small(norm="instance").eval().norm_depends_on_tile


@pytest.mark.parametrize("further", [{"classes": True}, {"n_scenes": 2}])
def test_image_heads_without_a_context_are_refused(further):
    with pytest.raises(ValueError, match="neither heads for classes and scenes nor"):
        small(**{**WITHOUT_CONTEXT, **further})


def test_a_plain_decoder_without_a_context_is_refused():
    with pytest.raises(ValueError, match="nor a plain decoder"):
        small(**{**WITHOUT_CONTEXT, "decoder": "plain"})


def test_unknown_encoders_are_refused():
    with pytest.raises(ValueError, match="known are resnet34"):
        small(encoder="vgg19")
