import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    Annotation,
    CompleteRegion,
    ObjectMasks,
    no_objects,
)
from napari_mtseg.gui.grown_labels import classes_of_grown, dice_of_grown


def painted(*, partial=None, strokes=None, full=None, complete=True):
    nothing = np.zeros((1, 6), np.uint32)
    return Annotation(
        partial=partial or no_objects((1, 6)),
        scribbles=np.array([strokes or nothing[0]], np.uint8),
        full=full or no_objects((1, 6)),
        complete=CompleteRegion(whole=complete),
    )


def masks(values, class_of):
    return ObjectMasks(objects=np.array([values], np.uint32), class_of=class_of)


def test_objects_made_of_strokes_and_full_masks_get_the_class_painted_there():
    annotation = painted(
        partial=masks([4, 4, 0, 0, 0, 0], {4: 2}),
        strokes=[0, 0, SCRIBBLE_FIRST_CLASS, 0, 0, 0],
        full=masks([0, 0, 0, 0, 7, 7], {7: 3}),
    )
    start = np.array([[4, 4, 5, 0, 12, 12]], np.uint32)
    assert classes_of_grown(start, annotation) == {4: 2, 5: 1, 12: 3}


def test_the_class_under_most_of_an_object_counts():
    annotation = painted(full=masks([1, 1, 2, 0, 0, 0], {1: 1, 2: 2}))
    start = np.array([[9, 9, 9, 0, 0, 0]], np.uint32)
    assert classes_of_grown(start, annotation) == {9: 1}


def test_dice_of_each_class_counts_complete_regions_only():
    annotation = painted(full=masks([1, 1, 0, 2, 2, 0], {1: 1, 2: 2}))
    grown = masks([5, 0, 0, 6, 6, 0], {5: 1, 6: 2})
    assert dice_of_grown(grown, annotation) == {1: pytest.approx(2 / 3), 2: 1.0}
    assert dice_of_grown(grown, painted(complete=False)) == {}


def test_a_class_that_is_nowhere_has_no_dice():
    annotation = painted(full=masks([0, 0, 0, 2, 2, 0], {2: 2}))
    grown = masks([0, 0, 0, 0, 0, 0], {})
    assert dice_of_grown(grown, annotation) == {2: 0.0}
