"""Where unpainted counts as not yet approximated, and where borders are known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    no_objects,
)
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.geometry.distances import distance_to
from napari_mtseg.geometry.sizes import diameters
from napari_mtseg.targets.approximation import (
    SEPARATOR,
    approximation,
    separators,
    touching_borders,
)

ONE = (1.0, 1.0)


def annotation(objects, class_of=None, *, full=None, scribbles=None, **rest):
    objects = np.asarray(objects, np.uint32)
    ids = np.unique(objects[objects > 0]).tolist()
    exact = no_objects(objects.shape)
    if full is not None:
        full = np.asarray(full, np.uint32)
        exact = ObjectMasks(
            objects=full, class_of=dict.fromkeys(np.unique(full).tolist(), 1)
        )
    painted = np.zeros(objects.shape) if scribbles is None else np.asarray(scribbles)
    return Annotation(
        partial=ObjectMasks(
            objects=objects, class_of=class_of or dict.fromkeys(ids, 1)
        ),
        scribbles=painted.astype(np.uint8),
        full=exact,
        **rest,
    )


def line(n: int, **marks: int) -> np.ndarray:
    found = np.zeros((1, n), np.uint32)
    for place, key in marks.items():
        found[0, int(place[1:])] = key
    return found


def test_without_masks_nothing_is_learned():
    drawn = annotation(np.zeros((2, 3)), scribbles=[[1, 1, 1], [0, 0, 0]])
    assert (approximation(drawn, spacing=ONE) == IGNORE).all()


def test_where_every_object_is_marked_unpainted_is_background():
    drawn = annotation(line(50, _3=7), {7: 2}, tags=Tags(exhaustive=True))
    assert approximation(drawn, spacing=ONE).tolist() == [
        [2 if i == 3 else BACKGROUND for i in range(50)]
    ]


def test_a_wholly_complete_image_counts_as_exhaustive():
    drawn = annotation(line(50, _3=7), complete=CompleteRegion(whole=True))
    assert not (approximation(drawn, spacing=ONE) == IGNORE).any()


def test_else_unpainted_is_background_within_the_window_only():
    target = approximation(annotation(line(50, _3=7)), window=16, spacing=ONE)
    expected = [BACKGROUND if i <= 19 else IGNORE for i in range(50)]
    expected[3] = 1
    assert target.tolist() == [expected]


def test_large_masks_reach_as_far_as_their_own_diameter():
    objects = np.zeros((60, 200), np.uint32)
    objects[10:50, 20:60], objects[30, 150] = 1, 2
    target = approximation(annotation(objects), window=16, spacing=ONE)
    reach = 2 * np.sqrt(1600 / np.pi)
    row = target[30]
    assert 45 < reach < 46
    assert (row[60:105] == BACKGROUND).all()
    assert (row[105:134] == IGNORE).all()
    assert (row[134:150] == BACKGROUND).all()
    assert (row[167:] == IGNORE).all()


@given(
    arrays(np.uint32, (7, 8), elements=st.sampled_from([0, 0, 0, 3, 9])),
    st.floats(0, 4),
    st.sampled_from([(1.0, 1.0), (3.0, 0.5)]),
)
def test_the_window_is_the_union_over_masks(objects, window, spacing):
    target = approximation(annotation(objects), window=window, spacing=spacing)
    relative = tuple(s / spacing[-1] for s in spacing)
    near = np.zeros(objects.shape, bool)
    for key, diameter in diameters(objects, spacing=relative).items():
        reach = max(window, diameter)
        near |= distance_to(objects == key, spacing=relative) <= reach
    expected = np.where(objects > 0, 1, np.where(near, BACKGROUND, IGNORE))
    assert np.array_equal(target, expected)


def test_known_background_and_complete_regions_count_beyond_the_window():
    scribbles = np.zeros((1, 60))
    scribbles[0, 50] = 1
    region = CompleteRegion(boxes=(Box(start=(0, 55), stop=(1, 57)),))
    drawn = annotation(line(60, _3=7), scribbles=scribbles, complete=region)
    target = approximation(drawn, spacing=ONE)[0]
    assert np.flatnonzero(target[20:] != IGNORE).tolist() == [30, 35, 36]


def test_the_window_is_measured_in_pixels_of_the_last_axis():
    objects = np.zeros((9, 1, 1), np.uint32)
    objects[0] = 1
    target = approximation(annotation(objects), window=16, spacing=(5.0, 1.0, 1.0))
    assert target[:, 0, 0].tolist() == [1, *[BACKGROUND] * 3, *[IGNORE] * 5]


def test_a_separator_is_known_on_the_stroke_and_unknown_around_it():
    drawn = annotation(np.zeros((1, 12)), scribbles=line(12, _5=2))
    target = separators(drawn, spacing=ONE)[0].tolist()
    zero, near = BACKGROUND, IGNORE
    expected = [zero] * 2 + [near] * 3 + [SEPARATOR] + [near] * 3 + [zero] * 3
    assert target == expected


def test_images_that_show_no_border_say_nothing():
    drawn = annotation(line(9, _2=1))
    assert (separators(drawn, spacing=ONE) == IGNORE).all()


def test_touching_full_masks_show_their_border():
    full = [[1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 3]]
    region = CompleteRegion(boxes=(Box(start=(0, 0), stop=(1, 11)),))
    drawn = annotation(np.zeros((1, 12)), full=full, complete=region)
    target = separators(drawn, unknown_within=1, spacing=ONE)[0]
    assert target.tolist() == [
        *[BACKGROUND] * 3,
        IGNORE,
        SEPARATOR,
        SEPARATOR,
        IGNORE,
        *[BACKGROUND] * 4,
        IGNORE,
    ]


def test_complete_images_without_contacts_are_background_for_the_task():
    drawn = annotation(
        np.zeros((1, 5)), full=[[1, 0, 0, 2, 2]], complete=CompleteRegion(whole=True)
    )
    assert (separators(drawn, spacing=ONE) == BACKGROUND).all()


@given(arrays(np.uint32, (3, 4, 4), elements=st.sampled_from([0, 0, 1, 2])))
def test_borders_are_where_two_objects_share_a_face(objects):
    found = touching_borders(objects)
    for place in np.ndindex(objects.shape):
        own, others = objects[place], set()
        for axis in range(3):
            for step in (-1, 1):
                near = list(place)
                near[axis] += step
                if 0 <= near[axis] < objects.shape[axis]:
                    others.add(int(objects[tuple(near)]))
        assert found[place] == bool(own and others - {0, int(own)})
