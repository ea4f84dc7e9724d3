"""Tables beside a prediction: ``objects.csv`` and ``slices.csv``, a row each."""

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

OBJECTS = "objects.csv"
SLICES = "slices.csv"


def save_table(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns as CSV with a header; without any column there is no file.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    columns : mapping of str to (n,) array
        Finite numbers. Integers are written in full, others with 6 digits.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    if not columns:
        with clear_write_errors(path), suppress(FileNotFoundError):
            path.unlink()
        return
    formats = [
        "%d" if np.issubdtype(values.dtype, np.integer) else "%.6g"
        for values in columns.values()
    ]
    text = io.StringIO()
    text.write(",".join(columns) + "\n")
    line = ",".join(formats) + "\n"
    listed = (values.tolist() for values in columns.values())
    text.writelines(line % row for row in zip(*listed, strict=True))
    write_bytes_atomically(path, text.getvalue().encode())


def load_object_scores(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Read what a saved prediction says of each of its objects.

    Parameters
    ----------
    folder : Path
        Folder of one prediction.

    Returns
    -------
    dict of str to (n,) float64
        Columns: 'id', 'class', 'size' and further ones of
        :func:`~napari_mtseg.uncertainty.object_quality.object_scores`. Empty for
        predictions of older versions.

    Raises
    ------
    ProjectError
        If the table is damaged.
    """
    return _table(folder / OBJECTS)


def load_slice_scores(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Read what a saved prediction says of each plane of a volume.

    Parameters
    ----------
    folder : Path
        Folder of one prediction.

    Returns
    -------
    dict of str to (Z,) float64
        Columns: 'plane', counted from 0, and further ones of
        :func:`~napari_mtseg.uncertainty.quality.slice_scores`. Empty of a 2D image,
        and for predictions of older versions.

    Raises
    ------
    ProjectError
        If the table is damaged.
    """
    return _table(folder / SLICES)


def _table(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        names = header.split(",")
        values = np.array([row.split(",") for row in rows], np.float64)
        columns = values.reshape(len(rows), len(names)).T
    except FileNotFoundError:
        return {}
    except ValueError:
        raise ProjectError(
            f"'{path}' is damaged: it is no table of numbers. Predict this image again "
            "with 'mtseg predict'."
        ) from None
    return dict(zip(names, columns, strict=True))
