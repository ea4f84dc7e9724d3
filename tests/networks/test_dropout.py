"""Where maps are dropped, of each network, and that nothing else changes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

import pytest
import torch
from torch import nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.anisotropic_network import AnisotropicNetwork
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.decomposed_network import DecomposedNetwork
from napari_mtseg.networks.deepmedic import DeepMedic
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.dropout import dropouts, has_dropout, map_dropout
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.pooled_network import PooledNetwork
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.unet import UNet

PLACES = get_args(DropoutPlace)
DROPPED = (nn.Dropout2d, nn.Dropout3d)
S = {"segmentation": 2}
SB = {"segmentation": 2, "boundary": 1}
SEGMENTATION_ALONE = {"context": False, "classes": False, "decoder": "unet"}
CUBE = ((2, 2, 2), (2, 2, 2))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, and the widths of the maps that its dropout may meet."""

    make: Callable[..., PooledNetwork]
    size: tuple[int, ...]
    widths: tuple[tuple[int, int], ...]
    """(number of the level, pixels of the last axis), in the order in which they run"""
    n_levels: int


def case(make, size, *widths, streams=1, **settings):
    """A case whose every stream meets maps of ``widths``, one stream after another."""
    return Case(
        make=partial(make, **settings),
        size=size,
        widths=tuple(enumerate(widths)) * streams,
        n_levels=len(widths),
    )


def of_two_streams(size, *widths, n_levels, **settings):
    make = partial(RecursiveUNet, 1, 2, base=2, levels=n_levels, **settings)
    return Case(make=make, size=size, widths=widths, n_levels=n_levels)


unet = partial(UNet, 1, 2, base=2, levels=3)
joint = partial(JointUNet, 1, {**S, "contour": 2}, base=2, levels=3)
distilling = partial(DistillingNetwork, 1, SB, base=2, levels=3, high_resolution=1)
decomposed = partial(DecomposedNetwork, 1, 2, base=2, width=2, hidden=2, decoder_base=2)
anisotropic = partial(AnisotropicNetwork, 1, 2, base=2, width=2, hidden=2)

CASES = {
    "unet": case(unet, (16, 16), 4, 8, 16),
    "unet 3D": case(unet, (8, 16, 12), 3, 6, 12, ndim=3, pools=CUBE),
    "unet with pathway": case(unet, (16, 16), 4, 8, 16, high_resolution=1),
    "joint": case(joint, (16, 16), 2, 8, 16),
    "joint 3D": case(joint, (16, 16, 16), 2, 8, 16, ndim=3),
    "two decoders": case(
        joint, (16, 16), 2, 8, 16, streams=2, two_decoders=True
    ),
    "recursive": of_two_streams(
        (16, 16), (0, 4), (1, 8), (2, 16), (2, 16), n_levels=3, multi_task_blocks=1
    ),
    "recursive 3D": of_two_streams(
        (8, 8, 8), (0, 2), (1, 4), (1, 4), (2, 8), (2, 8),
        n_levels=3, multi_task_blocks=2, separator=True, ndim=3, pools=CUBE,
    ),
    "distilling": case(distilling, (16, 16), 4, 8, 16),
    "distilling 3D": case(distilling, (8, 8, 8), 2, 4, 8, ndim=3, pools=CUBE),
    "encoder": case(
        EncoderUNet, (64, 64), 2, 4, 8, 16, 32, 64,
        in_channels=1, heads=SB, encoder_base=2, base=2,
    ),
    "encoder 3D": case(
        EncoderUNet, (64, 32, 64), 2, 4, 8, 16, 32, 64,
        in_channels=1, heads=SB, encoder_base=1, base=1, ndim=3,
    ),
    "dilated": case(
        DilatedNetwork, (16, 16), 16, in_channels=1, heads=SB, width=2, n_blocks=6
    ),
    "dilated 3D": case(
        DilatedNetwork, (4, 8, 8), 8,
        in_channels=1, heads=SB, width=2, n_blocks=6, ndim=3,
    ),
    "fcn": case(FCN, (64, 64), 2, 4, 8, in_channels=1, heads=SB, base=1),
    "decomposed": case(decomposed, (64, 64), 4, 64, 64, 64),
    "decomposed, low memory": case(
        decomposed, (64, 64), 4, 4, 64, 64, low_memory=True
    ),
    "decomposed, skips": case(
        decomposed, (64, 64), 4, 4, 8, 16, 32, 64, decoder="unet"
    ),
    "decomposed, ResNet": case(
        decomposed, (64, 64), 2, 4, 8, 16, 32, 64,
        encoder="resnet34", **SEGMENTATION_ALONE,
    ),
    "anisotropic": case(anisotropic, (3, 16, 16), 4, 16, 16, 16),
    "anisotropic, low memory": case(
        anisotropic, (3, 16, 16), 4, 4, 16, 16, low_memory=True
    ),
    "anisotropic, skips": case(anisotropic, (3, 16, 16), 4, 8, 16, decoder="unet"),
    "anisotropic, scores": case(
        anisotropic, (3, 16, 16), 4, 16, **SEGMENTATION_ALONE
    ),
}  # fmt: skip


def made(name, *, rate=0.5, place="decoder"):
    with seeded(3):
        return CASES[name].make(dropout=rate, dropout_place=place)


def image_for(name):
    with seeded(5):
        return torch.randn(2, 1, *CASES[name].size)


def chosen_levels(place, n):
    return {
        "deepest": [0],
        "decoder": list(range(1, n)) or [0],
        "last": [n - 1],
        "ends": [0, n - 1],
    }[place]


def each(*, places=PLACES):
    return pytest.mark.parametrize(
        ("name", "place"), [(name, place) for name in CASES for place in places]
    )


@each()
def test_each_place_drops_after_the_levels_that_it_names(name, place):
    network, found = made(name, place=place), []
    for module in network.modules():
        if isinstance(module, DROPPED):
            module.register_forward_hook(
                lambda _, __, dropped: found.append(dropped.shape[-1])
            )
    network(image_for(name))
    chosen = chosen_levels(place, CASES[name].n_levels)
    assert found == [width for level, width in CASES[name].widths if level in chosen]


@each(places=["decoder", "last", "ends"])
def test_what_heads_read_has_passed_the_last_dropout(name, place):
    network, dropped, read = made(name, place=place), [], {}
    for module in network.modules():
        if isinstance(module, DROPPED):
            module.register_forward_hook(lambda _, __, maps: dropped.append(maps))
    for head, module in network.heads.items():
        module.register_forward_pre_hook(
            lambda _, maps, head=head: read.update({head: maps})
        )
    network(image_for(name))
    assert set(read) == set(network.head_channels)
    for maps in read.values():
        assert any(part is out for part in maps for out in dropped)


@each(places=PLACES)
def test_whole_maps_are_dropped_and_the_others_enlarged(name, place):
    network, seen = made(name, place=place), []
    for module in network.modules():
        if isinstance(module, DROPPED):
            module.register_forward_hook(
                lambda _, maps, out: seen.append((maps[0], out))
            )
    network(image_for(name))
    for before, after in seen:
        kept = after.flatten(2).abs().amax(2) > 0
        factor = 2.0 * kept[..., *[None] * (before.ndim - 2)]
        torch.testing.assert_close(after, before * factor)


@each(places=["decoder", "ends"])
def test_weights_have_the_same_names_and_sizes(name, place):
    with torch.device("meta"):
        plain, dropping = made(name, rate=0.0), made(name, place=place)
    assert not has_dropout(plain)
    assert has_dropout(dropping)
    sizes = [
        {key: value.shape for key, value in network.state_dict().items()}
        for network in (plain, dropping)
    ]
    assert sizes[0] == sizes[1]
    assert not any("drop" in key for key in sizes[0])


@each(places=["decoder"])
def test_in_evaluation_dropout_changes_nothing(name, place):
    image = image_for(name)
    plain = made(name, rate=0.0).eval()(image)
    dropping = made(name, place=place).eval()(image)
    for head, answer in plain.items():
        assert torch.equal(dropping[head], answer), head


@each(places=["decoder"])
def test_every_weight_still_learns_through_dropout(name, place):
    network = made(name, rate=0.01, place=place)
    with seeded(1):
        answers = network(image_for(name))
    sum(answer.square().sum() for answer in answers.values()).backward()
    assert all(p.grad is not None for p in network.parameters())


@each(places=["ends"])
def test_a_prepared_network_answers_the_same_and_keeps_its_dropout(name, place):
    network, image = made(name, place=place).eval(), image_for(name)
    prepared = prepared_for_inference(network)
    assert has_dropout(prepared)
    expected = network(image)
    for head, answer in prepared(image).items():
        torch.testing.assert_close(answer, expected[head], rtol=1e-3, atol=1e-4)


def test_two_streams_drop_independently():
    network = made("two decoders", place="last").train()
    dropped = []
    for decoder in network.decoders:
        decoder.drop[-1].register_forward_hook(
            lambda _, __, maps: dropped.append(maps.flatten(2).abs().amax(2) == 0)
        )
    with seeded(4):
        for _ in range(8):
            network(image_for("two decoders"))
    first, second = torch.stack(dropped[::2]), torch.stack(dropped[1::2])
    assert not torch.equal(first, second)


def test_stages_of_the_distilling_network_end_with_dropout():
    with torch.device("meta"):
        network = DistillingNetwork(1, S, levels=4, dropout=0.2)
    stages = [*network.encoder.stages, *(stage.block for stage in network.decoder)]
    assert len(stages) == 7
    assert all(stage.drop.p == 0.2 for stage in stages)
    assert not has_dropout(network.drop)


@pytest.mark.parametrize("place", PLACES)
def test_a_single_level_is_every_place(place):
    (only,) = dropouts(1, rate=0.3, place=place, ndim=2)
    assert only.p == 0.3


def test_no_share_makes_no_dropout():
    parts = dropouts(3, rate=0.0, place="decoder", ndim=3)
    assert [type(part) for part in parts] == [nn.Identity] * 3


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_dropping_all_maps_is_refused(rate):
    with pytest.raises(ValueError, match="not in 0 <= rate < 1"):
        map_dropout(rate, ndim=2)


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="one level or more, not 0"):
        dropouts(0, rate=0.5, place="last", ndim=2)


def test_dropout_of_any_kind_counts_unless_it_drops_nothing():
    assert has_dropout(DeepMedic(1, S, ndim=2, base=2))
    assert not has_dropout(nn.Sequential(nn.Dropout(0.0)))
