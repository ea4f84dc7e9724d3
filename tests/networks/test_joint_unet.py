import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.high_resolution_pathway import HighResolutionPathway
from napari_mtseg.networks.joint_unet import JointUNet, joint_pools
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import layer_table, parameter_counts
from tests.gradient_support import support_radius

M = {"segmentation": 2}
MC = {"segmentation": 2, "contour": 2}
MD = {"segmentation": 2, "distance": 1}
MCD = {"segmentation": 2, "contour": 2, "distance": 1}


def small(heads, **further):
    settings = {"base": 2, "levels": 3, "norm": "none", **further}
    with seeded(4):
        return JointUNet(1, heads, **settings)


def drawn(*size):
    return torch.randn(*size, generator=torch.Generator().manual_seed(6))


def on_meta(in_channels, heads, **settings):
    with torch.device("meta"):
        return JointUNet(in_channels, heads, **settings)


@pytest.mark.parametrize(
    ("heads", "settings", "expected"),
    [
        (M, {}, 7_844_256),
        (MC, {}, 7_844_832),
        (MD, {}, 7_844_544),
        (MC, {"two_decoders": True}, 10_978_272),
        (MD, {"two_decoders": True}, 10_977_984),
        (MCD, {}, 7_845_120),
        (MD, {"ndim": 3}, 23_533_632),
    ],
)
@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
def test_weights_are_counted_as_in_the_paper(heads, settings, expected, norm):
    counts = parameter_counts(on_meta(3, heads, norm=norm, **settings))
    assert counts == {"conv_weights": expected, "total": expected}


def test_a_grey_image_needs_576_weights_less():
    assert parameter_counts(on_meta(1, M))["total"] == 7_844_256 - 576


def test_affine_norm_leaves_the_table():
    counts = parameter_counts(on_meta(3, MD, affine=True))
    assert counts == {"conv_weights": 7_844_544, "total": 7_850_432}


def test_layers_are_listed_without_memory_for_weights():
    rows = layer_table(on_meta(3, MD), 3, (64, 64))
    assert sum(row.parameters for row in rows) == 7_844_544


def test_three_heads_share_two_decoders():
    network = on_meta(3, MCD, two_decoders=True)
    expected = 10_978_272 + 288
    assert parameter_counts(network)["total"] == expected


def test_a_single_head_has_a_single_decoder():
    network = on_meta(3, M, two_decoders=True)
    assert parameter_counts(network)["total"] == 7_844_256


def test_widths_and_poolings_are_those_of_the_paper():
    network = on_meta(3, M)
    assert network.pools == ((2, 2), (2, 2), (2, 2), (4, 4))
    assert network.size_multiple == (32, 32)
    rows = layer_table(network, 3, (32, 32))
    widths = [row.output_shape[0] for row in rows if row.kind == "Conv2d"]
    encoder = [32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    decoder = [n for n in (256, 128, 64, 32) for _ in range(3)]
    assert widths == [*encoder, *decoder, 2]


@pytest.mark.parametrize(
    ("spacing", "levels", "expected"),
    [
        ((1.0, 1.0), 2, ((4, 4),)),
        ((1.0, 1.0, 1.0), 3, ((2, 2, 2), (4, 4, 4))),
        ((2.0, 1.0, 1.0), 3, ((1, 2, 2), (4, 4, 4))),
        ((9.0, 1.0, 1.0), 3, ((1, 2, 2), (1, 4, 4))),
    ],
)
def test_last_pooling_is_doubled_where_an_axis_is_pooled(spacing, levels, expected):
    assert joint_pools(spacing, levels) == expected


@pytest.mark.parametrize(
    ("levels", "length", "expected"),
    [(2, 48, 16), (3, 96, 36), (4, 192, 76), (5, 384, 156)],
)
def test_halo_is_the_support_of_the_gradient(levels, length, expected):
    network = small(M, base=1, levels=levels)
    assert network.halo == (expected, expected)
    assert support_radius(network, length) == expected


@pytest.mark.parametrize(
    ("spacing", "expected"), [((5.0, 1.0, 1.0), 11), ((2.0, 1.0, 1.0), 20)]
)
def test_halo_of_thick_slices_is_the_support_of_the_gradient(spacing, expected):
    network = small(M, base=1, ndim=3, pools=joint_pools(spacing, 3))
    assert network.halo == (expected, 36, 36)
    assert support_radius(network, 64) == expected
    assert support_radius(network, 96, axis=1) == 36


@pytest.mark.parametrize(("stage", "length"), [(1, 192), (2, 384)])
@pytest.mark.parametrize("two_decoders", [False, True])
def test_halo_with_a_pathway_is_the_support_of_the_gradient(
    stage, length, two_decoders
):
    network = small(MC, base=1, high_resolution=stage, two_decoders=two_decoders)
    assert network.halo[0] > small(MC).halo[0]
    for head in MC:
        assert support_radius(network, length, head=head) == network.halo[0]


@pytest.mark.parametrize(("axis", "length"), [(0, 72), (1, 160)])
def test_halo_of_a_pathway_in_thick_slices_is_the_support_of_the_gradient(axis, length):
    pools = joint_pools((5.0, 1.0, 1.0), 3)
    network = small(M, base=1, ndim=3, pools=pools, high_resolution=1)
    assert support_radius(network, length, axis=axis) == network.halo[axis]


@pytest.mark.parametrize("two_decoders", [False, True])
def test_decoders_share_one_pathway_and_each_has_a_wider_skip(two_decoders):
    plain, further = (
        small(MD, two_decoders=two_decoders, **pathway)
        for pathway in ({}, {"high_resolution": 2, "high_resolution_width": 3})
    )
    pathway = HighResolutionPathway(4, 3, ndim=2, norm="none")
    wider_skip = 3 * 4 * 9 * (1 + two_decoders)
    added = parameter_counts(pathway)["total"] + wider_skip
    assert (
        parameter_counts(further)["total"] == parameter_counts(plain)["total"] + added
    )


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 17), (3, 20)])
def test_any_size_is_answered_in_its_own_size(norm, size):
    network = small(MD, norm=norm).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(2, 1, *size)).items()}
    assert shapes == {"segmentation": (2, 2, *size), "distance": (2, 1, *size)}


def test_any_size_of_a_volume_with_thick_slices():
    pools = joint_pools((5.0, 1.0, 1.0), 3)
    network = small(MCD, ndim=3, norm="instance", two_decoders=True, pools=pools)
    for size in [(1, 1, 1), (3, 8, 9), (5, 17, 4)]:
        answers = network.eval()(torch.ones(1, 1, *size))
        assert list(answers) == ["segmentation", "contour", "distance"]
        assert answers["distance"].shape == (1, 1, *size)


def test_instance_norm_learns_from_a_patch_of_one_deepest_pixel():
    network = small(MD, norm="instance").train()
    answers = network(drawn(1, 1, 8, 8))
    sum(answer.square().sum() for answer in answers.values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_with_one_decoder_every_head_teaches_all_but_the_other_heads():
    network = small(MD)
    network(drawn(1, 1, 8, 8))["distance"].mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert without == ["heads.segmentation.weight"]


@pytest.mark.parametrize(
    ("name", "untouched"), [("segmentation", 1), ("contour", 0), ("distance", 0)]
)
def test_with_two_decoders_a_head_teaches_its_own_and_the_encoder(name, untouched):
    network = small(MCD, two_decoders=True)
    network(drawn(1, 1, 8, 8))[name].mean().backward()
    assert len(network.decoders) == 2
    assert all(p.grad is not None for p in network.encoder.parameters())
    assert all(p.grad is None for p in network.decoders[untouched].parameters())
    assert all(p.grad is not None for p in network.decoders[1 - untouched].parameters())


def test_second_decoder_leaves_the_segmentation_as_it_is():
    one, two = small(MD).eval(), small(MD, two_decoders=True).eval()
    common = one.state_dict()
    two.load_state_dict(common, strict=False)
    image = drawn(1, 1, 16, 24)
    expected = one(image)["segmentation"]
    torch.testing.assert_close(two(image)["segmentation"], expected)


def test_upsampling_repeats_pixels():
    level = small(M).decoders[0].levels[0]
    coarse = torch.tensor([[[[1.0, 2.0]]]])
    assert level.up(coarse)[0, 0].tolist() == [[1, 1, 1, 1, 2, 2, 2, 2]] * 4


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("affine", [False, True])
def test_prepared_for_inference_answers_the_same(ndim, affine, stage):
    network = small(
        MCD,
        ndim=ndim,
        norm="batch",
        affine=affine,
        two_decoders=True,
        high_resolution=stage,
    )
    image = drawn(2, 1, *(5, 9, 14)[-ndim:])
    network.train()(image)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, expected in network(image).items():
        torch.testing.assert_close(
            prepared(image)[name], expected, atol=1e-5, rtol=1e-4
        )


def test_activations_of_absent_heads_are_passed_over():
    assert small(MC, activations={"distance": "sigmoid"}).activations == {}
    network = small(MD, activations={"distance": "sigmoid"})
    assert network.activations == {"distance": "sigmoid"}


def test_weights_repeat_exactly():
    for a, b in zip(small(MD).parameters(), small(MD).parameters(), strict=True):
        assert torch.equal(a, b)


def test_first_activations_keep_their_scale():
    network = small(M, base=8, levels=5)
    finest = []
    network.decoders[0].register_forward_hook(lambda _, __, out: finest.append(out))
    network(drawn(1, 1, 64, 64))
    assert 0.2 < finest[0].std() < 5


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        small({})
    with pytest.raises(ValueError, match="levels must be 2 or more, not 1"):
        small(M, levels=1)
    with pytest.raises(ValueError, match="2 rows of 2 pooling factors"):
        small(M, pools=[(2, 2)])
