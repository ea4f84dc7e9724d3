"""What was done with each image of a project, as the table of images shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import (
    FACTS,
    has_scribble_chunks,
    is_complete_somewhere,
)
from napari_mtseg.storage.image_tags import tags_in
from napari_mtseg.storage.label_arrays import boxes_of_paint
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.write import read_json


@dataclass(frozen=True, kw_only=True)
class TagChoices:
    """What can be said of the images of a project as a whole."""

    scenes: tuple[str, ...] = ()
    """names of the scenes"""
    classes: tuple[str, ...] = ()
    """names of classes 1, 2, ..."""


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What a person and the program did with one image."""

    n_partial: int = 0
    """objects with a partial mask"""
    has_scribbles: bool = False
    """True if there is a scribble"""
    n_full: int = 0
    """objects with a full mask"""
    is_complete_somewhere: bool = False
    """True if a region is marked complete, so that full masks count there"""
    tags: Tags = field(default_factory=Tags)
    """what is said about the image as a whole"""
    n_predictions: int = 0
    """runs that predicted the image"""
    is_reviewed: bool = False
    """True if a person gave a verdict on a prediction; a skip is none"""
    is_missing: bool = False
    """True if the image file is not where it was"""
    problem: str = ""
    """sentence that says why the paint cannot be read; '' where it can"""

    @property
    def is_painted(self) -> bool:
        """True if anything is painted or marked complete."""
        return bool(
            self.n_partial
            or self.has_scribbles
            or self.n_full
            or self.is_complete_somewhere
        )


def facts_of_images(
    project: Project, entries: Iterable[ImageEntry]
) -> dict[str, ImageFacts]:
    """Return image id -> what was done with it, read from the project folder.

    Slow for many images: call it in a thread.
    """
    predicted = _n_predictions(project)
    reviewed = ReviewLog(project.path).images_with_verdict()
    return {
        entry.id: _facts_of(project, entry, predicted, reviewed) for entry in entries
    }


def size_in_words(entry: ImageEntry) -> str:
    """Return such as '640 x 512' (width first) or '640 x 512, 40 planes'."""
    *planes, height, width = entry.spatial_shape
    return f"{width} x {height}" + "".join(f", {n} planes" for n in planes)


def paint_marks(facts: ImageFacts) -> str:
    """Return a letter for each kind of paint, such as 'P S'."""
    marks = {
        "P": facts.n_partial,
        "S": facts.has_scribbles,
        "F": facts.n_full,
        "C": facts.is_complete_somewhere,
    }
    return " ".join(mark for mark, there in marks.items() if there)


def paint_in_words(facts: ImageFacts) -> str:
    """Return such as '3 partial masks, scribbles'; 'Nothing is painted yet.'."""
    if facts.problem:
        return facts.problem
    parts = [
        f"{n} {kind} mask{'s' * (n != 1)}"
        for n, kind in ((facts.n_partial, "partial"), (facts.n_full, "full"))
        if n
    ]
    parts += ["scribbles"] * facts.has_scribbles
    parts += ["a complete region"] * facts.is_complete_somewhere
    return ", ".join(parts) + "." if parts else "Nothing is painted yet."


def done_in_words(facts: ImageFacts, choices: TagChoices) -> str:
    """Return what is painted, predicted, reviewed and said of an image."""
    n = facts.n_predictions
    parts = (
        paint_in_words(facts),
        f"Predicted by {n} run{'s' * (n != 1)}." if n else "Not predicted yet.",
        "Reviewed." if facts.is_reviewed else "Not reviewed yet.",
        tags_in_words(facts, choices),
    )
    return " ".join(part for part in parts if part)


def scene_of(facts: ImageFacts, choices: TagChoices) -> str:
    """Return the name of an image's scene; '' where none is given."""
    scene = facts.tags.scene
    is_known = scene is not None and scene < len(choices.scenes)
    return choices.scenes[scene] if scene is not None and is_known else ""


def tags_in_words(facts: ImageFacts, choices: TagChoices) -> str:
    """Return such as 'Scene: night. Occurs: cell.'; '' if nothing is said."""
    present, scene = facts.tags.present, scene_of(facts, choices)
    parts = [f"Scene: {scene}."] if scene else []
    for word, wanted in (("Occurs", True), ("Does not occur", False)):
        names = enumerate(choices.classes, start=1)
        said = [name for number, name in names if present.get(number) is wanted]
        parts += [f"{word}: {', '.join(said)}."] if said else []
    return " ".join(parts)


def _facts_of(
    project: Project,
    entry: ImageEntry,
    predicted: Mapping[str, int],
    reviewed: frozenset[str],
) -> ImageFacts:
    paint: dict[str, Any] = {}
    try:
        paint = _paint(project, entry)
    except MtsegError as error:
        paint = {"problem": str(error)}
    return ImageFacts(
        **paint,
        n_predictions=predicted.get(entry.id, 0),
        is_reviewed=entry.id in reviewed,
        is_missing=not (project.path / entry.source).exists(),
    )


def _paint(project: Project, entry: ImageEntry) -> dict[str, Any]:
    folder = project.annotation_folder(entry)
    try:
        saved: Any = read_json(folder / FACTS)
    except FileNotFoundError:
        return {}
    # So most layers need not be decoded.
    scribbled = has_scribble_chunks(folder) and bool(
        boxes_of_paint(folder / "scribbles")
    )
    return {
        "n_partial": len(saved.get("partial_classes", ())),
        "has_scribbles": scribbled,
        "n_full": len(saved.get("full_classes", ())),
        "is_complete_somewhere": is_complete_somewhere(saved),
        "tags": tags_in(saved, name=str(folder / FACTS)),
    }


def _n_predictions(project: Project) -> dict[str, int]:
    n_of: dict[str, int] = {}
    for folder in (project.path / "predictions").glob("*/*"):
        if has_prediction(folder):
            n_of[folder.name] = n_of.get(folder.name, 0) + 1
    return n_of
