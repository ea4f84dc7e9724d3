import asyncio
import errno
import os

import numpy as np
import pytest
from zarr.core.buffer import default_buffer_prototype

from napari_mtseg.domain.errors import AnnotationError, ProjectError, StorageError
from napari_mtseg.storage.frozen_labels import SnapshotStore, chunk_name, freeze
from napari_mtseg.storage.label_arrays import (
    CHUNK_2D,
    load_labels,
    open_labels,
    save_labels,
)

FOUR_CHUNKS = (CHUNK_2D[0] + 8, CHUNK_2D[1] + 8)
"""One whole chunk and three narrow ones."""


@pytest.fixture
def labels():
    return np.zeros(FOUR_CHUNKS, np.uint32)


def chunk_files(folder):
    return {
        file.relative_to(folder).as_posix(): file.stat().st_ino
        for file in folder.rglob("*")
        if file.is_file() and file.name != "zarr.json"
    }


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (4, 3, 5), FOUR_CHUNKS])
def test_labels_come_back(tmp_path, shape):
    labels = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    save_labels(tmp_path / "a", labels)
    found = load_labels(tmp_path / "a", shape, np.uint32)
    assert np.array_equal(found, labels)
    assert found.dtype == np.uint32


def test_labels_that_were_never_saved_are_unpainted(tmp_path):
    assert load_labels(tmp_path / "a", (2, 3), np.uint8).tolist() == [[0] * 3] * 2


def test_unpainted_chunks_take_no_file(tmp_path, labels):
    assert save_labels(tmp_path / "a", labels) == 0
    assert chunk_files(tmp_path / "a") == {}


def test_only_changed_chunks_are_written(tmp_path, labels):
    labels[0, 0] = labels[-1, -1] = 1
    assert save_labels(tmp_path / "a", labels) == 2
    before = chunk_files(tmp_path / "a")
    assert save_labels(tmp_path / "a", labels) == 0
    labels[0, 1] = 2
    assert save_labels(tmp_path / "a", labels) == 1
    after = chunk_files(tmp_path / "a")
    assert [name for name in after if after[name] != before[name]] == ["c/0/0"]


def test_only_changed_chunks_of_a_volume_are_written(tmp_path):
    volume = np.zeros((20, 4, 4), np.uint8)
    volume[0], volume[19] = 1, 2
    assert save_labels(tmp_path / "a", volume) == 2
    volume[19, 0, 0] = 3
    assert save_labels(tmp_path / "a", volume) == 1


def test_erased_paint_stays_erased_by_a_write_not_by_a_removal(tmp_path, labels):
    labels[0, 0] = 1
    save_labels(tmp_path / "a", labels)
    labels[0, 0] = 0
    assert save_labels(tmp_path / "a", labels) == 1
    assert list(chunk_files(tmp_path / "a")) == ["c/0/0"]
    assert not load_labels(tmp_path / "a", labels.shape, np.uint32).any()


def test_every_file_of_the_array_is_synced(tmp_path, labels, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), sync(fd)))
    labels[0, 0] = 1
    save_labels(tmp_path / "a", labels)
    n_files = sum(file.is_file() for file in (tmp_path / "a").rglob("*"))
    assert n_files == 2
    assert len(synced) == 2 * n_files


@pytest.mark.parametrize(
    "other", [np.zeros((3, 3), np.uint32), np.zeros((2, 2), np.uint8)]
)
def test_labels_of_another_shape_or_type_are_refused(tmp_path, other):
    first = np.ones((2, 2), np.uint32)
    save_labels(tmp_path / "a", first)
    with pytest.raises(ValueError, match="holds"):
        save_labels(tmp_path / "a", other)
    assert np.array_equal(load_labels(tmp_path / "a", (2, 2), np.uint32), first)


def test_a_full_disk_leaves_the_last_labels(tmp_path, monkeypatch):
    save_labels(tmp_path / "a", np.ones((2, 2), np.uint32))

    def full(*args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="is full"):
        save_labels(tmp_path / "a", np.full((2, 2), 7, np.uint32))
    monkeypatch.undo()
    assert (load_labels(tmp_path / "a", (2, 2), np.uint32) == 1).all()
    assert not [p for p in (tmp_path / "a").rglob("*") if p.suffix == ".tmp"]


@pytest.mark.parametrize("name", ["zarr.json", "c/0/0"])
def test_damaged_labels_are_one_sentence(tmp_path, name):
    save_labels(tmp_path / "a", np.ones((2, 2), np.uint32))
    (tmp_path / "a" / name).write_bytes(b"\x00garbage")
    with pytest.raises(AnnotationError) as caught:
        load_labels(tmp_path / "a", (2, 2), np.uint32)
    assert f"The labels in '{tmp_path / 'a'}' are damaged" in str(caught.value)


def test_frozen_labels_are_read_from_their_chunks(tmp_path):
    labels = np.arange(6, dtype=np.uint32).reshape(2, 3)
    save_labels(tmp_path / "a", labels)
    keys = freeze(tmp_path / "a", tmp_path / "chunks")
    save_labels(tmp_path / "a", labels + 1)
    store = SnapshotStore(tmp_path / "chunks", keys)
    assert np.array_equal(np.asarray(open_labels(store)[...]), labels)


def test_freezing_again_keeps_what_is_there(tmp_path):
    for name in "ab":
        save_labels(tmp_path / name, np.ones((2, 3), np.uint32))
    first = freeze(tmp_path / "a", tmp_path / "chunks")
    before = chunk_files(tmp_path / "chunks")
    assert freeze(tmp_path / "b", tmp_path / "chunks") == first
    assert chunk_files(tmp_path / "chunks") == before
    assert set(before) == {chunk_name(digest) for digest in first.values()}


def test_files_of_an_interrupted_write_are_not_frozen(tmp_path):
    save_labels(tmp_path / "a", np.ones((2, 3), np.uint32))
    (tmp_path / "a" / "c" / "0" / ".0.abc.tmp").write_bytes(b"half")
    assert set(freeze(tmp_path / "a", tmp_path / "chunks")) == {"zarr.json", "c/0/0"}


def test_a_lost_chunk_is_never_taken_for_unpainted(tmp_path):
    save_labels(tmp_path / "a", np.ones((2, 3), np.uint32))
    keys = freeze(tmp_path / "a", tmp_path / "chunks")
    (tmp_path / "chunks" / chunk_name(keys["c/0/0"])).unlink()
    with pytest.raises(ProjectError, match=r"is missing\. Put back a copy"):
        open_labels(SnapshotStore(tmp_path / "chunks", keys))[...]


def test_a_snapshot_store_cannot_be_written(tmp_path):
    save_labels(tmp_path / "a", np.ones((2, 3), np.uint32))
    keys = freeze(tmp_path / "a", tmp_path / "chunks")
    saved = open_labels(SnapshotStore(tmp_path / "chunks", keys))
    with pytest.raises((PermissionError, ValueError), match="read-only"):
        saved[0, 0] = 5


def test_a_snapshot_store_lists_what_it_holds(tmp_path):
    save_labels(tmp_path / "a", np.ones((2, 3), np.uint32))
    keys = freeze(tmp_path / "a", tmp_path / "chunks")
    store = SnapshotStore(tmp_path / "chunks", keys)

    async def names(found):
        return [name async for name in found]

    assert asyncio.run(names(store.list())) == list(keys)
    assert asyncio.run(names(store.list_prefix("c/"))) == ["c/0/0"]
    assert asyncio.run(names(store.list_dir(""))) == ["c", "zarr.json"]
    assert asyncio.run(names(store.list_dir("c"))) == ["0"]
    assert asyncio.run(store.exists("c/0/0"))
    assert not asyncio.run(store.exists("c/0/1"))


@pytest.mark.parametrize("key", ["c/0/0", "c/9/9"])
def test_a_snapshot_store_refuses_every_change(tmp_path, key):
    store = SnapshotStore(tmp_path, {"c/0/0": "0" * 64})
    value = default_buffer_prototype().buffer.from_bytes(b"1")
    with pytest.raises(PermissionError):
        asyncio.run(store.set(key, value))
    with pytest.raises(PermissionError):
        asyncio.run(store.delete(key))


def test_snapshot_stores_of_the_same_chunks_are_equal(tmp_path):
    keys = {"c/0/0": "0" * 64}
    assert SnapshotStore(tmp_path, keys) == SnapshotStore(tmp_path, dict(keys))
    assert SnapshotStore(tmp_path, keys) != SnapshotStore(tmp_path, {})


def test_a_damaged_chunk_met_while_saving_is_told_as_such(tmp_path, labels):
    labels[3, 4] = 7
    save_labels(tmp_path / "partial", labels)
    chunk = tmp_path / "partial" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    labels[5, 5] = 7
    with pytest.raises(AnnotationError, match=r"^The labels in .*partial' are damaged"):
        save_labels(tmp_path / "partial", labels)
    assert len(chunk.read_bytes()) == 20
