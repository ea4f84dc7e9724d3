import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from napari_mtseg.geometry.tiles import WindowGrid, within
from napari_mtseg.networks import sample_overlap
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.sample_overlap import (
    OverlapCount,
    SampleOverlap,
    intersections,
    most_probable_class,
)
from napari_mtseg.networks.samples import Ensemble, MonteCarloDropout
from napari_mtseg.networks.unet import UNet
from napari_mtseg.networks.window_memory import bytes_per_window_pixel

CPU = torch.device("cpu")


def overlap_of(*answers, n_outputs=2):
    maps = [torch.tensor(answer, dtype=torch.uint8) for answer in answers]
    return SampleOverlap(intersections=intersections(maps, n_outputs=n_outputs))


def test_equal_answers_agree():
    found = overlap_of([0, 1, 1], [0, 1, 1], [0, 1, 1])
    assert found.mean_pairwise_dice() == 1
    assert found.volume_variation() == 0


@given(hnp.arrays(np.float32, (4, 2, 5), elements=st.integers(-2, 2)))
def test_the_first_of_the_most_probable_classes_is_taken(values):
    found = most_probable_class(torch.from_numpy(values))
    assert found.dtype == torch.uint8
    assert found.tolist() == values.argmax(0).tolist()


def test_every_two_answers_are_compared_once():
    found = overlap_of([1, 1, 0], [0, 1, 1], [1, 1, 0])
    assert found.mean_pairwise_dice() == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_where_no_answer_finds_anything_they_agree():
    found = overlap_of([0, 0], [0, 0])
    assert (found.mean_pairwise_dice(), found.volume_variation()) == (1, 0)


def test_an_answer_that_finds_nothing_shares_nothing():
    found = overlap_of([1, 1], [0, 0])
    assert found.mean_pairwise_dice() == 0
    assert found.volume_variation() == 1


def test_two_answers_without_a_class_agree_on_it():
    found = overlap_of([2, 0], [0, 0], [0, 0], n_outputs=3)
    assert found.mean_pairwise_dice() == pytest.approx(1 / 3)


def test_classes_count_alike_and_those_that_never_occur_do_not():
    found = overlap_of([1] * 8 + [2, 0], [1] * 8 + [0, 2], n_outputs=4)
    assert found.mean_pairwise_dice() == pytest.approx((1 + 0) / 2)


def test_the_volume_is_that_of_all_classes_together():
    assert overlap_of([1, 1], [2, 2], n_outputs=3).volume_variation() == 0
    found = overlap_of([1, 1, 1, 0], [1, 0, 0, 0])
    assert found.volume_variation() == pytest.approx(0.5)


@given(
    hnp.arrays(np.uint8, (4, 3, 5), elements=st.integers(0, 3)),
    st.integers(1, 60),
)
def test_pixels_are_counted_exactly_in_parts_of_any_size(answers, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_overlap, "_NUMBERS_AT_ONCE", at_once)
        maps = [torch.from_numpy(one) for one in answers]
        found = intersections(maps, n_outputs=4)
    for k in range(1, 4):
        for i, one in enumerate(answers):
            for j, other in enumerate(answers):
                assert found[k - 1, i, j] == ((one == k) & (other == k)).sum()


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([4, 8, 16]),
    st.booleans(),
)
def test_each_pixel_is_owned_by_one_window_that_reads_it(shape, tile, is_blended):
    grid = WindowGrid(
        mode="blended" if is_blended else "exact",
        shape=shape,
        tile=(tile, tile),
        halo=(3, 2),
        multiple=(4, 2),
    )
    owners = np.zeros(shape, int)
    for window in grid.windows():
        own = window.own
        owners[own] += 1
        inside = zip(own, window.read, strict=True)
        assert all(w.start <= o.start <= o.stop <= w.stop for o, w in inside)
        numbers = np.arange(np.prod(shape)).reshape(shape)
        part = within(own, window.read)
        assert (numbers[window.read][part] == numbers[own]).all()
    assert (owners == 1).all()


def test_nothing_was_counted_of_one_answer():
    assert OverlapCount().total() is None


def network(seed=0, **further):
    with seeded(seed):
        made = UNet(1, 3, base=2, levels=2, dropout=0.5, **further)
    return prepared_for_inference(made)


def overlap_in(samples, image, *, pixels=None):
    """Return what the answers share, in windows of so many pixels."""
    first, budget = samples.networks[0], 2**40
    if pixels is not None:
        per_pixel = bytes_per_window_pixel(
            first, 1, multiple=first.size_multiple, device=CPU, samples=samples
        )
        budget = int((per_pixel + samples.n) * pixels * 1.001)
    _, how = apply_in_windows(
        first,
        image,
        device=CPU,
        memory_budget_bytes=budget,
        outputs=("segmentation",),
        samples=samples,
    )
    return how


IMAGE = np.random.default_rng(0).normal(size=(1, 90, 110)).astype(np.float32)


def test_the_answers_of_an_ensemble_are_compared():
    networks = [network(seed) for seed in range(3)]
    answers = []
    for each in networks:
        maps, how = apply_in_windows(
            each,
            IMAGE,
            device=CPU,
            memory_budget_bytes=2**40,
            outputs=("segmentation",),
        )
        assert how.overlap is None
        answers.append(torch.from_numpy(maps["segmentation"].argmax(0)))
    found = overlap_in(Ensemble(networks), IMAGE).overlap
    assert found is not None
    expected = intersections(answers, n_outputs=3)
    assert found.intersections.tolist() == expected.tolist()


def test_exact_windows_count_what_the_whole_image_does():
    passes = MonteCarloDropout(network(), n_passes=4, seed=0)
    whole = overlap_in(passes, IMAGE)
    parts = overlap_in(passes, IMAGE, pixels=60 * 60)
    assert (whole.mode, parts.mode) == ("whole", "exact")
    assert whole.overlap is not None
    assert parts.overlap is not None
    # where two classes are equally probable, rounding decides
    difference = whole.overlap.intersections - parts.overlap.intersections
    assert np.abs(difference).max() <= 2


def test_blended_windows_count_each_pixel_once():
    passes = MonteCarloDropout(network(norm="instance"), n_passes=3, seed=0)
    how = overlap_in(passes, IMAGE, pixels=40 * 40)
    assert how.mode == "blended"
    assert how.overlap is not None
    sizes = np.diagonal(how.overlap.intersections, axis1=1, axis2=2).sum(axis=0)
    assert (sizes <= IMAGE[0].size).all()
    assert 0 <= how.overlap.mean_pairwise_dice() < 1
