"""Which held-out images have masks of a person, which predictions are scored on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import FACTS
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.write import read_json

_FROM_PREDICTIONS = ("accepted", "corrected")
"""what the origin of masks begins with that the program itself made"""


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
        painted = [
            (item["entry"]["id"], item["facts"] or {})
            for item in read_json(run.snapshot_file)["images"]
            if item["entry"]["split"] == "validate"
        ]
        exact = {key for key, facts in painted if _scores(facts)}
        # Where nothing is exact, all that a person painted scores.
        rough = {key for key, facts in painted if facts and not _is_ours(facts)}
    except (MtsegError, OSError, AttributeError, KeyError, TypeError):
        return frozenset()
    return frozenset(exact or rough)


def _facts(project: Project, entry: ImageEntry) -> Mapping[str, Any]:
    path: Path = project.annotation_folder(entry) / FACTS
    try:
        found = read_json(path)
    except (MtsegError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _scores(facts: Mapping[str, Any]) -> bool:
    region = facts.get("complete") or {}
    return any(map(bool, region.values())) and not _is_ours(facts)


def _is_ours(facts: Mapping[str, Any]) -> bool:
    return str(facts.get("origin", "")).startswith(_FROM_PREDICTIONS)
