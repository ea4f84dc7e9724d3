"""Connected components, and regions cut between seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from napari_mtseg.geometry.components import (
    Connectivity,
    bounding_boxes,
    box_with_margin,
    compact_labels,
    component_sizes,
    connected_components,
    connected_pieces,
    present_labels,
    split_between_seeds,
    without_small_components,
)

HUGE = 2**32 - 1


def test_corners_connect_in_full_and_not_over_faces() -> None:
    diagonal = np.eye(3, dtype=bool)
    assert connected_components(diagonal, connectivity="full").max() == 1
    assert connected_components(diagonal, connectivity="faces").max() == 3


def test_a_corner_of_voxels_connects_in_3d_in_full_only() -> None:
    corner = np.zeros((2, 2, 2), bool)
    corner[0, 0, 0] = corner[1, 1, 1] = True
    assert connected_components(corner, connectivity="full").max() == 1
    assert connected_components(corner, connectivity="faces").max() == 2


def test_pieces_of_touching_labels_stay_apart() -> None:
    labels = np.array([[7, 7, 9], [0, 0, 7]], np.uint32)
    full = connected_pieces(labels, connectivity="full")
    assert full.tolist() == [[1, 1, 2], [0, 0, 1]]
    faces = connected_pieces(labels, connectivity="faces")
    assert len(np.unique(faces[labels == 7])) == 2


def test_sizes_count_pixels_but_not_the_background() -> None:
    components = connected_components(np.array([[1, 1, 0, 1]], bool))
    assert component_sizes(components).tolist() == [0, 2, 1]
    assert component_sizes(np.zeros((2, 2), np.int32)).tolist() == [0]


def test_small_components_go_and_large_ones_stay() -> None:
    mask = np.array([[1, 1, 0, 1]], bool)
    kept = without_small_components(mask, min_size=2)
    assert kept.tolist() == [[True, True, False, False]]
    assert without_small_components(mask, min_size=1).tolist() == mask.tolist()


def test_boxes_hold_their_label_tightly() -> None:
    labels = np.zeros((4, 5), np.uint32)
    labels[1, 2:4] = 3
    labels[3, 0] = HUGE
    assert bounding_boxes(labels) == {
        3: (slice(1, 2), slice(2, 4)),
        HUGE: (slice(3, 4), slice(0, 1)),
    }
    assert bounding_boxes(np.zeros((2, 2), np.uint32)) == {}


def test_a_margin_ends_at_the_image_border() -> None:
    box = (slice(0, 2), slice(3, 4))
    assert box_with_margin(box, (2, 6)) == (slice(0, 2), slice(2, 5))


@given(
    hnp.arrays(np.uint32, (4, 5), elements=st.sampled_from([0, 1, 5, 2**20 + 1, HUGE]))
)
def test_compact_numbers_name_the_same_labels(labels: NDArray[np.uint32]) -> None:
    names, numbers = compact_labels(labels)
    np.testing.assert_array_equal(names[numbers], labels)
    assert names[0] == 0
    assert len(names) <= 2**20 + 1
    assert present_labels(labels).tolist() == sorted(set(labels[labels > 0].tolist()))


@pytest.mark.parametrize("connectivity", ["faces", "full"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_no_component_after_the_split_meets_two_seeds(
    connectivity: Connectivity, ndim: int
) -> None:
    rng = np.random.default_rng(ndim)
    shape = (24, 24) if ndim == 2 else (9, 10, 11)
    n_shared = 0
    for _ in range(60):
        region = rng.random(shape) < rng.uniform(0.5, 1)
        seeds = seeds_apart(shape, rng)
        n_shared += len(np.unique(seeds[region])) > 2
        split = split_between_seeds(seeds, region)
        components = connected_components(split != 0, connectivity=connectivity)
        for number in range(1, components.max() + 1):
            met = np.unique(seeds[(components == number) & (seeds != 0)])
            assert len(met) <= 1
    assert n_shared > 40


def seeds_apart(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.uint32]:
    """Seeds of several random pixels and strokes, no two ids in contact."""
    seeds = np.zeros(shape, np.uint32)
    for number in range(1, 9):
        start = [int(rng.integers(0, n)) for n in shape]
        box = tuple(
            slice(a, min(a + int(rng.integers(1, 5)), n))
            for a, n in zip(start, shape, strict=True)
        )
        around = tuple(slice(max(b.start - 1, 0), b.stop + 1) for b in box)
        if not np.isin(seeds[around], [0, number], invert=True).any():
            seeds[box] = number
    return seeds


def test_a_bridge_is_cut_midway_between_two_seeds() -> None:
    seeds = np.array([[4, 0, 0, 0, 0, 0, 0, 9]], np.uint32)
    split = split_between_seeds(seeds, np.ones((1, 8), bool))
    assert split.tolist() == [[4, 4, 4, 0, 0, 9, 9, 9]]


def test_touching_seeds_keep_their_pixels_and_ids() -> None:
    seeds = np.array([[0, 4, 9, 0]], np.uint32)
    split = split_between_seeds(seeds, np.ones((1, 4), bool))
    assert split.tolist() == [[4, 4, 9, 9]]


def test_a_piece_that_the_cut_leaves_without_a_seed_is_dropped() -> None:
    region = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    seeds = np.array([[0, 0, 0, 9], [0, 0, 0, 0], [0, 0, 4, 4]], np.uint32)
    split = split_between_seeds(seeds, region)
    assert set(np.unique(split)) == {0, 4, 9}
    assert split[0, 3] == 9
    assert split[2, 2:].tolist() == [4, 4]
    assert split[1, 0] == 0


def test_a_region_without_seeds_belongs_to_nobody() -> None:
    region = np.ones((3, 3), bool)
    assert not split_between_seeds(np.zeros((3, 3), np.uint32), region).any()
    assert not split_between_seeds(np.ones((3, 3), np.uint32), ~region).any()
