import subprocess
import sys

import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.named_encoders import NamedEncoder
from napari_mtseg.networks.summary import parameter_counts

NAMES = ["resnet34", "resnet50", "resnet101", "densenet121"]


def test_monai_is_imported_only_for_a_network():
    code = (
        "import sys, napari_mtseg.networks.encoder_unet;"
        "sys.exit('monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    zip(NAMES, [21_284_672, 23_508_032, 42_500_160, 6_953_856], strict=True),
)
def test_encoders_are_the_published_ones_without_their_classifier(name, expected):
    with torch.device("meta"):
        encoder = NamedEncoder(3, name, ndim=2)
    assert parameter_counts(encoder)["total"] == expected


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_each_stage_halves_the_resolution(name, ndim):
    encoder = NamedEncoder(1, name, ndim=ndim, base=4).eval()
    shapes = [tuple(m.shape[1:]) for m in encoder(torch.zeros(1, 1, *(32,) * ndim))]
    sizes = [16, 8, 4, 2, 1]
    assert shapes == [
        (width, *(size,) * ndim)
        for width, size in zip(encoder.widths, sizes, strict=True)
    ]


def test_shortcuts_pass_the_gradient_on():
    with seeded(2):
        encoder = NamedEncoder(1, "resnet34", ndim=2, base=2).eval()
    for block in encoder.stages[4]:
        nn.init.zeros_(block.bn2.weight)
    coarse = torch.ones(2, 8, 4, 4, requires_grad=True)
    encoder.stages[4](coarse).square().mean().backward()
    assert coarse.grad.abs().sum() > 0


def test_all_widths_of_an_encoder_are_in_proportion():
    for name in NAMES:
        whole, quarter = (
            NamedEncoder(1, name, ndim=2, base=base).widths for base in (16, 4)
        )
        assert [width / 4 for width in whole] == list(quarter)


def test_unknown_encoders_are_refused():
    with pytest.raises(ValueError, match="known are resnet34, resnet50"):
        NamedEncoder(1, "vgg16", ndim=2)
