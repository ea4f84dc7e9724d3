"""Label arrays on disk: written chunk by chunk, durable, and frozen for runs.

An annotation layer is a zarr array. Only the chunks that differ from the saved copy
are written; each is replaced atomically and fsynced with its folder (zarr replaces
atomically but does not fsync). A run keeps the chunks it was trained on under their
SHA-256, so ten runs on the same paint keep it once.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.storage.stored_array import DECODER_ERRORS
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

CHUNK_2D = (512, 512)
CHUNK_3D = (16, 256, 256)

Label = TypeVar("Label", bound=np.generic)

_WRITING = {"array.write_empty_chunks": True}
"""A chunk that is erased is written as zeros: its removal could not be made durable."""


class DurableStore(LocalStore):
    """A folder of chunks that is still right after a power cut."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write one chunk so that it is on the disk when this returns."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write one chunk so that it is on the disk when this returns."""
        self._check_writable()
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, value.to_bytes())


class SnapshotStore(Store):
    """Read-only chunks that are found by the SHA-256 of their content."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, chunks: Path, keys: Mapping[str, str]) -> None:
        super().__init__(read_only=True)
        self._chunks = LocalStore(chunks, read_only=True)
        self._keys = keys

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SnapshotStore)
            and self._chunks == other._chunks
            and self._keys == other._keys
        )

    __hash__ = None  # type: ignore[assignment]

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the content of a chunk, or None where nothing is painted.

        Raises
        ------
        ProjectError
            If the chunk is gone, which zarr would take for unpainted.
        """
        if key not in self._keys:
            return None
        name = chunk_name(self._keys[key])
        found = await self._chunks.get(name, prototype, byte_range)
        if found is None:
            raise ProjectError(
                f"'{self._chunks.root / name}', a part of the labels that a run was "
                "trained on, is missing. Put back a copy of the file, or start a new "
                "run."
            )
        return found

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of several chunks."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether a chunk was painted."""
        return key in self._keys

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: a snapshot never changes."""
        raise PermissionError("a snapshot is read-only")

    async def delete(self, key: str) -> None:
        """Refuse: a snapshot never changes."""
        raise PermissionError("a snapshot is read-only")

    async def list(self) -> AsyncIterator[str]:
        """Iterate over all keys."""
        for key in self._keys:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Iterate over the keys that start with ``prefix``."""
        for key in self._keys:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Iterate over the names directly below ``prefix``."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        below = {
            k.removeprefix(start).split("/")[0]
            for k in self._keys
            if k.startswith(start)
        }
        for name in sorted(below):
            yield name


def chunk_name(digest: str) -> str:
    """Return the file name of a content-addressed chunk, relative to its store."""
    return f"{digest[:2]}/{digest}"


def open_labels(store: Store) -> zarr.Array[zarr.core.metadata.v3.ArrayV3Metadata]:
    """Open a stored label array for reading, lazily."""
    return zarr.open_array(store, mode="r", zarr_format=3)


def save_labels(folder: Path, labels: NDArray[Label]) -> int:
    """Write the chunks of ``labels`` that differ from what ``folder`` holds.

    Parameters
    ----------
    folder : Path
        Folder of the zarr array; made if it does not exist.
    labels : ([Z,] Y, X) unsigned integer
        0 where nobody painted; a chunk that never was painted takes no space.

    Returns
    -------
    int
        Number of chunks written.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written. What was saved before
        stays as it was.
    ValueError
        If the folder holds labels of another shape or type.
    """
    with clear_write_errors(folder):
        with zarr.config.set(_WRITING):
            saved = _open_or_create(folder, labels.shape, labels.dtype)
        changed = 0
        for part in _chunk_slices(labels.shape, saved.chunks):
            if not np.array_equal(np.asarray(saved[part]), labels[part]):
                saved[part] = labels[part]
                changed += 1
    return changed


def load_labels(
    folder: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> NDArray[np.generic]:
    """Read a whole label array; zeros where none was ever saved.

    Raises
    ------
    AnnotationError
        If a file of the array is damaged.
    """
    if not (folder / "zarr.json").exists():
        return np.zeros(shape, dtype)
    try:
        return np.asarray(open_labels(LocalStore(folder, read_only=True))[...])
    except (*DECODER_ERRORS, TypeError) as error:
        raise AnnotationError(
            f"The labels in '{folder}' are damaged ({error}). Put back a copy of the "
            "folder, or delete it to paint again."
        ) from error


def freeze(folder: Path, chunks: Path) -> dict[str, str]:
    """Copy the files of ``folder`` into the content-addressed store ``chunks``.

    Returns
    -------
    dict
        key inside the folder -> SHA-256 of the content.

    Raises
    ------
    StorageError
        If the disk is full or the chunks cannot be written.
    """
    keys: dict[str, str] = {}
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix == ".tmp":
            continue
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        target = chunks / chunk_name(digest)
        if not target.exists():
            with clear_write_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(target, content)
        keys[file.relative_to(folder).as_posix()] = digest
    return keys


def _open_or_create(
    folder: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> zarr.Array[zarr.core.metadata.v3.ArrayV3Metadata]:
    store = DurableStore(folder)
    if not (folder / "zarr.json").exists():
        whole = CHUNK_2D if len(shape) == 2 else CHUNK_3D
        chunks = tuple(min(c, n) for c, n in zip(whole, shape, strict=True))
        return zarr.create_array(
            store,
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            fill_value=0,
            zarr_format=3,
        )
    saved = zarr.open_array(store, mode="r+", zarr_format=3)
    if saved.shape != shape or saved.dtype != np.dtype(dtype):
        raise ValueError(
            f"{folder} holds {saved.shape} {saved.dtype}, not {shape} {np.dtype(dtype)}"
        )
    return saved


def _chunk_slices(
    shape: tuple[int, ...], chunks: tuple[int, ...]
) -> Iterable[tuple[slice, ...]]:
    return itertools.product(
        *(
            [slice(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(shape, chunks, strict=True)
        )
    )
