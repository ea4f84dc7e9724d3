import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.summary import parameter_counts
from napari_mtseg.networks.vgg import VGG16, from_torchvision

CHANNELS = [64, 64, 0, 128, 128, 0, *[256] * 3, 0, *[512] * 3, 0, *[512] * 3, 0]
"""torchvision's table of VGG16; 0 is max-pooling"""


def torchvision_features():
    """Return the convolutional part of VGG16, numbered as torchvision does."""
    layers, n_in = [], 3
    for n_out in CHANNELS:
        if n_out:
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
            n_in = n_out
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def published():
    with torch.device("meta"):
        features = torchvision_features()
    return {f"features.{name}": value for name, value in features.state_dict().items()}


def small(in_channels=3, norm="none"):
    with seeded(1):
        return VGG16(in_channels, base=2, norm=norm).eval()


@pytest.mark.parametrize(
    ("norm", "expected"),
    # with batch norm two numbers per channel instead of a bias: 4224 channels in all
    [("none", 14_714_688), ("batch", 14_714_688 + 4_224)],
)
def test_parameters_are_those_of_vgg16_without_its_classifier(norm, expected):
    with torch.device("meta"):
        assert parameter_counts(VGG16(3, norm=norm))["total"] == expected


def test_each_stage_halves_the_resolution():
    encoder = small()
    shapes = [tuple(m.shape[1:]) for m in encoder(torch.zeros(1, 3, 32, 64))]
    assert shapes == [
        (width, 32 // n, 64 // n)
        for width, n in zip(encoder.widths, [1, 2, 4, 8, 16, 32], strict=True)
    ]
    assert encoder.widths == (2, 4, 8, 16, 16, 16)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_grey_image_is_repeated_to_three_channels(norm):
    grey = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    from_one = small(1, norm)(grey)
    from_three = small(3, norm)(grey.repeat(1, 3, 1, 1))
    assert all(map(torch.equal, from_one, from_three))


def test_further_channels_are_read_as_they_are():
    encoder = small(5)
    assert encoder.stages[0][0].conv.in_channels == 5
    assert len(encoder(torch.zeros(1, 5, 32, 32))) == 6


def test_published_weights_give_the_published_maps():
    with seeded(1):
        features = torchvision_features()
    weights = {f"features.{k}": value for k, value in features.state_dict().items()}
    weights["classifier.0.weight"] = torch.zeros(1)
    with torch.device("meta"):
        encoder = VGG16(1, norm="none")
    encoder.load_state_dict(from_torchvision(weights), assign=True)
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = features(image.repeat(1, 3, 1, 1))
        torch.testing.assert_close(encoder(image)[-1], expected)


@pytest.mark.parametrize("name", ["features.0.weight", "features.28.bias"])
def test_a_missing_published_weight_is_named(name):
    weights = published()
    del weights[name]
    with pytest.raises(ValueError, match=rf"'{name}' must be of shape .* nothing"):
        from_torchvision(weights)


def test_a_published_weight_of_another_shape_is_named():
    weights = published() | {"features.2.bias": torch.zeros(32)}
    expected = r"'features.2.bias' must be of shape \(64,\), found \(32,\)"
    with pytest.raises(ValueError, match=expected):
        from_torchvision(weights)
