import math

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from napari_mtseg.networks.mean_answers import mean_answers
from napari_mtseg.networks.samples import EXPECTED_ENTROPY, VARIANCE


def logits_of(*probabilities):
    """Give one pixel of two classes, per answer."""
    for p in probabilities:
        yield {"segmentation": torch.tensor([1 - p, p]).log().reshape(1, 2, 1, 1)}


def of_segmentation(answers):
    return mean_answers(answers, ("segmentation",), {})


def test_two_sure_answers_that_contradict_each_other_have_no_entropy_of_their_own():
    found = of_segmentation(logits_of(0.0, 1.0))
    assert found["segmentation"].flatten().tolist() == [0.5, 0.5]
    assert found[EXPECTED_ENTROPY].item() == 0
    assert found[VARIANCE].item() == pytest.approx(0.25)


def test_equal_unsure_answers_have_entropy_and_no_variance():
    found = of_segmentation(logits_of(0.5, 0.5, 0.5))
    assert found[EXPECTED_ENTROPY].item() == pytest.approx(math.log(2))
    assert found[VARIANCE].item() == 0


ANSWERS = st.integers(1, 6).flatmap(
    lambda n: hnp.arrays(np.float32, (n, 3, 2, 4), elements=st.floats(-9, 9, width=32))
)


@given(ANSWERS)
def test_sums_equal_those_over_all_answers_at_once(values):
    p = torch.from_numpy(values).double().softmax(1).numpy()
    found = of_segmentation(
        {"segmentation": torch.from_numpy(one)[None]} for one in values
    )
    entropy = -(p * np.log(p)).sum(1).mean(0)
    np.testing.assert_allclose(found["segmentation"], p.mean(0), atol=1e-6)
    np.testing.assert_allclose(found[EXPECTED_ENTROPY], entropy, atol=2e-6)
    np.testing.assert_allclose(found[VARIANCE], p.var(0).mean(0), atol=1e-6)
    assert (found[VARIANCE] >= 0).all()


def test_activations_come_before_the_mean_and_answers_are_left_as_they_were():
    values = {"segmentation": [0.0, 2.0], "distance": [1.0, 4.0], "classes": [0.0, 9.0]}
    kept = {name: torch.tensor(each) for name, each in values.items()}
    answers = (
        {
            name: each[n].expand(1, 2, *(1, 1) * (name != "classes")).contiguous()
            for name, each in kept.items()
        }
        for n in range(2)
    )
    activations = {"distance": "none", "classes": "sigmoid"}
    found = mean_answers(answers, tuple(values), activations)
    assert found["distance"].flatten().tolist() == [2.5, 2.5]
    sigmoid = torch.tensor([0.0, 9.0]).sigmoid().mean().item()
    assert found["classes"].tolist() == pytest.approx([sigmoid, sigmoid])
    held = torch.ones(1, 2, 1, 1)
    mean_answers(iter([{"distance": held}] * 1), ("distance",), activations)
    assert held.tolist() == torch.ones(1, 2, 1, 1).tolist()


def test_heads_that_do_not_classify_have_no_spread():
    found = mean_answers(logits_of(0.5), ("segmentation",), {"segmentation": "none"})
    assert set(found) == {"segmentation"}


def test_it_can_be_stopped_between_two_answers():
    asked = []

    class StoppedError(Exception):
        pass

    def stop_at_the_second():
        asked.append(1)
        if len(asked) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        mean_answers(
            logits_of(0.5, 0.5, 0.5, 0.5),
            ("segmentation",),
            {},
            between=stop_at_the_second,
        )


def test_the_mean_of_no_answer_is_refused():
    with pytest.raises(ValueError, match="no answer"):
        of_segmentation(iter(()))
