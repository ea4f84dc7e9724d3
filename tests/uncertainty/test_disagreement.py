"""Classes that are said to occur against those segmented, checked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.uncertainty.disagreement import disagreeing_classes, disagreement

ONE_OF_CLASS_2 = np.array([[0, 2]], np.uint8)

PRESENT = st.dictionaries(st.integers(0, 5), st.floats(0, 1))
MAPS = st.sampled_from([(2, 3), (2, 2, 2)]).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 5))
)


def test_the_class_that_agrees_least_counts():
    present = {1: 0.25, 2: 0.875, 3: 0.5}
    assert disagreement(present, ONE_OF_CLASS_2) == 0.5
    assert disagreement({2: 0.25}, ONE_OF_CLASS_2) == 0.75


def test_classes_on_the_other_side_of_one_half_disagree():
    present = {3: 0.9, 1: 0.1, 2: 0.5}
    assert disagreeing_classes(present, ONE_OF_CLASS_2) == (2, 3)
    assert disagreeing_classes({1: 0.5, 2: 0.51}, ONE_OF_CLASS_2) == ()


@pytest.mark.parametrize("present", [{}, {0: 0.0}])
def test_where_no_class_is_told_nothing_disagrees(present):
    assert disagreement(present, ONE_OF_CLASS_2) == 0.0
    assert disagreeing_classes(present, ONE_OF_CLASS_2) == ()


def test_a_volume_holds_what_any_plane_holds():
    volume = np.zeros((2, 1, 2), np.uint8)
    volume[1, 0, 0] = 1
    assert disagreement({1: 1.0}, volume) == 0.0


@given(PRESENT, MAPS)
def test_disagreement_lies_between_nought_and_one(present, classes):
    found = disagreement(present, classes)
    assert 0 <= found <= 1
    if disagreeing_classes(present, classes):
        assert found >= 0.5


@given(MAPS)
def test_what_is_segmented_agrees_with_itself(classes):
    present = {k: float(k in classes) for k in range(6)}
    assert disagreement(present, classes) == 0
    assert disagreeing_classes(present, classes) == ()
    contrary = {k: 1 - p for k, p in present.items()}
    assert disagreement(contrary, classes) == 1
    assert disagreeing_classes(contrary, classes) == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_refused(wrong):
    for compared in (disagreement, disagreeing_classes):
        with pytest.raises(ValueError, match=r"class 2 is .*, not in 0..1"):
            compared({1: 0.5, 2: wrong}, ONE_OF_CLASS_2)
