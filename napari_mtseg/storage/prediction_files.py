"""One prediction on disk: ``prediction.json`` and a compressed TIFF per map.

::

    predictions/RUN/IMAGE_ID/
      classes.tif               uint8 class, 0 background
      instances.tif             uint32 object id, 0 background
      probabilities.tif         float16 (classes + 1, [Z,] Y, X)
      NAME.tif                  further maps
      prediction.json           class of each object, scores, maps; written last

A folder without its JSON is no prediction: it was cut off while it was written.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.stored_array import DECODER_ERRORS
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

FACTS = "prediction.json"
FORMAT_VERSION = 1
OWN_MAPS = ("classes", "instances", "probabilities")

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def save_prediction(
    folder: Path, prediction: Prediction, *, spacing: tuple[float, ...], unit: str
) -> None:
    """Save a prediction, replacing an earlier one of the same image.

    Parameters
    ----------
    folder : Path
        Folder of this one prediction; made if it does not exist.
    prediction : Prediction
        What to save.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X), in ``unit``.
    unit : str
        Unit of the spacing.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    ValueError
        If a map's name cannot be a file name or stands for one of OWN_MAPS.
    """
    maps = _all_maps(prediction)
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)
        for old in folder.glob("*.tif"):
            if old.stem not in maps:
                old.unlink()
    for name, values in maps.items():
        _write_map(folder / f"{name}.tif", values)
    facts = {
        "format_version": FORMAT_VERSION,
        "spacing": list(spacing),
        "unit": unit,
        "class_of": {
            str(key): int(c) for key, c in sorted(prediction.class_of.items())
        },
        "scores": {name: float(value) for name, value in prediction.scores.items()},
        "maps": {
            name: {"shape": list(values.shape), "dtype": str(values.dtype)}
            for name, values in maps.items()
        },
    }
    write_json(folder / FACTS, facts)


def load_prediction(folder: Path) -> Prediction:
    """Read a saved prediction.

    Raises
    ------
    ProjectError
        If there is no whole prediction in ``folder``, or one of its files is damaged.
    """
    facts = _facts(folder)
    maps = {name: _read_map(folder, name, facts) for name in facts["maps"]}
    return Prediction(
        classes=maps.pop("classes").astype(np.uint8, copy=False),
        probabilities=maps.pop("probabilities").astype(np.float16, copy=False),
        instances=maps.pop("instances").astype(np.uint32, copy=False),
        class_of={int(key): c for key, c in facts["class_of"].items()},
        maps=maps,
        scores=_scores(facts),
    )


def load_map(folder: Path, name: str) -> NDArray[Any]:
    """Read a single map of a saved prediction, such as 'instances'.

    Raises
    ------
    ProjectError
        If there is no whole prediction in ``folder``, it has no such map, or the
        file is damaged.
    """
    return _read_map(folder, name, _facts(folder))


def has_prediction(folder: Path) -> bool:
    """Return True if a whole prediction lies in ``folder``."""
    return (folder / FACTS).exists()


def _all_maps(prediction: Prediction) -> dict[str, NDArray[Any]]:
    for name in prediction.maps:
        if not _NAME.fullmatch(name) or name in OWN_MAPS:
            raise ValueError(f"a map cannot be called {name!r}")
    own = (prediction.classes, prediction.instances, prediction.probabilities)
    return {**dict(zip(OWN_MAPS, own, strict=True)), **prediction.maps}


def _write_map(path: Path, values: NDArray[Any]) -> None:
    """Write one TIFF so that it is whole, and on the disk, when this returns."""
    partial = path.with_name(f".{path.stem}.{uuid4().hex[:12]}.tmp")
    stored = values.view(np.uint8) if values.dtype == np.bool_ else values
    with clear_write_errors(path):
        try:
            with partial.open("xb") as file:
                tifffile.imwrite(
                    file,
                    np.ascontiguousarray(stored),
                    compression="zlib",
                    photometric="minisblack",
                )
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def _facts(folder: Path) -> dict[str, Any]:
    if not has_prediction(folder):
        raise ProjectError(
            f"There is no whole prediction in '{folder}'. Make it with 'mtseg predict'."
        )
    facts: dict[str, Any] = read_json(folder / FACTS)
    if facts.get("format_version") != FORMAT_VERSION:
        raise ProjectError(
            f"The prediction in '{folder}' has format version "
            f"{facts.get('format_version')} but this program reads {FORMAT_VERSION}. "
            "Predict again, or update napari-mtseg."
        )
    return facts


def _read_map(folder: Path, name: str, facts: dict[str, Any]) -> NDArray[Any]:
    if name not in facts["maps"]:
        known = ", ".join(facts["maps"])
        raise ProjectError(
            f"The prediction in '{folder}' has no map '{name}': {known}."
        )
    shape, dtype = tuple(facts["maps"][name]["shape"]), facts["maps"][name]["dtype"]
    path = folder / f"{name}.tif"
    try:
        values: NDArray[Any] = tifffile.imread(path)
        return values.reshape(shape).astype(dtype, copy=False)
    except (*DECODER_ERRORS, FileNotFoundError) as error:
        raise ProjectError(
            f"'{path}' is missing or damaged. Predict this image again with "
            "'mtseg predict'."
        ) from error


def _scores(facts: dict[str, Any]) -> dict[str, float]:
    """Undefined scores are null in JSON."""
    return {
        name: float("nan") if value is None else value
        for name, value in facts["scores"].items()
    }
