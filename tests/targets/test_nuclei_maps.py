"""Each object has a border and a marker, and what may be cut is unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.targets.nuclei_maps import border_and_marker, nuclei_targets

CLASS_OF = {1: 1, 2: 2, 3: 1}
CODES = {0: "0", 1: "1", 255: "?"}


def row(text) -> np.ndarray:
    return np.array([[int(c) for c in text.replace(".", "0")]], np.uint32)


def shown(target) -> str:
    return "".join(CODES[int(code)] for code in target[0])


def painted(*, partial=None, full=None, scribbles=None, until=None) -> Annotation:
    shape = next(np.shape(x) for x in (partial, full, scribbles) if x is not None)
    blank = empty_annotation(shape)
    box = Box(start=(0, 0), stop=(1, until or shape[1]))
    return Annotation(
        partial=blank.partial
        if partial is None
        else ObjectMasks(objects=partial, class_of=CLASS_OF),
        full=blank.full
        if full is None
        else ObjectMasks(objects=full, class_of=CLASS_OF),
        scribbles=blank.scribbles if scribbles is None else scribbles.astype(np.uint8),
        complete=CompleteRegion(boxes=() if full is None else (box,)),
    )


def targets(width=1, **paint) -> tuple[str, str]:
    found = nuclei_targets(painted(**paint), width=width)
    assert {m.dtype for m in found.values()} == {np.dtype(np.uint8)}
    return shown(found["border"]), shown(found["marker"])


def test_a_border_is_as_wide_as_asked_and_the_rest_is_marker():
    square = np.zeros((13, 13), np.uint32)
    square[2:11, 2:11] = 5
    for width, side in ((0, 9), (1, 7), (2, 5), (3, 3), (4, 1)):
        border, marker = border_and_marker(square, width=width)
        assert marker.sum() == side**2
        assert border.sum() == 81 - side**2


def test_touching_objects_have_borders_against_each_other():
    border, marker = border_and_marker(row("111111333333"), width=2)
    assert shown(border) == "000011110000"
    assert shown(marker) == "111100001111"


def test_a_thin_object_keeps_its_deepest_pixels_as_marker():
    border, marker = border_and_marker(row(".111..22.3."), width=2)
    assert shown(border) == "01010000000"
    assert shown(marker) == "00100011010"


def test_an_object_that_fills_the_image_is_all_marker():
    border, marker = border_and_marker(np.full((2, 3, 4), 7, np.uint32))
    assert not border.any()
    assert marker.all()


def test_width_is_in_pixels_of_the_last_axis():
    block = np.zeros((7, 13, 13), np.uint32)
    block[1:6, 2:11, 2:11] = 4
    thick, _ = border_and_marker(block, width=2, spacing=(6, 2, 2))
    scaled, _ = border_and_marker(block, width=2, spacing=(3, 1, 1))
    assert np.array_equal(thick, scaled)
    assert not scaled[1, 6, 6], "slices are thicker than the border"


@given(
    arrays(np.uint32, (6, 7), elements=st.sampled_from([0, 1, 2, 4_000_000_000])),
    st.floats(0, 4),
)
def test_every_object_is_border_and_marker_and_has_a_marker(objects, width):
    border, marker = border_and_marker(objects, width=width)
    assert np.array_equal(border + marker, (objects > 0).astype(np.uint8))
    assert set(np.unique(objects)) - {0} == set(np.unique(objects[marker == 1]))


def test_full_masks_tell_all_inside_their_region():
    border, marker = targets(full=row("..11111.."))
    assert border == "001000100"
    assert marker == "000111000"


def test_an_object_that_the_region_cuts_is_unknown_at_the_cut():
    border, marker = targets(full=row("..11111111.."), until=7)
    assert border == "001000??????"
    assert marker == "000111??????"


def test_background_at_the_edge_of_a_region_is_known():
    assert targets(full=row("..111....."), until=8) == ("00101000??", "00010000??")


def test_a_thin_object_that_the_region_cuts_is_unknown():
    border, marker = targets(full=row("...1111111"), until=6, width=2)
    assert border == marker == "000???????"


def test_a_partial_mask_tells_only_of_its_depth():
    border, marker = targets(partial=row("..11111.."), width=2)
    assert border == "????0????"
    assert marker == "????1????"


def test_a_thin_partial_mask_tells_nothing():
    assert targets(partial=row("..111..."), width=2) == ("????????", "????????")


def test_scribbled_background_is_neither():
    strokes = row("1.1.") * SCRIBBLE_BACKGROUND
    assert targets(scribbles=strokes) == ("0?0?", "0?0?")


def test_a_separator_is_border_even_inside_masks():
    strokes = row("....1....") * SCRIBBLE_SEPARATOR
    assert targets(scribbles=strokes) == ("????1????", "????0????")
    for kind in ("full", "partial"):
        border, marker = targets(**{kind: row("111111111")}, scribbles=strokes)
        assert border == "000?1?000"
        assert marker == "111?0?111"


def test_a_foreground_stroke_tells_nothing_and_takes_nothing_from_a_mask_it_fits():
    strokes = row(".1.1.....") * SCRIBBLE_FIRST_CLASS
    assert targets(scribbles=strokes) == ("?????????", "?????????")
    alone = targets(full=row("..1111..."))
    both = targets(full=row("..1111..."), scribbles=row("...1.....") * 3)
    assert both == alone


def test_where_a_stroke_contradicts_a_mask_the_stroke_wins():
    strokes = row("....1....") * SCRIBBLE_BACKGROUND
    border, marker = targets(full=row("111111111"), scribbles=strokes)
    assert (border, marker) == ("000?0?000", "111?0?111")
    border, marker = targets(full=row("........."), scribbles=strokes * 3)
    assert (border, marker) == ("0000?0000", "0000?0000")


def test_a_full_mask_wins_over_a_partial_one():
    found = targets(full=row("........."), partial=row("111111111"), until=4)
    assert found == ("0000?0000", "0000?1111")


def test_unpainted_is_unknown():
    assert targets(scribbles=row("....")) == ("????", "????")


def test_a_negative_width_is_refused():
    with pytest.raises(ValueError, match="width is -1 but must be at least 0"):
        border_and_marker(row("11"), width=-1)
