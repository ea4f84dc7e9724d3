"""Results for other programs: maps as OME-TIFF with voxel size, tables as CSV."""

import csv
import io
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.write import append_line, clear_write_errors

ANSWERS = "image_answers.csv"
"""what a model says of each image as a whole"""

_OME_UNITS = {
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "meter": "m",
}
_BIG_TIFF_FROM = 2**32 - 2**25


def write_results(
    stem: Path,
    found: Prediction,
    *,
    maps: Sequence[str],
    info: ImageInfo,
    class_names: Mapping[int, str],
) -> tuple[Path, ...]:
    """Write maps of one image as OME-TIFFs; beside instances, their table.

    Parameters
    ----------
    stem : Path
        Folder and beginning of the names: ``STEM_MAP.tif``, ``STEM_objects.csv``.
    found : Prediction
        What to write.
    maps : sequence of str
        'classes', 'instances', 'probabilities' or names of further maps.
    info : ImageInfo
        Of the image that was predicted; its voxel size is written.
    class_names : mapping of int to str
        Class -> name.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    StorageError
        If the disk is full or a file cannot be written.
    """
    all_maps: dict[str, NDArray[Any]] = {
        "classes": found.classes,
        "instances": found.instances,
        "probabilities": found.probabilities,
        **found.maps,
    }
    files = []
    for name in maps:
        path = stem.with_name(f"{stem.name}_{name}.tif")
        _write_tiff(path, all_maps[name], info)
        files.append(path)
    if "instances" in maps:
        path = stem.with_name(f"{stem.name}_objects.csv")
        _replace(path, _object_table(found, class_names).encode())
        files.append(path)
    return tuple(files)


@dataclass(frozen=True, kw_only=True)
class WholeImage:
    """What a model says of an image as a whole, apart from its maps."""

    scenes: dict[str, float] = field(default_factory=dict)
    """scene -> probability; empty where the method does not tell"""
    present: dict[str, float] = field(default_factory=dict)
    """class -> probability that it occurs; empty where the method does not tell"""
    disagreeing: tuple[str, ...] = ()
    """classes about which ``present`` and the class map disagree"""
    disagreement: float = math.nan
    """how much they do, 0..1; NaN where the method does not tell"""
    doubt: float = math.nan
    """how doubtful the segmentation is, >= 0; NaN where it was predicted in one pass"""

    @property
    def is_told(self) -> bool:
        """True if anything is known: classes, scenes or doubt."""
        return bool(self.scenes or self.present) or math.isfinite(self.doubt)

    @property
    def scene(self) -> str | None:
        """The most probable scene; None where the method does not tell."""
        return max(self.scenes, key=self.scenes.__getitem__, default=None)


class AnswerTable:
    """``image_answers.csv``: what a model says of each image as a whole, a row each.

    Rows are appended as images are done, so that a killed prediction keeps them. An
    earlier table of the same columns is continued, and loses the rows of images that
    are predicted again; one of other columns is of another model, and is replaced.

    Parameters
    ----------
    folder : Path
        Where it lies.
    images : collection of str
        Names of all images that are about to be predicted.
    """

    def __init__(self, folder: Path, images: Collection[str]) -> None:
        self._path = folder / ANSWERS
        self._images = frozenset(map(_in_one_line, images))
        self._header: list[str] = []

    def add(self, image: str, whole: WholeImage) -> None:
        """Add the row of an image; none where its model tells nothing.

        Parameters
        ----------
        image : str
            Its name; results of the image begin with it.
        whole : WholeImage
            With the same classes and scenes for every image, and doubt for all or
            none.

        Raises
        ------
        StorageError
            If the disk is full or the file cannot be written.
        ValueError
            If the classes or scenes are not those of the images before.
        """
        if not whole.is_told:
            return
        row = {_in_one_line(key): value for key, value in _row(image, whole).items()}
        header = list(row)
        if not self._header:
            self._begin(header)
            self._header = header
        elif header != self._header:
            raise ValueError(f"{header} are other columns than {self._header}")
        append_line(self._path, _csv_line(list(row.values())), durable=False)

    def _begin(self, header: list[str]) -> None:
        """Keep what an earlier table says of other images."""
        rows = _rows_of(self._path)
        is_continued = bool(rows) and rows[0] == header
        kept = [
            row
            for row in rows[1:]
            if is_continued and len(row) == len(header) and row[0] not in self._images
        ]
        if [header, *kept] != rows:
            text = "".join(_csv_line(row) + "\n" for row in (header, *kept))
            _replace(self._path, text.encode())


def _row(image: str, whole: WholeImage) -> dict[str, str]:
    """Return column -> cell."""
    row = {"image": _in_one_line(image)}
    if whole.scene is not None:
        row["scene"] = whole.scene
    row |= {f"scene {name}": _share(p) for name, p in whole.scenes.items()}
    if whole.present:
        row |= {f"class {name}": _share(p) for name, p in whole.present.items()}
        row["disagreeing"] = "; ".join(whole.disagreeing)
        row["disagreement"] = _share(whole.disagreement)
    if math.isfinite(whole.doubt):
        row["doubt"] = _share(whole.doubt)
    return row


def _rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a table; none where it cannot be read as one."""
    with clear_write_errors(path):
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.reader(file))
        except (FileNotFoundError, UnicodeDecodeError, csv.Error):
            return []


def _csv_line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(_in_one_line, cells))
    return text.getvalue()


def _in_one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _share(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""


def _write_tiff(path: Path, values: NDArray[Any], info: ImageInfo) -> None:
    axes = info.axes if values.ndim == len(info.axes) else info.axes[1:]
    facts: dict[str, Any] = {"axes": axes}
    if info.unit in _OME_UNITS:
        for axis, size in zip(info.axes[1:], info.spacing, strict=True):
            facts[f"PhysicalSize{axis}"] = size
            facts[f"PhysicalSize{axis}Unit"] = _OME_UNITS[info.unit]
    with _replaced(path) as file:
        tifffile.imwrite(
            file,
            _storable(values),
            ome=True,
            metadata=facts,
            compression="zlib",
            photometric="minisblack",
            bigtiff=values.nbytes > _BIG_TIFF_FROM,
        )


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a type that OME-TIFF has."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values


def _object_table(found: Prediction, class_names: Mapping[int, str]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("object", "class", "class_name", "pixels"))
    for number, size in sorted(_object_sizes(found.instances).items()):
        c = found.class_of[number]
        table.writerow((number, c, class_names[c], size))
    return text.getvalue()


def _object_sizes(instances: NDArray[np.uint32]) -> Counter[int]:
    """Return object id -> pixels; a row or plane is counted at a time."""
    sizes: Counter[int] = Counter()
    for part in instances:
        ids, counts = np.unique(part, return_counts=True)
        sizes.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
    del sizes[0]
    return sizes


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with _replaced(path) as file:
        file.write(content)


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when it is whole.

    Results can be made again, so no time is spent on fsync.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    with clear_write_errors(path):
        try:
            with partial.open("xb") as file:
                yield file
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
