"""The most doubtful objects and planes of one predicted image, and where they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.geometry.components import bounding_boxes
from napari_mtseg.geometry.outliers import Population
from napari_mtseg.geometry.slabs import slabs
from napari_mtseg.storage.prediction_files import load_answer, load_map
from napari_mtseg.storage.score_tables import load_object_scores, load_slice_scores

UNUSUAL_FROM = 2.0
"""standard deviations from which on an object is called unusual (ours)"""
N_COMPARED = 200
"""predicted images that tell what size and shape are usual (ours): enough for a mean
and a spread, and read at once"""

_SCORE = "boundary_entropy"

Box = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class DoubtfulObject:
    """One object and where it lies."""

    id: int
    """of the map of instances"""
    box: Box
    """([Z,] Y, X) pixels that it spans"""
    plane: int
    """plane on which most of it lies; 0 in 2D"""
    doubt: float
    """mean entropy at its outline, 0..1"""
    unusual: tuple[tuple[str, float], ...] = ()
    """'size' or 'shape' and how many standard deviations from the usual, where many"""

    def sentence(self, place: int, n: int) -> str:
        """Return such as 'Object 12 (1 of 34): doubt 0.61, unusual size 3.2'."""
        unusual = [f"unusual {what} {value:.1f}" for what, value in self.unusual]
        facts = ", ".join([f"doubt {self.doubt:.2f}", *unusual])
        return f"Object {self.id} ({place + 1:,} of {n:,}): {facts}"


@dataclass(frozen=True, kw_only=True)
class DoubtfulPlane:
    """One plane of a volume."""

    plane: int
    """counted from 0, as napari counts"""
    doubt: float
    """mean entropy at the outlines, 0..1"""
    n_object_pixels: int
    """pixels of objects; 0 where nothing was found"""

    def sentence(self, place: int, n: int) -> str:
        """Return such as 'Slice 12 (1 of 40): doubt 0.61'."""
        nothing = "" if self.n_object_pixels else ", nothing found"
        return (
            f"Slice {self.plane} ({place + 1:,} of {n:,}): doubt {self.doubt:.2f}"
            f"{nothing}"
        )


def doubtful_objects(folder: Path) -> tuple[DoubtfulObject, ...] | None:
    """Return the objects of a prediction, the most doubtful first; slow, for a thread.

    Parameters
    ----------
    folder : Path
        Folder of one prediction; its siblings tell what is usual.

    Returns
    -------
    tuple of DoubtfulObject or None
        None for a prediction of an older version, which tells nothing of objects.

    Raises
    ------
    ProjectError
        If the prediction is missing or damaged.
    """
    columns = load_object_scores(folder)
    if not columns:
        has_any = bool(load_answer(folder).n_objects)
        return None if has_any else ()
    far = usual_objects(folder.parent).of_objects(columns)
    places = object_places(load_map(folder, "instances"))
    found = [
        DoubtfulObject(
            id=int(key),
            box=places[int(key)][0],
            plane=places[int(key)][1],
            doubt=float(columns[_SCORE][row]),
            unusual=tuple(
                (what, float(far[f"{what}_outlier"][row]))
                for what in ("size", "shape")
                if far[f"{what}_outlier"][row] >= UNUSUAL_FROM
            ),
        )
        for row, key in enumerate(columns["id"])
        if int(key) in places
    ]
    return tuple(sorted(found, key=lambda each: -each.doubt))


def doubtful_planes(folder: Path) -> tuple[DoubtfulPlane, ...] | None:
    """Return the planes of a predicted volume, the most doubtful first.

    Parameters
    ----------
    folder : Path
        Folder of one prediction.

    Returns
    -------
    tuple of DoubtfulPlane or None
        None for a prediction of an older version, or of a 2D image.

    Raises
    ------
    ProjectError
        If the table is damaged.
    """
    columns = load_slice_scores(folder)
    if not columns:
        return None
    rows = zip(
        *(columns[name] for name in ("plane", _SCORE, "n_object_pixels")), strict=True
    )
    found = [
        DoubtfulPlane(plane=int(plane), doubt=float(doubt), n_object_pixels=int(n))
        for plane, doubt, n in rows
    ]
    return tuple(sorted(found, key=lambda each: -each.doubt))


def usual_objects(run: Path) -> Population:
    """Return what size and shape objects of a run's predictions usually have.

    Parameters
    ----------
    run : Path
        ``predictions/RUN`` of the project; at most N_COMPARED images of it are read,
        evenly spaced.
    """
    folders = sorted(run.glob("*/"))
    statistics = []
    for folder in folders[:: max(len(folders) // N_COMPARED, 1)]:
        try:
            statistics.append(load_answer(folder).statistics)
        except MtsegError:
            continue
    return Population.of(statistics)


def object_places(
    objects: NDArray[np.integer],
) -> dict[int, tuple[Box, int]]:
    """Return id -> the box of each object, and the plane on which most of it lies.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object of each pixel, 0 background; ids may be large and have gaps.

    Examples
    --------
    >>> object_places(np.array([[0, 7, 7], [0, 0, 7]]))
    {7: ((slice(0, 2, None), slice(1, 3, None)), 0)}
    """
    boxes: dict[int, Box] = {}
    # In parts: looking for boxes would stop the window while it looks.
    for part in slabs(objects.shape):
        for key, box in bounding_boxes(objects[part]).items():
            first = slice(box[0].start + part.start, box[0].stop + part.start)
            found = (first, *box[1:])
            boxes[key] = _around(boxes[key], found) if key in boxes else found
    return {key: (box, _fullest_plane(objects, key, box)) for key, box in boxes.items()}


def _around(one: Box, other: Box) -> Box:
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )


def _fullest_plane(objects: NDArray[np.integer], key: int, box: Box) -> int:
    if objects.ndim < 3:
        return 0
    sizes = np.count_nonzero(objects[box] == key, axis=(1, 2))
    return box[0].start + int(np.argmax(sizes))
