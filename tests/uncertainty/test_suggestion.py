"""Suggestions of what to annotate next, on images described by a number or two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.uncertainty.suggestion import HOWS, suggest

NAN = float("nan")
NUMBERS = st.floats(-1e6, 1e6) | st.just(NAN)
LOOKS = st.lists(NUMBERS, max_size=0) | st.lists(NUMBERS, min_size=2, max_size=2)
IMAGES = st.lists(st.tuples(NUMBERS, LOOKS), max_size=12)


def chosen(n, doubts, looks, *, how="doubt", seed=0, annotated=()):
    return suggest(
        n,
        how=how,
        doubts=doubts,
        descriptors=looks,
        rng=np.random.default_rng(seed),
        annotated=annotated,
    )


@given(IMAGES, st.integers(0, 15), st.sampled_from(HOWS), st.integers(0, 3), st.data())
def test_no_image_is_chosen_twice_and_none_that_is_annotated(
    images, n, how, seed, data
):
    doubts, looks = [d for d, _ in images], [look for _, look in images]
    places = st.integers(0, max(0, len(images) - 1))
    annotated = data.draw(st.sets(places)) if images else set()
    found = chosen(n, doubts, looks, how=how, seed=seed, annotated=annotated)
    assert len(found) == len(set(found)) == min(n, len(images) - len(annotated))
    assert set(found) <= set(range(len(images))) - annotated
    again = chosen(n, doubts, looks, how=how, seed=seed, annotated=annotated)
    assert found == again


@given(IMAGES, st.integers(0, 12), st.sampled_from(["doubt", "random"]))
def test_fewer_images_are_the_first_of_more(images, n, how):
    doubts, looks = [d for d, _ in images], [look for _, look in images]
    everything = chosen(len(images), doubts, looks, how=how)
    assert chosen(n, doubts, looks, how=how) == everything[:n]


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
    st.integers(1, 19),
    st.integers(0, 3),
)
def test_of_two_clusters_of_alike_images_both_are_hit(doubts, n_first, seed):
    n_first = min(n_first, len(doubts) - 1)
    looks = [[i * 1e-5 + 100 * (i >= n_first)] for i in range(len(doubts))]
    found = chosen(2, doubts, looks, seed=seed)
    assert sorted(i >= n_first for i in found) == [False, True]


def test_of_twenty_alike_images_few_are_taken_however_doubtful_they_are():
    looks = [[1.0 + 0.001 * i, 5.0] for i in range(20)]
    looks += [[4.0, 0.0], [9.0, 9.0], [0.0, 7.0]]
    doubts = [0.9 + 0.001 * i for i in range(20)] + [0.5, 0.4, 0.3]
    found = chosen(4, doubts, looks)
    assert found[0] == 19
    assert set(found[1:]) == {20, 21, 22}


def test_equally_doubtful_images_are_spread():
    looks = [[0.0], [1.0], [2.0], [3.0], [10.0]]
    found = chosen(3, [0.5] * 5, looks, annotated=[0])
    assert found[:2] == [4, 3]
    assert found[2] in {1, 2}


@given(st.permutations([1.0, 2.0, 3.0, 4.0, 5.0]), st.sampled_from([[7.0], [], [NAN]]))
def test_among_images_that_look_the_same_doubt_decides(doubts, look):
    found = chosen(5, doubts, [look] * 5)
    assert [doubts[i] for i in found] == [5, 4, 3, 2, 1]


def test_images_far_enough_apart_are_chosen_by_doubt_and_not_by_how_far():
    looks = [[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [40.0, 40.0]]
    assert chosen(2, [4, 1, 2, 3], looks)[0] == 0
    near, far = [[0.0], [10.0], [10.1], [11.0]], [3, 2, 1, 1]
    assert chosen(2, far, near) == [0, 1]


def test_images_unlike_those_annotated_come_first():
    looks = [[0.0], [0.1], [5.0], [5.1]]
    assert chosen(1, [0.9, 0.9, 0.5, 0.5], looks, annotated=[0])[0] in {2, 3}


def test_an_image_of_unknown_doubt_comes_last():
    looks = [[0.0], [50.0], [0.0], [1.0]]
    assert chosen(4, [0.1, NAN, 0.3, 0.2], looks)[-1] == 1


def test_without_any_doubt_images_are_spread():
    looks = [[0.0], [1.0], [2.0], [8.0]]
    assert chosen(1, [NAN] * 4, looks, annotated=[0]) == [3]


def test_an_image_of_unknown_looks_counts_as_unlike_all_others():
    looks = [[0.0], [0.0], [], [5.0], [5.0]]
    assert chosen(2, [5, 4, 3, 2, 1], looks) == [0, 2]


def test_an_endless_doubt_is_the_largest():
    assert chosen(1, [1.0, float("inf"), 2.0], [[]] * 3) == [1]


def test_units_of_descriptors_do_not_matter():
    rng = np.random.default_rng(1)
    looks = rng.normal(size=(12, 3))
    doubts = rng.random(12).tolist()
    scaled = looks * [1e300, 1e-300, 1.0] + [0.0, 0.0, 7.0]
    assert chosen(6, doubts, looks.tolist()) == chosen(6, doubts, scaled.tolist())


@pytest.mark.parametrize(
    ("n", "places"), [(0, []), (1, [5]), (2, [2, 7]), (5, [1, 3, 5, 7, 9])]
)
def test_an_interval_takes_the_middles_of_equal_parts(n, places):
    assert chosen(n, [0.0] * 10, [[]] * 10, how="interval") == places


def test_an_interval_skips_what_is_annotated():
    found = chosen(2, [0.0] * 6, [[]] * 6, how="interval", annotated=[1, 4])
    assert found == [2, 5]


def test_an_interval_asked_for_one_by_one_is_spread_as_well():
    annotated = []
    for _ in range(10):
        found = chosen(1, [0.0] * 100, [[]] * 100, how="interval", annotated=annotated)
        annotated += found
    gaps = np.diff([0, *sorted(annotated), 100])
    assert gaps.max() <= 2 * 100 / 10


def test_another_draw_gives_other_random_images():
    draws = {
        tuple(chosen(3, [0.0] * 20, [[]] * 20, how="random", seed=s)) for s in range(5)
    }
    assert len(draws) == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": -1}, "at least 0"),
        ({"how": "doubtful"}, "no way"),
        ({"descriptors": []}, "0 descriptors"),
        ({"annotated": [2]}, "not in"),
    ],
)
def test_a_question_without_sense_is_refused(wrong, message):
    asked = {
        "n": 1,
        "how": "doubt",
        "doubts": [0.5, 0.5],
        "descriptors": [[1.0], [2.0]],
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(ValueError, match=message):
        suggest(**{**asked, **wrong})
