"""What the paint allows: counted once, said in words, and the method that suits it."""

import re
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from napari_mtseg.domain.annotation import CompleteRegion, empty_annotation
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.methods.protocol import Readiness
from napari_mtseg.storage.project import Project
from napari_mtseg.targets.paint_summary import PaintSummary
from napari_mtseg.workflows import annotated_places, data_memory
from napari_mtseg.workflows.readiness import (
    NO_IMAGES,
    PaintCounter,
    paint_in_words,
    readiness_of,
    recommendation,
)
from napari_mtseg.workflows.run_requests import RunRequest
from tests.tiny_projects import TINY, annotated, disc_image, disc_project

GROWS, PLAIN = "recursive_approximation", "baseline"
READY, LACKING = Readiness(), Readiness(problems=("A.",))
NOTHING_PAINTED = (
    "Nothing is painted on the training images. Paint at least one object and some "
    "background."
)


@pytest.fixture
def counted(monkeypatch):
    """Shapes of the annotations that were counted, not remembered."""
    really, calls = annotated_places.summary_of, []

    def counting(annotation, *, spacing):
        calls.append(annotation.shape)
        return really(annotation, spacing=spacing)

    monkeypatch.setattr(annotated_places, "summary_of", counting)
    return calls


# --- The whole report ----------------------------------------------------------


def test_every_method_of_the_catalog_is_asked(tmp_path):
    found = readiness_of(disc_project(tmp_path), PaintCounter())
    assert found.summary == "2 partial masks on 2 images, full masks on 1."
    assert found.methods.keys() == CATALOG.keys()
    assert all(not method.problems for method in found.methods.values())
    assert found.recommended == GROWS
    assert found.reason == (
        "Partial masks are painted, which this method grows to the boundaries."
    )


def test_only_training_images_make_a_method_ready(tmp_path):
    project = disc_project(tmp_path, painted=False, n_images=2)
    project.update_image(project.images[0].changed({"split": "test"}))
    _, objects = disc_image(0, ndim=2, n_discs=1)
    project.save_annotation(project.images[0], annotated(objects, exact=True))
    found = readiness_of(project, PaintCounter())
    assert found.summary == "Full masks on 1 image."
    assert found.methods[PLAIN].problems == (NOTHING_PAINTED,)
    assert found.reason == NOTHING_PAINTED


def test_a_project_without_images_is_told_so(tmp_path):
    project = Project.create(tmp_path / "empty", classes=["a"])
    found = readiness_of(project, PaintCounter())
    assert found.summary == found.reason == NO_IMAGES
    assert {m.problems for m in found.methods.values()} == {(NO_IMAGES,)}


def test_volumes_are_asked_about_too(tmp_path):
    found = readiness_of(disc_project(tmp_path, ndim=3, n_images=2), PaintCounter())
    assert not found.methods[GROWS].problems


def test_damaged_labels_are_an_error_that_names_them(tmp_path):
    project = disc_project(tmp_path)
    folder = project.annotation_folder(project.images[0])
    (folder / "full" / "zarr.json").write_text("{")
    with pytest.raises(AnnotationError, match="damaged"):
        readiness_of(project, PaintCounter())


# --- Counting once -------------------------------------------------------------


def test_only_images_with_new_paint_are_counted_again(tmp_path, counted):
    project, counter = disc_project(tmp_path), PaintCounter()
    first = readiness_of(project, counter)
    assert len(counted) == 3
    assert readiness_of(Project.open(project.path), counter) == first
    assert len(counted) == 3
    entry = project.images[1]
    drawn = project.annotation(entry)
    drawn.scribbles[0, 0] = 1
    project.save_annotation(entry, drawn)
    found = readiness_of(project, counter)
    assert len(counted) == 4
    assert (
        found.summary == "2 partial masks on 2 images, scribbles on 1, full masks on 1."
    )


def test_unpainted_images_are_not_even_read(tmp_path, counted):
    readiness_of(disc_project(tmp_path, painted=False), PaintCounter())
    assert counted == []


def test_what_is_said_without_paint_counts_at_once_too(tmp_path):
    project, counter = disc_project(tmp_path, n_images=1, full=0), PaintCounter()
    assert readiness_of(project, counter).summary == "1 partial mask on 1 image."
    drawn = project.annotation(project.images[0])
    whole = CompleteRegion(whole=True)
    project.save_annotation(project.images[0], replace(drawn, complete=whole))
    found = readiness_of(project, counter)
    assert found.summary == "1 partial mask on 1 image, full masks on 1."
    project.save_annotation(project.images[0], drawn)
    assert readiness_of(project, counter).summary == "1 partial mask on 1 image."


# --- Words ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paint", "sentence"),
    [
        (PaintSummary(), "Nothing is painted yet."),
        (
            PaintSummary(n_partial_objects=12, n_partial=4, n_scribbled=2, n_full=2),
            "12 partial masks on 4 images, scribbles on 2, full masks on 2.",
        ),
        (
            PaintSummary(n_partial_objects=1, n_partial=1),
            "1 partial mask on 1 image.",
        ),
        (PaintSummary(n_scribbled=3), "Scribbles on 3 images."),
        (
            PaintSummary(n_full=1, n_full_open=2),
            "Full masks on 1 image, full masks not marked complete on 2.",
        ),
    ],
)
def test_paint_is_said_in_one_sentence(paint, sentence):
    assert paint_in_words(paint) == sentence


@pytest.mark.parametrize(
    ("paint", "methods", "expected"),
    [
        (
            PaintSummary(n_partial=1, n_full=1),
            {PLAIN: READY, GROWS: READY},
            (
                GROWS,
                "Partial masks are painted, which this method grows to the boundaries.",
            ),
        ),
        (
            PaintSummary(has_strokes=True),
            {GROWS: READY, PLAIN: READY},
            (GROWS, "Strokes are painted, which this method grows to the boundaries."),
        ),
        (
            PaintSummary(n_full=2),
            {GROWS: READY, PLAIN: READY},
            (PLAIN, "Only full masks are painted: there is nothing that has to grow."),
        ),
        (
            PaintSummary(n_partial=1),
            {GROWS: Readiness(problems=("No seed.",)), PLAIN: READY},
            (PLAIN, "Recursive approximation is not ready: No seed."),
        ),
        (
            PaintSummary(),
            {
                GROWS: Readiness(problems=("A.", "B.")),
                PLAIN: Readiness(problems=("A.",)),
            },
            (PLAIN, "A."),
        ),
        (
            PaintSummary(),
            {PLAIN: LACKING, GROWS: LACKING},
            (GROWS, "A."),
        ),
    ],
)
def test_the_method_that_suits_the_paint_is_recommended(paint, methods, expected):
    assert recommendation(paint, methods) == expected


def test_an_empty_annotation_on_disk_is_no_paint(tmp_path):
    project = disc_project(tmp_path, n_images=1, painted=False)
    entry = project.images[0]
    project.save_annotation(entry, empty_annotation(entry.spatial_shape))
    found = readiness_of(project, PaintCounter())
    assert found.summary == "Nothing is painted yet."


# --- The memory of the run that is asked about ----------------------------------


def asked(project, counter=None, **values):
    request = RunRequest(method="baseline", values=TINY, **values)
    found = readiness_of(project, counter or PaintCounter(), request).asked
    assert found is not None
    return found


def test_a_run_that_is_asked_about_tells_its_memory(tmp_path, monkeypatch):
    memory = SimpleNamespace(available=3 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    found = asked(disc_project(tmp_path))
    assert not found.problems
    assert re.fullmatch(
        r"A step with 2 patches takes about \d+ MiB and 3 images with their labels "
        r"1 MiB, of 3\.0 GiB of memory that are free\.",
        found.notices[-1],
    )


def test_a_run_that_cannot_fit_is_a_problem_with_what_to_set(tmp_path, monkeypatch):
    memory = SimpleNamespace(available=2**18)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    (problem,) = asked(disc_project(tmp_path)).problems
    assert problem.startswith("One training step needs about ")
    assert "Set a smaller patch or fewer base_channels" in problem


def test_a_device_that_is_not_there_is_a_problem_before_training(tmp_path):
    (problem,) = asked(disc_project(tmp_path), device="abacus").problems
    assert problem.startswith("Device 'abacus' is not known.")


def test_what_is_not_painted_yet_is_told_before_memory(tmp_path):
    found = asked(disc_project(tmp_path, painted=False))
    assert found.problems == (NOTHING_PAINTED,)


def test_a_validation_image_that_cannot_fit_is_a_problem_before_training(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(data_memory, "PREDICTED_BYTES_PER_PIXEL", 2**30)
    (problem,) = asked(disc_project(tmp_path, validate=1)).problems
    assert problem.startswith("To validate needs about ")
