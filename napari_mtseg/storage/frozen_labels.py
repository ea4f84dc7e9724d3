"""Label arrays as a run was trained on them: chunks that never change.

A run keeps the chunks it was trained on under their SHA-256, so ten runs on the same
paint keep it once.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically


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
