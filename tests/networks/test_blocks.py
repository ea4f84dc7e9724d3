import pytest
import torch

from napari_mtseg.networks.blocks import (
    ConcatenationConv,
    DecoderLevel,
    level_widths,
    seeded,
)


def test_weights_repeat_exactly_and_the_global_generator_is_untouched():
    before = torch.random.get_rng_state()
    with seeded(7):
        first = DecoderLevel(4, 2, factors=(2, 2), norm="batch", slope=0.01)
    with seeded(7):
        second = DecoderLevel(4, 2, factors=(2, 2), norm="batch", slope=0.01)
    assert torch.equal(before, torch.random.get_rng_state())
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_sum_of_convolutions_equals_one_of_the_concatenation(ndim):
    conv = ConcatenationConv((3, 2, 4), ndim=ndim, norm="none", slope=0.1)
    size = (6,) * ndim
    deep, skip = torch.randn(1, 3, *size), torch.randn(1, 2, *size)
    weight = torch.cat([conv.deep.weight, conv.skip.weight], dim=1)
    function = {2: torch.conv2d, 3: torch.conv3d}[ndim]
    expected = function(torch.cat([deep, skip], dim=1), weight, padding=1)
    expected = torch.nn.functional.leaky_relu(expected, 0.1)
    torch.testing.assert_close(conv(deep, conv.skip(skip)), expected)


def test_widths_double():
    assert level_widths(32, 5) == (32, 64, 128, 256, 512)
