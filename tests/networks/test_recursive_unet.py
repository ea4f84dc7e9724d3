from typing import Any

import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.recursive_unet import RecursiveUNet


@pytest.mark.parametrize(
    ("separator", "expected"), [(False, 7_941_668), (True, 7_951_014)]
)
def test_parameters_are_those_of_the_specification(separator, expected):
    network = RecursiveUNet(1, 2, separator=separator)
    assert sum(p.numel() for p in network.parameters()) == expected


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
