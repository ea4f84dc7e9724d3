from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_mtseg.networks.anisotropic_network import AnisotropicNetwork
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.decomposed_network import DecomposedNetwork
from napari_mtseg.networks.deepmedic import DeepMedic
from napari_mtseg.networks.dense_seg import DenseSeg
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.dropout import active_dropouts
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.isensee_unet import IsenseeUNet
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.repeated_passes import RepeatedPasses
from napari_mtseg.networks.slices import SlicesNetwork
from napari_mtseg.networks.unet import UNet
from napari_mtseg.networks.vnet import VNet

TWO = {"segmentation": 2, "distance": 1}
PLACES = ("deepest", "decoder", "last", "ends")


def slices(**settings):
    return SlicesNetwork(UNet(3, 2, base=2, levels=3, **settings), 3)


WITH_PLACES: dict[str, tuple[int, Any]] = {
    "unet": (2, partial(UNet, 1, 2, base=2, levels=3)),
    "unet 3d": (3, partial(UNet, 1, 2, base=2, levels=3, ndim=3)),
    "pathway": (2, partial(UNet, 1, 2, base=2, levels=3, high_resolution=1)),
    "joint": (2, partial(JointUNet, 1, TWO, base=2, levels=3)),
    "joint twice": (2, partial(JointUNet, 1, TWO, base=2, two_decoders=True, levels=3)),
    "recursive": (2, partial(RecursiveUNet, 1, 2, base=2, levels=4, separator=True)),
    "distilling": (2, partial(DistillingNetwork, 1, TWO, base=4, levels=3)),
    "hmedn": (
        2,
        partial(DistillingNetwork, 1, TWO, base=4, levels=4, high_resolution=3),
    ),
    "decomposed": (2, partial(DecomposedNetwork, 1, 2, 2, base=2, width=2, hidden=2)),
    "decomposed unet": (
        2,
        partial(
            DecomposedNetwork,
            1,
            2,
            2,
            base=2,
            width=2,
            hidden=2,
            decoder="unet",
            separate_context=True,
        ),
    ),
    "anisotropic": (
        3,
        partial(AnisotropicNetwork, 1, 2, 2, base=2, width=2, hidden=2),
    ),
    "encoder": (2, partial(EncoderUNet, 1, TWO, encoder_base=2, base=2)),
    "dilated": (2, partial(DilatedNetwork, 1, TWO, width=2)),
    "fcn": (2, partial(FCN, 1, TWO, base=1)),
    "vnet": (3, partial(VNet, 1, TWO, base=2, levels=3)),
    "vnet twice": (2, partial(VNet, 1, TWO, base=2, ndim=2, separate_decoders=True)),
    "slices": (3, slices),
}
OF_A_PAPER: dict[str, tuple[int, Any]] = {
    "isensee": (2, partial(IsenseeUNet, 1, TWO, base=2)),
    "isensee without norm": (2, partial(IsenseeUNet, 1, TWO, base=2, norm="none")),
    "deepmedic": (3, partial(DeepMedic, 1, TWO, base=3)),
    "dense": (2, partial(DenseSeg, 1, TWO, base=4, ndim=2)),
    "hmedn": (
        2,
        partial(
            DistillingNetwork, 1, TWO, base=4, levels=4, high_resolution=3, dropout=0.5
        ),
    ),
}
CASES = [
    *(
        pytest.param(ndim, partial(make, dropout=0.5, dropout_place=place), id=name)
        for (name, (ndim, make)), place in product(WITH_PLACES.items(), PLACES)
    ),
    *(pytest.param(*case, id=f"own {name}") for name, case in OF_A_PAPER.items()),
]


def dropping(network):
    """Put the dropout modules alone into training mode."""
    for module in active_dropouts(network.eval()):
        module.train()
    return network


def input_for(ndim):
    return torch.randn(1, 1, *(8, 16, 16) if ndim == 3 else (32, 32))


def passes_of(network, x, **further):
    return RepeatedPasses(network, x, active_dropouts(network), **further)


@torch.no_grad()
@pytest.mark.parametrize("is_prepared", [False, True])
@pytest.mark.parametrize(("ndim", "make"), CASES)
def test_passes_equal_those_that_compute_everything(ndim, make, is_prepared):
    with seeded(1):
        network, x = make().eval(), input_for(ndim)
    if is_prepared:
        network = prepared_for_inference(network)
    before, attributes = network(x), [set(vars(m)) for m in network.modules()]
    repeated = passes_of(dropping(network), x)
    for number in range(4):
        with seeded(number):
            found = repeated()
        with seeded(number):
            expected = network(x)
        assert found.keys() == expected.keys()
        for name, logits in expected.items():
            torch.testing.assert_close(found[name], logits, atol=1e-5, rtol=0)
    after = network.eval()(x)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [set(vars(m)) for m in network.modules()] == attributes
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


class Counted(nn.Conv2d):
    """Counts how often it computes."""

    def __init__(self):
        super().__init__(1, 1, 1)
        self.n = 0

    def forward(self, x):
        self.n += 1
        return super().forward(x)


class Small(nn.Module):
    """Two convolutions before dropout, one beside it, one after."""

    def __init__(self):
        super().__init__()
        self.before = nn.Sequential(Counted(), Counted())
        self.drop = nn.Dropout2d(0.5)
        self.beside, self.after = Counted(), Counted()

    def forward(self, x):
        skip = self.before(x)
        return {"segmentation": self.after(self.drop(skip)) + self.beside(skip)}


@torch.no_grad()
def test_only_what_dropout_changes_is_computed_again():
    network = dropping(Small())
    repeated = passes_of(network, torch.ones(1, 1, 2, 2))
    for _ in range(5):
        repeated()
    computed = [m.n for m in network.modules() if isinstance(m, Counted)]
    assert computed == [1, 1, 1, 5]


class InPlace(nn.Module):
    """Changes maps after submodules have answered, before dropout and after it."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Counted(), Counted()
        self.drop = nn.Dropout2d(0.5)

    def forward(self, x):
        maps = [F.leaky_relu_(self.first(x), -2.0)]
        maps.append(self.drop(self.second(maps[0])))
        return {"segmentation": maps.pop() + maps.pop().mul_(3.0)}


@torch.no_grad()
def test_maps_that_a_network_changes_in_place_are_kept_as_they_were():
    with seeded(2):
        network, x = dropping(InPlace()), torch.randn(1, 1, 4, 4)
    copied = set()
    for _ in range(2):
        repeated = passes_of(network, x, copied=copied)
        for number in range(4):
            with seeded(number):
                found = repeated()["segmentation"]
            with seeded(number):
                assert torch.equal(found, network(x)["segmentation"])
    assert copied == {0}


class TakesTurns(nn.Module):
    """Calls one submodule on random maps first, then on the input."""

    def __init__(self):
        super().__init__()
        self.shared, self.drop = Counted(), nn.Dropout2d(0.5)

    def forward(self, x):
        return {"segmentation": self.shared(self.drop(x)) - 2 * self.shared(x)}


@torch.no_grad()
def test_a_shared_submodule_hands_out_only_the_calls_that_were_kept():
    with seeded(2):
        network, x = dropping(TakesTurns()), torch.randn(4, 1, 2, 2)
    repeated = passes_of(network, x)
    for number in range(4):
        with seeded(number):
            found = repeated()["segmentation"]
        with seeded(number):
            assert torch.equal(found, network(x)["segmentation"])


@torch.no_grad()
@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_network_that_fails_is_left_as_it_was(fails_at):
    network = dropping(Small())
    repeated = passes_of(network, torch.ones(1, 1, 2, 2))
    for number in range(2):
        if number == fails_at:
            handle = network.after.register_forward_pre_hook(lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                repeated()
            handle.remove()
        else:
            repeated()
    assert all("forward" not in vars(m) for m in network.modules())
    assert not any(m._forward_pre_hooks for m in network.modules())


def test_dropout_of_nothing_is_not_active():
    modules = nn.Sequential(nn.Dropout(0.0), nn.Dropout(0.5), nn.Identity())
    assert active_dropouts(modules) == (modules[1],)
