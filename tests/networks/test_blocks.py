import pytest
import torch

from napari_mtseg.networks.blocks import (
    ConcatenationConv,
    DecoderLevel,
    cropped,
    level_widths,
    padded_to_multiple,
    pool_rows,
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


def test_padding_repeats_the_end_and_is_cropped_away():
    row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    padded = padded_to_multiple(row, (2, 4))
    assert padded[0, 0].tolist() == [[1, 2, 3, 3], [1, 2, 3, 3]]
    assert torch.equal(cropped(padded, (1, 3)), row)


def test_widths_double():
    assert level_widths(32, 5) == (32, 64, 128, 256, 512)


def test_pooling_rows_must_fit_the_levels():
    assert pool_rows(None, ndim=3, levels=3) == ((2, 2, 2), (2, 2, 2))
    with pytest.raises(ValueError, match="2 rows of 2 pooling factors"):
        pool_rows([(2, 2)], ndim=2, levels=3)
    with pytest.raises(ValueError, match="ndim must be"):
        pool_rows(None, ndim=4, levels=3)
