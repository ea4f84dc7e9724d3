"""Projects that an annotator would have made: training images, and paint on them."""

import shutil
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.image_sets import UNLABELLED, ImageSet, Item
from napari_mtseg.domain.annotation import UNPAINTED, Annotation, no_objects
from napari_mtseg.storage.image_tags import TagChange, set_tags
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.simulate import PaintingHabits, simulate

Paint = Literal["all full", "few full", "weak", "real scribbles"]
"""'all full': full masks of all painted images; 'few full': full masks of some and
partial masks of the others; 'weak': partial masks and scribbles, no full mask; 'real
scribbles': those that a person drew, where the image set has them"""

AREA = (0.2, 0.5)
"""partial masks cover 20-50 % of an object, so that their Dice starts near 0.5"""


def painted_project(  # noqa: PLR0913 - one argument per choice
    path: Path,
    items: Sequence[Item],
    images: ImageSet,
    *,
    paint: Paint,
    labelled: float | None = None,
    unlabelled: bool = True,
    seed: int,
) -> Project:
    """Make a project of the training images and paint it, or open it again.

    Parameters
    ----------
    path : Path
        The project's folder.
    items : sequence of Item
        Those that are for training enter the project.
    images : ImageSet
        What they are.
    paint : Paint
        What the labelled ones get.
    labelled : float, optional
        Share of the training images that are painted, at least one; None for all.
    unlabelled : bool
        True if the others enter the project as well.
    seed : int
        Of the choice, and of what is painted.
    """
    marker = path / "painted"
    if marker.exists():
        return Project.open(path)
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    training = [item for item in items if item.split == "train"]
    chosen = labelled_of(training, labelled, seed=seed)
    scenes = scenes_of(items)
    project = Project.create(
        path, classes=images.classes, scenes=scenes, colour=images.colour
    )
    for item in training if unlabelled else chosen:
        project.add_image(item.image)
    if paint == "real scribbles":
        _draw_scribbles(project, chosen)
    else:
        _simulate(project, chosen, images, paint, seed)
    for item in chosen if scenes else ():
        entry = project.image(item.image.name)
        scene = TagChange(scene=scenes.index(item.scene))
        set_tags(project, [entry], scene)
    marker.touch()
    return project


def labelled_of(
    training: Sequence[Item], share: float | None, *, seed: int
) -> list[Item]:
    """Return the items that are painted, one of each scene in turn; all for None."""
    if share is None:
        return list(training)
    return one_of_each_scene(training, max(1, round(share * len(training))), seed)


def scenes_of(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the scenes that images are of, sorted; none where there is one kind."""
    return tuple(sorted({item.scene for item in items if item.scene}))


def one_of_each_scene(items: Sequence[Item], n: int, seed: int) -> list[Item]:
    """Choose ``n`` images, one of each scene in turn, as an annotator would."""
    rng = np.random.default_rng(seed)
    by_scene: dict[str, list[Item]] = {}
    for index in rng.permutation(len(items)):
        item = items[index]
        by_scene.setdefault(item.scene, []).append(item)
    turns = zip_longest(*(by_scene[scene] for scene in sorted(by_scene)))
    return [item for turn in turns for item in turn if item is not None][:n]


def painted_scribbles(strokes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return published scribbles as an annotation's: 1 background, 3 the first class.

    Parameters
    ----------
    strokes : ([Z,] Y, X) uint8
        Classes, 0 background, UNLABELLED where nobody drew.
    """
    codes = strokes + np.where(strokes == 0, 1, 2).astype(np.uint8)
    return np.where(strokes == UNLABELLED, UNPAINTED, codes).astype(np.uint8)


def _draw_scribbles(project: Project, items: Sequence[Item]) -> None:
    with project.annotation_lock():
        for item in items:
            if item.scribble is None:
                raise ValueError(f"there are no scribbles of '{item.name}'")
            entry = project.image(item.image.name)
            annotation = Annotation(
                partial=no_objects(entry.spatial_shape),
                scribbles=painted_scribbles(tifffile.imread(item.scribble)),
                full=no_objects(entry.spatial_shape),
                origin="imported",
            )
            project.save_annotation(entry, annotation)


def _simulate(
    project: Project,
    items: Sequence[Item],
    images: ImageSet,
    paint: Paint,
    seed: int,
) -> None:
    n_full = {"all full": len(items), "few full": images.n_full}.get(paint, 0)
    full = one_of_each_scene(items, n_full, seed)
    named = images.full_of_each_scene or paint == "all full"
    simulate(
        project,
        {project.image(item.image.name).id: item.mask for item in items},
        habits=PaintingHabits(
            full_count=n_full,
            full_images=tuple(i.image.name for i in full) if named else (),
            kinds=("partial", "scribble") if paint == "weak" else ("partial",),
            area_low=AREA[0],
            area_high=AREA[1],
        ),
        values=images.values,
        seed=seed,
        skip_missing=True,
    )
