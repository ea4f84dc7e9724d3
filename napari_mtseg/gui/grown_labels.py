"""Grown labels of one image, read from a run, with their classes and Dice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    UNPAINTED,
    Annotation,
    ObjectMasks,
)
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.snapshot import load_snapshot


@dataclass(frozen=True, eq=False, kw_only=True)
class GrownLabels:
    """The growing labels of one image after one iteration."""

    run_id: str
    image_id: str
    iteration: int
    """0 is what the run began with"""
    masks: ObjectMasks | None
    """None where the image has no growing labels"""
    dice: Mapping[str, float]
    """class name -> Dice against the full masks, where there are any"""
    is_in_parts: bool = False
    """True where labels of parts of the image grow, which is too large for one file"""

    @property
    def mean_dice(self) -> float | None:
        """Mean over the classes; None where there are no full masks."""
        if not self.dice:
            return None
        return sum(self.dice.values()) / len(self.dice)


class GrownReader:
    """Reads grown labels; what was painted on an image is read once.

    Parameters
    ----------
    project : Project
        The run's project.
    run : RunFolder
        The run.
    """

    def __init__(self, project: Project, run: RunFolder) -> None:
        self._project, self._run = project, run
        self._class_of: dict[str, Mapping[int, int]] = {}
        self._painted: dict[str, Annotation] = {}

    def forget_paint(self, image_id: str) -> None:
        """Read the full masks of an image again: they were painted on."""
        self._painted.pop(image_id, None)

    def read(self, image_id: str, iteration: int) -> GrownLabels:
        """Read the labels of an image after an iteration.

        Raises
        ------
        MtsegError
            If a file of the run or of the annotation is damaged.
        """
        objects = self._run.load_grown(iteration, image_id)
        masks = None
        if objects is not None:
            masks = ObjectMasks(objects=objects, class_of=self._classes(image_id))
        return GrownLabels(
            run_id=self._run.path.name,
            image_id=image_id,
            iteration=iteration,
            masks=masks,
            dice={} if masks is None else self._dice(image_id, masks),
            is_in_parts=masks is None
            and bool(self._run.grown_parts(iteration, image_id)),
        )

    def _classes(self, image_id: str) -> Mapping[int, int]:
        if image_id not in self._class_of:
            start = self._run.load_grown(0, image_id)
            snapshot = load_snapshot(self._project, self._run.snapshot_file)
            entry = next((e for e in snapshot.images if e.id == image_id), None)
            if start is None or entry is None:
                return {}
            painted = snapshot.annotation(entry)
            self._class_of[image_id] = classes_of_grown(start, painted)
        return self._class_of[image_id]

    def _dice(self, image_id: str, grown: ObjectMasks) -> dict[str, float]:
        if image_id not in self._painted:
            entry = self._project.image(image_id)
            self._painted[image_id] = self._project.annotation(entry)
        names = [known.name for known in self._project.info.classes]
        found = dice_of_grown(grown, self._painted[image_id])
        return {names[c - 1]: d for c, d in found.items() if c <= len(names)}


def classes_of_grown(
    start: NDArray[np.uint32], painted: Annotation
) -> Mapping[int, int]:
    """Return the class of each growing object.

    Growing labels have objects of their own, made of strokes and of full masks: the
    class of an object is the one that is painted under most of it.

    Parameters
    ----------
    start : ([Z,] Y, X) uint32
        Labels of iteration 0.
    painted : Annotation
        What the run was trained on.

    Returns
    -------
    mapping
        Object id -> class, 1..n_classes.
    """
    strokes = painted.scribbles
    class_map = painted.full.class_map()
    partial = painted.partial.class_map()
    np.copyto(class_map, partial, where=partial != UNPAINTED)
    first = SCRIBBLE_FIRST_CLASS - 1
    is_stroke = strokes >= SCRIBBLE_FIRST_CLASS
    np.subtract(strokes, first, out=class_map, where=is_stroke)
    shown = (start != UNPAINTED) & (class_map != UNPAINTED)
    pairs, counts = np.unique(
        start[shown].astype(np.uint64) << np.uint64(8) | class_map[shown],
        return_counts=True,
    )
    class_of: dict[int, int] = {}
    for index in np.argsort(counts, kind="stable"):
        key, n_class = divmod(int(pairs[index]), 256)
        class_of[key] = n_class
    return class_of


def dice_of_grown(grown: ObjectMasks, painted: Annotation) -> dict[int, float]:
    """Return the Dice of each class against the full masks, in complete regions.

    Returns
    -------
    dict
        Class -> Dice, 0..1, of the classes that either of the two shows; empty where
        no region is complete.
    """
    if not painted.has_full:
        return {}
    known = painted.complete.mask(painted.shape)
    found, wanted = grown.class_map()[known], painted.full.class_map()[known]
    n_found, n_wanted = np.bincount(found), np.bincount(wanted)
    n_both = np.bincount(found[found == wanted], minlength=1)
    n_classes = max(len(n_found), len(n_wanted))
    sizes = np.zeros((3, n_classes))
    for row, counts in enumerate((n_found, n_wanted, n_both)):
        sizes[row, : len(counts)] = counts
    return {
        c: float(2 * sizes[2, c] / (sizes[0, c] + sizes[1, c]))
        for c in range(1, n_classes)
        if sizes[0, c] + sizes[1, c]
    }
