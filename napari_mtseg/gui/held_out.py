"""What annotations hold by their facts alone: masks of a person, or of the program."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_mtseg.domain.annotation import is_from_prediction
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import FACTS, is_complete_somewhere
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.write import read_json


def held_out_images(project: Project) -> tuple[ImageEntry, ...]:
    """Return the images of 'validate' and 'test' that have full masks of a person.

    No pixel is read. Slow for many images: call it in a thread.
    """
    return tuple(
        entry
        for entry in project.images
        if entry.split != "train" and _scores(_facts(project, entry))
    )


def validation_images(run: RunFolder) -> frozenset[str]:
    """Return the ids of the images that scored a run while it was trained.

    Slow for many images: call it in a thread.
    """
    try:
        images = [
            item
            for item in read_json(run.snapshot_file)["images"]
            if item["entry"]["split"] == "validate"
        ]
        exact = {i["entry"]["id"] for i in images if _scores(i["facts"] or {})}
        # Where nothing is exact, all that a person painted scores; beside masks of
        # the program, too.
        rough = {
            item["entry"]["id"]
            for item in images
            if item["facts"]
            and (item["facts"]["partial_classes"] or _has_strokes(item["layers"]))
        }
    except (MtsegError, OSError, AttributeError, KeyError, TypeError):
        return frozenset()
    return frozenset(exact or rough)


def accepted_masks(project: Project, image_ids: Iterable[str]) -> dict[str, str]:
    """Return whose prediction is the full mask of images now: id -> origin.

    Images without full masks, and those whose masks are a person's, are left out. No
    pixel is read. Slow for many images: call it in a thread.
    """
    facts = {key: _facts(project, project.image(key)) for key in image_ids}
    return _of_the_program(facts)


def learned_masks(run: RunFolder) -> dict[str, str]:
    """Return whose prediction was the full mask of images as the run began.

    As :func:`accepted_masks`; empty where what the run was trained on is not known.
    """
    try:
        images = read_json(run.snapshot_file)["images"]
        return _of_the_program({i["entry"]["id"]: i["facts"] or {} for i in images})
    except (MtsegError, OSError, AttributeError, KeyError, TypeError):
        return {}


def _of_the_program(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        key: str(told["origin"])
        for key, told in facts.items()
        if _is_ours(told) and is_complete_somewhere(told)
    }


def _facts(project: Project, entry: ImageEntry) -> Mapping[str, Any]:
    path: Path = project.annotation_folder(entry) / FACTS
    try:
        found = read_json(path)
    except (MtsegError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _scores(facts: Mapping[str, Any]) -> bool:
    return is_complete_somewhere(facts) and not _is_ours(facts)


def _has_strokes(layers: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether anybody scribbled: chunks come with the first stroke."""
    return any(key.startswith("c/") for key in layers["scribbles"])


def _is_ours(facts: Mapping[str, Any]) -> bool:
    return is_from_prediction(str(facts.get("origin", "")))
