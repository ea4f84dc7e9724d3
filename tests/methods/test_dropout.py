"""Dropout by settings: every method has it, wherever it is asked for."""

from typing import get_args

import pytest
import torch

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.methods.catalog import (
    CATALOG,
    load_method,
    settings_of,
    variants,
)
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.distilling_blocks import DenseBlock
from napari_mtseg.networks.dropout import has_dropout

PLACES = get_args(DropoutPlace)
OWN_DROPOUT = {"E-UNet", "DeepMedic", "DenseSeg"}
"""networks that HMEDN is compared with, whose papers drop out"""


def network(key, *, ndim=2, variant=None, preset="fast", **values):
    settings = settings_of(
        key,
        preset_name=preset,
        variant=variant,
        ndim=ndim,
        values={"base_channels": 2, **values},
    )
    task = Task(n_channels=1, n_classes=1, spacing=(1.0,) * ndim, n_scenes=2)
    with torch.device("meta"):
        return load_method(key)(settings, task).network()


@pytest.mark.parametrize("key", CATALOG)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_method_drops_maps_wherever_it_is_told(key, place, ndim):
    dropping = network(key, ndim=ndim, dropout=0.5, dropout_place=place)
    plain = network(key, ndim=ndim, dropout=0.0)
    assert has_dropout(dropping)
    assert not has_dropout(plain)
    assert list(dropping.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize(
    ("ndim", "variant"),
    [
        (ndim, variant)
        for ndim in (2, 3)
        for variant in variants("high_resolution", ndim)
    ],
)
@pytest.mark.parametrize("place", ["stages", "last"])
def test_every_network_of_hmedns_tables_takes_the_dropout_of_the_settings(
    variant, place, ndim
):
    dropping = network(
        "high_resolution",
        variant=variant,
        ndim=ndim,
        dropout=0.4,
        dropout_place=place,
    )
    rates = {getattr(module, "p", None) for module in dropping.modules()}
    assert has_dropout(dropping)
    assert (0.4 in rates) == (variant not in OWN_DROPOUT)


def test_hmedn_drops_at_the_end_of_its_stages_unless_told_otherwise():
    dropping = network("high_resolution", dropout=0.3)
    blocks = [m for m in dropping.modules() if isinstance(m, DenseBlock)]
    assert blocks
    assert all(block.drop.p == 0.3 for block in blocks)


@pytest.mark.parametrize("variant", [None, *variants("high_resolution", 3)])
def test_the_papers_volumes_have_dropout_in_its_own_networks_only(variant):
    rows = {"U-Net", "FCN", "DCAN"}
    is_other = variant is not None and (
        variant in rows or variant.startswith(("DilNet", "ResNet", "DenseNet"))
    )
    made = network("high_resolution", ndim=3, preset="paper", variant=variant)
    assert has_dropout(made) != is_other


def test_only_hmedn_has_stages_to_drop_at():
    with pytest.raises(SettingsError):
        settings_of(
            "baseline", preset_name="fast", ndim=2, values={"dropout_place": "stages"}
        )
