"""The project folder ``NAME.mtseg/``: images, annotations, runs, predictions, reviews.

::

    NAME.mtseg/
      project.json              what holds for the whole project
      images/ID.json            one small file per image
      images/files/             copies, where the user asked for copies
      annotations/ID/           annotation.json and three label arrays
      chunks/ab/abcdef...       label chunks that runs were trained on, by SHA-256
      class_edit/               only while a class is removed, see class_edits.py
      runs/RUN/                 see run_folder.py
      predictions/RUN/ID/       see prediction_files.py
      reviews.jsonl             verdicts, appended
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation, Box
from napari_mtseg.domain.errors import ImageError, ProjectError
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.project import (
    Colour,
    ImageEntry,
    ProjectInfo,
    Split,
    palette,
)
from napari_mtseg.storage.annotation_files import load_annotation, save_annotation
from napari_mtseg.storage.class_edits import (
    finish_class_edit,
    has_unfinished_class_edit,
)
from napari_mtseg.storage.colour_modes import in_colour_mode
from napari_mtseg.storage.image_copies import copy_image, path_of_copy, remove_copy
from napari_mtseg.storage.image_files import check_pixels, open_image, read_pixels
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.migrations import migrated
from napari_mtseg.storage.moved_images import found_again
from napari_mtseg.storage.new_images import (
    check_joins,
    check_unchanged,
    n_channels_read,
    new_entry,
    new_id,
)
from napari_mtseg.storage.paint_extent import PaintExtent, extent_in
from napari_mtseg.storage.project_names import SUFFIX, checked_names, with_suffix
from napari_mtseg.storage.settings_files import read_settings, settings_in
from napari_mtseg.storage.write import (
    clear_write_errors,
    read_json,
    write_json,
)


class Project:
    """A project folder on disk. Reading is free; writers hold a lock per part."""

    def __init__(
        self, path: Path, info: ProjectInfo, images: tuple[ImageEntry, ...]
    ) -> None:
        self.path = path
        self.info = info
        self._images = {entry.id: entry for entry in images}

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        classes: Sequence[str],
        scenes: Sequence[str] = (),
        colour: Colour = "as_is",
    ) -> "Project":
        """Make an empty project folder.

        Parameters
        ----------
        path : Path
            The folder; ``.mtseg`` is added to its name where missing.
        classes : sequence of str
            Names of classes 1, 2, ...
        scenes : sequence of str
            Names of the scenes an image can be of.
        colour : {'as_is', 'grey', 'rgb'}
            How images of different channel counts are read.

        Raises
        ------
        ProjectError
            If the folder exists already and is not empty.
        SettingsError
            If no class is given or a name stands twice.
        StorageError
            If the folder cannot be written.
        """
        path = with_suffix(path).resolve()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ProjectError(
                f"'{path}' exists already and is not an empty folder. Choose another "
                "name, or add images to it with 'mtseg project add'."
            )
        info = ProjectInfo(
            name=path.name.removesuffix(SUFFIX),
            classes=palette(checked_names("class", classes)),
            scenes=checked_names("scene", scenes),
            colour=colour,
        )
        with clear_write_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        write_json(path / "project.json", info.model_dump(mode="json"))
        return cls(path, info, ())

    @classmethod
    def open(cls, path: Path) -> "Project":
        """Open a project folder, migrating an older layout first.

        The removal of a class that a crash cut off is carried out.

        Raises
        ------
        ProjectError
            If there is no project at ``path``, it was written by a newer version, or
            a class is being removed at this moment.
        """
        path = Path(path)
        if not _is_project(path) and path.name and _is_project(with_suffix(path)):
            path = with_suffix(path)
        if not _is_project(path):
            found = "it has no project.json" if path.exists() else "it does not exist"
            raise ProjectError(
                f"'{path}' is not a project folder: {found}. Check the name, or make "
                "one with 'mtseg project new'."
            )
        path = path.resolve()
        if has_unfinished_class_edit(path):
            with _annotation_lock(path):
                finish_class_edit(path)
        file = path / "project.json"
        info = settings_in(file, ProjectInfo, migrated(path, read_json(file)))
        return cls(path, info, _entries(path / "images"))

    @property
    def images(self) -> tuple[ImageEntry, ...]:
        """All images, in the order of their ids."""
        return tuple(self._images[key] for key in sorted(self._images))

    def image(self, image_id: str) -> ImageEntry:
        """Return one image by id or file name.

        Raises
        ------
        ProjectError
            If the project has no such image.
        """
        if image_id in self._images:
            return self._images[image_id]
        for entry in self.images:
            if entry.name == image_id:
                return entry
        raise ProjectError(
            f"The project '{self.info.name}' has no image '{image_id}'. "
            f"List them with 'mtseg project info {self.path.name}'."
        )

    def annotation_lock(self) -> FolderLock:
        """Return the lock that whoever edits annotations must hold."""
        return _annotation_lock(self.path)

    def update_info(self, info: ProjectInfo) -> None:
        """Save what holds for the whole project. The caller holds the annotation lock.

        Raises
        ------
        StorageError
            If the project cannot be written.
        """
        write_json(self.path / "project.json", info.model_dump(mode="json"))
        self.info = info

    def add_image(
        self,
        file: Path,
        *,
        copy: bool = False,
        channels: Sequence[int] | None = None,
        group: str | None = None,
        split: Split = "train",
        axes: str | None = None,
    ) -> ImageEntry:
        """Add one image file, after checking that it can be used.

        Parameters
        ----------
        file : Path
            The image file or OME-Zarr folder.
        copy : bool
            True to keep a copy inside the project, False to refer to the file.
        channels : sequence of int, optional
            Channels used, from 0; all by default.
        group : str, optional
            Patient, slide or video; the image stands alone by default. A group that
            is already in the project keeps its split.
        split : {'train', 'validate', 'test'}
            What the image is used for.
        axes : str, optional
            Axes of the file, such as 'ZYX', where the file does not say.

        Raises
        ------
        ImageError
            If the file is missing, corrupt, empty, constant, has NaN or infinite
            pixels, or differs from the project's images in dimensions or channels.
        ProjectError
            If the image is in the project already.
        """
        file = Path(file)
        key = new_id(file, self._taken_ids())
        entry, image = new_entry(file, key=key, channels=channels, axes=axes)
        group = group or key
        entry = entry.changed(
            {
                "source": path_of_copy(file, key) if copy else self._relative(file),
                "copied": copy,
                "group": group,
                "split": self._split_of_group(group) or split,
            }
        )
        check_joins(entry, self.images, self.info.colour)
        check_pixels(image)
        if copy:
            self._add_copy(file, entry)
        else:
            self._write(entry)
        return entry

    def update_image(self, entry: ImageEntry) -> None:
        """Save a changed entry; the whole group moves to its split."""
        for other in self.images:
            same_group = other.id != entry.id and other.group == entry.group
            if same_group and other.split != entry.split:
                self._write(other.changed({"split": entry.split}))
        self._write(entry)

    def source_path(self, entry: ImageEntry) -> Path:
        """Return the path of the image's file.

        Raises
        ------
        ImageError
            If the file is gone.
        """
        path = (self.path / entry.source).resolve()
        if not path.exists():
            raise ImageError(
                f"'{entry.name}' is missing: it was at '{path}'. Put it back, or run "
                f"'mtseg project relink {self.path.name} FOLDER' with its new folder."
            )
        return path

    def open_image(self, entry: ImageEntry) -> Image:
        """Open an image with the channels that the project uses, lazily if possible.

        Raises
        ------
        ImageError
            If the file is gone, damaged, or no longer the image that was added.
        """
        path = self.source_path(entry)
        image = open_image(path, channels=entry.channels, axes=entry.file_axes)
        check_unchanged(entry, image.info.shape)
        return image

    def read_pixels(self, entry: ImageEntry) -> NDArray[np.float32]:
        """Read a whole image as (C, [Z,] Y, X) float32 in the project's colours."""
        image = self.open_image(entry)
        return in_colour_mode(read_pixels(image), self.info.colour)

    def n_channels(self) -> int:
        """Return the number of channels that every image has after reading.

        Raises
        ------
        ProjectError
            If the project has no image.
        """
        if not self._images:
            raise ProjectError(
                f"The project '{self.info.name}' has no images. "
                f"Add some with 'mtseg project add {self.path.name} FOLDER'."
            )
        return n_channels_read(self.images[0], self.info.colour)

    def annotation(self, entry: ImageEntry, *, box: Box | None = None) -> Annotation:
        """Read the annotation of an image; an empty one where nothing is painted.

        Of a part of the image where ``box`` is given, see
        :func:`~napari_mtseg.storage.annotation_files.load_annotation`.
        """
        folder = self.annotation_folder(entry)
        return load_annotation(folder, entry.spatial_shape, box=box)

    def extent(self, entry: ImageEntry) -> PaintExtent:
        """Return where an image is painted on, without reading what is not."""
        return extent_in(self.annotation_folder(entry))

    def save_annotation(
        self, entry: ImageEntry, annotation: Annotation, *, box: Box | None = None
    ) -> None:
        """Save what changed of an annotation. The caller holds the annotation lock.

        Of a part of the image where ``box`` is given, see
        :func:`~napari_mtseg.storage.annotation_files.save_annotation`.
        """
        folder = self.annotation_folder(entry)
        save_annotation(folder, annotation, box=box, shape=entry.spatial_shape)

    def annotation_folder(self, entry: ImageEntry) -> Path:
        """Return where the annotation of an image is kept."""
        return self.path / "annotations" / entry.id

    def relink(self, folder: Path) -> tuple[ImageEntry, ...]:
        """Find missing images in ``folder`` and below by their content.

        Returns
        -------
        tuple of ImageEntry
            The entries that were found again.
        """
        missing = [e for e in self.images if not (self.path / e.source).exists()]
        found = found_again(missing, Path(folder))
        moved = tuple(
            entry.changed({"source": self._relative(found[entry.id]), "copied": False})
            for entry in missing
            if entry.id in found
        )
        for entry in moved:
            self._write(entry)
        return moved

    def _write(self, entry: ImageEntry) -> None:
        file = self.path / "images" / f"{entry.id}.json"
        with clear_write_errors(file):
            file.parent.mkdir(exist_ok=True)
        write_json(file, entry.model_dump(mode="json"))
        self._images[entry.id] = entry

    def _add_copy(self, file: Path, entry: ImageEntry) -> None:
        copy_image(file, self.path / entry.source)
        try:
            self._write(entry)
        except BaseException:
            remove_copy(self.path / entry.source)
            raise

    def _relative(self, file: Path) -> str:
        """Return a path as it is written down; absolute on another drive."""
        file = file.resolve()
        try:
            return Path(os.path.relpath(file, self.path)).as_posix()
        except ValueError:
            return file.as_posix()

    def _taken_ids(self) -> set[str]:
        """Return ids, also of other writers, and groups, which no new image joins."""
        on_disk = {file.stem for file in (self.path / "images").glob("*.json")}
        return on_disk | {e.group for e in self._images.values()} | set(self._images)

    def _split_of_group(self, group: str) -> Split | None:
        return next((e.split for e in self.images if e.group == group), None)


def _entries(folder: Path) -> tuple[ImageEntry, ...]:
    files = [f for f in sorted(folder.glob("*.json")) if not f.name.startswith(".")]
    entries = tuple(read_settings(file, ImageEntry) for file in files)
    for file, entry in zip(files, entries, strict=True):
        if entry.id != file.stem:
            raise ProjectError(
                f"'{file}' describes the image '{entry.id}' but must be named after "
                "it. Rename or remove the file."
            )
    return entries


def _annotation_lock(project: Path) -> FolderLock:
    return FolderLock(project / "annotations", purpose="annotations")


def _is_project(path: Path) -> bool:
    return (path / "project.json").exists()
