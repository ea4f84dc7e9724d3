from torch import nn

from napari_mtseg.networks.receptive_field import (
    hull,
    radius_over_grid,
    read_by_layers,
    read_by_upsampling,
    widened,
    windowed_layers,
)


def test_a_chain_is_followed_from_its_end():
    halving = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    dilated = nn.Conv2d(1, 1, 3, padding=4, dilation=4)
    assert read_by_layers((0, 0), [halving, dilated]) == (-9, 9)
    assert read_by_layers((0, 0), [dilated, halving]) == (-5, 5)


def test_average_and_maximum_pooling_read_alike():
    for kind in (nn.AvgPool3d, nn.MaxPool3d):
        assert read_by_layers((1, 2), [kind(2)]) == (2, 5)


def test_upsampling_reads_the_two_nearest_coarse_pixels():
    assert [read_by_upsampling((i, i), 2) for i in range(3)] == [
        (-1, 0),
        (0, 1),
        (0, 1),
    ]
    assert read_by_upsampling((0, 7), 8) == (-1, 1)


def test_shortcuts_are_passed_over():
    block = nn.Sequential()
    block.add_module("conv", nn.Conv2d(1, 1, 3))
    block.add_module("downsample", nn.Sequential(nn.Conv2d(1, 1, 1)))
    assert windowed_layers(block, without="downsample") == [block.conv]
    assert len(windowed_layers(block)) == 2


def test_radius_is_the_largest_over_the_grid():
    def pooled_and_enlarged(position):
        low, high = read_by_upsampling((position, position), 2)
        return hull([(2 * low, 2 * high + 1), widened((position, position), 1)])

    assert [pooled_and_enlarged(i) for i in range(2)] == [(-2, 1), (0, 3)]
    assert radius_over_grid(pooled_and_enlarged, 2) == 2
