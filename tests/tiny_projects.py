"""Small projects that tests train on: bright discs on a dark ground."""

from pathlib import Path

import numpy as np
import tifffile

from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    no_objects,
)
from napari_mtseg.storage.project import Project

TINY = {
    "base_channels": 4,
    "levels": 2,
    "patch": 24,
    "patch_depth": 4,
    "batch_size": 2,
    "learning_rate": 2e-3,
}
"""settings of a network that trains in well under a second"""

SIZE = 32


def disc_project(  # noqa: PLR0913 - one argument per property of the project
    folder: Path,
    *,
    n_images: int = 3,
    full: int = 1,
    validate: int = 0,
    ndim: int = 2,
    n_discs: int = 1,
    painted: bool = True,
) -> Project:
    """Make a project of discs (balls in 3D).

    The first ``full`` images and the ``validate`` last ones have full masks, the
    others a small partial mask per disc and the tag 'every object is marked'.
    """
    project = Project.create(folder / "discs", classes=["disc"])
    for index in range(n_images + validate):
        pixels, objects = disc_image(index, ndim=ndim, n_discs=n_discs)
        file = folder / f"disc_{index}.tif"
        axes = "ZYX" if ndim == 3 else "YX"
        tifffile.imwrite(file, pixels, metadata={"axes": axes}, ome=False)
        held_out = index >= n_images
        entry = project.add_image(
            file,
            split="validate" if held_out else "train",
            axes="ZYX" if ndim == 3 else None,
        )
        if painted:
            exact = held_out or index < full
            project.save_annotation(entry, annotated(objects, exact=exact))
    return project


def disc_image(seed: int, *, ndim: int, n_discs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (uint8) and object ids of one image."""
    rng = np.random.default_rng(seed)
    shape = (6, SIZE, SIZE)[-ndim:]
    objects = np.zeros(shape, np.uint32)
    grid = np.indices(shape)
    for n in range(n_discs):
        centre = [s / 2 for s in shape]
        centre[-1] = SIZE * (n + 0.5) / n_discs
        centre[-2] += rng.uniform(-3, 3)
        radius = SIZE / (3 + 2 * n_discs)
        scale = [1.0] * ndim if ndim == 2 else [3.0, 1.0, 1.0]
        distance = sum(
            ((g - c) * s) ** 2 for g, c, s in zip(grid, centre, scale, strict=True)
        )
        objects[distance < radius**2] = n + 1
    noise = rng.normal(0, 10, shape)
    pixels = np.clip(40 + 150 * (objects > 0) + noise, 0, 255).astype(np.uint8)
    return pixels, objects


def annotated(objects: np.ndarray, *, exact: bool) -> Annotation:
    """Return full masks, or the middle of each disc as a partial mask."""
    class_of = {int(i): 1 for i in np.unique(objects) if i}
    nothing = np.zeros(objects.shape, np.uint8)
    if exact:
        return Annotation(
            partial=no_objects(objects.shape),
            scribbles=nothing,
            full=ObjectMasks(objects=objects, class_of=class_of),
            complete=CompleteRegion(whole=True),
        )
    rough = np.zeros_like(objects)
    for key in class_of:
        places = np.argwhere(objects == key)
        centre = places.mean(axis=0).round().astype(int)
        box = tuple(slice(max(c - 2, 0), c + 3) for c in centre)
        rough[box] = np.where(objects[box] == key, key, 0)
    return Annotation(
        partial=ObjectMasks(objects=rough, class_of=class_of),
        scribbles=nothing,
        full=no_objects(objects.shape),
        tags=Tags(exhaustive=True),
    )
