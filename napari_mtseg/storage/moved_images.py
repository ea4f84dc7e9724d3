"""Images that were moved or renamed, found again by their content."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.image_files import content_fingerprint, list_image_files

PROJECT_SUFFIX = ".mtseg"


def found_again(missing: Sequence[ImageEntry], folder: Path) -> dict[str, Path]:
    """Look for images in ``folder`` and below; files of the same name come first.

    Returns
    -------
    dict
        id -> path, of those that were found.

    Raises
    ------
    ProjectError
        If ``folder`` is no folder.
    """
    if not folder.is_dir():
        raise ProjectError(
            f"'{folder}' is not a folder. Name the folder that the images were moved "
            "to."
        )
    wanted = {entry.fingerprint: entry.id for entry in missing}
    names = {entry.name for entry in missing}
    files = sorted(_image_files_below(folder), key=lambda file: file.name not in names)
    found: dict[str, Path] = {}
    for file in files:
        if not wanted:
            break
        key = wanted.pop(content_fingerprint(file), None)
        if key is not None:
            found[key] = file.resolve()
    return found


def _image_files_below(folder: Path) -> Iterator[Path]:
    """Iterate over images, without entering projects, hidden folders or images."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        place = waiting.pop(0)
        if place.resolve() in seen:
            continue
        seen.add(place.resolve())
        files = list_image_files(place)
        yield from files
        if files == [place]:
            continue
        waiting += sorted(
            path
            for path in set(place.iterdir()) - set(files)
            if path.is_dir()
            and path.suffix != PROJECT_SUFFIX
            and not path.name.startswith(".")
        )
