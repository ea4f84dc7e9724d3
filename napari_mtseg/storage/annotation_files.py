"""The annotation of one image as a folder: three label arrays and one small JSON."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import Store

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.storage.label_arrays import load_labels, open_labels, save_labels
from napari_mtseg.storage.stored_array import size_text
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

LAYERS = ("partial", "scribbles", "full")
FACTS = "annotation.json"

_TRIES = 20

Read = TypeVar("Read")


def save_annotation(folder: Path, annotation: Annotation) -> int:
    """Save what changed since the last save.

    Whenever a crash comes, no pixel is without a class, and no region counts as
    complete before its pixels are there: the tables are written first, with the
    objects of the last save, and written again without them after the pixels.

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
    after = facts_of(annotation)
    if before is not None and before["shape"] != after["shape"]:
        raise ValueError(f"{folder} is {before['shape']}, not {after['shape']}")
    between = _facts_between(before, after)
    if between != before:
        write_json(path, between)
    n_written = (
        save_labels(folder / "partial", annotation.partial.objects)
        + save_labels(folder / "scribbles", annotation.scribbles)
        + save_labels(folder / "full", annotation.full.objects)
    )
    if after != between:
        write_json(path, after)
    return n_written


def load_annotation(folder: Path, shape: tuple[int, ...]) -> Annotation:
    """Read an annotation; an empty one where nothing was saved yet.

    Raises
    ------
    AnnotationError
        If the saved labels are damaged or do not fit an image of ``shape``.
    ProjectError
        If the JSON is damaged.
    """
    if not (folder / FACTS).exists():
        return empty_annotation(shape)
    facts, layers = read_unchanged(
        folder,
        lambda: {
            "partial": load_labels(folder / "partial", shape, np.uint32),
            "scribbles": load_labels(folder / "scribbles", shape, np.uint8),
            "full": load_labels(folder / "full", shape, np.uint32),
        },
    )
    for name, labels in layers.items():
        if labels.shape != shape:
            raise AnnotationError(
                f"The {name} labels in '{folder}' are {size_text(labels.shape)} pixels "
                f"but their image is {size_text(shape)}. Relink the image that was "
                "painted on, or delete this annotation folder."
            )
    return annotation_from(facts, layers, name=str(folder / FACTS))


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
        "partial_classes": _to_table(annotation.partial.class_of),
        "full_classes": _to_table(annotation.full.class_of),
        "complete": _complete_facts(annotation.complete),
        "scene": None if tags.scene is None else int(tags.scene),
        "present": {str(int(k)): bool(v) for k, v in sorted(tags.present.items())},
        "exhaustive": bool(tags.exhaustive),
        "origin": annotation.origin,
    }


def annotation_from(
    facts: Any, layers: Mapping[str, NDArray[Any]], *, name: str = FACTS
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

    Raises
    ------
    AnnotationError
        If the facts are not those of an annotation.
    """
    try:
        complete, tags = _complete_from(facts["complete"]), _tags_from(facts)
        partial_classes = _from_table(facts["partial_classes"])
        full_classes = _from_table(facts["full_classes"])
        origin = str(facts["origin"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            f"'{name}' is damaged: {type(error).__name__} {error}. Put back a copy of "
            "the file."
        ) from None
    return Annotation(
        partial=ObjectMasks(
            objects=layers["partial"].astype(np.uint32, copy=False),
            class_of=partial_classes,
        ),
        scribbles=layers["scribbles"].astype(np.uint8, copy=False),
        full=ObjectMasks(
            objects=layers["full"].astype(np.uint32, copy=False), class_of=full_classes
        ),
        complete=complete,
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


def layers_from(stores: Mapping[str, Store]) -> dict[str, NDArray[Any]]:
    """Read the three label arrays from any kind of zarr store."""
    return {name: np.asarray(open_labels(store)[...]) for name, store in stores.items()}


def _facts_between(before: Any, after: dict[str, Any]) -> dict[str, Any]:
    """Return what is true of the old pixels, of the new ones and of any mixture."""
    old: dict[str, Any] = before or {}
    tables = {
        key: {**old.get(key, {}), **after[key]}
        for key in ("partial_classes", "full_classes")
    }
    same_region = old.get("complete") == after["complete"]
    nowhere = _complete_facts(CompleteRegion())
    return {
        **after,
        **tables,
        "complete": after["complete"] if same_region else nowhere,
    }


def _complete_facts(region: CompleteRegion) -> dict[str, Any]:
    return {
        "whole": bool(region.whole),
        "boxes": [[_integers(b.start), _integers(b.stop)] for b in region.boxes],
        "slices": _integers(region.slices),
    }


def _complete_from(facts: dict[str, Any]) -> CompleteRegion:
    return CompleteRegion(
        whole=bool(facts["whole"]),
        boxes=tuple(
            Box(start=tuple(_integers(a)), stop=tuple(_integers(b)))
            for a, b in facts["boxes"]
        ),
        slices=tuple(_integers(facts["slices"])),
    )


def _tags_from(facts: dict[str, Any]) -> Tags:
    return Tags(
        scene=None if facts["scene"] is None else int(facts["scene"]),
        present={int(k): bool(v) for k, v in facts["present"].items()},
        exhaustive=bool(facts["exhaustive"]),
    )


def _integers(values: Iterable[Any]) -> list[int]:
    """Return plain integers, which JSON can hold, of NumPy's."""
    return [int(value) for value in values]


def _to_table(table: Mapping[int, int]) -> dict[str, int]:
    return {str(int(key)): int(value) for key, value in sorted(table.items())}


def _from_table(table: dict[str, Any]) -> dict[int, int]:
    return {int(key): int(value) for key, value in table.items()}
