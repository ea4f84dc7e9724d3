"""What a run was trained on, frozen: image entries, split and every stroke."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_mtseg.domain.annotation import Annotation, Box, empty_annotation
from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import (
    FACTS,
    LAYERS,
    annotation_from,
    read_unchanged,
)
from napari_mtseg.storage.frozen_labels import SnapshotStore, freeze
from napari_mtseg.storage.label_arrays import open_labels
from napari_mtseg.storage.label_chunks import chunks_of, painted_boxes, read_chunks
from napari_mtseg.storage.paint_extent import PaintExtent, extent_of
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.settings_files import settings_in
from napari_mtseg.storage.write import read_json, write_json


class Snapshot:
    """The annotations and the split of one run; never changes.

    Parameters
    ----------
    file : Path
        Where it is written down.
    chunks : Path
        The project's content-addressed chunks.
    content : dict
        Content of the file.

    Raises
    ------
    ProjectError
        If the content is not that of a snapshot.
    """

    def __init__(self, file: Path, chunks: Path, content: Any) -> None:
        self._chunks = chunks
        try:
            self._painted = {i["entry"]["id"]: i for i in content["images"]}
            entries = [i["entry"] for i in content["images"]]
        except (KeyError, TypeError):
            raise ProjectError(
                f"'{file}' is damaged: it is no snapshot. Put back a copy of the file, "
                "or start a new run."
            ) from None
        self.images: tuple[ImageEntry, ...] = tuple(
            settings_in(file, ImageEntry, entry) for entry in entries
        )
        """all images of the project at that time"""

    def annotation(self, entry: ImageEntry, *, box: Box | None = None) -> Annotation:
        """Return what was painted on an image, or in a box of it, when the run began.

        Raises
        ------
        KeyError
            If the image was not in the project then.
        ProjectError
            If a chunk of the snapshot is gone or damaged.
        """
        item = self._painted[entry.id]
        if item["facts"] is None:
            return empty_annotation(entry.spatial_shape if box is None else box.shape)
        layers = {
            name: read_chunks(self._labels(keys), chunks_of(keys), box=box)
            for name, keys in item["layers"].items()
        }
        return annotation_from(item["facts"], layers, box=box)

    def extent(self, entry: ImageEntry) -> PaintExtent:
        """Return where an image was painted on when the run began.

        Raises
        ------
        KeyError
            If the image was not in the project then.
        ProjectError
            If a chunk of the snapshot is gone or damaged.
        """
        item = self._painted[entry.id]
        if item["facts"] is None:
            return PaintExtent()
        boxes = [
            box
            for keys in item["layers"].values()
            for box in painted_boxes(self._labels(keys), chunks_of(keys))
        ]
        return extent_of(item["facts"], boxes)

    def _labels(self, keys: Mapping[str, str]) -> Any:
        return open_labels(SnapshotStore(self._chunks, keys))


def take_snapshot(
    project: Project, file: Path, *, images: Sequence[ImageEntry] | None = None
) -> Snapshot:
    """Freeze the project's annotations and split into ``file`` and the chunk store.

    Somebody may paint meanwhile: each image is frozen between two strokes.

    Parameters
    ----------
    project : Project
        Its annotations are frozen.
    file : Path
        Where the snapshot is written down.
    images : sequence of ImageEntry, optional
        Images to freeze; all by default.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    chunks = project.path / "chunks"
    chosen = project.images if images is None else images
    content = {"images": [_frozen(project, entry, chunks) for entry in chosen]}
    write_json(file, content)
    return Snapshot(file, chunks, content)


def load_snapshot(project: Project, file: Path) -> Snapshot:
    """Return the snapshot that was frozen into ``file``.

    Raises
    ------
    RunError
        If there is none.
    ProjectError
        If the file is damaged.
    """
    try:
        content = read_json(file)
    except FileNotFoundError:
        raise RunError(
            f"The run '{file.parent.name}' has no {file.name}: it was stopped before "
            "it began. Start a new run."
        ) from None
    return Snapshot(file, project.path / "chunks", content)


def _frozen(project: Project, entry: ImageEntry, chunks: Path) -> dict[str, Any]:
    folder = project.annotation_folder(entry)
    facts: Any = None
    layers: dict[str, dict[str, str]] = {}
    if (folder / FACTS).exists():
        facts, layers = read_unchanged(
            folder, lambda: {name: freeze(folder / name, chunks) for name in LAYERS}
        )
    return {"entry": entry.model_dump(mode="json"), "facts": facts, "layers": layers}
