"""A batch of files, some of them corrupt, killed in the middle and started again.

Run ``python -m benchmarks.batch [--files 200] [--side 256] [--workers N] [--json]``.
The images are generated, and the weights of the network are drawn: what it finds has
no meaning.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.generated_images import discs
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.methods.baseline.method import Baseline
from napari_mtseg.methods.baseline.settings import BaselineSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.storage.batch_ledger import LEDGER, read_ledger
from napari_mtseg.storage.model_folder import save_model
from napari_mtseg.storage.model_info import ModelInfo, Provenance

MTSEG = (sys.executable, "-m", "napari_mtseg.cli.main")

N_BAD = 5
"""files that cannot be predicted, each for a reason of its own"""

PATIENCE = 120
"""seconds that the first prediction may take until it is killed"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What happened to the batch."""

    n_files: int
    n_before: int
    """images in the ledger when the first process was killed"""
    n_kept: int
    """of these, images that the second process did not touch"""
    n_predicted: int
    """images that the second process predicted"""
    n_results: int
    """images with a result at the end"""
    n_failed: int
    """images that the second process listed as failed"""
    n_named: int
    """of these, images that are named in the report"""
    exit_code: int
    """of the second process"""
    seconds: float
    """wall time of the second process"""
    images_per_second: float
    """of the second process from its first image to its last"""


def write_images(folder: Path, n: int, *, side: int) -> set[str]:
    """Write n images, N_BAD of them corrupt; return the names of these."""
    folder.mkdir(parents=True)
    images = [discs(side, seed=seed)[0][0] for seed in range(8)]
    for number in range(n):
        pixels = np.roll(images[number % 8], number, axis=0)
        tifffile.imwrite(folder / f"{number:05d}.tif", pixels)
    places = [(2 * k + 1) * n // (2 * N_BAD) for k in range(N_BAD)]
    text, empty, cut, flat, nan = (folder / f"{k:05d}.tif" for k in places)
    text.write_text("no image")
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    tifffile.imwrite(flat, np.full((side, side), 7, np.uint8))
    tifffile.imwrite(nan, np.full((side, side), np.nan, np.float32))
    return {file.name for file in (text, empty, cut, flat, nan)}


def write_model(folder: Path, *, base: int = 8, levels: int = 3) -> Path:
    """Write a plain U-Net with drawn weights as a model folder."""
    settings = BaselineSettings(base_channels=base, levels=levels, min_size=20)
    task = Task(n_channels=1, n_classes=1, spacing=(1.0, 1.0))
    with seeded(0):
        network = Baseline(settings, task).network()
    info = ModelInfo(
        name="drawn",
        method="baseline",
        settings=settings.model_dump(mode="json"),
        classes=(ClassInfo(name="disc", colour="#e6194b"),),
        n_channels=1,
        axes="CYX",
        spacing=(1.0, 1.0),
        provenance=Provenance(
            run="none", seed=0, created="", step=0, versions={}, metrics={}
        ),
    )
    save_model(folder, info, network.state_dict(), card="Weights that were drawn.\n")
    return folder


def killed_and_started_again(
    model: Path, images: Path, out: Path, *, options: Sequence[str], kill_after: int
) -> Figures:
    """Predict a folder, with a kill after so many images, and tell what happened."""
    command = [*MTSEG, "predict", str(model), str(images), "--out", str(out)]
    command += [*options, "--json"]
    _kill(command, out, kill_after)
    first = _changed_at(out)
    before = read_ledger(out)
    if before is None or before.has_ended:
        raise RuntimeError("the first process had ended before it was killed")
    started = time.perf_counter()
    second = subprocess.run(command, capture_output=True, check=False, text=True)
    seconds = time.perf_counter() - started
    told = json.loads(second.stdout)
    ended = read_ledger(out)
    page = (out / "report.html").read_text(encoding="utf-8")
    last = _changed_at(out)
    n_tried = len(told["predicted"]) + len(told["failed"])
    return Figures(
        n_files=before.total,
        n_before=before.n_tried,
        n_kept=sum(last[name] == when for name, when in first.items()),
        n_predicted=len(told["predicted"]),
        n_results=len(last),
        n_failed=len(told["failed"]),
        n_named=sum(f"{images / one['image']}</td>" in page for one in told["failed"]),
        exit_code=second.returncode,
        seconds=seconds,
        images_per_second=n_tried / ended.seconds if ended and ended.seconds else 0,
    )


def _kill(command: Sequence[str], out: Path, after: int) -> None:
    """Start a command, and kill it when the ledger has so many lines."""
    ledger = out / LEDGER
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        while not ledger.exists() or ledger.read_bytes().count(b"\n") <= after:
            if child.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        child.kill()


def _changed_at(out: Path) -> dict[str, int]:
    """Return when the instances of each image were written."""
    return {file.name: file.stat().st_mtime_ns for file in out.glob("*_instances.tif")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--workers", type=int, help="left out: one process")
    parser.add_argument("--no-overview", action="store_true")
    parser.add_argument("--json", action="store_true", help="print JSON, no text")
    asked = parser.parse_args()
    options = ["--no-overview"] if asked.no_overview else []
    if asked.workers:
        options += ["--workers", str(asked.workers)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bad = write_images(folder / "in", asked.files, side=asked.side)
        found = killed_and_started_again(
            write_model(folder / "model"),
            folder / "in",
            folder / "out",
            options=options,
            kill_after=asked.files // 3,
        )
    if asked.json:
        print(json.dumps(asdict(found)))
        return
    print(f"{found.n_files} files of {asked.side} x {asked.side}, {len(bad)} corrupt")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"killed after {found.n_before} images; {found.n_kept} results kept")
    print(
        f"started again: {found.n_predicted} predicted, {found.n_failed} failed, "
        f"exit code {found.exit_code}, {found.seconds:.1f} s"
    )
    print(f"{found.n_results} results, {found.n_named} failed ones named in the report")
    print(f"{found.images_per_second:.1f} images/s")


if __name__ == "__main__":
    main()
