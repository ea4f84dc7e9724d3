"""Object scores against the toy, hand counts and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mtseg.metrics.object_distances import object_distances
from napari_mtseg.metrics.objects import match_objects

NOTHING = np.zeros((4, 6), np.uint32)
ONE_ROW = np.array([[1, 1, 1, 1, 0, 0]], np.uint32)


def toy() -> tuple[np.ndarray, np.ndarray]:
    prediction, reference = np.zeros((2, 40, 40), np.uint32)
    reference[5:15, 5:15] = 1
    reference[25:33, 25:33] = 2
    prediction[5:15, 7:17] = 1
    prediction[30:34, 5:9] = 2
    return prediction, reference


def brute_hausdorff(one: np.ndarray, other: np.ndarray, spacing) -> float:
    points, others = np.argwhere(one), np.argwhere(other)
    apart = np.linalg.norm((points[:, None] - others[None]) * spacing, axis=2)
    return float(max(apart.min(axis=1).max(), apart.min(axis=0).max()))


def brute_scores(prediction, reference, spacing) -> tuple[float, float, float]:
    """Object Dice, object Hausdorff and F1, written down from the definitions."""

    def one_sided(labels, others):
        ids, other_ids = (np.unique(a[a != 0]) for a in (labels, others))
        overlap_score = distance = 0.0
        for own in ids:
            inside = labels == own
            shared = [int((inside & (others == i)).sum()) for i in other_ids]
            apart = [brute_hausdorff(inside, others == i, spacing) for i in other_ids]
            best = int(np.argmax(shared))
            weight = inside.sum() / (labels != 0).sum()
            if shared[best]:
                partner_size = (others == other_ids[best]).sum()
                overlap_score += (
                    weight * 2 * shared[best] / (inside.sum() + partner_size)
                )
                distance += weight * apart[best]
            else:
                distance += weight * min(apart)
        return overlap_score, distance

    found = set()
    for own in np.unique(prediction[prediction != 0]):
        covered = reference[prediction == own]
        ids, shared = np.unique(covered[covered != 0], return_counts=True)
        if ids.size and 2 * shared.max() >= (reference == ids[shared.argmax()]).sum():
            found.add(int(ids[shared.argmax()]))
    n_objects = sum(np.unique(a[a != 0]).size for a in (prediction, reference))
    ours, theirs = one_sided(prediction, reference), one_sided(reference, prediction)
    return (
        (ours[0] + theirs[0]) / 2,
        (ours[1] + theirs[1]) / 2,
        2 * len(found) / n_objects,
    )


@st.composite
def labels_and_spacing(draw: st.DrawFn):
    shape = draw(array_shapes(min_dims=2, max_dims=3, max_side=5))
    ids = st.sampled_from([0, 0, 1, 3, 4_000_000_000])
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.0]) for _ in shape]))
    images = [draw(arrays(np.uint32, shape, elements=ids)) for _ in range(2)]
    return images[0], images[1], spacing


def test_scores_of_the_toy():
    matching = match_objects(*toy())
    assert matching.dice == pytest.approx(0.58873, abs=5e-6)
    assert matching.f1 == 0.5
    assert matching.precision == matching.recall == 0.5


def test_distances_of_the_toy():
    prediction, reference = toy()
    distances = object_distances(
        prediction, reference, match_objects(prediction, reference)
    )
    alone = brute_hausdorff(prediction == 2, reference == 1, 1)
    missed = brute_hausdorff(prediction == 2, reference == 2, 1)
    assert distances.predicted.tolist() == pytest.approx([2, min(alone, missed)])
    assert distances.reference[0] == 2
    assert distances.hausdorff == pytest.approx(
        brute_scores(prediction, reference, (1, 1))[1]
    )


def test_tables_name_each_partner():
    matching = match_objects(*toy())
    assert matching.reference.ids.tolist() == [1, 2]
    assert matching.reference.sizes.tolist() == [100, 64]
    assert matching.reference.partners.tolist() == [1, 0]
    assert matching.reference.partner_sizes.tolist() == [100, 0]
    assert matching.reference.overlaps.tolist() == [80, 0]
    assert matching.reference.dice.tolist() == [0.8, 0]


def test_two_empty_images_agree():
    matching = match_objects(NOTHING, NOTHING)
    assert [matching.dice, matching.f1, matching.precision, matching.recall] == [1] * 4
    assert math.isnan(object_distances(NOTHING, NOTHING, matching).hausdorff)


@pytest.mark.parametrize("empty_one", [0, 1])
def test_one_empty_image_scores_nothing(empty_one):
    images = list(toy())
    images[empty_one] = np.zeros_like(images[0])
    prediction, reference = images
    matching = match_objects(prediction, reference)
    distances = object_distances(prediction, reference, matching)
    assert [matching.dice, matching.f1, matching.precision, matching.recall] == [0] * 4
    assert math.isnan(distances.hausdorff)
    assert np.isnan(distances.predicted).all()
    assert distances.predicted.size == matching.predicted.ids.size


def test_a_merged_pair_counts_as_one_find():
    reference = np.array([[1, 1, 1, 2, 2, 2]], np.uint32)
    matching = match_objects(np.ones_like(reference), reference)
    assert matching.n_found == 1
    assert matching.precision == 1
    assert matching.recall == 0.5
    assert matching.f1 == pytest.approx(2 / 3)


def test_half_an_object_is_found_and_only_once():
    halves = np.array([[1, 1, 2, 2, 0, 0]], np.uint32)
    matching = match_objects(halves, ONE_ROW)
    assert matching.n_found == 1
    assert matching.precision == 0.5
    assert matching.recall == 1


def test_less_than_half_is_not_found():
    third = np.array([[1, 0, 0, 0, 0, 0]], np.uint32)
    assert match_objects(third, ONE_ROW).f1 == 0


def test_object_without_overlap_is_compared_with_the_nearest():
    prediction = np.array([[0, 0, 0, 7, 0, 0, 0, 0, 0]], np.uint32)
    reference = np.array([[1, 0, 0, 0, 0, 2, 2, 2, 2]], np.uint32)
    distances = object_distances(
        prediction, reference, match_objects(prediction, reference)
    )
    assert distances.predicted.tolist() == [3]
    assert distances.reference.tolist() == [3, 5]
    assert distances.hausdorff == pytest.approx((3 + (1 * 3 + 4 * 5) / 5) / 2)


def test_distances_follow_the_spacing():
    prediction = np.array([[[1, 0]], [[0, 0]]], np.uint32)
    reference = np.array([[[0, 0]], [[0, 1]]], np.uint32)
    matching = match_objects(prediction, reference)
    distances = object_distances(prediction, reference, matching, spacing=(4, 1, 3))
    assert distances.hausdorff == 5


@given(labels_and_spacing())
@settings(max_examples=60, deadline=None)
def test_scores_equal_the_definitions(case):
    prediction, reference, spacing = case
    matching = match_objects(prediction, reference)
    if not (prediction.any() and reference.any()):
        return
    distances = object_distances(prediction, reference, matching, spacing=spacing)
    object_dice, hausdorff, f1 = brute_scores(prediction, reference, spacing)
    assert matching.dice == pytest.approx(object_dice)
    assert matching.f1 == pytest.approx(f1)
    assert distances.hausdorff == pytest.approx(hausdorff)


@pytest.mark.parametrize("seed", range(3))
def test_many_lone_objects_equal_the_definitions(seed):
    rng = np.random.default_rng(seed)
    prediction, reference = np.zeros((2, 60, 60), np.uint32)
    for labels, parity in ((prediction, 0), (reference, 1)):
        for object_id in range(1, 12):
            y, x = rng.integers(0, 6, 2) * 10 + parity * 5
            labels[y : y + rng.integers(1, 5), x : x + rng.integers(1, 5)] = object_id
    matching = match_objects(prediction, reference)
    distances = object_distances(prediction, reference, matching, spacing=(1, 1.5))
    assert not matching.predicted.overlaps.any()
    assert distances.hausdorff == pytest.approx(
        brute_scores(prediction, reference, (1, 1.5))[1]
    )


@given(labels_and_spacing())
def test_object_dice_and_hausdorff_are_symmetric(case):
    one, other, spacing = case
    forth, back = match_objects(one, other), match_objects(other, one)
    assert forth.dice == pytest.approx(back.dice)
    assert object_distances(one, other, forth, spacing=spacing).hausdorff == (
        pytest.approx(
            object_distances(other, one, back, spacing=spacing).hausdorff, nan_ok=True
        )
    )


@given(labels_and_spacing())
def test_an_image_equals_itself(case):
    labels, _, spacing = case
    matching = match_objects(labels, labels)
    assert matching.dice == matching.f1 == 1
    hausdorff = object_distances(labels, labels, matching, spacing=spacing).hausdorff
    assert hausdorff == 0 or not labels.any()


def test_labels_that_do_not_fit_are_refused():
    prediction, reference = toy()
    with pytest.raises(ValueError, match="differ"):
        match_objects(prediction[1:], reference)
    with pytest.raises(ValueError, match="not object ids"):
        match_objects(prediction.astype(np.float32), reference)
    with pytest.raises(ValueError, match="must be 0 to"):
        match_objects(-prediction.astype(np.int64), reference)


def test_labels_of_another_matching_are_refused():
    prediction, reference = toy()
    for other in (reference * 3, np.zeros_like(reference)):
        with pytest.raises(ValueError, match="matching"):
            object_distances(other, prediction, match_objects(*toy()))
    with pytest.raises(ValueError, match="differ"):
        object_distances(prediction[:0], reference, match_objects(*toy()))


def test_images_without_pixels_are_empty():
    nothing = np.zeros((0, 5), np.uint32)
    assert match_objects(nothing, nothing).dice == 1
