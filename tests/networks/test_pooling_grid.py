import pytest
import torch

from napari_mtseg.networks.pooling_grid import (
    cropped,
    padded_to_multiple,
    pool_rows,
    receptive_radius,
    size_multiple,
)


def test_padding_repeats_the_end_and_is_cropped_away():
    row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    padded = padded_to_multiple(row, (2, 4))
    assert padded[0, 0].tolist() == [[1, 2, 3, 3], [1, 2, 3, 3]]
    assert torch.equal(cropped(padded, (1, 3)), row)


def test_the_grid_is_the_product_of_all_poolings():
    assert size_multiple([(1, 2, 2), (2, 2, 4)]) == (2, 4, 8)


def test_layers_on_a_skip_reach_farther_in_pixels_of_their_level():
    pools, after = [(2,), (2,)], (0, 0)
    plain = receptive_radius(pools, after_decoder=after)
    far = [
        receptive_radius(pools, after_decoder=after, on_skips=reaches)[0]
        for reaches in ([(0,), (0,)], [(40,), (0,)], [(0,), (40,)])
    ]
    assert far[0] == plain[0]
    assert far[1] == 40 + 4, "the convolutions of the first level before and after"
    assert far[2] - far[1] > 40


def test_pooling_rows_must_fit_the_levels():
    assert pool_rows(None, ndim=3, levels=3) == ((2, 2, 2), (2, 2, 2))
    with pytest.raises(ValueError, match="2 rows of 2 pooling factors"):
        pool_rows([(2, 2)], ndim=2, levels=3)
    with pytest.raises(ValueError, match="ndim must be"):
        pool_rows(None, ndim=4, levels=3)
