"""Peak memory of predicting a volume with uncertainty, all in.

    python -m benchmarks.volume_memory --size 200 512 512 --passes 20
    python -m benchmarks.volume_memory --size 64 256 256 --passes 2 --method baseline

A volume of blobs in noise is written to an OME-TIFF plane by plane. A process of its
own then loads a model with drawn weights, predicts the file with all maps, and saves
them as `mtseg predict` does. What is told is the most memory that this process ever
held: torch, the parts of the file that were read, windows, maps, objects.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

GIB = 2**30
DROPOUT = 0.5
"""share of the feature maps that are dropped"""

N_BLOBS = 60
"""ellipsoids along the volume, whatever its size"""


def main() -> None:
    """Make the volume, predict it in a process of its own, and print the figures."""
    arguments = _parser().parse_args()
    if arguments.file is not None:
        print(json.dumps(measured(arguments)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        file = Path(folder) / "volume.ome.tif"
        write_volume(file, tuple(arguments.size), seed=arguments.seed)
        found = _in_a_process(file)
    print("\n".join(lines(found, arguments)))


def write_volume(file: Path, shape: tuple[int, ...], *, seed: int) -> None:
    """Write blobs in noise as uint16 (Z, Y, X), one plane at a time."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, shape, (N_BLOBS, 3))
    radii = rng.uniform(0.04, 0.1, (N_BLOBS, 3)) * shape
    planes = (_plane(z, shape[1:], centres, radii, rng) for z in range(shape[0]))
    tifffile.imwrite(
        file,
        planes,
        shape=shape,
        dtype=np.uint16,
        ome=True,
        metadata={"axes": "ZYX"},
    )


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Predict and save the volume, and return what it took."""
    import torch

    from napari_mtseg.storage.image_files import open_image
    from napari_mtseg.storage.prediction_files import save_prediction

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = _model(arguments)
    image = open_image(arguments.file)
    before = _peak()
    begin = time.monotonic()
    prediction = model.predict_image(image)
    predicted = time.monotonic()
    at_prediction = _peak()
    save_prediction(
        arguments.file.parent / "prediction",
        prediction,
        spacing=image.info.spacing,
        unit=image.info.unit,
    )
    info = model._predictor.info
    return {
        "before": before,
        "predicted": at_prediction,
        "saved": _peak(),
        "seconds": predicted - begin,
        "saving": time.monotonic() - predicted,
        "mode": "" if info is None else info.mode,
        "windows": 0 if info is None else info.n_windows,
        "objects": len(prediction.class_of),
        "maps": sorted(prediction.maps),
        "from": prediction.uncertainty_from,
    }


def lines(found: Mapping[str, Any], arguments: argparse.Namespace) -> list[str]:
    """Return the figures for people."""
    size = " x ".join(str(n) for n in arguments.size)
    return [
        f"{arguments.method}, base_channels={arguments.base}, {size} voxels, "
        f"{found['from']}; {found['windows']} windows ({found['mode']}), "
        f"{found['objects']} objects, maps {', '.join(found['maps'])}",
        f"peak memory   {found['saved'] / GIB:6.2f} GiB all in "
        f"({found['predicted'] / GIB:.2f} when predicted, "
        f"{found['before'] / GIB:.2f} before)",
        f"seconds       {found['seconds']:6.1f}, and {found['saving']:.1f} to save",
    ]


def _plane(
    z: int,
    shape: tuple[int, ...],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    pixels = rng.normal(1000, 100, shape)
    for centre, radius in zip(centres, radii, strict=True):
        distance = sum(
            ((place - c) / r) ** 2
            for place, c, r in zip((z, rows, columns), centre, radius, strict=True)
        )
        pixels[distance < 1] += 800
    return np.clip(pixels, 0, 65535).astype(np.uint16)


def _model(arguments: argparse.Namespace) -> Any:
    from napari_mtseg.domain.project import palette
    from napari_mtseg.methods.catalog import load_method, settings_of
    from napari_mtseg.methods.protocol import Method, Task
    from napari_mtseg.networks.blocks import seeded
    from napari_mtseg.storage.model_info import ModelInfo, Provenance
    from napari_mtseg.workflows.predict import Model
    from napari_mtseg.workflows.uncertainty_source import (
        FROM_ONE_PASS,
        UncertaintySource,
    )

    values = {"base_channels": arguments.base, "dropout": DROPOUT}
    settings = settings_of(arguments.method, preset_name="paper", ndim=3, values=values)
    task = Task(n_channels=1, n_classes=arguments.classes, spacing=(1.0, 1.0, 1.0))
    made: Method = load_method(arguments.method)(settings, task)
    with seeded(arguments.seed):
        tensors = made.network().state_dict()
    names = tuple(f"class {i}" for i in range(1, arguments.classes + 1))
    info = ModelInfo(
        name="drawn",
        method=arguments.method,
        settings=settings.model_dump(mode="json"),
        classes=palette(names),
        n_channels=1,
        axes="CZYX",
        spacing=task.spacing,
        provenance=Provenance(
            run="drawn", seed=0, created="", step=0, versions={}, metrics={}
        ),
    )
    several = arguments.passes > 1
    return Model(
        info,
        tensors,
        device=arguments.device,
        memory=arguments.memory,
        uncertainty=UncertaintySource("dropout", passes=arguments.passes)
        if several
        else FROM_ONE_PASS,
    )


def _in_a_process(file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.volume_memory", *sys.argv[1:]]
    done = subprocess.run(
        [*command, "--file", os.fspath(file)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _peak() -> int:
    """Return the most memory that this process held so far, bytes."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=3, default=(200, 512, 512))
    parser.add_argument("--method", default="cross_task")
    parser.add_argument("--passes", type=int, default=20, help="1 is without dropout")
    parser.add_argument("--base", type=int, default=8, help="base_channels")
    parser.add_argument("--classes", type=int, default=1)
    parser.add_argument("--memory", type=float, help="GiB for one window")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where the volume is written meanwhile")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
