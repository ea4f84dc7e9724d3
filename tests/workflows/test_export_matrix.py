"""Every method, 2D and 3D, in every format of other programs."""

from pathlib import Path

import pytest

from benchmarks.export_matrix import cases, measured, table_of

SEVERAL_PLANES = ("high_resolution", 3, "2.5D")
"""a variant whose network sees several planes of a volume as channels"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "ndim", "variant"), [*cases(every_variant=False), SEVERAL_PLANES]
)
def test_every_method_answers_alike_in_every_format(
    method: str, ndim: int, variant: str, tmp_path: Path
):
    row = measured(method, ndim, variant, tmp_path)
    assert row.spread > 100 * row.onnx
    assert row.onnx <= 1e-4
    assert row.torch_export <= 1e-4
    assert row.pytorch_weights
    assert row.onnx_weights
    assert f"| {ndim}D | {', '.join(row.heads)} |" in table_of([row])
