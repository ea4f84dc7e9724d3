from typing import Any

import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.high_resolution_pathway import HighResolutionPathway
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from tests.gradient_support import support_radius


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def small(**settings):
    with seeded(1):
        return RecursiveUNet(1, 2, **{"base": 2, "levels": 3, **settings})


@pytest.mark.parametrize(
    ("separator", "expected"), [(False, 7_941_668), (True, 7_951_014)]
)
def test_parameters_are_those_of_the_specification(separator, expected):
    network = RecursiveUNet(1, 2, separator=separator)
    assert n_parameters(network) == expected


@pytest.mark.parametrize("ndim", [2, 3])
def test_each_task_has_its_map(ndim):
    network = RecursiveUNet(1, 3, ndim=ndim, base=1, levels=3, separator=True)
    size = (6, 7, 9)[-ndim:]
    shapes = {k: tuple(v.shape) for k, v in network(torch.zeros(2, 1, *size)).items()}
    assert shapes == {
        "segmentation": (2, 3, *size),
        "approximation": (2, 3, *size),
        "separator": (2, 2, *size),
    }


def test_without_batch_norm_training_and_evaluation_order_agree():
    with seeded(1):
        network = RecursiveUNet(1, 2, base=2, levels=3, norm="none")
        image = torch.randn(2, 1, 8, 8)
    training, evaluation = network.train()(image), network.eval()(image)
    for name, logits in training.items():
        torch.testing.assert_close(logits, evaluation[name])


def test_shared_block_sees_both_streams_as_one_batch():
    with seeded(1):
        network = RecursiveUNet(1, 2, base=2, levels=3)
        image = torch.randn(2, 1, 8, 8)
    seen = []
    finest: Any = network.multi_task_decoder[-1]
    finest.second.norm.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[0])
    )
    network.train()(image)
    assert seen == [4]


def test_approximation_loss_gives_the_residual_of_the_finest_level_no_gradient():
    network = RecursiveUNet(1, 2, base=2, levels=3)
    network(torch.randn(1, 1, 8, 8))["approximation"].sum().backward()
    finest: Any = network.multi_task_decoder[-1]
    head: Any = network.heads["segmentation"]
    assert all(p.grad is None or not p.grad.any() for p in finest.residual.parameters())
    assert finest.second.conv.weight.grad.abs().sum() > 0
    assert head.weight.grad is None


def test_number_of_multi_task_levels_must_fit():
    with pytest.raises(ValueError, match=r"multi_task_blocks is 5, not 1\.\.4"):
        RecursiveUNet(1, 2, multi_task_blocks=5)


def test_a_pathway_costs_itself_and_a_wider_skip():
    plain, further = small(), small(high_resolution=2, high_resolution_width=3)
    wider_skip = 3 * 4 * 9
    assert n_parameters(further) == (
        n_parameters(plain)
        + n_parameters(HighResolutionPathway(4, 3, ndim=2))
        + wider_skip
    )


@pytest.mark.parametrize(
    ("stage", "blocks", "head", "length"),
    [
        (1, 1, "separator", 160),
        (1, 2, "segmentation", 160),
        (2, 1, "separator", 320),
        (2, 2, "separator", 320),
    ],
)
def test_halo_with_a_pathway_is_the_support_of_the_gradient(
    stage, blocks, head, length
):
    network = small(
        base=1,
        high_resolution=stage,
        multi_task_blocks=blocks,
        separator=head == "separator",
    )
    assert support_radius(network, length, head=head) == network.halo[0]


@pytest.mark.parametrize(("axis", "length"), [(0, 64), (1, 140)])
def test_halo_in_thick_volumes_is_the_support_of_the_gradient(axis, length):
    pools = ((1, 2, 2), (2, 2, 2))
    network = small(base=1, ndim=3, pools=pools, high_resolution=1)
    assert support_radius(network, length, axis=axis) == network.halo[axis]


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("ndim", [2, 3])
def test_any_size_is_answered_the_same_when_prepared(ndim, stage):
    network = small(ndim=ndim, separator=True, high_resolution=stage)
    with seeded(2):
        image = torch.randn(2, 1, *(5, 9, 14)[-ndim:])
    network.train()(image * 2)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, expected in network(image).items():
        assert expected.shape == (2, 2, *image.shape[2:])
        torch.testing.assert_close(
            prepared(image)[name], expected, atol=1e-5, rtol=1e-4
        )


def test_both_tasks_teach_the_pathway():
    for name in ("segmentation", "approximation"):
        network = small(high_resolution=1)
        with seeded(2):
            image = torch.randn(2, 1, 16, 16)
        network(image)[name].square().sum().backward()
        assert all(p.grad is not None for p in network.skips.parameters())
