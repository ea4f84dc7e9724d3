import pytest
import torch

from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.unet import UNet
from tests.gradient_support import support_radius


def test_single_task_parameters_are_those_of_the_specification():
    assert sum(p.numel() for p in UNet(1, 2).parameters()) == 7_849_058


def test_halo_is_the_support_of_the_gradient():
    network = UNet(1, 2, base=2)
    assert network.halo == (122, 122)
    assert support_radius(network, 288) == 122


@pytest.mark.parametrize(("levels", "blocks"), [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_halo_of_the_multi_task_network_is_the_support_of_the_gradient(levels, blocks):
    network = RecursiveUNet(
        1, 2, base=1, levels=levels, multi_task_blocks=blocks, separator=True
    )
    assert support_radius(network, 160, head="separator") == network.halo[0]


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 31), (5, 40)])
def test_any_size_is_answered_in_its_own_size(size):
    network = UNet(2, 3, base=2).eval()
    assert network(torch.zeros(1, 2, *size))["segmentation"].shape == (1, 3, *size)


def test_3d_with_late_pooling_of_thick_slices():
    network = UNet(1, 2, ndim=3, base=2, levels=3, pools=((1, 2, 2), (2, 2, 2)))
    assert network.size_multiple == (2, 4, 4)
    assert network.halo[0] < network.halo[1]
    volume = torch.zeros(1, 1, 5, 9, 12)
    assert network.eval()(volume)["segmentation"].shape == (1, 2, 5, 9, 12)


def test_norm_depends_on_the_tile_unless_it_is_frozen_or_absent():
    assert UNet(1, 2, base=1, norm="instance").eval().norm_depends_on_tile
    assert UNet(1, 2, base=1).train().norm_depends_on_tile
    assert not UNet(1, 2, base=1).eval().norm_depends_on_tile
    assert not UNet(1, 2, base=1, norm="none").train().norm_depends_on_tile


def test_weights_from_before_there_were_several_heads_still_fit():
    old = {
        name.replace("heads.segmentation.", "head."): weight
        for name, weight in UNet(1, 2, base=2, levels=2).state_dict().items()
    }
    network = UNet(1, 2, base=2, levels=2)
    network.load_state_dict(old)
    torch.testing.assert_close(network.heads["segmentation"].weight, old["head.weight"])
