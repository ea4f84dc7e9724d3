"""The adversary's objectives, and which way they pull."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.losses.adversarial import (
    adversarial_cross_entropy,
    adversarial_cross_entropy_fooling,
    geman_mcclure,
    geman_mcclure_fooling,
)

ANSWERS = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=3)


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def test_geman_mcclure_is_that_of_the_specification():
    labelled, unlabelled = leaf(0.6), leaf(0.4)
    loss = geman_mcclure(labelled, unlabelled)
    loss.backward()
    assert loss.item() == pytest.approx(0.41860, abs=5e-6)
    assert labelled.grad.item() == pytest.approx(0.40562, abs=5e-6)
    assert unlabelled.grad.item() == pytest.approx(-0.40562, abs=5e-6)


def test_the_adversary_wants_0_for_labelled_and_1_for_unlabelled_images():
    assert geman_mcclure(leaf(0.0), leaf(1.0)) == 0
    assert geman_mcclure(leaf(1.0), leaf(0.0)).item() == pytest.approx(2 / 3)


def test_the_network_pulls_unlabelled_answers_the_other_way():
    for other in (geman_mcclure_fooling, adversarial_cross_entropy_fooling):
        adversary, network = leaf(0.4), leaf(0.4)
        objective = {
            geman_mcclure_fooling: geman_mcclure,
            adversarial_cross_entropy_fooling: adversarial_cross_entropy,
        }[other]
        objective(leaf(0.6), adversary).backward()
        other(network).backward()
        assert adversary.grad * network.grad < 0


def test_fooling_is_the_adversarys_error_of_a_labelled_image():
    answers = torch.tensor([0.4, 1.0])
    expected = (0.16 / 1.16 + 1 / 2) / 2
    assert geman_mcclure_fooling(answers).item() == pytest.approx(expected)
    assert geman_mcclure_fooling(torch.zeros(2)) == 0


@given(ANSWERS, ANSWERS, st.floats(0.1, 5))
def test_geman_mcclure_is_the_mean_over_pairs(labelled, unlabelled, beta):
    found = geman_mcclure(
        torch.tensor(labelled), torch.tensor(unlabelled), beta=beta
    ).item()
    errors = [a**2 + (b - 1) ** 2 for a in labelled for b in unlabelled]
    pairs = [e / (2 * beta + e) for e in errors]
    assert found == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    assert 0 <= found < 1


def test_an_adversary_that_sees_one_kind_alone_learns_from_that():
    none = torch.zeros(0)
    labelled, unlabelled = leaf(0.6), leaf(0.4)
    geman_mcclure(labelled, none).backward()
    assert labelled.grad.item() > 0
    geman_mcclure(none, unlabelled).backward()
    assert unlabelled.grad.item() < 0
    assert geman_mcclure(none, none) == 0
    assert geman_mcclure_fooling(none) == 0


def test_cross_entropy_wants_1_for_labelled_and_0_for_unlabelled_images():
    found = adversarial_cross_entropy(leaf(2.0, 2.0), leaf(-2.0))
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)))
    labelled, unlabelled = leaf(0.0), leaf(0.0)
    adversarial_cross_entropy(labelled, unlabelled).backward()
    assert (labelled.grad.item(), unlabelled.grad.item()) == (-0.25, 0.25)
    assert adversarial_cross_entropy_fooling(leaf(0.0)).item() == pytest.approx(
        math.log(2)
    )


def test_half_precision_does_not_underflow():
    tiny = torch.tensor([1e-3], dtype=torch.float16)
    assert geman_mcclure_fooling(tiny).item() == pytest.approx(1e-6, rel=0.01)
