import json
from dataclasses import replace

import numpy as np

from napari_mtseg.domain.annotation import ObjectMasks, no_objects
from napari_mtseg.gui.image_facts import (
    ImageFacts,
    facts_of_images,
    paint_in_words,
    paint_marks,
)
from tests.tiny_projects import annotated, disc_image, disc_project


def facts(project):
    return facts_of_images(project, project.images)


def test_full_and_partial_masks_are_counted(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=1, n_discs=2)
    full, partial = (facts(project)[e.id] for e in project.images)
    assert (full.n_full, full.n_partial, full.is_complete_somewhere) == (2, 0, True)
    assert (partial.n_full, partial.n_partial) == (0, 2)
    assert full.is_painted
    assert partial.is_painted


def test_an_image_that_nobody_touched_is_not_painted(tmp_path):
    project = disc_project(tmp_path, n_images=1, painted=False)
    assert list(facts(project).values()) == [ImageFacts()]
    assert not ImageFacts().is_painted


def test_scribbles_that_were_erased_do_not_count(tmp_path):
    project = disc_project(tmp_path, n_images=1, painted=False)
    (entry,) = project.images
    _, objects = disc_image(0, ndim=2, n_discs=1)
    annotation = annotated(objects, exact=False)
    nothing = ObjectMasks(objects=no_objects(objects.shape).objects, class_of={})
    strokes = np.zeros(objects.shape, np.uint8)
    strokes[4, 2:9] = 1
    for scribbles, expected in ((strokes, True), (0 * strokes, False)):
        project.save_annotation(
            entry, replace(annotation, partial=nothing, scribbles=scribbles)
        )
        assert facts(project)[entry.id].has_scribbles is expected


def test_predictions_reviews_and_missing_files_are_found(tmp_path):
    project = disc_project(tmp_path, n_images=2, painted=False)
    first, second = project.images
    for run in ("a", "b"):
        folder = project.path / "predictions" / run / first.id
        folder.mkdir(parents=True)
        (folder / "prediction.json").write_text("{}")
    (project.path / "predictions" / "b" / second.id).mkdir()
    verdict = {"kind": "verdict", "run": "a", "who": "ada", "when": ""}
    accepted = {**verdict, "image_id": first.id, "verdict": "accepted"}
    (project.path / "reviews.jsonl").write_text(
        json.dumps(accepted) + '\n{"image_id": "cut o'
    )
    project.source_path(second).unlink()
    found = facts(project)
    assert found[first.id] == ImageFacts(n_predictions=2, is_reviewed=True)
    assert found[second.id] == ImageFacts(is_missing=True)


def test_a_damaged_annotation_is_said_and_stops_nothing(tmp_path):
    project = disc_project(tmp_path, n_images=2)
    first, second = project.images
    (project.annotation_folder(first) / "annotation.json").write_text("{")
    found = facts(project)
    assert "is damaged" in found[first.id].problem
    assert found[second.id].n_partial == 1


def test_marks_have_words():
    facts = ImageFacts(n_partial=1, has_scribbles=True, n_full=2)
    assert paint_marks(facts) == "P S F"
    assert paint_in_words(facts) == "1 partial mask, 2 full masks, scribbles."
    assert paint_in_words(ImageFacts()) == "Nothing is painted yet."
