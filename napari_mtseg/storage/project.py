"""The project folder ``NAME.mtseg/``: images, annotations, runs, predictions, reviews.

::

    NAME.mtseg/
      project.json              what holds for the whole project
      images/ID.json            one small file per image
      images/files/             copies, where the user asked for copies
      annotations/ID/           annotation.json and three label arrays
      chunks/ab/abcdef...       label chunks that runs were trained on, by SHA-256
      runs/RUN/                 see run_folder.py
      predictions/RUN/ID/       see prediction_files.py
      reviews.jsonl             verdicts, appended
"""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.errors import ImageError, ProjectError, SettingsError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.domain.project import (
    Colour,
    ImageEntry,
    ProjectInfo,
    Split,
    palette,
)
from napari_mtseg.storage.annotation_files import load_annotation, save_annotation
from napari_mtseg.storage.image_files import (
    check_pixels,
    content_fingerprint,
    inspect_image,
    list_image_files,
    open_image,
    read_pixels,
)
from napari_mtseg.storage.migrations import migrated
from napari_mtseg.storage.write import (
    FolderLock,
    clear_write_errors,
    read_json,
    write_json,
)

SUFFIX = ".mtseg"
N_COLOUR_CHANNELS = 3


class Project:
    """A project folder on disk. Reading is free; writers hold a lock per part."""

    def __init__(self, path: Path, info: ProjectInfo, images: tuple[ImageEntry, ...]) -> None:
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
        path = with_suffix(path)
        if path.exists() and any(path.iterdir()):
            raise ProjectError(
                f"'{path}' exists already and is not empty. Open it, or choose another name."
            )
        names = tuple(name.strip() for name in classes if name.strip())
        if not names:
            raise SettingsError(
                "The project has no class but needs at least one. Name what you want to "
                "segment, for example --classes nucleus."
            )
        if len(set(names)) < len(names):
            raise SettingsError(
                f"The class names {', '.join(names)} are not all different. Rename one."
            )
        info = ProjectInfo(
            name=path.name.removesuffix(SUFFIX),
            classes=palette(names),
            scenes=tuple(scenes),
            colour=colour,
        )
        with clear_write_errors(path):
            (path / "images").mkdir(parents=True, exist_ok=True)
        write_json(path / "project.json", info.model_dump(mode="json"))
        return cls(path, info, ())

    @classmethod
    def open(cls, path: Path) -> "Project":
        """Open a project folder, migrating an older layout first.

        Raises
        ------
        ProjectError
            If there is no project at ``path``, or it was written by a newer version.
        """
        path = Path(path)
        if not (path / "project.json").exists() and with_suffix(path).exists():
            path = with_suffix(path)
        if not (path / "project.json").exists():
            raise ProjectError(
                f"'{path}' is not a project folder: it has no project.json. "
                "Make one with 'mtseg project new'."
            )
        info = ProjectInfo.checked(migrated(path, read_json(path / "project.json")))
        entries = tuple(
            ImageEntry.checked(read_json(file)) for file in sorted((path / "images").glob("*.json"))
        )
        return cls(path.resolve(), info, entries)

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
        return FolderLock(self.path / "annotations", purpose="annotations")

    def add_image(  # noqa: PLR0913 - one argument per property of the entry
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
        image = open_image(file, axes=axes)
        check_pixels(image)
        self._check_channels(file.name, image.info, channels)
        fingerprint = content_fingerprint(file)
        for other in self.images:
            if other.fingerprint == fingerprint:
                raise ProjectError(
                    f"'{file.name}' is in the project already, as '{other.name}'. "
                    "Leave it out."
                )
        key = self._new_id(file)
        source = self._copied(file, key) if copy else file.resolve()
        entry = ImageEntry(
            id=key,
            name=file.name,
            source=relative_if_possible(source, self.path),
            copied=copy,
            axes=image.info.axes,
            file_axes=axes,
            shape=image.info.shape,
            channels=None if channels is None else tuple(channels),
            rgb=image.info.rgb,
            dtype=image.info.dtype,
            spacing=image.info.spacing,
            unit=image.info.unit,
            fingerprint=fingerprint,
            group=group or key,
            split=self._split_of_group(group) or split,
        )
        self._check_fits(entry)
        self._write(entry)
        return entry

    def update_image(self, entry: ImageEntry) -> None:
        """Save a changed entry; the whole group moves to its split."""
        for other in self.images:
            if other.id != entry.id and other.group == entry.group:
                if other.split != entry.split:
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
        if image.info.spatial_shape != entry.spatial_shape:
            raise ImageError(
                f"'{entry.name}' is {_size(image.info.spatial_shape)} pixels now but was "
                f"{_size(entry.spatial_shape)} when it was added. Put the first file back, "
                "or add this one as a new image."
            )
        return image

    def read_pixels(self, entry: ImageEntry) -> NDArray[np.float32]:
        """Read a whole image as (C, [Z,] Y, X) float32, in the project's colour mode."""
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
        first = self.images[0]
        return self._channels_read(first.shape[0], first.channels)

    def annotation(self, entry: ImageEntry) -> Annotation:
        """Read the annotation of an image; an empty one where nothing is painted."""
        return load_annotation(self.annotation_folder(entry), entry.spatial_shape)

    def save_annotation(self, entry: ImageEntry, annotation: Annotation) -> None:
        """Save what changed of an annotation. The caller holds the annotation lock."""
        save_annotation(self.annotation_folder(entry), annotation)

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
        wanted = {entry.fingerprint: entry for entry in missing}
        names = {entry.name for entry in missing}
        files = _image_files_below(Path(folder))
        files.sort(key=lambda f: f.name not in names)
        found: list[ImageEntry] = []
        for file in files:
            if not wanted:
                break
            entry = wanted.pop(content_fingerprint(file), None)
            if entry is not None:
                source = relative_if_possible(file.resolve(), self.path)
                moved = entry.changed({"source": source, "copied": False})
                self._write(moved)
                found.append(moved)
        return tuple(found)

    def _write(self, entry: ImageEntry) -> None:
        write_json(self.path / "images" / f"{entry.id}.json", entry.model_dump(mode="json"))
        self._images[entry.id] = entry

    def _new_id(self, file: Path) -> str:
        stem = file.name.split(".")[0] or file.name
        slug = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "image"
        key, n = slug, 2
        while key.lower() in {k.lower() for k in self._images}:
            key, n = f"{slug}-{n}", n + 1
        return key

    def _split_of_group(self, group: str | None) -> Split | None:
        return next((e.split for e in self.images if e.group == group), None)

    def _copied(self, file: Path, key: str) -> Path:
        target = self.path / "images" / "files" / f"{key}{''.join(file.suffixes[-2:])}"
        with clear_write_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                shutil.copytree(file, target)
            else:
                shutil.copy2(file, target)
        return target

    def _channels_read(self, n_in_file: int, channels: Sequence[int] | None) -> int:
        if self.info.colour == "as_is":
            return n_in_file if channels is None else len(channels)
        return 1 if self.info.colour == "grey" else N_COLOUR_CHANNELS

    def _check_channels(
        self, name: str, info: ImageInfo, channels: Sequence[int] | None
    ) -> None:
        wrong = [c for c in channels or () if not 0 <= c < info.n_channels]
        if wrong:
            raise ImageError(
                f"'{name}' has {info.n_channels} channels but channel {wrong[0]} was asked "
                f"for. Choose from 0 to {info.n_channels - 1}."
            )
        n_used = info.n_channels if channels is None else len(channels)
        if self.info.colour != "as_is" and n_used not in {1, N_COLOUR_CHANNELS}:
            raise ImageError(
                f"'{name}' has {n_used} channels but a project read as "
                f"{self.info.colour} takes 1 or 3. Choose its channels with --channels."
            )

    def _check_fits(self, entry: ImageEntry) -> None:
        if not self._images:
            return
        first = self.images[0]
        if len(first.shape) != len(entry.shape):
            raise ImageError(
                f"'{entry.name}' is {len(entry.shape) - 1}D but the project's images are "
                f"{len(first.shape) - 1}D. Put it into a project of its own."
            )
        found = self._channels_read(entry.shape[0], entry.channels)
        expected = self._channels_read(first.shape[0], first.channels)
        if found != expected:
            raise ImageError(
                f"'{entry.name}' has {_channels(found)} but the project's images have "
                f"{expected}. Choose channels with --channels, or make the project with "
                "--colour grey or --colour rgb."
            )


def with_suffix(path: Path) -> Path:
    """Return ``path`` with '.mtseg' at its end."""
    path = Path(path)
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def in_colour_mode(pixels: NDArray[np.float32], colour: Colour) -> NDArray[np.float32]:
    """Return pixels with the channels of a colour mode.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X) float32
        1 or 3 channels unless ``colour`` is 'as_is'.
    colour : {'as_is', 'grey', 'rgb'}
        'grey' weighs red, green and blue by ITU-R BT.601; 'rgb' repeats a grey channel.
    """
    if colour == "grey" and pixels.shape[0] == N_COLOUR_CHANNELS:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return np.tensordot(weights, pixels, axes=1)[np.newaxis].astype(np.float32)
    if colour == "rgb" and pixels.shape[0] == 1:
        return np.repeat(pixels, N_COLOUR_CHANNELS, axis=0)
    return pixels


def relative_if_possible(path: Path, start: Path) -> str:
    """Return ``path`` relative to ``start`` with '/', or absolute on another drive."""
    try:
        return Path(os.path.relpath(path, start.resolve())).as_posix()
    except ValueError:
        return path.as_posix()


def split_of(group: str, *, validate: float, test: float, seed: int = 0) -> Split:
    """Return a split that depends on the group's name alone.

    Adding images later never moves an image that is already there.

    Parameters
    ----------
    group : str
        Name of the patient, slide or video.
    validate, test : float
        Wanted shares of groups, 0..1.
    seed : int
        Another seed gives another split.
    """
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < test:
        return "test"
    return "validate" if place < test + validate else "train"


def _image_files_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ProjectError(
            f"'{folder}' is not a folder. Name the folder that the images were moved to."
        )
    folders = [folder]
    files: list[Path] = []
    for place in folders:
        files += list_image_files(place)
        folders += sorted(p for p in place.iterdir() if p.is_dir() and p not in files)
    return files


def _channels(n: int) -> str:
    return f"{n} channel" + ("" if n == 1 else "s")


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
