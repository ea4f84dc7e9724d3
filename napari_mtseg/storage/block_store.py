"""What the blocks of one image have found so far; it goes when the image is done."""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.storage.whole_files import whole_file
from napari_mtseg.storage.write import clear_write_errors

_FACTS = "facts.json"


class BlockStore:
    """A folder of arrays that blocks write into, and of small tables, one per block.

    It lies hidden beside the result. A table appears whole, so one that is there says
    that its block was done.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, result: Path) -> "BlockStore":
        """Return the store of a result, whether it is there or not."""
        return cls(result.with_name(f".{result.name}.blocks"))

    def begin(
        self,
        facts: Mapping[str, Any],
        *,
        arrays: Mapping[str, DTypeLike],
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
    ) -> None:
        """Make the folder anew.

        Parameters
        ----------
        facts : mapping
            What the blocks depend on, in values that JSON has; written last.
        arrays : mapping of str to dtype
            Arrays of the size of the image, by name.
        shape, chunk : ([Z,] Y, X)
            Of these arrays.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        with clear_write_errors(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            group = zarr.open_group(self.folder / "arrays", mode="w", zarr_format=2)
            for name, dtype in arrays.items():
                group.create_array(
                    name,
                    shape=shape,
                    dtype=dtype,
                    chunks=tuple(min(c, n) for c, n in zip(chunk, shape, strict=True)),
                    fill_value=0,
                )
        with whole_file(self.folder / _FACTS) as partial:
            partial.write_text(json.dumps(facts))

    def is_of(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether an earlier attempt with the same facts began it."""
        try:
            known = json.loads((self.folder / _FACTS).read_text())
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return False
        same: bool = known == json.loads(json.dumps(facts))
        return same

    def array(self, name: str) -> Any:
        """Return one of the arrays, to read and write regions of it.

        Raises
        ------
        StorageError
            If the store is not there.
        """
        if not self.folder.is_dir():
            raise StorageError(
                f"The folder '{self.folder}' of a prediction in blocks is not there. "
                "Every worker must see it: choose a place that all share."
            )
        return zarr.open_array(self.folder / "arrays" / name, mode="r+", zarr_format=2)

    def has(self, table: str, block: int) -> bool:
        """Tell whether a block has this table."""
        return self._path(table, block).is_file()

    def save(self, table: str, block: int, columns: Mapping[str, NDArray[Any]]) -> None:
        """Write a table of a block, whole or not at all.

        Raises
        ------
        StorageError
            If the disk is full or the file cannot be written.
        """
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **columns)
        path = self._path(table, block)
        with clear_write_errors(path):
            path.parent.mkdir(exist_ok=True)
        with whole_file(path) as partial:
            partial.write_bytes(content.getbuffer())

    def load(self, table: str, block: int) -> dict[str, NDArray[Any]]:
        """Return a table of a block."""
        with np.load(self._path(table, block), allow_pickle=False) as columns:
            return dict(columns)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, table: str, block: int) -> Path:
        return self.folder / table / f"{block}.npz"
