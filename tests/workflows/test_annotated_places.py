from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.storage import label_arrays
from napari_mtseg.storage.paint_extent import PaintExtent
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import Snapshot, load_snapshot, take_snapshot
from napari_mtseg.targets.paint_summary import summary_of
from napari_mtseg.workflows import annotated_places
from napari_mtseg.workflows.annotated_places import (
    _disjoint,
    is_painted,
    paint_on,
    places_in,
    places_of,
)
from napari_mtseg.workflows.runs import start_run, task_of
from napari_mtseg.workflows.train import train
from napari_mtseg.workflows.training_data import load_training_data
from napari_mtseg.workflows.validation import Validation
from tests.tiny_projects import TINY

SIDE = 300
MARGIN = (2, 70, 70)
SHAPE_VALUES = {"reach": 32.0, "contour_radius": 4}
"""without them the contour is as wide as the size of the image says"""
GROWING = {"iterations": 1, "steps_per_iteration": 1, "first_steps": 0}
METHODS = ("baseline", "recursive_approximation", "joint_shape", "high_resolution")


@pytest.fixture
def everything_is_large(monkeypatch):
    """Every image counts as large, and its labels are stored in small chunks."""
    monkeypatch.setattr(annotated_places, "LARGE", 100)
    monkeypatch.setattr(annotated_places, "MARGIN", MARGIN)
    monkeypatch.setattr(label_arrays, "CHUNK_2D", (50, 50))


def two_corners(*, complete=False):
    """Return two discs, strokes beside them, in two far corners."""
    y, x = np.mgrid[:SIDE, :SIDE]
    objects = np.zeros((SIDE, SIDE), np.uint32)
    objects[(y - 48) ** 2 + (x - 52) ** 2 < 64] = 1
    objects[(y - 260) ** 2 + (x - 255) ** 2 < 81] = 300
    scribbles = np.zeros((SIDE, SIDE), np.uint8)
    scribbles[20:24, 20:40] = SCRIBBLE_BACKGROUND
    scribbles[275:280, 270:290] = SCRIBBLE_FIRST_CLASS
    scribbles[270:290, 240:243] = SCRIBBLE_BACKGROUND
    masks = ObjectMasks(objects=objects, class_of={1: 1, 300: 1})
    nothing = ObjectMasks(objects=np.zeros_like(objects), class_of={})
    boxes = (
        Box(start=(30, 30), stop=(70, 75)),
        Box(start=(240, 235), stop=(280, 290)),
    )
    return Annotation(
        partial=nothing if complete else masks,
        scribbles=scribbles,
        full=masks if complete else nothing,
        complete=CompleteRegion(boxes=boxes) if complete else CompleteRegion(),
    )


def project_of(folder, annotation, *, split="train"):
    project = Project.create(folder / "p", classes=["disc"])
    rng = np.random.default_rng(0)
    shape = annotation.shape
    pixels = rng.integers(0, 99, shape).astype(np.uint8)
    pixels[annotation.partial.objects + annotation.full.objects > 0] += 100
    tifffile.imwrite(folder / "a.tif", pixels, ome=False)
    entry = project.add_image(folder / "a.tif", split=split)
    project.save_annotation(entry, annotation)
    return project


def method_for(project, name="baseline", **values):
    settings = settings_model(name).checked({**TINY, **values})
    return load_method(name)(settings, task_of(project, project.images))


def loaded(project, run, method):
    return load_training_data(
        project, load_snapshot(project, run.snapshot_file), method, run
    )


def test_paint_in_two_corners_makes_two_places(tmp_path, everything_is_large):
    project = project_of(tmp_path, two_corners())
    found = places_of(project, project.images[0])
    assert [place.box for place in found] == [
        Box(start=(0, 0), stop=(126, 130)),
        Box(start=(182, 170), stop=(300, 300)),
    ]
    assert [place.key for place in found] == ["a.y0-126_x0-130", "a.y182-300_x170-300"]


def test_a_small_image_is_one_place_however_little_is_painted(tmp_path):
    project = project_of(tmp_path, two_corners())
    (place,) = places_of(project, project.images[0])
    assert place.box is None
    assert place.key == "a"


@pytest.mark.parametrize(
    "known",
    [
        {"complete": CompleteRegion(whole=True)},
        {"tags": Tags(exhaustive=True)},
    ],
)
def test_where_all_pixels_are_known_all_are_looked_at(
    tmp_path, everything_is_large, known
):
    project = project_of(tmp_path, replace(two_corners(), **known))
    (place,) = places_of(project, project.images[0])
    assert place.box is None


def test_complete_planes_are_places(everything_is_large):
    extent = PaintExtent(complete=CompleteRegion(slices=(5, 30)))

    class Volume:
        spatial_shape = (40, 100, 100)

    found = places_in(Volume(), extent)
    assert [place.box for place in found] == [
        Box(start=(3, 0, 0), stop=(8, 100, 100)),
        Box(start=(28, 0, 0), stop=(33, 100, 100)),
    ]


boxes_of_lines = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 9)).map(
        lambda pair: Box(start=(pair[0],), stop=(pair[0] + pair[1],))
    ),
    max_size=12,
)
boxes_of_planes = st.lists(
    st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 12)] * 2).map(
        lambda n: Box(start=n[:2], stop=(n[0] + n[2], n[1] + n[3]))
    ),
    max_size=12,
)


@given(st.one_of(boxes_of_lines, boxes_of_planes))
def test_united_boxes_cover_all_and_never_overlap(boxes):
    found = _disjoint(boxes)
    assert not any(
        one.clipped(other) for one in found for other in found if one is not other
    )
    assert all(any(one.clipped(box) == box for one in found) for box in boxes)


@pytest.mark.parametrize(
    ("name", "complete"),
    # Recursive approximation starts from random parts of full masks.
    [(name, False) for name in METHODS] + [("baseline", True), ("joint_shape", True)],
)
def test_targets_at_places_are_those_of_the_whole_image(
    tmp_path, everything_is_large, monkeypatch, name, complete
):
    project = project_of(tmp_path, two_corners(complete=complete))
    values = SHAPE_VALUES if name == "joint_shape" else {}
    method = method_for(project, name, **values)
    run, _ = start_run(project, "baseline", {**TINY, "steps": 1}, device="cpu")
    parts = loaded(project, run, method)
    assert len(parts.images) == 2
    run.forget_targets()
    monkeypatch.setattr(annotated_places, "LARGE", SIDE * SIDE)
    (whole,) = loaded(project, run, method).patches(0)
    for image, part in zip(parts.images, parts.patches(0), strict=True):
        inside = image.place.box.slices
        np.testing.assert_array_equal(
            part.pixels[(slice(None),) * 3], whole.pixels[(slice(None), *inside)]
        )
        np.testing.assert_array_equal(part.targets.known, whole.targets.known[inside])
        for key, values in part.targets.maps.items():
            np.testing.assert_allclose(values, whole.targets.maps[key][inside])


def test_a_training_grows_and_resumes_place_by_place(tmp_path, everything_is_large):
    project = project_of(tmp_path, two_corners())
    values = {"iterations": 2, "steps_per_iteration": 2, "first_steps": 0}
    run, _ = start_run(
        project, "recursive_approximation", {**TINY, **values}, device="cpu"
    )
    events = iter(train(project, run))
    for event in events:
        if event.kind == "labels_grown":
            break
    events.close()
    grown = sorted(path.name for path in (run.path / "grown" / "001").iterdir())
    assert grown == ["a.y0-126_x0-130.tif", "a.y182-300_x170-300.tif"]
    assert list(train(project, run))[-1].reason == "done"


def test_a_large_image_validates_as_the_whole_would(
    tmp_path, everything_is_large, monkeypatch
):
    project = project_of(tmp_path, two_corners(complete=True), split="validate")
    file = project.path / "snapshot.json"
    snapshot = take_snapshot(project, file)
    method = method_for(project)
    asked = []

    def outputs(pixels):
        asked.append(pixels.shape)
        bright = (np.asarray(pixels)[0] > 0.3).astype(np.float32)
        return {"segmentation": np.stack([1 - bright, bright])}

    parts = Validation(project, snapshot, method)
    found = parts.scores(outputs)
    assert len(asked) == 2
    assert len(parts.images) == 1
    monkeypatch.setattr(annotated_places, "LARGE", SIDE * SIDE)
    whole = Validation(project, snapshot, method).scores(outputs)
    assert 0 < whole["score"] < 1
    assert found == pytest.approx(whole)


@pytest.mark.parametrize("complete", [False, True])
def test_paint_is_counted_place_by_place(tmp_path, everything_is_large, complete):
    annotation = two_corners(complete=complete)
    project = project_of(tmp_path, annotation)
    found = paint_on(project, project.images[0], spacing=(1.0, 1.0))
    assert found == summary_of(annotation, spacing=(1.0, 1.0))
    assert is_painted(project, project.images[0])


def test_a_large_image_without_paint_is_counted_as_such(tmp_path, everything_is_large):
    project = project_of(tmp_path, empty_annotation((SIDE, SIDE)))
    found = paint_on(project, project.images[0], spacing=(1.0, 1.0))
    assert (found.n_images, found.n_unpainted) == (0, 1)
    assert not is_painted(project, project.images[0])


def test_a_complete_region_without_objects_is_paint(tmp_path, everything_is_large):
    region = CompleteRegion(boxes=(Box(start=(5, 5), stop=(9, 9)),))
    bare = replace(empty_annotation((SIDE, SIDE)), complete=region)
    project = project_of(tmp_path, bare)
    assert is_painted(project, project.images[0])


def test_what_does_not_fit_is_refused_before_any_of_it_is_read(
    tmp_path, everything_is_large, monkeypatch
):
    complete = replace(two_corners(complete=True), complete=CompleteRegion(whole=True))
    project = project_of(tmp_path, complete, split="validate")
    snapshot = take_snapshot(project, project.path / "snapshot.json")
    method = method_for(project)
    full = SimpleNamespace(available=SIDE * SIDE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: full)
    monkeypatch.setattr(Snapshot, "annotation", None)
    with pytest.raises(MemoryShortageError, match="mark boxes as complete instead"):
        Validation(project, snapshot, method)


def child_of(project, parent):
    run, _ = start_run(
        project,
        "recursive_approximation",
        {**TINY, **GROWING},
        device="cpu",
        parent=parent.path.name,
    )
    events = iter(train(project, run))
    found = [next(events), next(events)]
    events.close()
    return run, [event.message for event in found if event.kind == "noticed"]


def test_growth_of_an_earlier_run_is_carried_over_place_by_place(
    tmp_path, everything_is_large
):
    project = project_of(tmp_path, two_corners())
    entry = project.images[0]
    parent, _ = start_run(
        project, "recursive_approximation", {**TINY, **GROWING}, device="cpu"
    )
    list(train(project, parent))
    keys = parent.grown_parts(parent.last_iteration(), entry.id)
    assert keys == ("a.y0-126_x0-130", "a.y182-300_x170-300")
    grown = parent.load_grown(1, keys[0])
    grown[48, 75:100] = grown[48, 52]
    parent.save_grown(1, keys[0], grown)
    same, notices = child_of(project, parent)
    np.testing.assert_array_equal(same.load_grown(0, keys[0]), grown)
    assert not any("carried over" in notice for notice in notices)

    scribbles = project.annotation(entry).scribbles.copy()
    scribbles[295:298, 200:204] = SCRIBBLE_BACKGROUND
    scribbles[165:167, 240:243] = SCRIBBLE_BACKGROUND
    project.save_annotation(entry, replace(two_corners(), scribbles=scribbles))
    other, notices = child_of(project, parent)
    np.testing.assert_array_equal(other.load_grown(0, keys[0]), grown)
    assert keys[1] not in other.grown_parts(0, entry.id)
    assert notices[0] == (
        "What 'a.tif' grew in the earlier run is carried over only at places whose "
        "paint reaches as far as it did: elsewhere it grows from the paint again."
    )
