"""Maps of one image as an OME-Zarr folder: written in regions, read at any scale.

``NAME.ome.zarr/labels/MAP`` holds integer and bool maps as label images, and
``NAME.ome.zarr/MAP`` all others as images, each with a pyramid of smaller copies
(OME-Zarr 0.4, which more programs read than 0.5). The folder itself counts as the
image of its first map, so that readers that expect an image there find one.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.geometry.tiles import Slices
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.storage.zarr_metadata import (
    OWN_FACTS,
    MapKind,
    add_map,
    folder_facts,
)
from napari_mtseg.storage.zarr_pyramids import (
    parts_of,
    pyramid_factors,
    write_smaller,
)

SUFFIX = ".ome.zarr"

CHUNK_2D = (1024, 1024)
"""pixels that are stored together (ours)"""

CHUNK_3D = (32, 256, 256)
"""voxels that are stored together (ours)"""

_LABELS = "labels"


class ZarrResults:
    """Maps of one image that are being written, region by region.

    Until :meth:`finish` they lie in a hidden folder beside their final place. Several
    processes may write there, each into chunks of its own: one makes it with
    :meth:`create`, the others use :meth:`open_partial`.
    """

    def __init__(self, path: Path, group: Any) -> None:
        self.path = path
        self._group = group
        facts = group.attrs[OWN_FACTS]
        self._places: dict[str, str] = facts["places"]
        self._factors = [tuple(one) for one in facts["factors"]]

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        info: ImageInfo,
        maps: Mapping[str, MapKind],
        chunk: tuple[int, ...] | None = None,
    ) -> "ZarrResults":
        """Make empty maps; what an earlier, unfinished attempt left is removed.

        Parameters
        ----------
        path : Path
            Final place, such as ``cells.ome.zarr``.
        info : ImageInfo
            Of the image; gives size, voxel size and unit.
        maps : mapping of str to MapKind
            What to write, by name.
        chunk : ([Z,] Y, X), optional
            Pixels that are stored together; CHUNK_2D or CHUNK_3D by default.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written, or if another one than
            a result of this program has the final name.
        """
        path = Path(path)
        partial = partial_folder(path)
        chunk = chunk or (CHUNK_2D if info.ndim == 2 else CHUNK_3D)
        factors = pyramid_factors(info.spatial_shape, info.spacing, largest=chunk)
        places = {
            name: f"{_LABELS}/{name}" if kind.is_label else name
            for name, kind in maps.items()
        }
        check_replaceable(path)
        with clear_write_errors(path):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            group = zarr.open_group(partial, mode="w", zarr_format=2)
            for name, kind in maps.items():
                add_map(group, places[name], kind, info, factors, chunk)
            group.attrs.update(folder_facts(places, maps, info, factors))
            if labels := [name for name, kind in maps.items() if kind.is_label]:
                group.require_group(_LABELS).attrs["labels"] = labels
        return cls(path, group)

    @classmethod
    def open_partial(cls, path: Path) -> "ZarrResults":
        """Open what :meth:`create` made for a path and :meth:`finish` has not ended.

        Raises
        ------
        StorageError
            If there is none.
        """
        partial = partial_folder(Path(path))
        if not (partial / ".zattrs").is_file():
            raise StorageError(
                f"The unfinished result '{partial}' is not there. Every worker must "
                "see the same folder: choose one that all share, and predict again."
            )
        return cls(Path(path), zarr.open_group(partial, mode="r+", zarr_format=2))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the maps."""
        return tuple(self._places)

    @property
    def n_levels(self) -> int:
        """Copies of each map, the full size counted."""
        return len(self._factors)

    def __getitem__(self, name: str) -> Any:
        """Return a map at full size as a zarr array, to write regions of it.

        It is ``(C, [Z,] Y, X)`` or ``([Z,] Y, X)``. Regions that two processes write
        must not share a chunk.
        """
        return self.level(name, 0)

    def level(self, name: str, level: int) -> Any:
        """Return one of the copies of a map, the full size is 0."""
        return self._group[f"{self._places[name]}/{level}"]

    def parts(self, name: str, level: int) -> tuple[Slices, ...]:
        """Return the parts of a smaller copy that :meth:`shrink` makes one by one."""
        array, n_axes = self.level(name, level), len(self._factors[0])
        return parts_of(array.shape[-n_axes:], array.chunks[-n_axes:])

    def shrink(self, name: str, level: int, part: Slices) -> None:
        """Write a part of a smaller copy from the copy that is one step larger.

        Labels keep the value of the first of the pixels that become one; all else is
        their mean.

        Raises
        ------
        StorageError
            If the disk is full or the chunks cannot be written.
        """
        before, now = self._factors[level - 1], self._factors[level]
        with clear_write_errors(self.path):
            write_smaller(
                self.level(name, level - 1),
                self.level(name, level),
                part,
                steps=[n // b for b, n in zip(before, now, strict=True)],
                is_label=self._places[name] != name,
            )

    def finish(self, *, pyramids: bool = True) -> Path:
        """Give the folder its final name; an earlier result of that name is replaced.

        Parameters
        ----------
        pyramids : bool
            False where :meth:`shrink` has made all smaller copies already.

        Returns
        -------
        Path
            The final folder.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written, or if another one than
            a result of this program has the final name by now.
        """
        if pyramids:
            for name in self.names:
                for level in range(1, self.n_levels):
                    for part in self.parts(name, level):
                        self.shrink(name, level, part)
        with clear_write_errors(self.path):
            _replace_folder(partial_folder(self.path), self.path)
        return self.path

    def remove(self) -> None:
        """Remove what was written; nothing is left."""
        shutil.rmtree(partial_folder(self.path), ignore_errors=True)


def partial_folder(path: Path) -> Path:
    """Return where results lie until they are whole."""
    return path.with_name(f".{path.name}.partial")


def check_replaceable(path: Path) -> None:
    """Refuse to replace anything but an earlier result of this program.

    Raises
    ------
    StorageError
        If something else has that name.
    """
    if path.exists() and not is_result(path):
        raise StorageError(
            f"'{path}' is there already and is no result of this program, so it is "
            "not replaced. Choose another folder for the results."
        )


def is_result(path: Path) -> bool:
    """Return True of an OME-Zarr folder that this program wrote."""
    try:
        facts = json.loads((path / ".zattrs").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and OWN_FACTS in facts


def write_zarr_results(
    path: Path,
    maps: Mapping[str, NDArray[Any]],
    *,
    info: ImageInfo,
    value_names: Mapping[str, Mapping[int, str]] | None = None,
) -> Path:
    """Write maps that lie in memory as one OME-Zarr folder, whole or not at all.

    Parameters
    ----------
    path : Path
        Such as ``cells.ome.zarr``; an earlier result of that name is replaced.
    maps : mapping of str to array
        ``([Z,] Y, X)``, or ``(C, [Z,] Y, X)`` of probabilities.
    info : ImageInfo
        Of the image that they belong to.
    value_names : mapping of str to mapping of int to str, optional
        Map -> what its values mean, such as 'classes' -> {1: 'nucleus'}.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written, or if another one than a
        result of this program has that name.
    """
    named = value_names or {}
    kinds = {
        name: MapKind(
            dtype=values.dtype.name,
            n_channels=len(values) if values.ndim > info.ndim else None,
            value_names=named.get(name, {}),
        )
        for name, values in maps.items()
    }
    results = ZarrResults.create(path, info=info, maps=kinds)
    with clear_write_errors(path):
        for name, values in maps.items():
            results[name][...] = values.astype(kinds[name].stored_dtype, copy=False)
    return results.finish()


def _replace_folder(partial: Path, path: Path) -> None:
    """Move a whole folder to its name; what was there goes only then."""
    check_replaceable(path)
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    partial.rename(path)
    shutil.rmtree(old, ignore_errors=True)
