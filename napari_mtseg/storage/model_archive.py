"""The files of a model, out of its folder or out of its zip."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.bioimageio_package import (
    BIOIMAGEIO_FILES,
    foreign_sentence,
)

MAX_FACTS_BYTES = 2**26
"""Largest file of facts that is read (ours): a small zip may hold a huge file."""

MAX_INFLATION = 100
"""Largest ratio of a file's size to that in the zip (ours): weights hardly shrink"""

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    OSError,
)


def files_of_model(
    path: Path, names: Sequence[str], *, there: Sequence[str] = ()
) -> tuple[bytes, ...]:
    """Return the content of some files of a model.

    Parameters
    ----------
    path : Path
        Folder, or zip with the files at its top or in a folder there.
    names : sequence of str
        Of the files; those that end in '.json' are facts, which are small.
    there : sequence of str
        Of further files, which must be there and are not read.

    Raises
    ------
    ModelError
        If there is no folder or zip, it is damaged, or a file is missing, as it is
        where another program wrote a BioImage.IO package.
    """
    if path.is_file():
        return _from_zip(path, names, there)
    if not path.is_dir():
        raise ModelError(f"There is no model '{path}'. Check the path.")
    for name in (*names, *there):
        if not (path / name).is_file():
            raise ModelError(_incomplete_folder_sentence(path, name))
    return tuple((path / name).read_bytes() for name in names)


def _from_zip(
    path: Path, names: Sequence[str], there: Sequence[str]
) -> tuple[bytes, ...]:
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"'{path}' is not a model: it is neither a folder nor a zip file. Give the "
            "folder or zip that 'mtseg export' wrote."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            found = {
                name: _checked_entry(path, archive, name) for name in (*names, *there)
            }
            return tuple(archive.read(found[name]) for name in names)
    except _UNREADABLE:
        raise ModelError(
            f"The zip file '{path}' is damaged. Copy the model again from its source."
        ) from None


def _checked_entry(path: Path, archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Find a file of the zip that may be read: no small zip holds a huge one."""
    entry = _entry(archive, name)
    if entry is None:
        raise ModelError(_incomplete_zip_sentence(path, archive, name))
    is_facts = name.endswith(".json")
    if (is_facts and entry.file_size > MAX_FACTS_BYTES) or (
        not is_facts and entry.file_size > MAX_INFLATION * (entry.compress_size + 1024)
    ):
        raise ModelError(
            f"{name} of the model '{path}' is damaged: it is far too large. Copy the "
            "model again from its source."
        )
    return entry


def _entry(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo | None:
    """Find a file at the top of the zip or in a folder at its top."""
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        if parts[-1] == name and len(parts) <= 2:
            return entry
    return None


def _incomplete_folder_sentence(path: Path, missing: str) -> str:
    for name in BIOIMAGEIO_FILES:
        if (path / name).is_file():
            with (path / name).open("rb") as file:
                return foreign_sentence(path, file.read(MAX_FACTS_BYTES))
    return _missing_sentence(path, missing)


def _incomplete_zip_sentence(path: Path, archive: zipfile.ZipFile, missing: str) -> str:
    for name in BIOIMAGEIO_FILES:
        entry = _entry(archive, name)
        if entry is not None:
            with archive.open(entry) as file:
                return foreign_sentence(path, file.read(MAX_FACTS_BYTES))
    return _missing_sentence(path, missing)


def _missing_sentence(path: Path, name: str) -> str:
    return (
        f"'{path}' is not a whole model: it has no {name}. Give the folder or zip that "
        "'mtseg export' wrote."
    )
