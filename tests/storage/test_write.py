import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from napari_mtseg.domain.errors import ProjectError, StorageError
from napari_mtseg.storage.locks import FolderLock, is_locked
from napari_mtseg.storage.write import (
    append_line,
    clear_write_errors,
    read_json,
    write_bytes_atomically,
    write_json,
)

HOLD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from napari_mtseg.storage.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]), purpose="run a").acquire()
print("held", flush=True)
time.sleep(60)
"""


def raising(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def test_bytes_replace_the_old_content(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes_atomically(path, b"old")
    write_bytes_atomically(path, memoryview(b"new"))
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_new_file_has_the_permissions_of_any_other_new_file(tmp_path):
    write_bytes_atomically(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_crash_in_the_middle_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write_bytes_atomically(path, b"old")

    def crash(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_file_and_folder_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").resolve()),
    )
    write_bytes_atomically(tmp_path / "a.bin", b"1")
    if sys.platform == "linux":
        assert [path.parent for path in synced] == [tmp_path, tmp_path.parent]


def test_a_full_disk_is_one_sentence_and_the_old_content_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"kept": True})
    monkeypatch.setattr(os, "fsync", raising(errno.ENOSPC))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("U", (), {"free": 4096}))
    with pytest.raises(StorageError) as error:
        write_json(path, {"kept": False})
    assert str(error.value) == (
        f"The disk that holds '{path}' is full (4 kB free). Free some space and try "
        "again; what was saved before is untouched."
    )
    assert read_json(path) == {"kept": True}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(not hasattr(errno, "EDQUOT"), reason="no quota on this system")
def test_a_used_up_quota_is_one_sentence(tmp_path):
    with pytest.raises(StorageError) as error, clear_write_errors(tmp_path):
        raise OSError(errno.EDQUOT, "quota")
    assert str(error.value) == (
        f"Your quota on the disk that holds '{tmp_path}' is used up. Free some space "
        "and try again; what was saved before is untouched."
    )


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_refused_write_is_one_sentence(tmp_path, monkeypatch, code):
    path = tmp_path / "a.bin"
    monkeypatch.setattr(os, "replace", raising(code))
    with pytest.raises(StorageError) as error:
        write_bytes_atomically(path, b"1")
    assert str(error.value) == (
        f"'{path}' cannot be written: permission denied. Choose another folder, or ask "
        "its owner for the right to write there."
    )


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_bytes_atomically(tmp_path / "missing" / "a.bin", b"1")
    with pytest.raises(ValueError, match="mine"), clear_write_errors(tmp_path):
        raise ValueError("mine")


def test_json_round_trips_and_ends_with_a_line_break(tmp_path):
    path = tmp_path / "a.json"
    value = {"name": "Zellkerne ä", "sizes": [1, 2.5], "none": None}
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_values_that_json_does_not_have_become_null(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": float("nan"), "b": (1.0, float("inf"))})
    assert read_json(path) == {"a": None, "b": [1.0, None]}


def test_damaged_json_is_one_sentence_and_a_missing_file_is_for_the_caller(tmp_path):
    path = tmp_path / "project.json"
    with pytest.raises(FileNotFoundError):
        read_json(path)
    path.write_text('{"a": 1,\n')
    with pytest.raises(ProjectError) as error:
        read_json(path)
    assert str(error.value) == (
        f"'{path}' is damaged: Expecting property name enclosed in double quotes at "
        "line 2, column 1. Put back a copy of the file, or mend it in a text editor."
    )
    path.write_bytes(b'"\xff\xfe"')
    with pytest.raises(ProjectError) as error:
        read_json(path)
    assert str(error.value) == (
        f"'{path}' is damaged: it is not UTF-8 text. Put back a copy of the file."
    )


def test_lines_are_appended_in_order(tmp_path):
    path = tmp_path / "events.jsonl"
    append_line(path, "one")
    append_line(path, "two ä", durable=False)
    assert path.read_text(encoding="utf-8") == "one\ntwo ä\n"
    with pytest.raises(ValueError, match="more than one line"):
        append_line(path, "a\nb")


def test_a_line_cut_off_by_a_crash_spoils_no_other(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a":1}\n{"b"')
    append_line(path, '{"c":3}')
    assert path.read_bytes() == b'{"a":1}\n{"b"\n{"c":3}\n'


def test_a_line_without_room_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    append_line(path, "one")
    real = os.write

    def half(descriptor, data):
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data[:3])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StorageError, match="is full"):
        append_line(path, "0123456789")
    assert path.read_bytes() == b"one\n"


def test_a_second_writer_is_refused_in_one_sentence(tmp_path):
    folder = tmp_path / "runs" / "a"
    with FolderLock(folder, purpose="run a"):
        owner = json.loads((folder / ".lock.json").read_text())
        assert is_locked(folder)
        with pytest.raises(ProjectError) as error:
            FolderLock(folder, purpose="run a").acquire()
    assert str(error.value) == (
        f"'{folder}' (run a) is already being written by process {os.getpid()} on "
        f"{owner['host']} (since {owner['since']}). Close it there or wait until it "
        "ends, then try again."
    )
    assert not is_locked(folder)
    FolderLock(folder, purpose="run a").acquire().release()


def test_a_folder_that_nobody_ever_locked_is_free_and_stays_untouched(tmp_path):
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_the_note_of_the_owner_decides_where_the_lock_may_not_be_touched(
    tmp_path, monkeypatch
):
    with FolderLock(tmp_path, purpose="run a"):
        monkeypatch.setattr(filelock.FileLock, "acquire", raising(errno.EACCES))
        assert is_locked(tmp_path)
        (tmp_path / ".lock.json").unlink()
        assert not is_locked(tmp_path)


def test_releasing_twice_does_no_harm(tmp_path):
    lock = FolderLock(tmp_path, purpose="annotations").acquire()
    lock.release()
    lock.release()
    assert not (tmp_path / ".lock.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
def test_a_lock_ends_with_its_killed_process(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_KILLED, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(tmp_path)
        with pytest.raises(ProjectError, match=f"process {holder.pid} on "):
            FolderLock(tmp_path, purpose="run a").acquire()
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert not is_locked(tmp_path)
    with FolderLock(tmp_path, purpose="run a"):
        assert is_locked(tmp_path)
