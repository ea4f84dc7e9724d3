"""Which files are predicted, and what their results are called."""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from napari_mtseg.domain.errors import ImageError, SettingsError
from napari_mtseg.domain.printable import printable
from napari_mtseg.storage.image_files import is_image_file, list_image_files
from napari_mtseg.storage.stored_array import missing_sentence
from napari_mtseg.storage.zarr_files import is_zarr_image


def input_files(
    inputs: Sequence[Path], *, recursive: bool = False, out: Path | None = None
) -> list[Path]:
    """Return the image files of files, folders and patterns, each once.

    A path that does not exist stays in the list, to be reported in its turn, if another
    one exists.

    Parameters
    ----------
    inputs : sequence of Path
        Image files, folders of images, OME-Zarr and DICOM folders, and patterns with
        ``*``, ``?`` and ``[...]``, where ``**`` stands for any folders; what lies in a
        folder that is an image is left out.
    recursive : bool
        True also takes the images in folders of the folders; links are not followed.
    out : Path, optional
        Folder of the results, which are no images to predict.

    Raises
    ------
    ImageError
        If a folder holds no image, a pattern fits none, nothing is given, or nothing
        of it exists.
    """
    found: dict[Path, Path] = {}
    for path in inputs:
        if _is_pattern(path):
            inside = _fitting(path, out)
            sentence = f"No image fits '{path}'. Check the pattern."
        elif not path.is_dir() or is_image_file(path):
            found.setdefault(full_path(path), path)
            continue
        else:
            inside = list(_images_in(path, recursive, out and out.resolve()))
            sentence = _empty_sentence(path, recursive)
        if not inside:
            raise ImageError(sentence)
        for file in inside:
            found.setdefault(full_path(file), file)
    if not found:
        raise ImageError("No image was given to predict. Name image files or folders.")
    if not any(file.exists() for file in found):
        raise ImageError(_missing_sentence(list(found.values())))
    return list(found.values())


def output_names(
    files: Sequence[Path], known: Mapping[str, str] | None = None
) -> list[str]:
    """Return a name for the results of each file, no two the same.

    The file's name without its suffix where that tells the files apart, else with the
    suffix, else with the folder before it, else with a number behind it. All can be
    printed, see :func:`~napari_mtseg.domain.printable.printable`.

    Parameters
    ----------
    files : sequence of Path
        The images.
    known : mapping of str to str, optional
        Absolute path of an image, made printable -> name of its results that are there
        already, which it keeps and no other image gets.
    """
    known = known or {}
    whole = [full_path(file) for file in files]
    texts = {path: printable(path) for path in whole}
    names = {path: known[text] for path, text in texts.items() if text in known}
    new = [path for path in texts if path not in names]
    printed = [Path(texts[path]) for path in new]
    names.update(zip(new, _new_names(printed, known.values()), strict=True))
    return [names[path] for path in whole]


def full_path(path: Path) -> Path:
    """Return a path from the root, without '..'; links stay what they are."""
    return Path(os.path.normpath(path.absolute()))


def check_out(out: Path, files: Sequence[Path]) -> None:
    """Refuse to write results among the images.

    Raises
    ------
    SettingsError
        If the folder is that of one of the images, or lies in an image that is a
        folder itself.
    """
    place = out.resolve()
    images = {file.resolve(): file for file in files}
    for folder in (place, *place.parents):
        if folder in images:
            raise SettingsError(
                f"--out '{out}' lies in the image '{images[folder].name}', which the "
                "results would damage. Choose another folder."
            )
    folders = {file.parent for file in images}
    if place in folders | {file.parent.resolve() for file in files}:
        raise SettingsError(
            f"--out '{out}' is the folder of the images: the next time, the results "
            "would be taken for images. Choose another folder."
        )


def _is_pattern(path: Path) -> bool:
    return not path.exists() and glob.has_magic(str(path))


def _fitting(pattern: Path, out: Path | None) -> list[Path]:
    """Return the images that fit a pattern; a shell may leave that to us."""
    # A pattern may be absolute, which Path.glob refuses.
    found = map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    images = {
        path
        for path in found
        if not (out and full_path(path).is_relative_to(full_path(out)))
        and is_image_file(path)
    }
    told = list(itertools.takewhile(lambda x: not glob.has_magic(x), pattern.parts))
    return sorted(
        path for path in images if not _is_inside_image(path, images, len(told))
    )


def _is_inside_image(path: Path, images: Collection[Path], n_told: int) -> bool:
    """Tell whether a path lies in a folder that is an image.

    Folders that the pattern names, in its first ``n_told`` parts, are meant as such.
    """
    n_found = max(len(path.parts) - 1 - n_told, 0)
    return any(
        folder in images or is_zarr_image(folder) for folder in path.parents[:n_found]
    )


def _images_in(folder: Path, recursive: bool, out: Path | None) -> Iterator[Path]:
    yield from list_image_files(folder)
    if not recursive:
        return
    for inside in sorted(folder.iterdir()):
        is_left_out = (
            not inside.is_dir()
            or inside.is_symlink()
            or inside.name.startswith(".")
            or inside.resolve() == out
            or is_image_file(inside)
        )
        if not is_left_out:
            yield from _images_in(inside, recursive, out)


def _empty_sentence(folder: Path, recursive: bool) -> str:
    deeper = "" if recursive else ", --recursive if they lie in folders of it,"
    return (
        f"The folder '{folder}' holds no image. Give a folder with images{deeper} or "
        "the image files."
    )


def _missing_sentence(files: Sequence[Path]) -> str:
    if len(files) == 1:
        return missing_sentence(files[0])
    return (
        f"None of the {len(files):,} images exists; the first is '{files[0]}'. Check "
        "the paths."
    )


def _new_names(files: Sequence[Path], taken: Collection[str]) -> list[str]:
    plain = [_stem(file) for file in files]
    longer = [file.name.replace(".", "_") for file in files]
    longest = [
        f"{file.parent.name}-{name}" for file, name in zip(files, longer, strict=True)
    ]
    in_use = Counter(name.lower() for name in taken)
    names = plain
    for other in (longer, longest):
        count = Counter(name.lower() for name in names) + in_use
        names = [
            name if count[name.lower()] == 1 else more
            for name, more in zip(names, other, strict=True)
        ]
    return _numbered(names, {name.lower() for name in taken})


def _numbered(names: Sequence[str], taken: set[str]) -> list[str]:
    """Return the names, with a number behind those that are taken already."""
    found = []
    for name in names:
        number, free = 2, name
        while free.lower() in taken:
            free, number = f"{name}-{number}", number + 1
        taken.add(free.lower())
        found.append(free)
    return found


def _stem(file: Path) -> str:
    name = file.name
    for ending in (".ome.tiff", ".ome.tif", ".ome.zarr", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return file.stem
