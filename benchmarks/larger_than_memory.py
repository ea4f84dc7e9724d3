"""Images larger than memory: time, memory and equality of prediction in blocks.

    python -m benchmarks.larger_than_memory --sides 4096 8192 --out DIR

generates images chunk by chunk, trains a small network on the same pattern, predicts
each image in blocks in a process of its own, whose largest memory is measured, and
prints a table. Images of up to ``--whole`` pixels a side are also predicted at once, in
a further process, and compared.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from benchmarks.generated_zarr import pattern, write_generated

MAPS = ("instances", "classes", "contours")
COLUMNS = (
    "side",
    "seconds",
    "cpu_seconds",
    "seconds_per_megapixel",
    "cpu_seconds_per_megapixel",
    "peak_mb",
    "objects",
    "equal",
    "same_objects",
)
"""of the table; 'equal' and 'same_objects' compare with the whole image at once"""

SMALL: dict[str, dict[str, Any]] = {
    "baseline": {"base_channels": 4, "levels": 3, "steps": 150},
    "recursive_approximation": {
        "base_channels": 8,
        "levels": 3,
        "iterations": 2,
        "first_steps": 250,
        "last_steps": 150,
    },
    "high_resolution": {
        "base_channels": 8,
        "levels": 3,
        "pathway": 2,
        "nuclei": True,
        "steps": 150,
    },
}
TRAINING = {"patch": 128, "batch_size": 4, "learning_rate": 2e-3}


def trained_run(folder: Path, method: str, values: dict[str, Any]) -> Path:
    """Return the run of a small network that learned the pattern; quickly."""
    from napari_mtseg.domain.annotation import (
        Annotation,
        CompleteRegion,
        ObjectMasks,
        no_objects,
    )
    from napari_mtseg.instances.components import separate_objects
    from napari_mtseg.methods.catalog import settings_of
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import runs_of
    from napari_mtseg.workflows.runs import start_run
    from napari_mtseg.workflows.train import train

    place = folder / "pattern.mtseg"
    if place.exists() and (runs := runs_of(place)) and runs[-1].has_finished:
        return runs[-1].path
    shutil.rmtree(place, ignore_errors=True)
    project = Project.create(place, classes=("disc",))
    for n, split in enumerate(("train", "train", "validate")):
        rows, columns = slice(n * 900, n * 900 + 512), slice(n * 700, n * 700 + 512)
        grey, classes = pattern(rows, columns)
        file = folder / f"pattern{n}.tif"
        tifffile.imwrite(file, grey)
        entry = project.add_image(file, split=split)  # type: ignore[arg-type]
        objects, class_of = separate_objects(classes)
        shape = objects.shape
        paint = Annotation(
            partial=no_objects(shape),
            scribbles=np.zeros(shape, np.uint8),
            full=ObjectMasks(objects=objects, class_of=class_of),
            complete=CompleteRegion(whole=True),
        )
        project.save_annotation(entry, paint)
    settings = settings_of(method, preset_name="fast", ndim=2, values=values)
    run, _ = start_run(project, method, settings.model_dump(), seed=0, device="cpu")
    deque(train(project, run), maxlen=0)
    return run.path


def predict_one(
    run: Path, image: Path, out: Path, *, memory: float, whole: bool
) -> None:
    """Predict one image in this process and print what it took, as JSON."""
    import torch

    from napari_mtseg.storage.image_files import open_image
    from napari_mtseg.workflows.predict_blocks import predict_in_blocks
    from napari_mtseg.workflows.task_runner import InThisProcess, ModelSource

    torch.set_num_threads(1)
    source = ModelSource(path=run, is_run=True, memory=memory)
    model = source.load()
    begin, cpu = time.monotonic(), time.process_time()
    if whole:
        found = model.predict_image(open_image(image), maps=("contours",))
        objects = len(found.class_of)
        np.savez(
            out,
            instances=found.instances,
            classes=found.classes,
            contours=found.maps["contours"],
        )
    else:
        done = predict_in_blocks(
            source, image, out, maps=MAPS, runner=InThisProcess(model)
        )
        objects = sum(done.n_objects.values())
    taken = {
        "seconds": time.monotonic() - begin,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "objects": objects,
    }
    sys.stdout.write(json.dumps(taken) + "\n")


def row_of(run: Path, side: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the row of a table for one size of image."""
    image = write_generated(chosen.out / f"image_{side}.ome.zarr", side)
    stem = chosen.out / f"{run.parents[1].stem}_{side}"
    row = _in_child(run, image, stem, chosen.memory, whole=False)
    megapixels = side**2 / 1e6
    row |= {
        "side": side,
        "seconds_per_megapixel": row["seconds"] / megapixels,
        "cpu_seconds_per_megapixel": row["cpu_seconds"] / megapixels,
    }
    if side <= chosen.whole:
        at_once = stem.with_suffix(".npz")
        whole = _in_child(run, image, at_once, chosen.memory, whole=True)
        row["peak_mb_at_once"], row["seconds_at_once"] = (
            whole["peak_mb"],
            whole["seconds"],
        )
        row |= _compared(stem.with_name(stem.name + ".ome.zarr"), at_once)
        at_once.unlink()
    if not chosen.keep:
        shutil.rmtree(stem.with_name(stem.name + ".ome.zarr"))
        shutil.rmtree(image)
    return row


def _in_child(
    run: Path, image: Path, out: Path, memory: float, *, whole: bool
) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.larger_than_memory", "--one"]
    words += [str(run), str(image), str(out), "--memory", str(memory)]
    words += ["--at-once"] if whole else []
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _compared(blocks: Path, at_once: Path) -> dict[str, Any]:
    """Return whether both results are equal, and how many objects are."""
    found = {
        name: np.asarray(zarr.open_array(blocks / "labels" / name / "0")[...])
        for name in MAPS
    }
    whole = dict(np.load(at_once))
    n_same, n_whole = _same_objects(whole["instances"], found["instances"])
    return {
        "equal": all(np.array_equal(whole[name], found[name]) for name in MAPS),
        "same_class": float((whole["classes"] == found["classes"]).mean()),
        "same_objects": n_same / max(n_whole, 1),
    }


def _same_objects(one: NDArray[Any], other: NDArray[Any]) -> tuple[int, int]:
    """Return how many objects of one are in the other with the same pixels, and all."""
    sizes = [np.bincount(ids.ravel()) for ids in (one, other)]
    both = (one > 0) & (other > 0)
    width = len(sizes[1])
    codes = one[both].astype(np.int64) * width + other[both]
    pairs, counts = np.unique(codes, return_counts=True)
    same = (counts == sizes[0][pairs // width]) & (counts == sizes[1][pairs % width])
    return int(same.sum()), int(np.count_nonzero(sizes[0][1:]))


def main(words: Sequence[str] | None = None) -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", nargs="+", type=int, default=[4096, 8192])
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/large"))
    parser.add_argument("--method", choices=SMALL, default="baseline")
    parser.add_argument("--set", nargs="*", default=[], help="settings, as key=value")
    parser.add_argument("--memory", type=float, default=0.25, help="GiB per window")
    parser.add_argument("--whole", type=int, default=4096, help="compared up to here")
    parser.add_argument("--keep", action="store_true", help="keep images and results")
    parser.add_argument("--one", nargs=3, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--at-once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    if chosen.one:
        predict_one(*chosen.one, memory=chosen.memory, whole=chosen.at_once)
        return
    values = SMALL[chosen.method] | TRAINING
    values |= dict(pair.split("=", 1) for pair in chosen.set)
    chosen.out.mkdir(parents=True, exist_ok=True)
    name = "-".join([chosen.method, *(w.replace("=", "_") for w in chosen.set)])
    folder = chosen.out / name
    folder.mkdir(exist_ok=True)
    run = trained_run(folder, chosen.method, values)
    rows = []
    for side in chosen.sides:
        rows.append(row_of(run, side, chosen))
        sys.stderr.write(json.dumps(rows[-1]) + "\n")
    sys.stdout.write(
        "| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS) + "\n"
    )
    for row in rows:
        cells = (row.get(column, "") for column in COLUMNS)
        told = (f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells)
        sys.stdout.write("| " + " | ".join(told) + " |\n")


if __name__ == "__main__":
    main()
