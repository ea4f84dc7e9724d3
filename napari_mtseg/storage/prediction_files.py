"""One prediction on disk: ``prediction.json`` and a compressed TIFF per map.

::

    predictions/RUN/IMAGE_ID/
      classes.tif               uint8 class, 0 background
      instances.tif             uint32 object id, 0 background
      probabilities.tif         float16 (classes + 1, [Z,] Y, X)
      NAME.tif                  further maps
      objects.csv, slices.csv   scores of each object, and of each plane of a volume
      prediction.json           class of each object, scores, maps, which answers the
                                uncertainty comes from, and what is said of the image
                                as a whole; written last

A folder without its JSON is no prediction: it was cut off while it was written.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.prediction import ONE_PASS, Prediction
from napari_mtseg.storage.score_tables import (
    OBJECTS,
    SLICES,
    load_object_scores,
    load_slice_scores,
    save_table,
)
from napari_mtseg.storage.stored_array import DECODER_ERRORS
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

FACTS = "prediction.json"
FORMAT_VERSION = 1
OWN_MAPS = ("classes", "instances", "probabilities")

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class ImageAnswer:
    """What a saved prediction says of its image as a whole, without its maps."""

    n_objects: Mapping[int, int]
    """class -> objects found; classes without one are left out"""
    scores: Mapping[str, float]
    """numbers about the image, by name; NaN where one is undefined"""
    present: Mapping[int, float]
    """class -> probability that it occurs; empty where the method does not tell"""
    shown: frozenset[int]
    """classes of ``present`` that occur in the class map"""
    disagreeing: tuple[int, ...]
    """classes about which ``present`` and the class map disagree"""
    scenes: tuple[float, ...]
    """probability of each scene; empty where the method does not tell"""
    class_names: tuple[str, ...]
    """classes 1, 2, ... as they were called then; empty where that is not known"""
    scene_names: tuple[str, ...]
    """scenes as they were called then; empty where that is not known"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from, in words"""
    statistics: Mapping[str, float] = field(default_factory=dict)
    """what is typical of the objects: see
    :func:`~napari_mtseg.geometry.outliers.object_statistics`; empty where that is not
    known"""
    descriptor: tuple[float, ...] = ()
    """what the image looks like, of fixed length; empty where that is not known"""

    @property
    def tells(self) -> bool:
        """True if the method tells classes or scenes apart from the class map."""
        return bool(self.present or self.scenes)


def save_prediction(  # noqa: PLR0913 - what a prediction alone does not know
    folder: Path,
    prediction: Prediction,
    *,
    spacing: tuple[float, ...],
    unit: str,
    class_names: Sequence[str] = (),
    scene_names: Sequence[str] = (),
    disagreeing: Sequence[int] = (),
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
    class_names, scene_names : sequence of str
        Classes 1, 2, ... and scenes that the method was trained for, so that later
        changes of the project mislabel nothing.
    disagreeing : sequence of int
        Classes about which ``prediction.present`` and the class map disagree.

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
    save_table(folder / OBJECTS, prediction.object_scores)
    save_table(folder / SLICES, prediction.slice_scores)
    facts = {
        "format_version": FORMAT_VERSION,
        "spacing": list(spacing),
        "unit": unit,
        "class_of": {
            str(key): int(c) for key, c in sorted(prediction.class_of.items())
        },
        "scores": {name: float(value) for name, value in prediction.scores.items()},
        "uncertainty_from": prediction.uncertainty_from,
        "maps": {
            name: {"shape": list(values.shape), "dtype": str(values.dtype)}
            for name, values in maps.items()
        },
        "present": {str(c): float(p) for c, p in sorted(prediction.present.items())},
        "shown": [c for c in sorted(prediction.present) if c in prediction.classes],
        "disagreeing": [int(c) for c in disagreeing],
        "scenes": [float(p) for p in prediction.scenes],
        "class_names": list(class_names),
        "scene_names": list(scene_names),
        "statistics": {k: float(v) for k, v in prediction.statistics.items()},
        "descriptor": [float(value) for value in prediction.descriptor],
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
        uncertainty_from=_uncertainty_from(facts),
        scores=_numbers(facts["scores"]),
        object_scores=load_object_scores(folder),
        slice_scores=load_slice_scores(folder),
        statistics=_numbers(facts.get("statistics", {})),
        descriptor=_descriptor(facts),
        present=_present(facts),
        scenes=_scenes(facts),
    )


def load_answer(folder: Path) -> ImageAnswer:
    """Read what a saved prediction says of its image; no map is opened.

    Predictions of older versions say nothing of classes, scenes, statistics and looks,
    and their uncertainty comes from one pass.

    Raises
    ------
    ProjectError
        If there is no whole prediction in ``folder``, or its JSON is damaged.
    """
    facts = _facts(folder)
    try:
        return ImageAnswer(
            n_objects=Counter(int(c) for c in facts["class_of"].values()),
            scores=_numbers(facts["scores"]),
            present=_present(facts),
            shown=frozenset(int(c) for c in facts.get("shown", ())),
            disagreeing=tuple(int(c) for c in facts.get("disagreeing", ())),
            scenes=_scenes(facts),
            class_names=tuple(str(name) for name in facts.get("class_names", ())),
            scene_names=tuple(str(name) for name in facts.get("scene_names", ())),
            uncertainty_from=_uncertainty_from(facts),
            statistics=_numbers(facts.get("statistics", {})),
            descriptor=_descriptor(facts),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProjectError(
            f"'{folder / FACTS}' is damaged: {type(error).__name__} {error}. Predict "
            "this image again with 'mtseg predict'."
        ) from None


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
    try:
        facts: Any = read_json(folder / FACTS)
    except FileNotFoundError:
        raise ProjectError(
            f"There is no whole prediction in '{folder}'. Make it with 'mtseg predict'."
        ) from None
    if not isinstance(facts, dict):
        raise ProjectError(
            f"'{folder / FACTS}' is damaged: it holds no prediction. Predict this "
            "image again with 'mtseg predict'."
        )
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


def _present(facts: dict[str, Any]) -> dict[int, float]:
    return {int(c): p for c, p in _numbers(facts.get("present", {})).items()}


def _scenes(facts: dict[str, Any]) -> tuple[float, ...]:
    return tuple(_number(p) for p in facts.get("scenes", ()))


def _descriptor(facts: dict[str, Any]) -> tuple[float, ...]:
    return tuple(_number(value) for value in facts.get("descriptor", ()))


def _uncertainty_from(facts: dict[str, Any]) -> str:
    return str(facts.get("uncertainty_from", ONE_PASS))


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float | None) -> float:
    """Undefined numbers are null in JSON."""
    return float("nan") if value is None else float(value)
