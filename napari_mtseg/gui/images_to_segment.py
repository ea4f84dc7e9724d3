"""The images that a folder's segmentation is asked for: are they there, and where."""

from collections.abc import Sequence
from pathlib import Path

_PATTERN = set("*?[")


def obstacle_of_images(paths: Sequence[Path]) -> str:
    """Return why these paths cannot be segmented, a sentence, or ''."""
    if not paths:
        return "Choose a folder of images, or image files."
    for path in paths:
        if not path.is_absolute() or not (path.exists() or _is_pattern(path)):
            return f"There is no '{path}'. Choose a folder of images, or files."
    return ""


def folders_of_images(paths: Sequence[Path]) -> list[Path]:
    """Return the folder of each path: itself, or that of the file or pattern."""
    return [path if path.is_dir() else path.parent for path in paths]


def proposed_place(paths: Sequence[Path]) -> str:
    """Return a folder for the results beside the images; '' if there are none."""
    if obstacle_of_images(paths):
        return ""
    folder = folders_of_images(paths)[0]
    while _is_pattern(folder):
        folder = folder.parent
    if not folder.name or not folder.is_dir():
        return ""
    return str(folder.with_name(f"{folder.name}-results"))


def _is_pattern(path: Path) -> bool:
    return not _PATTERN.isdisjoint(str(path))
