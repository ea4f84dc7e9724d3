"""A simulated annotator with a budget, on masks small enough to count by eye."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.budgeted_annotator import affordable, annotate, upper_part
from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    no_objects,
)
from napari_mtseg.storage.project import Project

COLUMN = np.array([[0, 0], [1, 1], [0, 0], [2, 0], [2, 3], [0, 3]], np.uint32)
"""three objects that begin in rows 1, 3 and 4"""

COSTS = {"a": 3, "b": 5, "c": 0, "d": 9}


def exact(objects):
    return Annotation(
        partial=no_objects(objects.shape),
        scribbles=np.zeros(objects.shape, np.uint8),
        full=ObjectMasks(objects=objects, class_of={1: 1, 2: 1, 3: 1}),
        complete=CompleteRegion(whole=True),
    )


def first(n):
    return list(COSTS)[:n]


def test_images_are_outlined_whole_and_the_last_one_as_far_as_the_budget_goes():
    assert affordable(first, COSTS, budget=6) == {"a": 3, "b": 3}
    assert affordable(first, COSTS, budget=8) == {"a": 3, "b": 5}
    assert affordable(first, COSTS, budget=10) == {"a": 3, "b": 5, "c": 0, "d": 2}


def test_a_budget_larger_than_all_images_outlines_them_all():
    assert affordable(first, COSTS, budget=100) == COSTS


def test_no_more_images_are_asked_for_than_the_budget_needs():
    asked = []

    def suggested(n):
        asked.append(n)
        return first(n)

    affordable(suggested, COSTS, budget=4)
    assert asked == [1, 2]


@given(st.permutations(list(COSTS)), st.integers(1, 17))
def test_a_budget_is_spent_to_the_last_object(names, budget):
    chosen = affordable(lambda n: names[:n], COSTS, budget=budget)
    assert sum(chosen.values()) == budget
    assert all(n <= COSTS[name] for name, n in chosen.items())


@pytest.mark.parametrize(("n_objects", "rows"), [(0, 1), (1, 3), (2, 4)])
def test_the_upper_part_ends_where_one_object_too_many_would_begin(n_objects, rows):
    part = upper_part(exact(COLUMN), n_objects)
    assert part.complete.boxes == (Box(start=(0, 0), stop=(rows, 2)),)
    assert len(part.full.class_of) == n_objects
    assert (part.full.objects[:rows] == COLUMN[:rows]).all()
    assert not part.full.objects[rows:].any()
    assert not part.tags.exhaustive


def test_where_too_many_objects_begin_in_the_first_row_nothing_is_outlined():
    assert upper_part(exact(np.array([[1, 2, 3]], np.uint32)), 2).is_empty


def test_annotating_twice_is_annotating_once(tmp_path):
    project = Project.create(tmp_path / "cells", classes=["cell"])
    masks = {}
    for first_grey, name in enumerate(("a.tif", "b.tif")):
        pixels = np.arange(first_grey, first_grey + 12, dtype=np.uint8).reshape(6, 2)
        tifffile.imwrite(tmp_path / name, pixels)
        masks[name] = tmp_path / f"mask-{name}"
        tifffile.imwrite(masks[name], COLUMN.astype(np.uint16))
        project.add_image(tmp_path / name)
    for _ in range(2):
        assert annotate(project, {"a.tif": 3, "b.tif": 2}, masks) == {
            "a.tif": 3,
            "b.tif": 2,
        }
        whole, part = (project.annotation(project.image(name)) for name in masks)
        assert whole.complete.whole
        assert part.complete.boxes == (Box(start=(0, 0), stop=(4, 2)),)
        assert set(np.unique(part.full.objects)) == {0, 1, 2}
