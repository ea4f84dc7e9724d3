import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.domain.annotation import CompleteRegion, ObjectMasks
from napari_mtseg.domain.errors import StorageError
from napari_mtseg.storage import (
    annotation_files,
    label_arrays,
    review_log,
    verdict_masks,
    write,
)
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.storage.verdict_masks import settle
from napari_mtseg.storage.verdicts import accept, skip, undo
from tests.reviewed_projects import OBJECTS, predict, reviewed_project, runs

OTHER = np.where(OBJECTS == 2, 5, 0).astype(np.uint32)


class Killed(BaseException):
    """What no handler of errors catches, like the end of a process."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    for run, objects in zip(runs(made), (OBJECTS, OTHER), strict=True):
        predict(made, run, dict.fromkeys("abcd", 0.5), objects)
    accept(made, made.image("a"), runs(made)[0], who="ada")
    return made


def kill_at(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, call: int
) -> None:
    """Let a function of a module end the process at its n-th call, from 1."""
    real, n = getattr(module, name), iter(range(1, 100))

    def function(*args: object, **more: object) -> object:
        if next(n) == call:
            raise Killed
        return real(*args, **more)

    monkeypatch.setattr(module, name, function)


def facts(project: Project) -> tuple[str, bool, list[int]]:
    found = project.annotation(project.image("a"))
    ids = sorted(int(i) for i in np.unique(found.full.objects) if i)
    return found.origin, found.complete.whole, ids


@pytest.mark.parametrize("n_written", range(1, 9))
def test_a_kill_at_any_file_leaves_the_old_masks_or_the_new_verdict(
    project, monkeypatch, n_written
):
    earlier, later = runs(project)
    real, n = write.os.fsync, iter(range(1, 1000))

    def fsync(descriptor: int) -> None:
        if next(n) == 2 * n_written - 1:
            raise Killed
        real(descriptor)

    monkeypatch.setattr(write.os, "fsync", fsync)
    try:
        accept(project, project.image("a"), later, who="ada")
    except Killed:
        was_killed = True
    else:
        was_killed = False
    monkeypatch.undo()
    reopened, log = Project.open(project.path), ReviewLog(project.path)
    settle(reopened, log)
    given = {r.run for r in log.standing()}
    if later in given:
        assert facts(reopened) == (f"accepted {later}", True, [5])
    else:
        assert was_killed
        assert facts(reopened) == (f"accepted {earlier}", True, [1, 2])
    assert not (project.path / "reviews" / "pending.json").exists()


def test_a_verdict_whose_line_is_missing_counts_and_can_be_undone(project, monkeypatch):
    later = runs(project)[1]
    kill_at(monkeypatch, review_log, "append_line", 1)
    with pytest.raises(Killed):
        accept(project, project.image("b"), later, who="ada")
    monkeypatch.undo()
    log = ReviewLog(project.path)
    found = settle(project, log)
    assert found is not None
    assert log.verdicts(later)["b"] == found
    assert undo(project, run=later, who="ada", log=log) is not None
    assert project.annotation(project.image("b")).is_empty


@pytest.mark.parametrize(("function", "call"), [("save_labels", 3), ("write_json", 2)])
def test_masks_that_are_half_written_become_what_they_were(
    project, monkeypatch, function, call
):
    earlier, later = runs(project)
    kill_at(monkeypatch, annotation_files, function, call)
    with pytest.raises(Killed):
        accept(project, project.image("a"), later, who="ada")
    monkeypatch.undo()
    assert facts(project)[0] == f"accepted {later}"
    assert settle(project, ReviewLog(project.path)) is None
    assert facts(project) == (f"accepted {earlier}", True, [1, 2])


def test_a_verdict_logged_before_the_kill_is_logged_once(project, monkeypatch):
    later = runs(project)[1]
    kill_at(monkeypatch, verdict_masks, "_keep", 1)
    with pytest.raises(Killed):
        accept(project, project.image("b"), later, who="ada")
    monkeypatch.undo()
    log = ReviewLog(project.path)
    for _ in range(2):
        assert settle(project, log) is None
    assert [r.image_id for r in log.standing()] == ["a", "b"]


@pytest.mark.parametrize("n_lines", [0, 1])
def test_a_full_disk_leaves_the_masks_as_they_were(project, monkeypatch, n_lines):
    earlier, later = runs(project)
    module = review_log if n_lines else label_arrays
    name = "append_line" if n_lines else "write_bytes_atomically"

    def full(path: Path, *_: object, **__: object) -> None:
        with write.clear_write_errors(path):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(module, name, full)
    with pytest.raises(StorageError, match="is full"):
        accept(project, project.image("a"), later, who="ada")
    monkeypatch.undo()
    log = ReviewLog(project.path)
    settle(project, log)
    assert facts(project) == (f"accepted {earlier}", True, [1, 2])
    assert log.verdicts(later)["a"].run == earlier


def test_a_note_that_cannot_be_read_stands_in_no_ones_way(project):
    pending = project.path / "reviews" / "pending.json"
    pending.write_text("{")
    assert accept(project, project.image("b"), runs(project)[1], who="ada").changed
    assert not pending.exists()


def test_a_project_without_unfinished_verdicts_is_left_alone(project):
    before = {p: p.stat().st_mtime_ns for p in project.path.rglob("*")}
    assert settle(project, ReviewLog(project.path)) is None
    assert {p: p.stat().st_mtime_ns for p in project.path.rglob("*")} == before


def paint(project: Project, name: str, **more: str) -> None:
    """Replace the full masks by one object, as a person or an import does."""
    objects = np.zeros_like(OBJECTS)
    objects[3:9, 3:9] = 7
    drawn = replace(
        project.annotation(project.image(name)),
        full=ObjectMasks(objects=objects, class_of={7: 1}),
        complete=CompleteRegion(whole=True),
        **more,  # type: ignore[arg-type]
    )
    project.save_annotation(project.image(name), drawn)


def ids_of(project: Project, name: str) -> list[int]:
    return np.unique(project.annotation(project.image(name)).full.objects).tolist()


def test_masks_painted_after_a_refused_verdict_are_not_put_back(project, monkeypatch):
    later = runs(project)[1]

    def full(*_: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(Project, "save_annotation", full)
    with pytest.raises(StorageError):
        accept(project, project.image("b"), later, who="ada")
    monkeypatch.undo()
    paint(project, "b")
    skip(project, project.image("c"), later, who="ada")
    assert ids_of(project, "b") == [0, 7]
    assert "b" not in ReviewLog(project.path).verdicts(later)
    assert not (project.path / "reviews" / "pending.json").exists()


def test_masks_imported_after_a_kill_are_not_put_back(project, monkeypatch):
    kill_at(monkeypatch, review_log, "append_line", 1)
    with pytest.raises(Killed):
        accept(project, project.image("b"), runs(project)[1], who="ada")
    monkeypatch.undo()
    paint(project, "b", origin="imported")
    assert settle(project, ReviewLog(project.path)) is None
    assert ids_of(project, "b") == [0, 7]


def test_edits_after_a_kill_stay_and_outlive_the_next_acceptance(project, monkeypatch):
    earlier, later = runs(project)
    kill_at(monkeypatch, review_log, "append_line", 1)
    with pytest.raises(Killed):
        accept(project, project.image("b"), earlier, who="ada")
    monkeypatch.undo()
    paint(project, "b")
    judged = accept(project, project.image("b"), later, who="ada")
    assert "which stay as they are" in judged.notices[0]
    assert ids_of(project, "b") == [0, 7]


def test_half_written_masks_are_frozen_before_they_are_put_back(project, monkeypatch):
    kill_at(monkeypatch, annotation_files, "write_json", 2)
    with pytest.raises(Killed):
        accept(project, project.image("a"), runs(project)[1], who="ada")
    monkeypatch.undo()
    files = set((project.path / "reviews").iterdir())
    settle(project, ReviewLog(project.path))
    (frozen,) = set((project.path / "reviews").iterdir()) - files
    kept = load_snapshot(project, frozen).annotation(project.image("a"))
    assert np.unique(kept.full.objects).tolist() == [0, 5]
    assert ids_of(project, "a") == [0, 1, 2]
