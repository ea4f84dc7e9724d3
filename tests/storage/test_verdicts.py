from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.class_edits import add_class, remove_class, rename_class
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.verdicts import Judged, accept, fix, reject, skip, undo
from tests.reviewed_projects import OBJECTS, SHAPE, predict, reviewed_project, runs

OTHER = np.where(OBJECTS == 2, 5, 0).astype(np.uint32)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    earlier, later = runs(made)
    predict(made, earlier, dict.fromkeys("abcd", 0.5))
    predict(made, later, dict.fromkeys("abcd", 0.5), OTHER)
    return made


@pytest.fixture
def earlier(project: Project) -> str:
    return runs(project)[0]


@pytest.fixture
def later(project: Project) -> str:
    return runs(project)[1]


def entry(project: Project, name: str = "a") -> ImageEntry:
    return project.image(name)


def accepted(project: Project, run: str, name: str = "a") -> Judged:
    return accept(project, entry(project, name), run, who="ada")


def taken_back(project: Project, run: str) -> Judged:
    judged = undo(project, run=run, who="ada")
    assert judged is not None
    return judged


def verdicts(project: Project, run: str) -> dict[str, str | None]:
    found = ReviewLog(project.path).verdicts(run)
    return {key: record.verdict for key, record in found.items()}


def weak_paint() -> Annotation:
    partial, scribbles = np.zeros(SHAPE, np.uint32), np.zeros(SHAPE, np.uint8)
    partial[2, 2], scribbles[0, 0] = 9, SCRIBBLE_BACKGROUND
    nothing = ObjectMasks(objects=np.zeros(SHAPE, np.uint32), class_of={})
    return Annotation(
        partial=ObjectMasks(objects=partial, class_of={9: 1}),
        scribbles=scribbles,
        full=nothing,
        tags=Tags(present={1: True}, exhaustive=True),
    )


def with_full(annotation: Annotation, **more: object) -> Annotation:
    full = ObjectMasks(objects=np.ones(SHAPE, np.uint32), class_of={1: 1})
    whole = CompleteRegion(whole=True)
    return replace(annotation, full=full, complete=whole, **more)  # type: ignore[arg-type]


def edited(project: Project, name: str = "a") -> None:
    """Erase a row of the full masks, as a person does."""
    before = project.annotation(entry(project, name))
    objects = before.full.objects.copy()
    objects[8] = 0
    full = replace(before.full, objects=objects)
    project.save_annotation(entry(project, name), replace(before, full=full))


def same(one: Annotation, other: Annotation) -> bool:
    arrays = [
        (getattr(one, layer).objects, getattr(other, layer).objects)
        for layer in ("partial", "full")
    ]
    arrays.append((one.scribbles, other.scribbles))
    facts = [
        (a.partial.class_of, a.full.class_of, a.complete, a.tags, a.origin)
        for a in (one, other)
    ]
    return facts[0] == facts[1] and all(np.array_equal(a, b) for a, b in arrays)


def test_an_accepted_prediction_is_a_full_mask_with_its_origin(project, later):
    judged = accepted(project, later)
    found = project.annotation(entry(project))
    np.testing.assert_array_equal(found.full.objects, OTHER)
    assert found.full.class_of == {5: 1}
    assert found.complete == CompleteRegion(whole=True)
    assert found.origin == f"accepted {later}"
    assert judged.changed
    assert judged.notices == ()
    assert verdicts(Project.open(project.path), later) == {"a": "accepted"}


def test_weak_labels_and_tags_stay_when_a_prediction_is_accepted(project, later):
    before = weak_paint()
    project.save_annotation(entry(project), before)
    accepted(project, later)
    found = project.annotation(entry(project))
    np.testing.assert_array_equal(found.partial.objects, before.partial.objects)
    np.testing.assert_array_equal(found.scribbles, before.scribbles)
    assert found.tags == before.tags


@pytest.mark.parametrize("is_painted", [True, False])
def test_undo_restores_what_was_there_also_in_a_new_process(project, later, is_painted):
    if is_painted:
        project.save_annotation(entry(project), weak_paint())
    before = project.annotation(entry(project))
    accepted(project, later)
    judged = taken_back(Project.open(project.path), later)
    assert judged.changed
    assert judged.notices == ()
    assert judged.record.verdict is None
    assert same(project.annotation(entry(project)), before)
    assert verdicts(project, later) == {}


def test_repeated_undo_goes_further_back_and_ends(project, later):
    accepted(project, later, "a")
    skip(project, entry(project, "b"), later, who="ada")
    reject(project, entry(project, "a"), later, who="ada")
    steps = []
    while undo(project, run=later, who="ada") is not None:
        is_accepted = project.annotation(entry(project)).is_accepted_prediction
        steps.append((verdicts(project, later), is_accepted))
    assert steps == [
        ({"a": "accepted", "b": "skipped"}, True),
        ({"a": "accepted"}, True),
        ({}, False),
    ]


def test_undo_leaves_the_verdicts_of_other_runs(project, earlier, later):
    accepted(project, earlier)
    assert undo(project, run=later, who="ada") is None
    assert verdicts(project, earlier) == {"a": "accepted"}


def test_weak_labels_painted_after_a_verdict_outlive_its_undo(project, later):
    accepted(project, later)
    painted = project.annotation(entry(project))
    scribbles = painted.scribbles.copy()
    scribbles[0, 0] = SCRIBBLE_BACKGROUND
    project.save_annotation(entry(project), replace(painted, scribbles=scribbles))
    assert taken_back(project, later).notices == ()
    found = project.annotation(entry(project))
    assert found.has_scribbles
    assert not found.has_full


def test_undo_freezes_what_was_edited_and_says_where(project, later):
    fix(project, entry(project), later, who="ada")
    edited(project)
    judged = taken_back(project, later)
    assert judged.notices == (
        f"'a.tif' was edited since; that is kept in '{judged.record.before}'.",
    )
    assert (project.path / str(judged.record.before)).exists()
    assert project.annotation(entry(project)).is_empty


def test_masks_of_a_person_are_not_replaced(project, later):
    painted = with_full(weak_paint())
    project.save_annotation(entry(project), painted)
    for judge, verdict in ((accept, "accepted"), (fix, "corrected")):
        judged = judge(project, entry(project), later, who="ada")
        assert judged.notices == (
            "'a.tif' has full masks of a person, which stay as they are.",
        )
        assert not judged.changed
        assert same(project.annotation(entry(project)), painted)
        assert verdicts(project, later) == {"a": verdict}
    reject(project, entry(project), later, who="ada")
    assert same(project.annotation(entry(project)), painted)
    for _ in range(3):
        taken_back(project, later)
    assert same(project.annotation(entry(project)), painted)


def test_a_person_who_said_that_nothing_is_there_is_believed(project, later):
    nothing = replace(weak_paint(), complete=CompleteRegion(whole=True))
    project.save_annotation(entry(project), nothing)
    assert "full masks of a person" in accepted(project, later).notices[0]
    assert same(project.annotation(entry(project)), nothing)


def test_a_newer_acceptance_replaces_an_older_one(project, earlier, later):
    accepted(project, earlier)
    assert accepted(project, later).changed
    found = project.annotation(entry(project))
    np.testing.assert_array_equal(found.full.objects, OTHER)
    assert found.origin == f"accepted {later}"
    taken_back(project, later)
    found = project.annotation(entry(project))
    np.testing.assert_array_equal(found.full.objects, OBJECTS)
    assert found.origin == f"accepted {earlier}"


@pytest.mark.parametrize("judge", [accept, fix])
def test_masks_that_a_person_edited_outlive_a_newer_acceptance(
    project, earlier, later, judge
):
    judge(project, entry(project), earlier, who="ada")
    edited(project)
    before = project.annotation(entry(project))
    judged = accepted(project, later)
    assert judged.notices == (
        "'a.tif' has masks that a person edited, which stay as they are.",
    )
    assert same(project.annotation(entry(project)), before)
    assert verdicts(project, later) == {"a": "accepted"}


def test_edits_are_known_for_edits_after_a_rejection_was_taken_back(
    project, earlier, later
):
    accepted(project, earlier)
    edited(project)
    before = project.annotation(entry(project))
    reject(project, entry(project), earlier, who="ada")
    taken_back(project, earlier)
    assert same(project.annotation(entry(project)), before)
    assert not accepted(project, later).changed


def test_a_fix_of_an_accepted_image_keeps_what_was_edited(project, later):
    accepted(project, later)
    edited(project)
    before = project.annotation(entry(project))
    assert fix(project, entry(project), later, who="ada").changed
    found = project.annotation(entry(project))
    assert found.origin == f"corrected {later}"
    np.testing.assert_array_equal(found.full.objects, before.full.objects)
    assert verdicts(project, later) == {"a": "corrected"}


def test_a_rejection_takes_masks_of_any_run_back(project, earlier, later):
    project.save_annotation(entry(project), weak_paint())
    accepted(project, earlier)
    accepted(project, later)
    assert reject(project, entry(project), later, who="ada").changed
    assert same(project.annotation(entry(project)), weak_paint())
    taken_back(project, later)
    assert project.annotation(entry(project)).origin == f"accepted {later}"


def test_a_rejection_leaves_what_was_corrected_for_an_earlier_run(
    project, earlier, later
):
    fix(project, entry(project), earlier, who="ada")
    edited(project)
    before = project.annotation(entry(project))
    judged = reject(project, entry(project), later, who="ada")
    assert "which stay as they are" in judged.notices[0]
    assert same(project.annotation(entry(project)), before)
    assert verdicts(project, "30000101-000000-next") == {"a": "corrected"}


def test_a_rejection_of_an_unpainted_image_is_only_logged(project, later):
    judged = reject(project, entry(project), later, who="ada", note="blurred")
    assert not judged.changed
    assert judged.record.note == "blurred"
    assert not project.annotation_folder(entry(project)).exists()


def test_the_same_verdict_twice_is_logged_once(project, later):
    for _ in range(2):
        accepted(project, later)
        skip(project, entry(project, "b"), later, who="ada")
    assert len(ReviewLog(project.path).records()) == 2


@pytest.mark.parametrize(("name", "split"), [("c", "validate"), ("d", "test")])
def test_a_held_out_image_keeps_its_mask_with_a_notice(project, later, name, split):
    judged = accepted(project, later, name)
    assert judged.notices == (
        f"'{name}.tif' is held out ({split}): its mask is kept but neither trains nor "
        "scores.",
    )
    assert project.annotation(entry(project, name)).has_full


def test_undo_leaves_masks_that_came_from_elsewhere_since(project, earlier, later):
    accepted(project, earlier)
    accepted(project, later)
    judged = taken_back(project, earlier)
    assert judged.notices == ("'a.tif' has other masks by now, which stay.",)
    assert project.annotation(entry(project)).origin == f"accepted {later}"


def test_a_prediction_of_another_size_is_refused(project, later):
    predict(project, later, {"a": 0.1}, np.ones((3, 4), np.uint32))
    with pytest.raises(AnnotationError) as error:
        accepted(project, later)
    assert str(error.value) == (
        "The prediction of 'a.tif' is 3 x 4 pixels but the image is 12 x 16. Predict "
        "it again with 'mtseg predict'."
    )
    assert verdicts(project, later) == {}


@pytest.mark.parametrize("judge", [accept, fix, reject, skip])
def test_without_a_prediction_there_is_no_verdict(project, judge):
    with pytest.raises(ProjectError, match="no whole prediction"):
        judge(project, entry(project), "no-run", who="ada")
    assert ReviewLog(project.path).records() == ()


def test_a_damaged_prediction_is_refused_and_changes_nothing(project, later):
    file = project.path / "predictions" / later / "a" / "instances.tif"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ProjectError, match="missing or damaged"):
        accepted(project, later)
    assert not project.annotation_folder(entry(project)).exists()


def test_a_prediction_of_other_classes_is_refused(project, later):
    add_class(project, "debris")
    with pytest.raises(ProjectError) as error:
        accepted(project, later)
    assert str(error.value) == (
        "The prediction of 'a.tif' has the classes nucleus, but the project now has "
        "nucleus, debris. Train and predict again."
    )


def test_masks_of_classes_that_are_gone_are_not_put_back(project, earlier, later):
    add_class(project, "debris")
    for run, objects in ((earlier, OBJECTS), (later, OTHER)):
        predict(project, run, {"a": 0.5}, objects)
        accepted(project, run)
    remove_class(project, 1)
    with pytest.raises(AnnotationError, match="project now has debris"):
        undo(project, run=later, who="ada")


def test_unpainted_images_need_no_classes_to_be_put_back(project, later):
    accepted(project, later)
    add_class(project, "debris")
    remove_class(project, 1)
    taken_back(project, later)
    assert project.annotation(entry(project)).is_empty


def test_undo_without_its_snapshot_is_one_sentence(project, later):
    judged = accepted(project, later)
    (project.path / str(judged.record.before)).unlink()
    with pytest.raises(AnnotationError, match="before is gone"):
        undo(project, run=later, who="ada")


def test_a_rejection_leaves_accepted_masks_that_a_person_edited(
    project, earlier, later
):
    accepted(project, earlier)
    edited(project)
    before = project.annotation(entry(project))
    judged = reject(project, entry(project), later, who="ada")
    assert judged.notices == (
        "'a.tif' has masks that a person edited, which stay as they are.",
    )
    assert not judged.changed
    assert same(project.annotation(entry(project)), before)
    assert verdicts(project, later) == {"a": "rejected"}


@pytest.mark.parametrize("judge", [accept, fix])
def test_a_rejection_says_where_edits_of_its_own_run_are_kept(project, later, judge):
    judge(project, entry(project), later, who="ada")
    edited(project)
    judged = reject(project, entry(project), later, who="ada")
    assert judged.notices == (
        f"'a.tif' was edited since; that is kept in '{judged.record.before}'.",
    )
    assert project.annotation(entry(project)).is_empty


@pytest.mark.parametrize("is_renamed", [True, False])
def test_edits_are_known_for_edits_after_a_class_was_renamed_or_added(
    project, earlier, later, is_renamed
):
    accepted(project, earlier)
    edited(project)
    before = project.annotation(entry(project))
    if is_renamed:
        rename_class(project, 1, "cell")
    else:
        add_class(project, "debris")
    predict(project, later, {"a": 0.5}, OTHER)
    assert not accepted(project, later).changed
    assert same(project.annotation(entry(project)), before)


def test_masks_whose_verdict_was_taken_back_do_not_come_back(project, earlier, later):
    project.save_annotation(entry(project), weak_paint())
    accepted(project, earlier)
    accepted(project, later)
    taken_back(project, earlier)
    assert taken_back(project, later).changed
    assert same(project.annotation(entry(project)), weak_paint())
    assert verdicts(project, later) == {}


def test_a_note_or_another_person_is_logged_beside_the_same_verdict(project, later):
    for who, note in (("ada", ""), ("ada", "blurred"), ("ada", ""), ("bob", "")):
        reject(project, entry(project), later, who=who, note=note)
    records = ReviewLog(project.path).records()
    said = [(record.who, record.note) for record in records]
    assert said == [("ada", ""), ("ada", "blurred"), ("bob", "")]
