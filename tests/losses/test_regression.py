"""Losses of numbers: plain where all is known, silent where nothing is."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.losses.regression import interval_loss, masked_squared_error


def row(*values: float) -> torch.Tensor:
    return torch.tensor([[[list(values)]]])


@given(seed=st.integers(0, 2**32), ndim=st.integers(2, 3))
def test_the_interval_loss_is_the_squared_error_where_all_is_known(seed, ndim):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 1, *(3, 4, 5)[-ndim:])
    prediction, truth = (torch.rand(shape, generator=generator) for _ in range(2))
    torch.testing.assert_close(
        interval_loss(prediction, truth, truth), (prediction - truth).square().mean()
    )


def test_inside_the_interval_nothing_is_lost():
    found = interval_loss(row(0.3, 0.5), row(0.2, 0.5), row(0.4, 1.0))
    assert float(found) == 0


def test_outside_the_interval_the_squared_distance_to_it_is_lost():
    found = interval_loss(row(0.1, 0.9), row(0.2, 0.0), row(0.4, 0.5))
    torch.testing.assert_close(found, torch.tensor((0.1**2 + 0.4**2) / 2))


def test_pixels_without_bounds_do_not_count_and_get_no_gradient():
    prediction = row(0.9, 0.9).requires_grad_()
    loss = interval_loss(prediction, row(0.0, 0.0), row(1.0, 0.5))
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(0.4**2))
    assert prediction.grad is not None
    assert prediction.grad[..., 0] == 0
    assert prediction.grad[..., 1] != 0


def test_where_nothing_is_known_the_losses_are_0():
    zero = row(0.0, 0.0)
    assert float(interval_loss(row(0.9, 0.1), zero, zero + 1)) == 0
    known = torch.zeros(1, 1, 2, dtype=torch.bool)
    assert float(masked_squared_error(row(3.0, 4.0)[0], zero[0], known)) == 0


def test_unknown_pixels_are_left_out_of_the_squared_error():
    prediction = row(3.0, 4.0)[0].requires_grad_()
    known = torch.tensor([[[True, False]]])
    loss = masked_squared_error(prediction, row(1.0, 9.0)[0], known)
    loss.backward()
    assert float(loss.detach()) == 4
    assert prediction.grad is not None
    assert prediction.grad[..., 1] == 0
