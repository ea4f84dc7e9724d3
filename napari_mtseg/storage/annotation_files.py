"""The annotation of one image as a folder: three label arrays and one small JSON."""

from pathlib import Path
from typing import Any, cast

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
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage.label_arrays import load_labels, open_labels, save_labels
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

LAYERS = ("partial", "scribbles", "full")
FACTS = "annotation.json"


def save_annotation(folder: Path, annotation: Annotation) -> int:
    """Save what changed since the last save.

    The tables are written before the pixels: a crash in between leaves an object
    without pixels, never pixels without a class.

    Returns
    -------
    int
        Number of chunks of the three layers that were written.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    facts = facts_of(annotation)
    path = folder / FACTS
    if not path.exists() or read_json(path) != facts:
        write_json(path, facts)
    return (
        save_labels(folder / "partial", annotation.partial.objects)
        + save_labels(folder / "scribbles", annotation.scribbles)
        + save_labels(folder / "full", annotation.full.objects)
    )


def load_annotation(folder: Path, shape: tuple[int, ...]) -> Annotation:
    """Read an annotation; an empty one where nothing was saved yet.

    Raises
    ------
    AnnotationError
        If the saved labels do not fit an image of ``shape``.
    """
    if not (folder / FACTS).exists():
        return empty_annotation(shape)
    layers = {
        "partial": load_labels(folder / "partial", shape, np.uint32),
        "scribbles": load_labels(folder / "scribbles", shape, np.uint8),
        "full": load_labels(folder / "full", shape, np.uint32),
    }
    for name, labels in layers.items():
        if labels.shape != shape:
            raise AnnotationError(
                f"The {name} labels in '{folder}' are {_size(labels.shape)} pixels but "
                f"their image is {_size(shape)}. Relink the image that was painted on, "
                "or delete this annotation folder."
            )
    return annotation_from(read_json(folder / FACTS), layers)


def facts_of(annotation: Annotation) -> dict[str, Any]:
    """Return everything but the pixels, ready for JSON."""
    return {
        "shape": list(annotation.shape),
        "partial_classes": _to_table(annotation.partial.class_of),
        "full_classes": _to_table(annotation.full.class_of),
        "complete": {
            "whole": annotation.complete.whole,
            "boxes": [[list(b.start), list(b.stop)] for b in annotation.complete.boxes],
            "slices": list(annotation.complete.slices),
        },
        "scene": annotation.tags.scene,
        "present": _to_table(annotation.tags.present),
        "exhaustive": annotation.tags.exhaustive,
        "origin": annotation.origin,
    }


def annotation_from(facts: dict[str, Any], layers: dict[str, NDArray[Any]]) -> Annotation:
    """Put an annotation together from its JSON and its three label arrays."""
    complete = facts["complete"]
    return Annotation(
        partial=ObjectMasks(
            objects=layers["partial"].astype(np.uint32, copy=False),
            class_of=_from_table(facts["partial_classes"]),
        ),
        scribbles=layers["scribbles"].astype(np.uint8, copy=False),
        full=ObjectMasks(
            objects=layers["full"].astype(np.uint32, copy=False),
            class_of=_from_table(facts["full_classes"]),
        ),
        complete=CompleteRegion(
            whole=complete["whole"],
            boxes=tuple(Box(start=tuple(a), stop=tuple(b)) for a, b in complete["boxes"]),
            slices=tuple(complete["slices"]),
        ),
        tags=Tags(
            scene=facts["scene"],
            present={k: bool(v) for k, v in _from_table(facts["present"]).items()},
            exhaustive=facts["exhaustive"],
        ),
        origin=facts["origin"],
    )


def layers_from(stores: dict[str, Store]) -> dict[str, NDArray[Any]]:
    """Read the three label arrays from any kind of zarr store."""
    return {
        name: cast("NDArray[Any]", np.asarray(open_labels(store)[...]))
        for name, store in stores.items()
    }


def _to_table(table: Any) -> dict[str, Any]:
    return {str(key): value for key, value in sorted(table.items())}


def _from_table(table: dict[str, Any]) -> dict[int, int]:
    return {int(key): value for key, value in table.items()}


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
