"""Which files are predicted, and what their results are called."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from napari_mtseg.domain.errors import ImageError, SettingsError
from napari_mtseg.storage.image_files import is_image_file, list_image_files


def input_files(inputs: Sequence[Path]) -> list[Path]:
    """Return the image files of files and folders, each once.

    A path that does not exist stays in the list, to be reported in its turn.

    Raises
    ------
    ImageError
        If a folder holds no image, or nothing is given.
    """
    found: dict[Path, None] = {}
    for path in inputs:
        if not path.is_dir() or is_image_file(path):
            found[path] = None
            continue
        inside = list_image_files(path)
        if not inside:
            raise ImageError(
                f"The folder '{path}' holds no image. Give a folder with images, or "
                "the image files."
            )
        found.update(dict.fromkeys(inside))
    if not found:
        raise ImageError("No image was given to predict. Name image files or folders.")
    return list(found)


def output_names(files: Sequence[Path]) -> list[str]:
    """Return a name for the results of each file, no two the same.

    The file's name without its suffix where that tells the files apart, else with the
    suffix, else with the folder before it, else with a number behind it.
    """
    plain = [_stem(file) for file in files]
    longer = [file.name.replace(".", "_") for file in files]
    longest = [
        f"{file.resolve().parent.name}-{name}"
        for file, name in zip(files, longer, strict=True)
    ]
    names = plain
    for other in (longer, longest):
        count = Counter(name.lower() for name in names)
        names = [
            name if count[name.lower()] == 1 else more
            for name, more in zip(names, other, strict=True)
        ]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            names[place] = f"{name}-{seen[name.lower()]}"
    return names


def check_out(out: Path, files: Sequence[Path]) -> None:
    """Refuse to write results among the images.

    Raises
    ------
    SettingsError
        If the folder is that of one of the images.
    """
    if out.resolve() in {file.resolve().parent for file in files}:
        raise SettingsError(
            f"--out '{out}' is the folder of the images: the next time, the results "
            "would be taken for images. Choose another folder."
        )


def _stem(file: Path) -> str:
    name = file.name
    for ending in (".ome.tiff", ".ome.tif", ".ome.zarr", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return file.stem
