"""Tasks that teach each other: values, masks of distances, and what gets a gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.losses.cross_task import (
    cross_task_loss,
    doubt_of,
    guidance_loss,
    ramp,
    soft_mask,
    teacher_loss,
    uncertainty_threshold,
)

SHAPES = st.sampled_from([(2, 1, 3, 4), (1, 3, 4, 4), (2, 2, 2, 3, 4)])


@st.composite
def cases(draw: st.DrawFn):
    """Two maps of foreground channels in 0..1 and a doubt, in 2D or 3D."""
    shape = draw(SHAPES)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    first, second = (torch.rand(shape, generator=generator) for _ in range(2))
    doubt = torch.rand((shape[0], *shape[2:]), generator=generator)
    return first, second, doubt


def test_a_soft_mask_is_1_inside_half_at_the_boundary_and_0_outside():
    z = torch.tensor([-1.0, -0.01, 0.0, 0.01, 1.0])
    assert soft_mask(z).round(decimals=3).tolist() == [1, 1, 0.5, 0, 0]


def test_a_soft_mask_pulls_at_the_surface_only():
    z = torch.tensor([0.0, 0.004, 0.01], requires_grad=True)
    soft_mask(z).sum().backward()
    assert z.grad[0].item() == pytest.approx(-375)
    assert abs(z.grad[1]) < 0.01 * 375
    assert abs(z.grad[2]) < 0.001
    gentle = torch.tensor([0.01], requires_grad=True)
    soft_mask(gentle, steepness=50).backward()
    assert gentle.grad.item() < -1


@given(cases())
def test_cross_task_loss_is_the_mean_squared_difference(case):
    p, q, _ = case
    z = 2 * q - 1
    expected = ((p - torch.sigmoid(-50 * z)) ** 2).mean()
    torch.testing.assert_close(cross_task_loss(p, z, steepness=50), expected)


def test_both_tasks_get_a_gradient_that_brings_them_together():
    p = torch.full((1, 1, 1, 1), 0.2, requires_grad=True)
    z = torch.full((1, 1, 1, 1), -0.01, requires_grad=True)
    cross_task_loss(p, z, steepness=50).backward()
    assert p.grad.item() < 0, "the segmentation rises to the mask"
    assert z.grad.item() < 0, "the distance rises to the boundary"


@given(cases(), st.floats(0, 1))
def test_guidance_is_the_mean_where_doubt_is_small(case, threshold):
    p, mask, doubt = case
    sure = doubt < threshold
    error = ((p - mask) ** 2).mean(1)[sure]
    expected = error.mean() if sure.any() else torch.tensor(0.0)
    found = guidance_loss(p, mask, doubt, threshold)
    torch.testing.assert_close(found, expected)


def test_doubt_gets_no_gradient_and_what_is_doubtful_neither():
    p, z, doubt = (torch.rand(1, 1, 1, 2, requires_grad=True) for _ in range(3))
    scale = torch.tensor([0.1, 1.0])
    loss = guidance_loss(
        p, soft_mask(z - 0.5, steepness=3), (doubt * 0 + scale)[:, 0], 0.5
    )
    loss.backward()
    assert doubt.grad is None
    for part in (p, z):
        assert part.grad[..., 0].abs() > 0
        assert part.grad[..., 1] == 0


def test_a_teacher_gets_no_gradient():
    student, teacher = (torch.rand(1, 2, 1, 3, requires_grad=True) for _ in range(2))
    teacher_loss(student, teacher, torch.zeros(1, 1, 3), 1.0).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@given(cases())
def test_the_teachers_loss_is_that_of_the_public_code(case):
    student, teacher, doubt = case
    sure = (doubt < 0.5).float().unsqueeze(1)
    squares = sure * (student - teacher) ** 2
    expected = squares.sum() / (student.shape[1] * sure.sum() + 1e-16)
    torch.testing.assert_close(teacher_loss(student, teacher, doubt, 0.5), expected)


def test_thresholds_are_those_of_the_specification():
    found = [uncertainty_threshold(p, 2) for p in (0, 0.5, 1)]
    assert found == pytest.approx([0.521, 0.570, 0.693], abs=5e-4)
    assert uncertainty_threshold(1, 4) == pytest.approx(math.log(4))


def test_the_ramp_rises_in_the_epochs_of_the_public_code():
    for step in range(0, 6001, 50):
        epoch = min(step // 150, 40)
        assert ramp(step / 6000) == math.exp(-5 * (1 - epoch / 40) ** 2)
    assert ramp(0) == pytest.approx(0.0067, abs=5e-5)
    assert ramp(0.6, n_epochs=1) == math.exp(-5)


def split(*pairs):
    return [torch.tensor(pair).view(1, 2, 1, 1) for pair in pairs]


def test_mean_entropy_passes_over_what_predictive_entropy_counts_as_doubt():
    samples = split((0.9, 0.1), (0.1, 0.9))
    assert doubt_of(samples).item() == pytest.approx(0.325, abs=5e-4)
    predictive = doubt_of(samples, kind="predictive").item()
    assert predictive == pytest.approx(math.log(2))


@given(SHAPES, st.integers(1, 4), st.integers(0, 2**32))
def test_predictive_entropy_is_never_less_than_mean_entropy(shape, n, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (shape[0], shape[1] + 1, *shape[2:])
    samples = [torch.randn(shape, generator=generator).softmax(1) for _ in range(n)]
    mean, predictive = (
        doubt_of(samples, kind=k) for k in ("mean_entropy", "predictive")
    )
    assert mean.shape == (shape[0], *shape[2:])
    assert (mean <= predictive + 1e-5).all()
    assert (predictive <= math.log(shape[1]) + 1e-5).all()
    if n == 1:
        torch.testing.assert_close(mean, predictive)


def test_certain_answers_are_no_doubt_and_none_is_refused():
    assert doubt_of(split((1.0, 0.0), (1.0, 0.0))).item() == 0
    with pytest.raises(ValueError, match="one sample"):
        doubt_of([])


def test_samples_are_computed_without_gradient_while_they_are_asked_for():
    weight = torch.zeros(1, 2, 1, 1, requires_grad=True)
    passes = (weight.softmax(1) for _ in range(3))
    assert not doubt_of(passes).requires_grad
    assert torch.is_grad_enabled()


def test_sums_over_a_batch_do_not_overflow_half_precision():
    p, mask = torch.ones(1, 1, 400, 400).half(), torch.zeros(1, 1, 400, 400).half()
    doubt = torch.zeros(1, 400, 400).half()
    assert guidance_loss(p, mask, doubt, 0.5) == 1
    assert guidance_loss(p, mask, doubt + 1, 0.5) == 0
    assert soft_mask(torch.tensor([-6e-3]).half()).item() == pytest.approx(1, abs=1e-3)
