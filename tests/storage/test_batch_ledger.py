import json
from pathlib import Path

import pytest

from napari_mtseg.domain.errors import ProjectError, StorageError
from napari_mtseg.storage.batch_ledger import (
    LEDGER,
    BatchBegun,
    BatchEnded,
    BatchLedger,
    ImageRecord,
    read_ledger,
)


def begun(total: int) -> BatchBegun:
    return BatchBegun(total=total, model="nuclei", maps=("classes",))


def record(name: str, status: str = "done", **facts: object) -> ImageRecord:
    given = {"input": f"/in/{name}.tif", "name": name, "status": status}
    return ImageRecord.checked({**given, **facts})


def test_of_a_folder_without_a_batch_nothing_is_known(tmp_path: Path):
    assert read_ledger(tmp_path) is None
    assert read_ledger(tmp_path / "nothing") is None


def test_progress_is_read_while_a_batch_runs(tmp_path: Path):
    with BatchLedger(tmp_path / "out") as ledger:
        ledger.begin(begun(4))
        ledger.add(record("a", seconds=1.5))
        ledger.add(record("b", "failed", error="It is damaged.", seconds=0.5))
        ledger.add(record("c", "skipped", seconds=9))
        found = read_ledger(tmp_path / "out")
        assert found is not None
        assert (found.total, found.n_tried) == (4, 3)
        assert (found.n_done, found.n_failed, found.n_skipped) == (1, 1, 1)
        assert found.errors == (("/in/b.tif", "It is damaged."),)
        assert found.seconds == 2
        assert (found.is_running, found.has_ended, found.report) == (True, False, None)
        assert (found.begun.model, found.begun.maps) == ("nuclei", ("classes",))


def test_a_batch_that_was_killed_neither_runs_nor_has_ended(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        ledger.begin(begun(4))
    found = read_ledger(tmp_path)
    assert found is not None
    assert (found.is_running, found.has_ended) == (False, False)


def test_a_batch_that_has_ended_tells_its_report(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        ledger.begin(begun(0))
        ledger.end(BatchEnded(done=0, failed=0, skipped=0, report="report.html"))
    found = read_ledger(tmp_path)
    assert found is not None
    assert (found.has_ended, found.report) == (True, tmp_path / "report.html")


def test_only_the_newest_batch_counts_as_progress(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        ledger.begin(begun(2))
        ledger.add(record("a"))
        ledger.end(BatchEnded(done=1, failed=0, skipped=0, report="report.html"))
        ledger.begin(begun(3))
        assert ledger.newest() == ()
    found = read_ledger(tmp_path)
    assert found is not None
    assert (found.total, found.n_tried, found.has_ended) == (3, 0, False)


def test_what_earlier_batches_did_is_kept_in_one_line_per_image(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        for _ in range(3):
            ledger.begin(begun(2))
            ledger.add(record("a", objects={"nucleus": 2}))
            ledger.add(record("b", "failed", error="It is damaged."))
        ledger.begin(begun(2))
        assert ledger.done_before() == {
            "/in/a.tif": record("a", objects={"nucleus": 2})
        }
    lines = (tmp_path / LEDGER).read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["image", "begun"]


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        ledger.begin(begun(3))
        ledger.add(record("a"))
        with (tmp_path / LEDGER).open("a") as file:
            file.write('{"kind": "image", "inp')
        ledger.add(record("b"))
        assert [line.name for line in ledger.newest()] == ["a", "b"]
        assert set(ledger.done_before()) == {"/in/a.tif", "/in/b.tif"}


def test_lines_of_a_newer_version_are_left_out(tmp_path: Path):
    with BatchLedger(tmp_path) as ledger:
        ledger.begin(begun(3))
        newer = {**record("a").model_dump(mode="json"), "colour": "red"}
        with (tmp_path / LEDGER).open("a") as file:
            file.write(f"{json.dumps(newer)}\n{json.dumps({'kind': 'paused'})}\n[]\n")
        assert ledger.newest() == ()


def test_two_processes_never_predict_into_one_folder(tmp_path: Path):
    with (
        BatchLedger(tmp_path),
        pytest.raises(ProjectError, match=r"\(results\) is already being written by"),
        BatchLedger(tmp_path),
    ):
        pass


def test_a_folder_where_a_file_is_gets_a_sentence(tmp_path: Path):
    (tmp_path / "out").write_text("")
    with (
        pytest.raises(StorageError, match="is a file, not a folder"),
        BatchLedger(tmp_path / "out"),
    ):
        pass
