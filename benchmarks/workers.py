"""Prediction of many images by one worker and by two.

Run ``python -m benchmarks.workers [--images 24] [--size 512] [--rounds 3] [--json]``.
Workers are processes with one thread each; both numbers of workers predict the same
generated images with the same small model, in turn, after each worker has loaded it.
Two can be twice as fast only where two cores are free: cores and load are printed.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile

from benchmarks import workers as this_module
from benchmarks.generated_images import discs
from benchmarks.two_processes import painted_project
from napari_mtseg.methods.catalog import settings_of
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.workflows.cluster import open_cluster
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.task_runner import ModelSource
from napari_mtseg.workflows.train import train


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of workers."""

    workers: int
    seconds: float
    """for all images, best of the rounds"""
    megapixels_per_second: float
    speedup: float
    """beside one worker"""


def objects_in(model: Model, image: Path) -> int:
    """Predict one image."""
    return int(model.predict_image(open_image(image)).instances.max())


def small_model(folder: Path) -> ModelSource:
    """Train a small U-Net for two steps: what it says does not matter."""
    project = painted_project(folder)
    values = {"steps": 2, "base_channels": 16, "levels": 4, "patch": 96}
    settings = settings_of("baseline", preset_name="fast", ndim=2, values=values)
    run, _ = start_run(project, "baseline", settings.model_dump(), device="cpu")
    for _ in train(project, run):
        pass
    return ModelSource(path=run.path, is_run=True, device="cpu")


def generated_images(folder: Path, n: int, size: int) -> list[Path]:
    """Write images of discs."""
    files = [folder / f"image_{seed}.tif" for seed in range(n)]
    for seed, file in enumerate(files):
        pixels, _ = discs(size, seed=seed)
        tifffile.imwrite(file, np.asarray(pixels[0]))
    return files


def seconds_of(n_workers: int, images: Sequence[Path], source: ModelSource) -> float:
    """Return the time that workers take, who have loaded the model already."""
    # Workers find the function in a module, not in the script that is run.
    work = this_module.objects_in
    with open_cluster(scheduler=None, n_workers=n_workers, device="cpu") as runner:
        for _ in runner.run(work, [images[0]] * (4 * n_workers), source):
            pass
        begin = time.perf_counter()
        for _ in runner.run(work, images, source):
            pass
        return time.perf_counter() - begin


def rows(folder: Path, *, n_images: int, size: int, rounds: int) -> list[Row]:
    """Return a row for one worker and one for two; they take turns."""
    source = small_model(folder)
    images = generated_images(folder, n_images, size)
    taken = {1: math.inf, 2: math.inf}
    for _ in range(rounds):
        for n, best in taken.items():
            taken[n] = min(best, seconds_of(n, images, source))
    return [
        Row(
            workers=n,
            seconds=seconds,
            megapixels_per_second=n_images * size**2 / 1e6 / seconds,
            speedup=taken[1] / seconds,
        )
        for n, seconds in taken.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = rows(
            Path(folder),
            n_images=arguments.images,
            size=arguments.size,
            rounds=arguments.rounds,
        )
    if arguments.json:
        facts = {"cores": os.cpu_count(), "load": before}
        print(json.dumps({**facts, "rows": [asdict(row) for row in found]}))
        return
    print(
        f"{arguments.images} images of {arguments.size} x {arguments.size} pixels, "
        f"{os.cpu_count()} cores, load {before:.1f} before"
    )
    print("workers  seconds  megapixels/s  speedup")
    for row in found:
        print(
            f"{row.workers:>7}  {row.seconds:>7.2f}  {row.megapixels_per_second:>12.2f}"
            f"  {row.speedup:>7.2f}"
        )


if __name__ == "__main__":
    main()
