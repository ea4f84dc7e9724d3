"""The annotation of one image as a folder: three label arrays and one small JSON."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.storage.annotation_json import (
    complete_from_json,
    complete_to_json,
    table_from_json,
    table_to_json,
    tags_from_json,
)
from napari_mtseg.storage.label_arrays import load_labels, save_labels
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

LAYERS = ("partial", "scribbles", "full")
FACTS = "annotation.json"

_TYPES = {"partial": np.uint32, "scribbles": np.uint8, "full": np.uint32}

_TRIES = 20

Read = TypeVar("Read")


def save_annotation(
    folder: Path,
    annotation: Annotation,
    *,
    box: Box | None = None,
    shape: tuple[int, ...] | None = None,
) -> int:
    """Save what changed since the last save.

    Whenever a crash comes, no pixel is without a class, and no region counts as
    complete before its pixels are there: the tables are written first, with the
    objects of the last save, and written again without them after the pixels.

    Parameters
    ----------
    folder : Path
        Folder of the annotation; made if it does not exist.
    annotation : Annotation
        What is painted on the image, or in ``box`` of it. Its tables hold all objects
        of the image, and its complete region is that of the image, in its indices.
    box : Box, optional
        Where the layers of ``annotation`` lie; paint elsewhere stays as it is. All of
        the image by default.
    shape : ([Z,] Y, X), optional
        Shape of the image; that of ``annotation`` by default.

    Returns
    -------
    int
        Number of chunks of the three layers that were written.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    ValueError
        If the folder holds the annotation of an image of another shape.
    """
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / FACTS
    before = read_json(path) if path.exists() else None
    shape = annotation.shape if shape is None else shape
    after = {**facts_of(annotation), "shape": list(shape)}
    if before is not None and before["shape"] != after["shape"]:
        raise ValueError(f"{folder} is {before['shape']}, not {after['shape']}")
    between = _facts_between(before, after)
    if between != before:
        write_json(path, between)
    layers: tuple[NDArray[Any], ...] = (
        annotation.partial.objects,
        annotation.scribbles,
        annotation.full.objects,
    )
    n_written = sum(
        save_labels(folder / name, labels, box=box, shape=shape)
        for name, labels in zip(LAYERS, layers, strict=True)
    )
    if after != between:
        write_json(path, after)
    return n_written


def load_annotation(
    folder: Path, shape: tuple[int, ...], *, box: Box | None = None
) -> Annotation:
    """Read an annotation; an empty one where nothing was saved yet.

    Parameters
    ----------
    folder : Path
        Folder of the annotation.
    shape : ([Z,] Y, X)
        Shape of the image.
    box : Box, optional
        Part of the image to read; all by default. The complete region is that of the
        part, in its indices; the tables hold all objects of the image.

    Raises
    ------
    AnnotationError
        If the saved labels are damaged or do not fit an image of ``shape``.
    ProjectError
        If the JSON is damaged.
    """
    if not (folder / FACTS).exists():
        return empty_annotation(shape if box is None else box.shape)
    facts, layers = read_unchanged(
        folder,
        lambda: {
            name: load_labels(folder / name, shape, dtype, box=box)
            for name, dtype in _TYPES.items()
        },
    )
    return annotation_from(facts, layers, name=str(folder / FACTS), box=box)


def load_complete(folder: Path) -> CompleteRegion:
    """Read where the full masks of a whole image are complete; no label is read.

    Raises
    ------
    AnnotationError
        If the JSON is not that of an annotation.
    """
    try:
        facts = read_json(folder / FACTS)
    except FileNotFoundError:
        return CompleteRegion()
    return complete_in(facts, name=str(folder / FACTS))


def complete_in(facts: Any, *, name: str = FACTS) -> CompleteRegion:
    """Return the complete region that facts name.

    Raises
    ------
    AnnotationError
        If the facts are not those of an annotation.
    """
    with _told_if_damaged(name):
        return complete_from_json(facts["complete"])


def read_unchanged(folder: Path, read: Callable[[], Read]) -> tuple[Any, Read]:
    """Read labels and the facts that belong to them, while somebody may paint.

    Parameters
    ----------
    folder : Path
        Folder of a saved annotation.
    read : callable
        Reads its labels; called again if the facts changed meanwhile.

    Returns
    -------
    facts and what ``read`` returned

    Raises
    ------
    ProjectError
        If the facts changed each time.
    """
    before = read_json(folder / FACTS)
    for _ in range(_TRIES):
        found = read()
        after = read_json(folder / FACTS)
        if after == before:
            return after, found
        before = after
    raise ProjectError(
        f"'{folder}' is being painted faster than it can be read. Pause and try again."
    )


def facts_of(annotation: Annotation) -> dict[str, Any]:
    """Return everything but the pixels, ready for JSON."""
    tags = annotation.tags
    return {
        "shape": list(annotation.shape),
        "partial_classes": table_to_json(annotation.partial.class_of),
        "full_classes": table_to_json(annotation.full.class_of),
        "complete": complete_to_json(annotation.complete),
        "scene": None if tags.scene is None else int(tags.scene),
        "present": {str(int(k)): bool(v) for k, v in sorted(tags.present.items())},
        "exhaustive": bool(tags.exhaustive),
        "origin": annotation.origin,
    }


def annotation_from(
    facts: Any,
    layers: Mapping[str, NDArray[Any]],
    *,
    name: str = FACTS,
    box: Box | None = None,
) -> Annotation:
    """Put an annotation together from its JSON and its three label arrays.

    Parameters
    ----------
    facts : dict
        What :func:`facts_of` returned.
    layers : mapping
        'partial', 'scribbles', 'full' -> ([Z,] Y, X).
    name : str
        Where the facts come from, for the message.
    box : Box, optional
        Where the layers lie, if they are a part of the image.

    Raises
    ------
    AnnotationError
        If the facts are not those of an annotation.
    """
    with _told_if_damaged(name):
        complete, tags = complete_from_json(facts["complete"]), tags_from_json(facts)
        partial_classes = table_from_json(facts["partial_classes"])
        full_classes = table_from_json(facts["full_classes"])
        origin = str(facts["origin"])
    return Annotation(
        partial=ObjectMasks(
            objects=layers["partial"].astype(np.uint32, copy=False),
            class_of=partial_classes,
        ),
        scribbles=layers["scribbles"].astype(np.uint8, copy=False),
        full=ObjectMasks(
            objects=layers["full"].astype(np.uint32, copy=False), class_of=full_classes
        ),
        complete=complete if box is None else complete.inside(box),
        tags=tags,
        origin=origin,
    )


def is_complete_somewhere(facts: Mapping[str, Any]) -> bool:
    """Return whether facts mark a region as complete; no pixel is read."""
    region: Mapping[str, Any] = facts.get("complete") or {}
    return any(map(bool, region.values()))


def has_scribble_chunks(folder: Path) -> bool:
    """Return whether anybody has scribbled on an image since it has a folder.

    Chunks come with the first stroke and may hold nothing once it is erased.
    """
    return (folder / "scribbles" / "c").exists()


def _facts_between(before: Any, after: dict[str, Any]) -> dict[str, Any]:
    """Return what is true of the old pixels, of the new ones and of any mixture."""
    old: dict[str, Any] = before or {}
    tables = {
        key: {**old.get(key, {}), **after[key]}
        for key in ("partial_classes", "full_classes")
    }
    same_region = old.get("complete") == after["complete"]
    nowhere = complete_to_json(CompleteRegion())
    return {
        **after,
        **tables,
        "complete": after["complete"] if same_region else nowhere,
    }


@contextmanager
def _told_if_damaged(name: str) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            f"'{name}' is damaged: {type(error).__name__} {error}. Put back a copy of "
            "the file."
        ) from None
