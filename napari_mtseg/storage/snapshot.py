"""What a run was trained on, frozen: image entries, split and every stroke."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_mtseg.domain.annotation import Annotation, empty_annotation
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import (
    FACTS,
    LAYERS,
    annotation_from,
    layers_from,
)
from napari_mtseg.storage.label_arrays import SnapshotStore, freeze
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.write import read_json, write_json


class Snapshot:
    """The annotations and the split of one run; never changes."""

    def __init__(self, chunks: Path, content: dict[str, Any]) -> None:
        self._chunks = chunks
        self._content = content

    @property
    def images(self) -> tuple[ImageEntry, ...]:
        """All images of the project at that time."""
        return tuple(ImageEntry.checked(item["entry"]) for item in self._content["images"])

    def annotation(self, entry: ImageEntry) -> Annotation:
        """Return what was painted on an image when the run began."""
        item = next(i for i in self._content["images"] if i["entry"]["id"] == entry.id)
        if item["facts"] is None:
            return empty_annotation(entry.spatial_shape)
        stores = {
            name: SnapshotStore(self._chunks, keys) for name, keys in item["layers"].items()
        }
        return annotation_from(item["facts"], layers_from(dict(stores)))


def take_snapshot(
    project: Project, file: Path, *, images: Sequence[ImageEntry] | None = None
) -> Snapshot:
    """Freeze the project's annotations and split into ``file`` and the chunk store.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    chunks = project.path / "chunks"
    items = []
    for entry in project.images if images is None else images:
        folder = project.annotation_folder(entry)
        painted = (folder / FACTS).exists()
        items.append(
            {
                "entry": entry.model_dump(mode="json"),
                "facts": read_json(folder / FACTS) if painted else None,
                "layers": {name: freeze(folder / name, chunks) for name in LAYERS}
                if painted
                else {},
            }
        )
    content = {"images": items}
    write_json(file, content)
    return Snapshot(chunks, content)


def load_snapshot(project: Project, file: Path) -> Snapshot:
    """Return the snapshot that was frozen into ``file``."""
    return Snapshot(project.path / "chunks", read_json(file))
