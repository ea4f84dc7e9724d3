"""Many image files into a project, each with its group and its split."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from napari_mtseg.domain.errors import (
    ImageError,
    MtsegError,
    SettingsError,
    StorageError,
)
from napari_mtseg.domain.project import ImageEntry, Split
from napari_mtseg.storage.image_files import list_image_files
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.splits import split_of
from napari_mtseg.workflows.mask_files import stem_of


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """How the split of an image is found: first by name, then by share."""

    by_name: Mapping[str, Split] = field(default_factory=dict)
    """file name, with or without its ending -> split"""
    fixed: Split | None = None
    """split of all other images; None to draw it by shares"""
    validate_share: float = 0.0
    """share of the groups that validate, 0..1"""
    test_share: float = 0.0
    """share of the groups that test, 0..1"""
    seed: int = 0
    """another seed draws another split"""

    def __post_init__(self) -> None:
        shares = (self.validate_share, self.test_share)
        if min(shares) < 0 or sum(shares) > 1:
            raise SettingsError(
                f"--validate-share is {shares[0]:g} and --test-share {shares[1]:g}, "
                "but both must be 0 or more and together at most 1."
            )

    def names(self, name: str) -> bool:
        """Tell whether the split of an image is said, not drawn."""
        return self.fixed is not None or not {name, stem_of(name)}.isdisjoint(
            self.by_name
        )

    def split_for(self, name: str, group: str) -> Split:
        """Return the split of an image; whether it is drawn depends on its group."""
        for key in (name, stem_of(name)):
            if key in self.by_name:
                return self.by_name[key]
        if self.fixed is not None:
            return self.fixed
        return split_of(
            group, validate=self.validate_share, test=self.test_share, seed=self.seed
        )


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How image files are read and kept."""

    copy: bool = False
    """True keeps copies inside the project"""
    channels: tuple[int, ...] | None = None
    """channels used, from 0; None for all"""
    axes: str | None = None
    """axes of the files, such as 'ZYX', where they do not say"""
    group_by: re.Pattern[str] | None = None
    """what a file name and its group share: the first bracket, else the whole match"""

    def group_of(self, file: Path) -> str | None:
        """Return the group of a file, or None if it stands alone."""
        match = self.group_by.search(file.name) if self.group_by else None
        if match is None:
            return None
        return match.group(1 if match.re.groups else 0)


@dataclass(frozen=True, kw_only=True)
class AddReport:
    """Which files became images of the project."""

    added: tuple[ImageEntry, ...]
    """the new images"""
    failed: Mapping[str, str]
    """path -> sentence, of files that could not be used"""


def add_images(
    project: Project,
    paths: Sequence[Path],
    *,
    rule: SplitRule | None = None,
    options: FileOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AddReport:
    """Add files and the images of folders; a bad file does not keep the others out.

    Parameters
    ----------
    project : Project
        Where they go.
    paths : sequence of Path
        Image files, OME-Zarr or DICOM folders, or folders of images.
    rule : SplitRule, optional
        How the split is found; all images train by default.
    options : FileOptions, optional
        How files are read and kept.
    progress : callable, optional
        Called with the number of files done and to do.

    Returns
    -------
    AddReport
        Images in the order of the paths, and what went wrong.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    chosen_rule, chosen = rule or SplitRule(), options or FileOptions()
    added: list[ImageEntry] = []
    failed: dict[str, str] = {}
    files = _listed(paths, failed)
    for done, file in enumerate(files, start=1):
        group = chosen.group_of(file)
        try:
            entry = project.add_image(
                file,
                copy=chosen.copy,
                channels=chosen.channels,
                group=group,
                split=chosen_rule.split_for(file.name, group or file.name),
                axes=chosen.axes,
            )
        except StorageError:
            raise
        except MtsegError as error:
            failed[str(file)] = str(error)
        else:
            added.append(entry)
        if progress is not None:
            progress(done, len(files))
    return AddReport(added=tuple(added), failed=failed)


def set_splits(
    project: Project, rule: SplitRule, names: Sequence[str] = ()
) -> tuple[ImageEntry, ...]:
    """Set the split of images, by name or id, or of all; groups stay together.

    Shares are drawn from the training images alone where no image is named: what was
    set aside before stays set aside.

    Returns
    -------
    tuple of ImageEntry
        The images whose split changed.

    Raises
    ------
    ProjectError
        If the project has no image of a name.
    """
    chosen = [project.image(name) for name in names] or [
        e for e in project.images if e.split == "train" or rule.names(e.name)
    ]
    before = {entry.id: entry.split for entry in project.images}
    for entry in chosen:
        group = entry.name if entry.group == entry.id else entry.group
        split = rule.split_for(entry.name, group)
        now = project.image(entry.id)
        if split != now.split:
            project.update_image(now.changed({"split": split}))
    return tuple(e for e in project.images if e.split != before[e.id])


def read_split_file(path: Path) -> dict[str, Split]:
    """Read a CSV file with the columns 'name' and 'split'.

    Returns
    -------
    dict
        Name, as it stands there -> split. 'val', 'valid' and 'validation' mean
        'validate'.

    Raises
    ------
    SettingsError
        If the file is missing, has no such columns or holds another split.
    """
    if not path.is_file():
        raise SettingsError(f"The split file '{path}' does not exist. Check the path.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        columns = tuple(table.fieldnames or ())
        if not {"name", "split"} <= set(columns):
            raise SettingsError(
                f"The split file '{path.name}' has the columns {', '.join(columns)} "
                "but needs 'name' and 'split'. Rename its columns."
            )
        rows = [(row["name"] or "", row["split"] or "") for row in table]
    return {name: _split(path.name, name, text) for name, text in rows}


def checked_pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression.

    Raises
    ------
    SettingsError
        If it is not one.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise SettingsError(
            f"--group-by is '{text}', which is no regular expression: {error}. For "
            r"example '^(patient\d+)' groups by patient."
        ) from None


def _listed(paths: Sequence[Path], failed: dict[str, str]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            found = list_image_files(path)
        except ImageError as error:
            failed[str(path)] = str(error)
            continue
        if not found:
            failed[str(path)] = (
                f"The folder '{path}' holds no image of a supported format. Give the "
                "folder that holds the image files themselves."
            )
        files.extend(found)
    return files


_SAME_AS_VALIDATE = {"val", "valid", "validation"}


def _split(file: str, name: str, text: str) -> Split:
    word = text.strip().lower()
    word = "validate" if word in _SAME_AS_VALIDATE else word
    for split in get_args(Split):
        if word == split:
            return split
    raise SettingsError(
        f"The split file '{file}' gives '{name}' the split '{text}' but expects train, "
        "validate or test. Change it and try again."
    )
