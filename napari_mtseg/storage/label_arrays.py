"""Label arrays on disk: read and written chunk by chunk, durable.

An annotation layer is a zarr array. Only the chunks that differ from the saved copy
are written; each is replaced atomically and fsynced with its folder (zarr replaces
atomically but does not fsync).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage.label_chunks import (
    chunk_box,
    chunk_key,
    chunks_in,
    chunks_in_folder,
    painted_boxes,
    read_chunks,
)
from napari_mtseg.storage.stored_array import DECODER_ERRORS, size_text
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


def open_labels(store: Store) -> zarr.Array[zarr.core.metadata.v3.ArrayV3Metadata]:
    """Open a stored label array for reading, lazily."""
    return zarr.open_array(store, mode="r", zarr_format=3)


def save_labels(
    folder: Path,
    labels: NDArray[Label],
    *,
    box: Box | None = None,
    shape: tuple[int, ...] | None = None,
) -> int:
    """Write the chunks of ``labels`` that differ from what ``folder`` holds.

    Parameters
    ----------
    folder : Path
        Folder of the zarr array; made if it does not exist.
    labels : ([Z,] Y, X) unsigned integer
        0 where nobody painted; a chunk that never was painted takes no space.
    box : Box, optional
        Where ``labels`` lie in the image; nothing outside is read or changed. All of
        the image by default.
    shape : ([Z,] Y, X), optional
        Shape of the image; that of ``labels`` by default.

    Returns
    -------
    int
        Number of chunks written.

    Raises
    ------
    AnnotationError
        If a chunk that was saved before is damaged.
    StorageError
        If the disk is full or the folder cannot be written. What was saved before
        stays as it was.
    ValueError
        If the folder holds labels of another shape or type, or ``labels`` are not of
        the shape of ``box``.
    """
    shape = labels.shape if shape is None else shape
    box = Box(start=(0,) * len(shape), stop=shape) if box is None else box
    if labels.shape != box.shape:
        raise ValueError(f"labels are {labels.shape}, their box is {box.shape}")
    with clear_write_errors(folder):
        with zarr.config.set(_WRITING):
            saved = _open_or_create(folder, shape, labels.dtype)
        changed = 0
        for chunk in chunks_in(saved, box):
            place = chunk_box(saved, chunk).clipped(box) or box
            part = labels[place.seen_from(box.start).slices]
            if not (part.any() or (folder / chunk_key(chunk)).exists()):
                continue
            with _told_if_damaged(folder):
                before = np.asarray(saved[place.slices])
            if not np.array_equal(before, part):
                saved[place.slices] = part
                changed += 1
    return changed


def load_labels(
    folder: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    *,
    box: Box | None = None,
) -> NDArray[np.generic]:
    """Read labels; zeros, which take no memory, where none were ever saved.

    Parameters
    ----------
    folder : Path
        Folder of the zarr array; need not exist.
    shape : ([Z,] Y, X)
        Shape of the image.
    dtype : dtype
        Of labels that were never saved.
    box : Box, optional
        Part of the image to read; all by default.

    Raises
    ------
    AnnotationError
        If a file of the array is damaged, or it is of another shape.
    """
    if not (folder / "zarr.json").exists():
        return np.zeros(shape if box is None else box.shape, dtype)
    with _told_if_damaged(folder):
        saved = open_labels(LocalStore(folder, read_only=True))
        _check_shape(folder, saved.shape, shape)
        return read_chunks(saved, chunks_in_folder(folder), box=box)


def boxes_of_paint(folder: Path) -> tuple[Box, ...]:
    """Return the smallest box around the paint of each chunk that has any.

    Raises
    ------
    AnnotationError
        If a file of the array is damaged.
    """
    if not (folder / "zarr.json").exists():
        return ()
    with _told_if_damaged(folder):
        saved = open_labels(LocalStore(folder, read_only=True))
        return tuple(painted_boxes(saved, chunks_in_folder(folder)))


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


@contextmanager
def _told_if_damaged(folder: Path) -> Iterator[None]:
    try:
        yield
    except (*DECODER_ERRORS, TypeError) as error:
        raise AnnotationError(
            f"The labels in '{folder}' are damaged ({error}). Put back a copy of the "
            "folder, or delete it to paint again."
        ) from error


def _check_shape(
    folder: Path, found: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    if found != expected:
        raise AnnotationError(
            f"The {folder.name} labels in '{folder.parent}' are {size_text(found)} "
            f"pixels but their image is {size_text(expected)}. Relink the image that "
            "was painted on, or delete this annotation folder."
        )
