"""Copies of image files inside a project."""

import shutil
from pathlib import Path

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.write import clear_write_errors

_DETACHED = ".mhd"
"""Headers whose pixels lie in a second file."""


def path_of_copy(file: Path, key: str) -> str:
    """Return where the copy of a file lies, relative to the project folder.

    Raises
    ------
    ImageError
        If the pixels lie in a second file, so that a copy would not be whole.
    """
    if file.suffix.lower() == _DETACHED:
        raise ImageError(
            f"'{file.name}' keeps its pixels in a second file, so it cannot be copied "
            "into the project. Save it as .mha, or add it without --copy."
        )
    return f"images/files/{key}{''.join(file.suffixes[-2:])}"


def copy_image(file: Path, target: Path) -> None:
    """Copy an image file or folder; ``target`` appears only when it is whole.

    Raises
    ------
    StorageError
        If the disk is full or the project cannot be written.
    """
    partial = target.with_name(f".{target.name}.tmp")
    with clear_write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left_by_a_crash in (partial, target):
            remove_copy(left_by_a_crash)
        try:
            _copy(file, partial)
            partial.replace(target)
        except BaseException:
            remove_copy(partial)
            raise


def remove_copy(path: Path) -> None:
    """Remove a copied file or folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(file: Path, target: Path) -> None:
    """Copy; `shutil.copytree` would hide a full disk among its own errors."""
    if not file.is_dir():
        shutil.copyfile(file, target)
        return
    target.mkdir()
    for path in sorted(file.rglob("*")):
        place = target / path.relative_to(file)
        if path.is_dir():
            place.mkdir()
        else:
            shutil.copyfile(path, place)
