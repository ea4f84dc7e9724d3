"""Time of one growth update on generated images, on one core.

``python -m benchmarks.growth [--quick] [--json]``

Half of the objects touch a neighbour: their proposals meet in one component that
holds two seeds and must be cut. Targets: 2048 x 2048 with 1,000 objects in at most
0.6 s, 8192 x 8192 with 16,000 in at most 12 s, and at most twice the cost per pixel.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mtseg.growth.level_set import grow_objects

CELL = 64
BETA_TRAINING = 0.5
BETA_FINAL = 5.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One row of the table."""

    size: int
    objects: int
    beta: float
    touching_share: float
    seconds: float
    """median wall time"""
    cpu_seconds: float
    """median processor time: what is left when other programs share the core"""
    ns_per_pixel: float
    target_seconds: float | None
    ratio: float
    """cost per pixel, relative to the smallest image with the same beta"""


def scene(
    size: int, n_objects: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return seeds and proposal: blobs on a grid, every other pair touching."""
    seeds = np.zeros((size, size), np.uint32)
    proposal = np.zeros((size, size), np.bool_)
    per_row = size // CELL
    for index in range(n_objects):
        row, column = divmod(index, per_row)
        pair, side = divmod(column, 2)
        shift = 0 if (pair + row) % 2 else (9 if side == 0 else -9)
        centre = (row * CELL + CELL // 2, column * CELL + CELL // 2 + shift)
        body, core = _blob(rng)
        box = tuple(slice(max(c - 32, 0), c + 32) for c in centre)
        cut = tuple(slice(max(32 - c, 0), None) for c in centre)
        limits = tuple(b.stop - size for b in box)
        keep = tuple(
            slice(c.start, 64 - max(over, 0))
            for c, over in zip(cut, limits, strict=True)
        )
        proposal[box] |= body[keep]
        seeds[box][core[keep]] = index + 1
    return seeds, proposal


def _blob(rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    rows, columns = np.mgrid[-32:32, -32:32]
    angle = np.arctan2(rows, columns)
    waves = sum(
        rng.uniform(0, 1.2) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 5)
    )
    outline = 26 + waves
    distance = np.hypot(rows, columns)
    return distance < outline, distance < 0.6 * outline + rng.uniform(-3, 3)


def touching_share(seeds: NDArray[np.uint32], proposal: NDArray[np.bool_]) -> float:
    """Share of the objects whose component of the proposal holds another seed."""
    components, _ = ndimage.label(proposal, np.ones((3, 3)))
    inside = seeds != 0
    pairs = np.unique(np.stack([components[inside], seeds[inside]]), axis=1)
    counts = np.bincount(pairs[0])
    return float((counts[pairs[0]] > 1).mean())


def measure(
    sizes: list[tuple[int, int, int, float | None]], betas: tuple[float, ...]
) -> list[Timing]:
    """Median time of the update for each (size, objects, repeats, target) and beta."""
    rows: list[Timing] = []
    first: dict[float, float] = {}
    for size, n_objects, repeats, target in sizes:
        seeds, proposal = scene(size, n_objects, np.random.default_rng(0))
        share = touching_share(seeds, proposal)
        for beta in betas:
            times = [_seconds(seeds, proposal, beta) for _ in range(repeats)]
            seconds, cpu_seconds = (
                statistics.median(column) for column in zip(*times, strict=True)
            )
            ns_per_pixel = seconds / size**2 * 1e9
            rows.append(
                Timing(
                    size=size,
                    objects=n_objects,
                    beta=beta,
                    touching_share=share,
                    seconds=seconds,
                    cpu_seconds=cpu_seconds,
                    ns_per_pixel=ns_per_pixel,
                    target_seconds=target,
                    ratio=ns_per_pixel / first.setdefault(beta, ns_per_pixel),
                )
            )
    return rows


def _seconds(
    seeds: NDArray[np.uint32], proposal: NDArray[np.bool_], beta: float
) -> tuple[float, float]:
    """Wall and processor time of one update."""
    wall, cpu = time.perf_counter(), time.process_time()
    grow_objects(seeds, proposal, beta=beta)
    return time.perf_counter() - wall, time.process_time() - cpu


def use_one_core() -> str:
    """Pin this process to one core where the system can; say what was done."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return "pinned to one core"
    return "one thread, not pinned"


def as_table(rows: list[Timing], core: str) -> str:
    lines = [
        f"growth update, {core}, {platform.machine()}, NumPy {np.__version__}",
        "size         objects  touching  beta  seconds     CPU  target  ns/pixel ratio",
    ]
    for row in rows:
        target = "-" if row.target_seconds is None else f"{row.target_seconds:.1f}"
        lines.append(
            f"{row.size:5d}^2  {row.objects:10,d}  {row.touching_share:8.0%}"
            f"  {row.beta:4.1f}  {row.seconds:7.3f} {row.cpu_seconds:7.3f}"
            f"  {target:>6s}  {row.ns_per_pixel:8.1f} {row.ratio:5.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, seconds")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    arguments = parser.parse_args()
    core = use_one_core()
    sizes: list[tuple[int, int, int, float | None]] = (
        [(1024, 250, 3, None), (2048, 1_000, 3, 0.6)]
        if arguments.quick
        else [(2048, 1_000, 7, 0.6), (8192, 16_000, 3, 12.0)]
    )
    rows = measure(sizes, (BETA_TRAINING, BETA_FINAL))
    if arguments.json:
        document = {"core": core, "rows": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(as_table(rows, core) + "\n")


if __name__ == "__main__":
    main()
