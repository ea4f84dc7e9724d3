"""Losses on known pixels: equal to the plain ones where everything is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.losses.masked import (
    balancing_weights,
    masked_cross_entropy,
    masked_dice,
    masked_iou,
)


def summed_iou(probabilities: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return masked_iou(probabilities, target, reduction="sum")


LOSSES = (masked_cross_entropy, masked_dice, masked_iou, summed_iou)


@st.composite
def cases(draw: st.DrawFn):
    """Logits and a target of 2D or 3D patches."""
    shape = draw(st.sampled_from([(1, 3, 4), (2, 5, 5), (2, 2, 3, 4)]))
    n_classes = draw(st.integers(2, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    logits = torch.randn((shape[0], n_classes, *shape[1:]), generator=generator)
    return logits, torch.randint(0, n_classes, shape, generator=generator), generator


def painted(target: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the target with about half of its pixels unknown."""
    hidden = torch.rand(target.shape, generator=generator) < 0.5
    return torch.where(hidden, IGNORE, target)


@given(cases())
def test_cross_entropy_is_the_plain_one_where_all_is_known(case):
    logits, target, generator = case
    torch.testing.assert_close(
        masked_cross_entropy(logits, target), F.cross_entropy(logits, target)
    )
    weights = torch.rand(logits.shape[1], generator=generator) + 0.1
    torch.testing.assert_close(
        masked_cross_entropy(logits, target, class_weight=weights),
        F.cross_entropy(logits, target, weight=weights),
    )


@given(cases())
def test_cross_entropy_is_torchs_own_where_some_is_unknown(case):
    logits, target, generator = case
    target = painted(target, generator)
    target[0].view(-1)[0] = 0
    torch.testing.assert_close(
        masked_cross_entropy(logits, target),
        F.cross_entropy(logits, target, ignore_index=IGNORE),
    )


@given(cases())
def test_pixel_weights_weigh_the_mean(case):
    logits, target, generator = case
    weight = torch.rand(target.shape, generator=generator) + 0.1
    each = F.cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(
        masked_cross_entropy(logits, target, weight=weight),
        (each * weight).sum() / weight.sum(),
    )


@given(cases())
def test_dice_and_iou_are_the_plain_ones_where_all_is_known(case):
    logits, target, _ = case
    probabilities = logits.softmax(dim=1)
    dice, iou = [], []
    for k in range(1, logits.shape[1]):
        p, y = probabilities[:, k], (target == k).float()
        if 0 < y.sum() < y.numel():
            overlap, total = (p * y).sum(), p.sum() + y.sum()
            dice.append(1 - (2 * overlap + 1e-5) / (total + 1e-5))
            iou.append(1 - overlap / (total - overlap))
    if dice:
        found = masked_dice(probabilities, target)
        torch.testing.assert_close(found, torch.stack(dice).mean())
        found = masked_iou(probabilities, target)
        torch.testing.assert_close(found, torch.stack(iou).mean(), atol=1e-4, rtol=1e-4)


@given(cases(), st.sampled_from(LOSSES))
def test_unpainted_pixels_get_no_gradient(case, loss):
    logits, target, generator = case
    target = painted(target, generator)
    logits.requires_grad_()
    values = logits if loss is masked_cross_entropy else logits.sigmoid()
    loss(values, target).backward()
    unknown = (target == IGNORE).unsqueeze(1).expand_as(logits)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[unknown].abs().sum() == 0


@given(cases(), st.sampled_from(LOSSES))
def test_what_is_predicted_on_unpainted_pixels_does_not_matter(case, loss):
    logits, target, generator = case
    target = painted(target, generator)
    unknown = (target == IGNORE).unsqueeze(1)
    other = torch.where(unknown, torch.rand(logits.shape, generator=generator), logits)
    torch.testing.assert_close(loss(other, target), loss(logits, target))


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_known_is_no_loss_and_no_gradient(loss):
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    found = loss(logits, torch.full((1, 3, 3), IGNORE))
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


@pytest.mark.parametrize("loss", [masked_dice, masked_iou])
def test_classes_that_are_known_one_way_only_do_not_count(loss):
    probabilities = torch.tensor([0.3, 0.3, 0.4]).view(1, 3, 1, 1).expand(1, 3, 1, 3)
    only_foreground = torch.tensor([[[1, 1, IGNORE]]])
    assert loss(probabilities, only_foreground) == 0
    both = torch.tensor([[[1, 0, IGNORE]]])
    assert loss(probabilities, both) > 0


def test_a_sum_over_mostly_absent_classes_outweighs_the_cross_entropy():
    """METHODS.md section 1: uniform output of 12 classes, of which 6 are absent."""
    logits = torch.zeros(2, 12, 2, 6, requires_grad=True)
    target = torch.arange(6).expand(2, 2, 6)
    entropy = 0.5 * masked_cross_entropy(logits, target)
    overlap = 0.5 * summed_iou(logits.softmax(dim=1), target)
    assert entropy.item() == pytest.approx(0.5 * math.log(12))
    assert entropy.item() == pytest.approx(1.24, abs=0.005)
    assert overlap.item() == pytest.approx(0.5 * (6 * 16 / 17 + 6), abs=1e-4)
    assert overlap.item() == pytest.approx(5.82, abs=0.005)


def test_absent_classes_add_one_without_a_gradient_to_a_sum():
    probabilities = torch.full((1, 3, 1, 2), 0.25, requires_grad=True)
    found = summed_iou(probabilities, torch.tensor([[[0, 1]]]))
    found.backward()
    assert found.item() == pytest.approx(2 * (1 - 0.25 / 1.25) + 1, abs=1e-4)
    assert probabilities.grad is not None
    assert not probabilities.grad[:, 2].any()
    assert probabilities.grad[:, :2].all()


@given(cases())
def test_a_sum_is_over_all_classes_and_the_whole_batch(case):
    logits, target, _ = case
    probabilities = logits.softmax(dim=1)
    each = []
    for k in range(logits.shape[1]):
        p, y = probabilities[:, k], (target == k).float()
        overlap = (p * y).sum()
        each.append(1 - overlap / (p.sum() + y.sum() - overlap))
    found = summed_iou(probabilities, target)
    assert found >= 0
    torch.testing.assert_close(found, sum(each), atol=1e-4, rtol=1e-4)


def test_sums_over_a_batch_do_not_overflow_half_precision():
    probabilities = torch.full((1, 2, 400, 400), 0.9, dtype=torch.float16)
    target = torch.zeros((1, 400, 400), dtype=torch.int64)
    target[:, 0] = 1
    assert torch.isfinite(masked_dice(probabilities, target))


def test_rare_classes_weigh_more_by_the_root_of_their_frequency():
    target = torch.zeros((1, 1, 100), dtype=torch.int64)
    target[..., :4], target[..., 50:] = 1, IGNORE
    background, rare, absent = balancing_weights(target, 3).tolist()
    assert rare / background == pytest.approx((46 / 4) ** 0.5)
    assert (rare + background) / 2 == pytest.approx(1)
    assert absent == 1


def test_balancing_weights_are_clipped():
    target = torch.zeros((1, 1, 100_001), dtype=torch.int64)
    target[..., 0], target[..., 1] = 1, 2
    background, *rare = balancing_weights(target, 3).tolist()
    assert background == pytest.approx(0.2)
    assert max(rare) <= 5


def test_balancing_weights_of_nothing_are_1():
    assert balancing_weights(torch.full((1, 2, 2), IGNORE), 2).tolist() == [1, 1]
