"""A simulated annotator with a budget: so many objects outlined, then the round ends.

Images are outlined whole, in the order that they are suggested in. Of the last one only
the upper part is outlined, as far as the budget goes, and marked complete as a box.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    UNPAINTED,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
)
from napari_mtseg.geometry.components import present_labels
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.simulate import PaintingHabits, simulate

Suggested = Callable[[int], Sequence[str]]
"""number of images -> the names of those to annotate, in their order"""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is outlined and learned."""

    n_rounds: int
    """after the start"""
    objects: int
    """objects outlined at the start, and in each round"""
    first_steps: int
    """optimiser steps of the start, from random weights"""
    steps: int
    """optimiser steps of each round"""


def affordable(
    suggested: Suggested, costs: Mapping[str, int], *, budget: int
) -> dict[str, int]:
    """Return the images that a budget pays for, and the objects outlined on each.

    As many images are asked for as are needed to spend the budget: the fewest.

    Parameters
    ----------
    suggested : callable
        Number of images -> their names.
    costs : mapping
        Name -> objects on the image, of all images that can be suggested.
    budget : int
        Objects to outline, at least 1.

    Returns
    -------
    dict
        Name -> objects to outline; only of the last one they may be fewer than it has.
        Images without an object cost nothing, and are annotated on the way.
    """
    names: Sequence[str] = ()
    for n in range(1, len(costs) + 1):
        names = suggested(n)
        if sum(costs[name] for name in names) >= budget:
            break
    outlined = {}
    for name in names:
        outlined[name] = min(costs[name], budget)
        budget -= outlined[name]
        if budget == 0:
            break
    return outlined


def annotate(
    project: Project, chosen: Mapping[str, int], masks: Mapping[str, Path]
) -> dict[str, int]:
    """Outline objects exactly; doing it again changes nothing.

    Parameters
    ----------
    project : Project
        Whose images are annotated, by file name.
    chosen : mapping
        File name -> objects to outline.
    masks : mapping
        File name -> exact objects of the image.

    Returns
    -------
    dict
        File name -> objects that were outlined, which may be fewer, see
        :func:`upper_part`.
    """
    if not chosen:
        return {}
    simulate(
        project,
        {name: masks[name] for name in chosen},
        habits=PaintingHabits(full_images=tuple(chosen)),
        skip_missing=True,
    )
    outlined = {}
    with project.annotation_lock():
        for name, n_objects in chosen.items():
            entry = project.image(name)
            annotation = project.annotation(entry)
            if n_objects < n_objects_of(annotation.full.objects):
                annotation = upper_part(annotation, n_objects)
                project.save_annotation(entry, annotation)
            outlined[name] = n_objects_of(annotation.full.objects)
    return outlined


def n_objects_of(objects: NDArray[np.integer]) -> int:
    """Return how many objects a mask shows."""
    return int(present_labels(objects).size)


def objects_in(mask: Path) -> int:
    """Return how many objects the mask of a file shows."""
    return n_objects_of(tifffile.imread(mask))


def upper_part(annotation: Annotation, n_objects: int) -> Annotation:
    """Return the annotation of the upper part that at most ``n_objects`` reach into.

    The part is complete: what is unpainted there is background. Where two objects
    begin in the same row, it may hold fewer than ``n_objects``.

    Parameters
    ----------
    annotation : Annotation
        Whose full masks are exact on the whole image.
    n_objects : int
        Fewer than the image has.
    """
    objects = annotation.full.objects
    first_rows = sorted(
        int(np.flatnonzero((objects == i).any(axis=1))[0])
        for i in present_labels(objects)
    )
    rows = first_rows[n_objects]
    kept = objects.copy()
    kept[rows:] = UNPAINTED
    class_of = {int(i): annotation.full.class_of[int(i)] for i in present_labels(kept)}
    box = Box(start=(0, 0), stop=(rows, objects.shape[1]))
    return replace(
        annotation,
        full=ObjectMasks(objects=kept, class_of=class_of),
        complete=CompleteRegion(boxes=(box,)) if rows else CompleteRegion(),
        tags=Tags(),
    )
