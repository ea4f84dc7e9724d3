from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.workflows.export_checks import (
    Check,
    difference_check,
    largest_difference,
    refuse_failed,
)

HALVES = np.full((1, 2, 2, 2), 0.5, np.float32)


def test_rounding_passes_and_another_answer_does_not():
    assert difference_check("same", [HALVES + 1e-6], [HALVES]).passed
    other = difference_check("same", [HALVES + 0.1], [HALVES])
    assert not other.passed
    assert other.figure == pytest.approx(0.1)


@pytest.mark.parametrize(
    "answer", [HALVES[..., :1], np.full_like(HALVES, np.nan), HALVES[0]]
)
def test_another_shape_or_nan_is_an_infinite_difference(answer):
    assert largest_difference([answer], [HALVES]) == float("inf")


def test_a_missing_answer_is_an_infinite_difference():
    assert largest_difference([HALVES], [HALVES, HALVES]) == float("inf")


def test_a_failed_check_is_refused_with_its_figure():
    good = Check(what="The file is valid ONNX", passed=True)
    bad = difference_check("onnxruntime answers like the network", [HALVES], [-HALVES])
    refuse_failed(Path("m.onnx"), [good])
    with pytest.raises(ModelError) as refusal:
        refuse_failed(Path("m.onnx"), [good, bad])
    assert str(refusal.value) == (
        "'m.onnx' was not written, since a check of it failed: onnxruntime answers "
        "like the network (largest difference 1, at most 0.0001 wanted). Choose "
        "another format with --format, and report this as a bug."
    )


def test_results_in_words():
    assert Check(what="a", passed=True).result == "passed"
    assert Check(what="a", passed=False).result == "failed"
    assert difference_check("a", [HALVES], [HALVES]).result == "no difference"
