"""Classes and scenes of a project, changed after people painted.

Whoever changes them holds the annotation lock. To remove a class, annotations of many
images change, and a crash may come between any two. So the changed annotations are
first laid down beside the old ones, in ``class_edit/``; with the note that all of them
are there the removal counts as done, and it is carried out then, or on the next
opening of the project. To remove a scene, the note alone holds the changed tags.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    UNPAINTED,
    Annotation,
    Box,
    ObjectMasks,
)
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.project import PALETTE, ClassInfo, ImageEntry, ProjectInfo
from napari_mtseg.storage.annotation_files import FACTS, save_annotation
from napari_mtseg.storage.annotation_parts import load_part, parts_of
from napari_mtseg.storage.project_names import checked_names
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project

FOLDER = "class_edit"
NOTE = "ready.json"

N_THREADS = 8
"""files of tags written at once"""


def add_class(project: "Project", name: str, *, colour: str | None = None) -> int:
    """Add a class behind the others and return its number, 1 for the first.

    Parameters
    ----------
    project : Project
        The caller holds its annotation lock, here and below.
    name : str
        Name for people; no other class has it.
    colour : str, optional
        '#rrggbb'; one that no other class has, if left out.

    Raises
    ------
    SettingsError
        If the name is empty or taken, the colour is none, or there are too many.
    StorageError
        If the project cannot be written.
    """
    classes = project.info.classes
    added = _class_info(name, colour or _free_colour(classes))
    _set_classes(project, (*classes, added))
    return len(classes) + 1


def rename_class(project: "Project", number: int, name: str) -> None:
    """Give a class another name.

    Raises
    ------
    SettingsError
        If the name is empty or taken.
    StorageError
        If the project cannot be written.
    """
    old = project.info.classes[_place(project, number)]
    _replace_class(project, number, _class_info(name, old.colour))


def recolour_class(project: "Project", number: int, colour: str) -> None:
    """Give a class another colour, '#rrggbb'.

    Raises
    ------
    SettingsError
        If that is no colour.
    StorageError
        If the project cannot be written.
    """
    old = project.info.classes[_place(project, number)]
    _replace_class(project, number, _class_info(old.name, colour))


def images_with_class(project: "Project", number: int) -> tuple[ImageEntry, ...]:
    """Return the images that hold paint or a tag of a class.

    Every annotation is read: with many images that takes seconds.

    Raises
    ------
    AnnotationError
        If an annotation is damaged.
    """
    _place(project, number)
    return tuple(
        entry
        for entry in project.images
        if any(_holds_class(part, number) for _, part in _parts(project, entry))
    )


def remove_class(project: "Project", number: int) -> tuple[ImageEntry, ...]:
    """Remove a class and its paint; the classes behind it move up by one place.

    What was painted as this class becomes unpainted, which inside a complete region
    means background. Earlier runs and predictions keep the classes they were made
    with. Every annotation is read: with many images that takes seconds.

    Returns
    -------
    tuple of ImageEntry
        The images that lost paint or a tag, as :func:`images_with_class` said before.

    Raises
    ------
    SettingsError
        If it is the only class.
    AnnotationError
        If an annotation is damaged; nothing is changed then.
    StorageError
        If the disk is full or the project cannot be written.
    """
    place, classes = _place(project, number), project.info.classes
    if len(classes) == 1:
        raise SettingsError(
            f"'{classes[0].name}' is the only class and a project needs one. Rename it "
            "instead, or add another class first."
        )
    folder = project.path / FOLDER
    _clear(folder)
    changed, lost = [], []
    for entry in project.images:
        mentions, holds = False, False
        for _, before in _parts(project, entry):
            mentions |= without_class(before, number) is not before
            holds |= _holds_class(before, number)
        if mentions:
            for box, before in _parts(project, entry):
                after = without_class(before, number)
                shape = entry.spatial_shape
                save_annotation(folder / entry.id, after, box=box, shape=shape)
            changed.append(entry.id)
        if holds:
            lost.append(entry)
    info = project.info.changed({"classes": classes[:place] + classes[place + 1 :]})
    _carry_out(project, info, images=changed)
    return tuple(lost)


def has_unfinished_class_edit(project: Path) -> bool:
    """Tell whether a crash cut off the removal of a class or scene in ``project``."""
    try:
        return read_json(project / FOLDER / NOTE) is not None
    except FileNotFoundError:
        return False


def finish_class_edit(project: Path) -> None:
    """Carry out a removal that was laid down, if any; twice is as good as once.

    The caller holds the annotation lock.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    if not has_unfinished_class_edit(project):
        return
    folder = project / FOLDER
    note: dict[str, Any] = read_json(folder / NOTE)
    for image_id in note["images"]:
        shape = tuple(read_json(folder / image_id / FACTS)["shape"])
        old = project / "annotations" / image_id
        for box in parts_of(old, shape):
            changed = load_part(folder / image_id, shape, box)
            save_annotation(old, changed, box=box, shape=shape)
    _write_scenes(project / "annotations", note.get("scenes", {}))
    write_json(project / "project.json", note["info"])
    # A removed file might come back after a power cut, and with it old paint.
    write_json(folder / NOTE, None)
    _clear(folder)


def without_class(annotation: Annotation, number: int) -> Annotation:
    """Return an annotation from which a class is gone; later ones are a number less.

    The same object is returned where nothing mentions the class or a later one.
    """
    code = number + SCRIBBLE_FIRST_CLASS - 1
    tags = annotation.tags
    mentioned = (
        *annotation.partial.class_of.values(),
        *annotation.full.class_of.values(),
        *tags.present,
    )
    if max(mentioned, default=0) < number and not (annotation.scribbles >= code).any():
        return annotation
    scribbles = annotation.scribbles.copy()
    scribbles[scribbles == code] = UNPAINTED
    scribbles[scribbles > code] -= 1
    present = {_moved(c, number): v for c, v in tags.present.items() if c != number}
    return replace(
        annotation,
        partial=_masks_without(annotation.partial, number),
        scribbles=scribbles,
        full=_masks_without(annotation.full, number),
        tags=replace(tags, present=present),
    )


def add_scene(project: "Project", name: str) -> int:
    """Add a scene behind the others and return its index, 0 for the first.

    Raises
    ------
    SettingsError
        If the name is empty or taken.
    StorageError
        If the project cannot be written.
    """
    scenes = (*project.info.scenes, _named("scene", name))
    _set_scenes(project, scenes)
    return len(scenes) - 1


def rename_scene(project: "Project", index: int, name: str) -> None:
    """Give the scene at ``index``, from 0, another name.

    Raises
    ------
    SettingsError
        If the name is empty or taken.
    StorageError
        If the project cannot be written.
    """
    scenes = list(project.info.scenes)
    _check_scene(project, index)
    scenes[index] = _named("scene", name)
    _set_scenes(project, tuple(scenes))


def remove_scene(project: "Project", index: int) -> tuple[ImageEntry, ...]:
    """Remove the scene at ``index``, from 0; those behind it move up by one place.

    Images that are tagged with it have no scene any more; paint is neither read nor
    touched. Earlier runs and predictions keep the scenes they were made with.

    Returns
    -------
    tuple of ImageEntry
        The images that lost the tag.

    Raises
    ------
    AnnotationError
        If an annotation is damaged; nothing is changed then.
    StorageError
        If the disk is full or the project cannot be written.
    """
    from napari_mtseg.storage.image_tags import tags_of

    _check_scene(project, index)
    _clear(project.path / FOLDER)
    before = {entry.id: tags_of(project, entry).scene for entry in project.images}
    later = {
        key: None if scene == index else scene - 1
        for key, scene in before.items()
        if scene is not None and scene >= index
    }
    kept = project.info.scenes[:index] + project.info.scenes[index + 1 :]
    _carry_out(project, project.info.changed({"scenes": kept}), scenes=later)
    return tuple(entry for entry in project.images if before[entry.id] == index)


def _carry_out(
    project: "Project",
    info: ProjectInfo,
    *,
    images: Sequence[str] = (),
    scenes: Mapping[str, int | None] = MappingProxyType({}),
) -> None:
    """Note down a removal, from which on it counts as done, and do it.

    ``images`` are laid down already; ``scenes`` are image ids with their new scenes.
    """
    folder = project.path / FOLDER
    with clear_write_errors(folder):
        folder.mkdir(exist_ok=True)
    facts = info.model_dump(mode="json")
    note = {"images": list(images), "scenes": dict(scenes), "info": facts}
    write_json(folder / NOTE, note)
    finish_class_edit(project.path)
    project.info = info


def _write_scenes(annotations: Path, scenes: Mapping[str, int | None]) -> None:
    """Give images that are annotated already another scene, or none."""

    def write(image_id: str) -> None:
        file = annotations / image_id / FACTS
        write_json(file, {**read_json(file), "scene": scenes[image_id]})

    # A disk confirms many files together almost as fast as one.
    with ThreadPoolExecutor(N_THREADS) as threads:
        list(threads.map(write, scenes))


def _set_classes(project: "Project", classes: tuple[ClassInfo, ...]) -> None:
    checked_names("class", [c.name for c in classes])
    project.update_info(project.info.changed({"classes": classes}))


def _check_scene(project: "Project", index: int) -> None:
    n_scenes = len(project.info.scenes)
    if not 0 <= index < n_scenes:
        raise ValueError(f"there is no scene {index} among {n_scenes}")


def _set_scenes(project: "Project", scenes: tuple[str, ...]) -> None:
    project.update_info(
        project.info.changed({"scenes": checked_names("scene", scenes)})
    )


def _replace_class(project: "Project", number: int, info: ClassInfo) -> None:
    place, classes = _place(project, number), project.info.classes
    _set_classes(project, (*classes[:place], info, *classes[place + 1 :]))


def _place(project: "Project", number: int) -> int:
    n_classes = project.info.n_classes
    if not 1 <= number <= n_classes:
        raise ValueError(f"there is no class {number} among {n_classes}")
    return number - 1


def _class_info(name: str, colour: str) -> ClassInfo:
    return ClassInfo.checked(
        {"name": _named("class", name), "colour": colour.strip().lower()}
    )


def _named(what: str, name: str) -> str:
    if not name.strip():
        raise SettingsError(f"The {what} has no name. Type one.")
    return name.strip()


def _free_colour(classes: tuple[ClassInfo, ...]) -> str:
    taken = {c.colour for c in classes}
    free = (colour for colour in PALETTE if colour not in taken)
    return next(free, PALETTE[len(classes) % len(PALETTE)])


def _parts(
    project: "Project", entry: ImageEntry
) -> Iterator[tuple[Box | None, Annotation]]:
    """Read the annotation of an image; of a large one part by part."""
    folder, shape = project.annotation_folder(entry), entry.spatial_shape
    for box in parts_of(folder, shape):
        yield box, load_part(folder, shape, box)


def _holds_class(annotation: Annotation, number: int) -> bool:
    if number in annotation.tags.present:
        return True
    if (annotation.scribbles == number + SCRIBBLE_FIRST_CLASS - 1).any():
        return True
    masks = (annotation.partial, annotation.full)
    return any(np.isin(m.objects, _ids(m.class_of, number)).any() for m in masks)


def _masks_without(masks: ObjectMasks, number: int) -> ObjectMasks:
    gone = np.isin(masks.objects, _ids(masks.class_of, number))
    return ObjectMasks(
        objects=np.where(gone, np.uint32(UNPAINTED), masks.objects),
        class_of={
            i: _moved(c, number) for i, c in masks.class_of.items() if c != number
        },
    )


def _ids(class_of: Mapping[int, int], number: int) -> list[int]:
    return [i for i, c in class_of.items() if c == number]


def _moved(class_number: int, removed: int) -> int:
    return class_number - (class_number > removed)


def _clear(folder: Path) -> None:
    if folder.exists():
        with clear_write_errors(folder):
            shutil.rmtree(folder)
