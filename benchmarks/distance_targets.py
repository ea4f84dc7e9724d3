"""Time of distance-map targets against one Euclidean distance transform.

``python -m benchmarks.distance_targets [--quick] [--json]``

Each map is computed in turns with one ``edt.edt`` call on the same mask, with the same
number of threads. Targets: a 4096 x 4096 mask of 2,000 objects in at most 1.5 times the
call, a 128 x 512 x 512 volume in at most 4 s on two cores, for each map.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import get_args

import edt
import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.distances import usable_cores
from napari_mtseg.targets.distance_maps import (
    REACH,
    DistanceKind,
    distance_map,
    normalised,
)

MOST_OF_ONE_CALL = 1.5
MOST_SECONDS = 4.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One row of the table."""

    shape: tuple[int, ...]
    objects: int
    map: str
    seconds: float
    """median wall time"""
    cpu_seconds: float
    """median processor time of all threads"""
    edt_seconds: float
    """median wall time of one ``edt.edt`` call on the mask, taken in turns"""
    ratio: float
    """median of the ratios of neighbouring turns"""


def scene(
    shape: tuple[int, ...], n_objects: int, rng: np.random.Generator
) -> NDArray[np.uint32]:
    """Return balls of random size on a grid; many touch a neighbour."""
    labels = np.zeros(shape, np.uint32)
    per_axis = int(np.ceil(n_objects ** (1 / len(shape))))
    cell = [size / per_axis for size in shape]
    for index in range(n_objects):
        place = np.unravel_index(index, (per_axis,) * len(shape))
        start = [int(p * c) for p, c in zip(place, cell, strict=True)]
        stop = [int((p + 1) * c) for p, c in zip(place, cell, strict=True)]
        grid = np.ogrid[tuple(map(slice, start, stop))]
        size = rng.uniform(0.5, 1.1)
        offsets = (
            (axis - (a + b - 1) / 2) / ((b - a) / 2 * size)
            for axis, a, b in zip(grid, start, stop, strict=True)
        )
        inside = sum(offset**2 for offset in offsets) <= 1
        labels[tuple(map(slice, start, stop))][inside] = index + 1
    return labels


def measure(shape: tuple[int, ...], n_objects: int, *, repeats: int) -> list[Timing]:
    """Time the three maps, raw and cut at a reach, on one generated scene."""
    labels = scene(shape, n_objects, np.random.default_rng(0))
    mask = labels != 0
    n_found = len(np.unique(labels)) - 1
    rows = []
    for kind in get_args(DistanceKind):
        for is_cut in (False, True):
            make = partial(_map, labels, kind, is_cut=is_cut)
            turns = [
                (_seconds(partial(_one_call, mask)), _seconds(make))
                for _ in range(repeats)
            ]
            rows.append(
                Timing(
                    shape=shape,
                    objects=n_found,
                    map=f"{kind} trunc" if is_cut else kind,
                    seconds=statistics.median(ours[0] for _, ours in turns),
                    cpu_seconds=statistics.median(ours[1] for _, ours in turns),
                    edt_seconds=statistics.median(call[0] for call, _ in turns),
                    ratio=statistics.median(o[0] / c[0] for c, o in turns),
                )
            )
    return rows


def _one_call(mask: NDArray[np.bool_]) -> None:
    edt.edt(mask, black_border=False, parallel=usable_cores())


def _map(labels: NDArray[np.uint32], kind: DistanceKind, *, is_cut: bool) -> None:
    distance = distance_map(labels, kind)
    if is_cut:
        normalised(distance, "trunc", kind=kind, reach=REACH)


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Wall and processor time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def as_table(rows: list[Timing]) -> str:
    """Return the rows with the targets they are held against."""
    lines = [
        f"distance targets, {usable_cores()} threads, {platform.machine()}, "
        f"NumPy {np.__version__}, edt in turns",
        f"targets: 2D at most {MOST_OF_ONE_CALL} edt calls, "
        f"3D at most {MOST_SECONDS} s",
        "shape            objects  map       seconds     CPU  one edt  ratio",
    ]
    for row in rows:
        shape = " x ".join(map(str, row.shape))
        lines.append(
            f"{shape:15s}  {row.objects:7,d}  {row.map:8s}  {row.seconds:7.3f}"
            f" {row.cpu_seconds:7.3f}  {row.edt_seconds:7.3f}  {row.ratio:5.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, seconds")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    arguments = parser.parse_args()
    scenes: list[tuple[tuple[int, ...], int, int]] = (
        [((1024, 1024), 125, 3), ((32, 128, 128), 30, 3)]
        if arguments.quick
        else [((4096, 4096), 2_000, 7), ((128, 512, 512), 500, 3)]
    )
    rows = [
        row
        for shape, n_objects, repeats in scenes
        for row in measure(shape, n_objects, repeats=repeats)
    ]
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        sys.stdout.write(as_table(rows) + "\n")


if __name__ == "__main__":
    main()
