import pytest
import torch
from torch import nn

from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.unet import UNet


def support_radius(network, length, head):
    """Return how far the gradient of one output reaches, over the pooling grid.

    Positive weights and average pooling keep gradients from cancelling and maxima
    from hiding what they compared.
    """
    network = network.eval().double()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    pools = network.encoder.pools
    network.encoder.pools = nn.ModuleList(nn.AvgPool2d(p.kernel_size) for p in pools)
    grid = network.size_multiple[0]
    image = torch.ones(1, 1, length, grid, dtype=torch.double, requires_grad=True)
    output = network(image)[head][0, 0].sum(dim=1)
    radius = 0
    middle = length // 2 // grid * grid
    for position in range(middle, middle + grid):
        (gradient,) = torch.autograd.grad(output[position], image, retain_graph=True)
        rows = gradient[0, 0].sum(dim=1).nonzero().ravel()
        radius = max(radius, position - int(rows[0]), int(rows[-1]) - position)
    return radius


def test_single_task_parameters_are_those_of_the_specification():
    assert sum(p.numel() for p in UNet(1, 2).parameters()) == 7_849_058


def test_halo_is_the_support_of_the_gradient():
    network = UNet(1, 2, base=2)
    assert network.halo == (122, 122)
    assert support_radius(network, 288, "segmentation") == 122


@pytest.mark.parametrize(("levels", "blocks"), [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_halo_of_the_multi_task_network_is_the_support_of_the_gradient(levels, blocks):
    network = RecursiveUNet(
        1, 2, base=1, levels=levels, multi_task_blocks=blocks, separator=True
    )
    assert support_radius(network, 160, "separator") == network.halo[0]


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
