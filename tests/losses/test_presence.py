"""Losses about whole patches: unpainted says nothing of absence, P has no gradient."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.losses.presence import (
    presence_counts,
    presence_loss,
    present_classes,
    scene_loss,
    shown_classes,
    synchronisation_loss,
)

NOWHERE = torch.zeros(1, 3, dtype=torch.bool)


def patch(*values: int) -> torch.Tensor:
    return torch.tensor([[list(values)]])


def bools(*values: int) -> torch.Tensor:
    return torch.tensor([values]).bool()


@st.composite
def targets(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Class maps of 2D or 3D patches, partly unknown, and the number of classes."""
    shape = draw(st.sampled_from([(1, 1, 1), (2, 3, 4), (3, 2, 2, 2)]))
    n_outputs = draw(st.integers(2, 5))
    values = st.sampled_from([*range(n_outputs), IGNORE])
    n = math.prod(shape)
    flat = draw(st.lists(values, min_size=n, max_size=n))
    return torch.tensor(flat).view(shape), n_outputs


@st.composite
def scores(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Generator]:
    """Scores ``(N, C)`` that may be far from 0."""
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    return 50 * torch.randn(shape, generator=generator), generator


def test_classes_are_found_among_known_pixels_of_each_patch():
    target = torch.tensor([[[0, 2, IGNORE]], [[IGNORE, IGNORE, IGNORE]]])
    assert present_classes(target, 3).tolist() == [
        [True, False, True],
        [False, False, False],
    ]


@given(targets())
def test_present_classes_are_the_values_of_the_known_pixels(case):
    target, n_outputs = case
    for row, found in zip(target, present_classes(target, n_outputs), strict=True):
        values = set(row.unique().tolist()) - {IGNORE}
        assert set(found.nonzero().ravel().tolist()) == values


def test_an_absent_class_may_be_among_unpainted_pixels():
    target = patch(0, 1, IGNORE)
    found = presence_counts(target, present_classes(target, 3), NOWHERE)
    assert found.tolist() == [[True, True, False]]


def test_an_absent_class_counts_where_the_image_settles_it():
    target = patch(0, 1, IGNORE)
    found = presence_counts(target, present_classes(target, 3), bools(0, 0, 1))
    assert found.all()


def test_an_absent_class_counts_where_every_pixel_of_the_patch_is_known():
    target = torch.cat([patch(0, 1), patch(0, IGNORE)])
    present = present_classes(target, 3)
    found = presence_counts(target, present, NOWHERE.expand(2, 3))
    assert found.tolist() == [[True, True, True], [True, False, False]]


@given(targets())
def test_present_classes_always_count(case):
    target, n_outputs = case
    present = present_classes(target, n_outputs)
    counts = presence_counts(target, present, torch.zeros_like(present))
    assert counts[present].all()


@given(scores())
def test_presence_loss_is_the_plain_one_where_all_counts(case):
    logits, generator = case
    present = torch.rand(logits.shape, generator=generator) < 0.5
    found = presence_loss(logits, present, torch.ones_like(present))
    plain = F.binary_cross_entropy_with_logits(logits, present.float())
    torch.testing.assert_close(found, plain)


@given(scores())
def test_what_does_not_count_changes_nothing_and_gets_no_gradient(case):
    logits, generator = case
    present, counts = torch.rand((2, *logits.shape), generator=generator) < 0.5
    found = presence_loss(logits.requires_grad_(), present, counts)
    found.backward()
    assert found >= 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[~counts].abs().sum() == 0
    other = torch.where(counts, logits, -3.0)
    assert presence_loss(other, present & counts, counts) == found


def test_presence_of_which_nothing_is_known_is_no_loss():
    logits = torch.ones(1, 3, requires_grad=True)
    found = presence_loss(logits, NOWHERE, NOWHERE)
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def pixels(*probabilities: tuple[float, ...]) -> torch.Tensor:
    """Scores of one patch, ``(1, C, 1, X)``, from the probabilities of its pixels."""
    return torch.tensor(probabilities).log().T[None, :, None]


def test_a_class_is_shown_where_it_is_the_most_probable_of_a_pixel():
    logits = pixels((0.7, 0.2, 0.1), (0.3, 0.3, 0.4))
    assert shown_classes(logits, rule="argmax").tolist() == [[1, 0, 1]]


def test_a_class_is_shown_by_the_other_rule_only_above_one_half():
    logits = pixels((0.7, 0.2, 0.1), (0.3, 0.3, 0.4))
    assert shown_classes(logits, rule="half").tolist() == [[1, 0, 0]]


@given(st.integers(0, 2**32), st.booleans())
def test_both_rules_agree_on_two_classes(seed, is_3d):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 2, 2, 1, 2) if is_3d else (2, 2, 1, 2)
    logits = torch.randn(shape, generator=generator)
    one, other = (shown_classes(logits, rule=rule) for rule in ("argmax", "half"))
    assert one.tolist() == other.tolist()
    assert one.dtype == torch.float32


@pytest.mark.parametrize("rule", ["argmax", "half"])
def test_synchronisation_teaches_the_class_scores_only(rule):
    class_logits = torch.zeros(1, 3, requires_grad=True)
    segmentation = pixels((0.7, 0.2, 0.1), (0.1, 0.1, 0.8)).requires_grad_()
    synchronisation_loss(class_logits, segmentation, rule=rule).backward()
    assert segmentation.grad is None
    assert class_logits.grad is not None
    assert class_logits.grad.sign().tolist() == [[-1, 1, -1]]


def test_synchronisation_reaches_what_both_heads_share_through_the_classes_alone():
    trunk, pixel_head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 1)
    class_head = nn.Linear(4, 3)
    shared = trunk(torch.ones(1, 1, 5, 5))
    class_logits = class_head(shared.mean(dim=(2, 3)))
    synchronisation_loss(class_logits, pixel_head(shared), rule="argmax").backward()
    assert all(weight.grad is None for weight in pixel_head.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in class_head.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in trunk.parameters())


def test_synchronisation_is_a_mean_over_patches_and_classes():
    segmentation = pixels((0.7, 0.2, 0.1)).expand(2, 3, 1, 1)
    class_logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    by_hand = math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + 4 * math.log(2)
    found = synchronisation_loss(class_logits, segmentation, rule="argmax")
    assert found.item() == pytest.approx(by_hand / 6)


def test_scores_of_half_precision_are_taken():
    class_logits = torch.zeros(1, 2, dtype=torch.bfloat16)
    segmentation = torch.randn(1, 2, 2, 2).to(torch.bfloat16)
    found = synchronisation_loss(class_logits, segmentation, rule="half")
    assert found.item() == pytest.approx(math.log(2), rel=0.01)


@pytest.mark.parametrize("kind", ["cross_entropy", "bce"])
def test_images_without_a_scene_have_no_say(kind):
    logits = torch.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    found = scene_loss(logits, torch.tensor([1, -1]), kind=kind)
    found.backward()
    alone = scene_loss(logits[:1], torch.tensor([1]), kind=kind)
    assert found == alone > 0
    assert logits.grad is not None
    assert logits.grad[0].any()
    assert not logits.grad[1].any()


@pytest.mark.parametrize("kind", ["cross_entropy", "bce"])
def test_no_scene_at_all_is_no_loss(kind):
    logits = torch.ones(2, 3, requires_grad=True)
    found = scene_loss(logits, torch.tensor([-1, -1]), kind=kind)
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@given(scores())
def test_scene_losses_are_the_plain_ones_where_every_scene_is_known(case):
    logits, generator = case
    n, n_scenes = logits.shape
    scene = torch.randint(0, n_scenes, (n,), generator=generator)
    exclusive = scene_loss(logits, scene, kind="cross_entropy")
    torch.testing.assert_close(exclusive, F.cross_entropy(logits, scene))
    hot = F.one_hot(scene, n_scenes).float()
    each = scene_loss(logits, scene, kind="bce")
    torch.testing.assert_close(each, F.binary_cross_entropy_with_logits(logits, hot))
