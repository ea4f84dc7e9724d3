"""Tags of many images at once: what a person says of them as a whole.

Only ``annotation.json`` is written; a stroke is neither read nor touched, so thousands
of images take seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from napari_mtseg.domain.annotation import Annotation, ObjectMasks, Tags
from napari_mtseg.domain.project import ImageEntry, ProjectInfo
from napari_mtseg.storage.annotation_files import FACTS, annotation_from, facts_of
from napari_mtseg.storage.label_arrays import save_labels
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.write import (
    clear_write_errors,
    read_json,
    write_bytes_atomically,
    write_json,
)

Keep = Literal["keep"]

N_THREADS = 8
"""files written at once: a disk confirms many together almost as fast as one"""

_KEYS = ("scene", "present", "exhaustive")
"""of the facts of an annotation, those that are tags"""
_LAYER_TYPES: dict[str, DTypeLike] = {
    "partial": np.uint32,
    "scribbles": np.uint8,
    "full": np.uint32,
}


@dataclass(frozen=True, kw_only=True)
class TagChange:
    """What is said anew about images; all that it leaves out stays as it is."""

    scene: int | Keep | None = "keep"
    """index into the project's scenes; None takes the scene away"""
    present: Mapping[int, bool | None] = field(default_factory=dict)
    """class -> whether it occurs; None takes away what was said"""
    exhaustive: bool | Keep = "keep"
    """whether every object of the image has at least one mark"""

    @property
    def is_empty(self) -> bool:
        """True if it says nothing."""
        return self == TagChange()

    def applied_to(self, tags: Tags) -> Tags:
        """Return the tags of an image after this change.

        Examples
        --------
        >>> change = TagChange(present={1: None, 2: True})
        >>> dict(change.applied_to(Tags(scene=0, present={1: False})).present)
        {2: True}
        """
        present = {**tags.present, **self.present}
        return Tags(
            scene=tags.scene if self.scene == "keep" else self.scene,
            present={k: v for k, v in sorted(present.items()) if v is not None},
            exhaustive=(
                tags.exhaustive if self.exhaustive == "keep" else self.exhaustive
            ),
        )


class BlankLayers:
    """Lays down label arrays on which nothing is painted.

    A run's snapshot expects all three of an annotation. The file that describes an
    array is made once per image size, and copied from then on.
    """

    def __init__(self) -> None:
        self._files: dict[tuple[tuple[int, ...], str], bytes] = {}
        self._turn = Lock()

    def lay_down(self, folder: Path, shape: tuple[int, ...]) -> None:
        """Make the label arrays that the annotation ``folder`` lacks.

        Parameters
        ----------
        folder : Path
            Folder of an annotation; made if it is missing.
        shape : tuple of int
            ([Z,] Y, X) shape of its image.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        for layer, dtype in _LAYER_TYPES.items():
            file, key = folder / layer / "zarr.json", (shape, layer)
            if file.exists():
                continue
            with self._turn:
                if key not in self._files:
                    save_labels(folder / layer, _zeros(shape, dtype))
                    self._files[key] = file.read_bytes()
                    continue
            with clear_write_errors(file):
                file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(file, self._files[key])


def tags_of(project: Project, entry: ImageEntry) -> Tags:
    """Read the tags of an image, and nothing else of its annotation.

    Raises
    ------
    AnnotationError
        If its annotation is damaged.
    ProjectError
        If the file is not JSON.
    """
    file = project.annotation_folder(entry) / FACTS
    return tags_in(_facts(file), name=str(file))


def tags_in(facts: Any, *, name: str = FACTS) -> Tags:
    """Return the tags that an ``annotation.json`` holds.

    Parameters
    ----------
    facts : dict or None
        Content of the file; None where there is none.
    name : str
        Where it comes from, for the message.

    Raises
    ------
    AnnotationError
        If that is no annotation.
    """
    if facts is None:
        return Tags()
    layers = {layer: _zeros((), dtype) for layer, dtype in _LAYER_TYPES.items()}
    return annotation_from(facts, layers, name=name).tags


def named_tags(tags: Tags, info: ProjectInfo) -> dict[str, Any]:
    """Return tags by the names of scene and classes, ready for JSON.

    A scene or class that the project does not have, which labels of another project
    may have brought along, is left out.
    """
    names = {number: each.name for number, each in enumerate(info.classes, start=1)}
    said = {names[k]: v for k, v in sorted(tags.present.items()) if k in names}
    scenes = dict(enumerate(info.scenes))
    return {
        "scene": None if tags.scene is None else scenes.get(tags.scene),
        "present": [name for name, occurs in said.items() if occurs],
        "absent": [name for name, occurs in said.items() if not occurs],
        "exhaustive": tags.exhaustive,
    }


def set_tags(
    project: Project,
    entries: Iterable[ImageEntry],
    change: TagChange,
    *,
    blank: BlankLayers | None = None,
) -> tuple[ImageEntry, ...]:
    """Say the same about several images.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock, and nobody paints on these images.
    entries : iterable of ImageEntry
        The images.
    change : TagChange
        What is said.
    blank : BlankLayers, optional
        The same one for several calls saves time.

    Returns
    -------
    tuple of ImageEntry
        The images whose tags changed.

    Raises
    ------
    AnnotationError
        If an annotation is damaged; nothing is changed then.
    StorageError
        If the disk is full or the project cannot be written.
    ValueError
        If the project has no such scene or class.
    """
    changes = {entry.id: change for entry in entries}
    return set_each_tags(project, changes, blank=blank)


def set_each_tags(
    project: Project,
    changes: Mapping[str, TagChange],
    *,
    blank: BlankLayers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ImageEntry, ...]:
    """Say something of its own about each of several images.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock, and nobody paints on these images.
    changes : mapping
        Image id -> what is said.
    blank : BlankLayers, optional
        The same one for several calls saves time.
    progress : callable, optional
        Called with the number of images written and to write.

    Returns
    -------
    tuple of ImageEntry
        The images whose tags changed.

    Raises
    ------
    AnnotationError, StorageError, ValueError
        As :func:`set_tags` does.
    """
    for change in changes.values():
        _check(change, project.info)
    wanted: list[tuple[ImageEntry, Any, Tags]] = []
    for image_id, change in changes.items():
        entry = project.image(image_id)
        file = project.annotation_folder(entry) / FACTS
        facts = _facts(file)
        before = tags_in(facts, name=str(file))
        after = change.applied_to(before)
        if after != before:
            wanted.append((entry, facts, after))
    blank = blank or BlankLayers()
    threads = ThreadPoolExecutor(N_THREADS)
    try:
        written = [threads.submit(_write, project, *each, blank) for each in wanted]
        for done, one in enumerate(written, start=1):
            one.result()
            if progress is not None:
                progress(done, len(wanted))
    finally:
        threads.shutdown(cancel_futures=True)
    return tuple(entry for entry, _, _ in wanted)


def _write(
    project: Project, entry: ImageEntry, facts: Any, tags: Tags, blank: BlankLayers
) -> None:
    folder, new = project.annotation_folder(entry), _facts_with(tags, entry)
    if facts is None:
        # The facts come last: until then the image counts as not annotated.
        blank.lay_down(folder, entry.spatial_shape)
        write_json(folder / FACTS, new)
    else:
        write_json(folder / FACTS, {**facts, **{key: new[key] for key in _KEYS}})


def _facts(file: Path) -> Any:
    try:
        return read_json(file)
    except FileNotFoundError:
        return None


def _facts_with(tags: Tags, entry: ImageEntry) -> dict[str, Any]:
    """Return the facts of an image on which nothing is painted."""
    shape = entry.spatial_shape
    nothing = ObjectMasks(objects=_zeros(shape, np.uint32), class_of={})
    unpainted = Annotation(
        partial=nothing, scribbles=_zeros(shape, np.uint8), full=nothing, tags=tags
    )
    return facts_of(unpainted)


def _zeros(shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    """Return zeros that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def _check(change: TagChange, info: ProjectInfo) -> None:
    scene, n_scenes = change.scene, len(info.scenes)
    if isinstance(scene, int) and not 0 <= scene < n_scenes:
        raise ValueError(f"there is no scene {scene} among {n_scenes}")
    for number in change.present:
        if not 1 <= number <= info.n_classes:
            raise ValueError(f"there is no class {number} among {info.n_classes}")
