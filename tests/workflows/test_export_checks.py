from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.project import palette
from napari_mtseg.storage.model_folder import save_model
from napari_mtseg.storage.model_info import ModelInfo, Provenance
from napari_mtseg.workflows.export_checks import (
    Check,
    difference_check,
    folder_check,
    largest_difference,
    refuse_failed,
)

INFO = ModelInfo(
    name="m",
    method="baseline",
    settings={},
    classes=palette(("nucleus",)),
    n_channels=1,
    axes="CYX",
    spacing=(1, 1),
    provenance=Provenance(
        run="r", seed=3, created="2024-01-01", step=9, versions={}, metrics={}
    ),
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


def test_weights_of_16_bits_are_compared_exactly(tmp_path: Path):
    tensors = {
        "a": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "b": torch.tensor([3], dtype=torch.int64),
    }
    save_model(tmp_path / "m", INFO, tensors, card="")
    assert folder_check(tmp_path / "m", tensors).result == "no difference"
    other = {**tensors, "a": tensors["a"] + 0.5}
    assert folder_check(tmp_path / "m", other).figure == 0.5


def test_results_in_words():
    assert Check(what="a", passed=True).result == "passed"
    assert Check(what="a", passed=False).result == "failed"
    assert difference_check("a", [HALVES], [HALVES]).result == "no difference"
