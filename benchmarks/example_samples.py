"""Generated images: what the example models are tried on, and one of them learns from.

Each is the same every time: its seed is fixed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

VOXEL = (2.0, 1.0, 1.0)
"""voxel size of the generated volumes, micrometres"""
SHAPE = (24, 72, 72)
"""planes, rows and columns of the generated volumes"""
SEED = 4711
"""of the images to try a model with"""


def blobs(
    shape: tuple[int, int, int], *, seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return a (Z, Y, X) volume of bright ellipsoids, and their ids.

    They are blurred along Z more than across, lie on an uneven background with its own
    noise, and hardly touch. Lengths are in voxels of the size VOXEL.
    """
    rng = np.random.default_rng(seed)
    grid = np.moveaxis(np.indices(shape), 0, -1) * VOXEL
    extent = np.multiply(shape, VOXEL)
    objects = np.zeros(shape, np.uint16)
    light = np.zeros(shape)
    for _ in range(60):
        radii = rng.uniform(5, 10, 3)
        turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        offsets = (grid - rng.uniform(0, extent)) @ turned
        distance = np.sqrt(((offsets / radii) ** 2).sum(axis=-1))
        if (objects[distance < 1.25] > 0).any() or not (distance < 1).any():
            continue
        objects[distance < 1] = objects.max() + 1
        light[distance < 1] = rng.uniform(0.5, 1.2)
    seen = ndimage.gaussian_filter(light, (1.0, 1.2, 1.2))
    haze = ndimage.gaussian_filter(rng.normal(size=shape), (6, 20, 20))
    seen = seen + 0.35 * haze / np.abs(haze).max() + rng.normal(0, 0.16, shape)
    return np.clip(400 + 500 * seen, 0, 65535).astype(np.uint16), objects


def write_volume(file: Path, volume: NDArray[np.uint16]) -> None:
    """Write a (Z, Y, X) volume with its voxel size."""
    size: dict[str, Any] = {"axes": "ZYX"}
    for axis, length in zip("ZYX", VOXEL, strict=True):
        size |= {f"PhysicalSize{axis}": length, f"PhysicalSize{axis}Unit": "µm"}
    tifffile.imwrite(
        file,
        volume,
        photometric="minisblack",
        compression="zlib",
        ome=True,
        metadata=size,
    )


def write_blobs(file: Path) -> None:
    """Write a volume that no model has learned from."""
    volume, _ = blobs(SHAPE, seed=SEED)
    write_volume(file, volume)


def write_fluorescence(file: Path) -> None:
    """Write a (Y, X) image of bright nuclei, some of which touch."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.indices((192, 256)).astype(float)
    light = np.zeros(rows.shape)
    for y in range(16, 192, 32):
        for x in range(16, 256, 32):
            if rng.uniform() < 0.25:
                continue
            ry, rx = rng.uniform(8, 15, 2)
            dy = rows - y - rng.uniform(-5, 5)
            dx = columns - x - rng.uniform(-5, 5)
            inside = (dy / ry) ** 2 + (dx / rx) ** 2
            body = np.clip(1.25 - inside, 0, 1) ** 0.5
            light = np.maximum(light, body * rng.uniform(0.35, 1.0))
    texture = ndimage.gaussian_filter(rng.normal(size=light.shape), 2)
    light = light * (1 + 0.4 * texture)
    seen = ndimage.gaussian_filter(light, 1.2) * 110 + 12
    noisy = rng.poisson(np.maximum(seen, 0)) + rng.normal(0, 2, light.shape)
    _write_grey(file, noisy)


def write_ultrasound(file: Path) -> None:
    """Write a (Y, X) image of a bright ring in speckle, like a head in ultrasound."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.indices((135, 200)).astype(float)
    angle = np.deg2rad(20)
    dy, dx = rows - 68, columns - 100
    along = (dx * np.cos(angle) + dy * np.sin(angle)) / 58
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / 43
    radius = np.hypot(along, across)
    skull = np.exp(-(((radius - 0.97) / 0.045) ** 2))
    # Sound from above meets the sides of the skull at a flat angle.
    skull *= 0.35 + 0.65 * np.abs(across / np.maximum(radius, 1e-6))
    midline = np.exp(-((across / 0.03) ** 2)) * (np.abs(along) < 0.7)
    fan = (rows + 60) ** 2 + (columns - 100) ** 2 * 0.9 < 190**2
    tissue = np.where(radius < 0.97, 0.10, 0.26)
    seen = tissue + 0.9 * skull + 0.2 * midline
    speckle = ndimage.gaussian_filter(rng.exponential(size=rows.shape), (0.6, 1.1))
    _write_grey(file, 160 * seen * (0.35 + 0.65 * speckle) * fan)


def _write_grey(file: Path, pixels: NDArray[np.floating]) -> None:
    whole: NDArray[Any] = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    tifffile.imwrite(file, whole, photometric="minisblack", compression="zlib")
