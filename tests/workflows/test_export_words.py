import pytest

from napari_mtseg.domain.project import palette
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.networks.unet import UNet
from napari_mtseg.storage.model_info import ModelInfo, Provenance
from napari_mtseg.workflows.export_words import (
    axes_in_words,
    channel_names,
    normalisation_in_words,
    sizes_in_words,
)


def model(**values) -> ModelInfo:
    facts = {
        "name": "cells",
        "method": "baseline",
        "settings": {},
        "classes": palette(("nucleus", "debris")),
        "scenes": ("day", "night", "dusk"),
        "n_channels": 1,
        "axes": "CYX",
        "spacing": (1.0, 1.0),
        "provenance": Provenance(
            run="r", seed=0, created="", step=1, versions={}, metrics={}
        ).model_dump(),
    }
    return ModelInfo.checked({**facts, **values})


@pytest.mark.parametrize(
    ("head", "n_channels", "names"),
    [
        ("segmentation", 3, ["background", "nucleus", "debris"]),
        ("approximation", 3, ["background", "nucleus", "debris"]),
        ("classes", 3, ["background", "nucleus", "debris"]),
        ("distance", 2, ["nucleus", "debris"]),
        ("scenes", 3, ["day", "night", "dusk"]),
        ("contour", 2, ["not contour", "contour"]),
        ("boundary", 1, ["boundary"]),
        ("other", 4, ["other 0", "other 1", "other 2", "other 3"]),
    ],
)
def test_channels_are_named_by_what_they_tell(head, n_channels, names):
    assert channel_names(model(), head, n_channels) == names


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("percentile", "percentile 1 becomes -1 and percentile 99.8 becomes 1"),
        ("zscore", "the mean becomes 0 and the standard deviation 1"),
        ("none", "float32; intensities as they are"),
    ],
)
def test_the_normalisation_is_told(kind, words):
    assert words in normalisation_in_words(model(settings={"normalisation": kind}))


def test_the_colour_mode_is_told():
    assert axes_in_words(model()) == "axes NCYX, channels as in the image file"
    assert axes_in_words(model(colour="grey")).endswith("of an RGB image its luminance")


def test_sizes_are_told_together_where_they_are_equal():
    flat = ExportedNetwork(UNet(1, 2, base=2, levels=3))
    assert sizes_in_words(flat) == "a multiple of 4 along y and x, at least 8"
    thick = ExportedNetwork(UNet(1, 2, ndim=3, base=2, levels=2, pools=((1, 2, 2),)))
    assert sizes_in_words(thick) == (
        "any size from 1 along z; a multiple of 2 along y and x, at least 4"
    )
