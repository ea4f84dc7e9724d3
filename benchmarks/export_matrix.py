"""Every method exported in every format of other programs, and what the checks say.

Run ``python -m benchmarks.export_matrix [--all] [--json]``. Networks are small, with
random weights and random running statistics. ``--all`` adds every variant of every
method: those of one architecture once. A row shows the largest difference of a
probability between the network and onnxruntime, and between the network and the
torch.export program loaded again, over images of sizes that were not traced, and
whether bioimageio.core passes the BioImage.IO package with its PyTorch and with its
ONNX weights.
"""

import argparse
import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.methods.catalog import (
    CATALOG,
    load_method,
    preset,
    settings_model,
    variants,
)
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.storage.model_folder import save_model
from napari_mtseg.storage.model_info import ModelInfo, Provenance
from napari_mtseg.workflows.export import export_as
from napari_mtseg.workflows.export_checks import Check
from napari_mtseg.workflows.export_credits import Credits

SMALL: dict[str, dict[str, Any]] = {
    "task_decomposition": {
        "base_channels": 2,
        "width": 4,
        "hidden": 4,
        "encoder_weights": "none",
        "norm": "batch",
    },
    "high_resolution": {
        "base_channels": 3,
        "levels": 3,
        "pathway": 1,
        "dilated_blocks": 6,
    },
}
SMALLER = {"base_channels": 2, "levels": 2}
"""of all other methods"""

SPACING = {2: (0.5, 0.5), 3: (1.0, 0.5, 0.5)}
SCENES = ("day", "night")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network in all formats."""

    method: str
    ndim: int
    variant: str
    """'' for the defaults"""
    heads: tuple[str, ...]
    spread: float
    """largest less smallest probability of the background on the test image"""
    onnx: float
    """largest difference of a probability"""
    torch_export: float
    """the same"""
    pytorch_weights: bool
    """whether bioimageio.core passes the package with its PyTorch weights"""
    onnx_weights: bool
    """the same with its ONNX weights"""
    seconds: float
    """for all formats and all checks"""


def cases(*, every_variant: bool) -> Iterator[tuple[str, int, str]]:
    """Yield method, dimensions and variant ('' for the defaults)."""
    for method in CATALOG:
        for ndim in (2, 3):
            yield method, ndim, ""
            for name in variants(method, ndim) if every_variant else ():
                yield method, ndim, name


def drawn_model(method: str, ndim: int, variant: str) -> tuple[ModelInfo, Any]:
    """Return the facts and the network of a small model with random weights."""
    named = variants(method, ndim)[variant] if variant else {}
    small = SMALL.get(method, SMALLER)
    kept = {"levels": named["levels"]} if "levels" in named else {}
    values = {**preset(method, "fast", ndim=ndim), **named, **small, **kept}
    settings = settings_model(method).checked(values)
    spacing = SPACING[ndim]
    task = Task(n_channels=2, n_classes=2, spacing=spacing, n_scenes=len(SCENES))
    with seeded(0), torch.no_grad():
        network = load_method(method)(settings, task).network()
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    info = ModelInfo(
        name="small",
        method=method,
        settings=settings.model_dump(mode="json"),
        classes=(
            ClassInfo(name="nucleus", colour="#e6194b"),
            ClassInfo(name="debris", colour="#3cb44b"),
        ),
        scenes=SCENES,
        n_channels=2,
        axes="CYX" if ndim == 2 else "CZYX",
        spacing=spacing,
        unit="micrometer",
        provenance=Provenance(
            run="drawn", seed=0, created="", step=0, versions={}, metrics={}
        ),
    )
    return info, network


def measured(method: str, ndim: int, variant: str, folder: Path) -> Row:
    """Export a small model into an empty folder, in every format of other programs."""
    started = time.perf_counter()
    info, network = drawn_model(method, ndim, variant)
    save_model(folder / "small", info, network.state_dict(), card="")
    package = export_as(
        folder / "small",
        folder / "package.bioimageio.zip",
        said=Credits(authors=("Nobody",), license="CC0-1.0"),
    )
    program = export_as(folder / "small", folder / "small.pt2")
    return Row(
        method=method,
        ndim=ndim,
        variant=variant,
        heads=(*network.head_channels, *network.image_heads),
        spread=_spread(package.path),
        onnx=_largest(package.checks),
        torch_export=_largest(program.checks),
        pytorch_weights=_passed(package.checks, "PyTorch weights"),
        onnx_weights=_passed(package.checks, "ONNX weights"),
        seconds=time.perf_counter() - started,
    )


def table_of(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| method | images | answers | ONNX | torch.export | BioImage.IO, PyTorch "
        "weights | BioImage.IO, ONNX weights | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{row.method}, {row.variant}" if row.variant else row.method
        lines.append(
            f"| {name} | {row.ndim}D | {', '.join(row.heads)} | {row.onnx:.1e} | "
            f"{row.torch_export:.1e} | {_word(row.pytorch_weights)} | "
            f"{_word(row.onnx_weights)} | {row.seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every variant too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    rows, problems = [], []
    for method, ndim, variant in cases(every_variant=asked.all):
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows.append(measured(method, ndim, variant, Path(folder)))
            except MtsegError as error:
                problems.append(f"{method}, {ndim}D, {variant or 'defaults'}: {error}")
                print(problems[-1], file=sys.stderr)
                continue
        print(table_of(rows[-1:]).splitlines()[-1], file=sys.stderr)
    if asked.json:
        print(json.dumps({"rows": [asdict(r) for r in rows], "problems": problems}))
    else:
        print("\n".join([table_of(rows), *problems]))
    sys.exit(1 if problems else 0)


def _spread(package: Path) -> float:
    with zipfile.ZipFile(package) as archive:
        answer = np.load(io.BytesIO(archive.read("test_segmentation.npy")))
    return float(np.ptp(answer[:, 0]))


def _largest(checks: Sequence[Check]) -> float:
    return max(check.figure for check in checks if check.figure is not None)


def _passed(checks: Sequence[Check], about: str) -> bool:
    return any(check.passed and about in check.what for check in checks)


def _word(passed: bool) -> str:
    return "passed" if passed else "failed"


if __name__ == "__main__":
    main()
