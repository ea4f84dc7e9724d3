"""The level-set update against its definition, and what it promises to painters."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_mtseg.geometry.components import connected_components
from napari_mtseg.geometry.distances import distance_inside, distance_to, nearest_label
from napari_mtseg.growth import level_set
from napari_mtseg.growth.level_set import grow_mask, grow_objects, territories

Objects = NDArray[np.uint32]
Mask = NDArray[np.bool_]

HUGE = 2**32 - 1
BETAS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.99, 1.0, 1.5, 5.0, 1e9)


# --- Cases ---------------------------------------------------------------------


def disk(centre: tuple[int, int], radius: int, size: int = 128) -> Mask:
    rows, columns = np.mgrid[:size, :size]
    return np.asarray(np.hypot(rows - centre[0], columns - centre[1]) <= radius)


def dice(a: Mask, b: Mask) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Objects, Mask, Mask, tuple[float, ...]]:
    """Objects, proposal, barrier and spacing; 2D or 3D, sparse and dense."""
    ndim = draw(st.sampled_from([2, 2, 3]))
    sides = st.integers(1, 9) if ndim == 2 else st.integers(1, 5)
    shape = draw(st.tuples(*[sides] * ndim))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ids = np.array(draw(st.sampled_from([[1, 2, 3], [7, 300, HUGE], [5, 6, 2**21]])))
    density = draw(st.sampled_from([0.03, 0.1, 0.4]))
    objects = (rng.random(shape) < density) * rng.choice(ids, shape)
    proposal = rng.random(shape) < draw(st.sampled_from([0.3, 0.6, 0.9, 1.0]))
    barrier = rng.random(shape) < draw(st.sampled_from([0.0, 0.0, 0.1]))
    spacing = draw(st.tuples(*[st.sampled_from([1.0, 1.0, 0.5, 2.5])] * ndim))
    return objects.astype(np.uint32), proposal, barrier, spacing


# --- The definition, pixel by pixel ----------------------------------------------


def distances(inside: Mask, spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance of each pixel to each of ``inside``, nearest one; inf if none."""
    points = np.argwhere(np.ones_like(inside)) * np.array(spacing)
    members = np.argwhere(inside) * np.array(spacing)
    squares = ((points[:, None] - members[None]) ** 2).sum(-1)
    return np.asarray(np.sqrt(squares.min(1, initial=np.inf)).reshape(inside.shape))


def reached(
    seed: Mask, proposal: Mask, beta: float, spacing: tuple[float, ...]
) -> Mask:
    """{x : d(x, Y) <= beta d(x, outside of P)}; equal up to rounding is equal."""
    if beta == 0 or not seed.any():
        return seed
    reach = beta * distances(~proposal, spacing)
    return seed | (proposal & (distances(seed, spacing) <= reach * (1 + 5e-7)))


def defined_growth(
    objects: Objects, proposal: Mask, beta: float, spacing: tuple[float, ...]
) -> Objects:
    """Steps 1-4 one object and one component at a time, on the whole image."""
    pieces_of: dict[int, Mask] = {}
    components = connected_components(proposal, connectivity="full")
    for number in range(1, components.max() + 1):
        region = components == number
        for name, piece in defined_pieces(objects, region, spacing):
            pieces_of[name] = pieces_of.get(name, np.zeros_like(proposal)) | piece
    grown = objects.copy()
    for name, piece in pieces_of.items():
        larger = reached(objects == name, piece, beta, spacing)
        grown[larger & (objects == 0)] = name
    return grown


def defined_pieces(
    objects: Objects, region: Mask, spacing: tuple[float, ...]
) -> list[tuple[int, Mask]]:
    seeds = np.where(region, objects, 0)
    names = [int(name) for name in np.unique(seeds) if name]
    if len(names) == 1:
        return [(names[0], region)]
    near = nearest_label(seeds, spacing=spacing)
    kept = region.copy()
    for at in map(tuple, np.argwhere(region & (seeds == 0))):
        around = tuple(slice(max(i - 1, 0), i + 2) for i in at)
        kept[at] = len(np.unique(near[around])) == 1
    pieces = []
    for name in names:
        parts = connected_components(kept & (near == name), connectivity="full")
        meeting = np.unique(parts[seeds == name])
        pieces.append((name, np.isin(parts, meeting[meeting > 0])))
    return pieces


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_growth_equals_its_definition(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, _, spacing = scene
    expected = defined_growth(objects, proposal, beta, spacing)
    found = grow_objects(objects, proposal, beta=beta, spacing=spacing)
    np.testing.assert_array_equal(found, expected)
    with mock.patch.object(level_set, "_WINDOW_PIXELS", 16):
        in_parts = grow_objects(objects, proposal, beta=beta, spacing=spacing)
    np.testing.assert_array_equal(in_parts, expected)


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_one_mask_grows_as_defined(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, _, spacing = scene
    found = grow_mask(objects > 0, proposal, beta=beta, spacing=spacing)
    expected = reached(objects > 0, proposal, beta, spacing)
    np.testing.assert_array_equal(found, expected)


# --- Promises --------------------------------------------------------------------


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_growth_never_removes_or_changes_a_painted_pixel(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, barrier, spacing = scene
    grown = grow_objects(
        objects,
        proposal,
        beta=beta,
        spacing=spacing,
        known_background=barrier,
        separator=~barrier & (objects > 0),
    )
    painted = objects != 0
    assert (grown[painted] == objects[painted]).all()
    assert grown.dtype == np.uint32


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_growth_never_enters_known_background_or_a_separator(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, barrier, spacing = scene
    for name in ("known_background", "separator"):
        grown = grow_objects(
            objects, proposal, beta=beta, spacing=spacing, **{name: barrier}
        )
        assert (grown[barrier] == objects[barrier]).all()


@given(scene=scenes(), betas=st.tuples(*[st.sampled_from(BETAS)] * 2))
def test_growth_is_monotone_in_beta(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], betas: tuple[float, float]
) -> None:
    objects, proposal, _, spacing = scene
    less, more = (
        grow_objects(objects, proposal, beta=beta, spacing=spacing)
        for beta in sorted(betas)
    )
    assert (more[less != 0] == less[less != 0]).all()


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_growth_never_merges_two_objects(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, _, spacing = scene
    grown = grow_objects(objects, proposal, beta=beta, spacing=spacing)
    added = np.where(objects == 0, grown, 0)
    components = connected_components(proposal)
    for name in np.unique(added[added != 0]):
        reachable = np.unique(components[(objects == name) & proposal])
        assert np.isin(components[added == name], reachable).all()
    for axis in range(added.ndim):
        along = np.moveaxis(added, axis, 0)
        one, other = along[:-1], along[1:]
        assert not ((one != other) & (one != 0) & (other != 0)).any()


@given(scene=scenes())
def test_pieces_of_the_proposal_meet_their_own_seed(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]],
) -> None:
    objects, proposal, _, spacing = scene
    territory = territories(objects, proposal, spacing=spacing)
    assert not territory[~proposal].any()
    inside = proposal & (objects != 0)
    assert (territory[inside] == objects[inside]).all()
    assert set(np.unique(territory)) <= set(np.unique(objects[inside])) | {0}


def test_grown_objects_stay_a_pixel_apart_where_their_seeds_do() -> None:
    proposal = disk((30, 24), 20, 64) | disk((30, 44), 18, 64)
    objects = np.zeros((64, 64), np.uint32)
    objects[disk((30, 18), 5, 64)] = 11
    objects[disk((30, 48), 5, 64)] = 4_000_000_000
    grown = grow_objects(objects, proposal, beta=1e9)
    one, other = grown == 11, grown == 4_000_000_000
    assert distance_to(one)[other].min() >= 2
    # The cut is at most two pixels wide along the 36 rows where the disks meet.
    assert (proposal & (grown == 0)).sum() < 2 * 36
    assert one.sum() > 700
    assert other.sum() > 700


# --- Identities (METHODS.md, section 7, item 4) --------------------------------------


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.1, 0.71), (0.2, 0.88), (0.5, 0.968), (1.0, 1.0)]
)
def test_ten_steps_on_the_disk_reach_the_published_overlap(
    beta: float, expected: float
) -> None:
    proposal, mask = disk((64, 64), 40), disk((60, 66), 20)
    assert dice(mask, proposal) == pytest.approx(0.40, abs=0.005)
    objects = mask.astype(np.uint32) * 9
    for _ in range(10):
        mask = grow_mask(mask, proposal, beta=beta)
        objects = grow_objects(objects, proposal, beta=beta)
    assert dice(mask, proposal) == pytest.approx(expected, abs=0.006)
    np.testing.assert_array_equal(objects == 9, mask)


@pytest.mark.parametrize("inside", [True, False])
def test_beta_zero_keeps_the_mask_and_a_huge_beta_fills_the_proposal(
    inside: bool,
) -> None:
    proposal = disk((32, 32), 20, 64)
    painted = disk((32, 32), 8, 64) if inside else disk((32, 48), 8, 64)
    np.testing.assert_array_equal(grow_mask(painted, proposal, beta=0), painted)
    np.testing.assert_array_equal(
        grow_mask(painted, proposal, beta=1e9), proposal | painted
    )


@given(scene=scenes(), beta=st.sampled_from(BETAS))
def test_the_signed_distance_variant_gives_the_same_set(
    scene: tuple[Objects, Mask, Mask, tuple[float, ...]], beta: float
) -> None:
    objects, proposal, _, spacing = scene
    painted = objects > 0
    if not painted.any() or painted.all() or proposal.all():
        return
    signed = distance_to(painted, spacing=spacing) - distance_inside(
        painted, spacing=spacing
    )
    phi = signed - beta * distance_inside(proposal, spacing=spacing)
    found = grow_mask(painted, proposal, beta=beta, spacing=spacing)
    clear = np.abs(phi) > 1e-5
    np.testing.assert_array_equal(found[clear], (phi <= 0)[clear])


# --- Guards ------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.5, 5.0])
def test_an_empty_proposal_changes_nothing(beta: float) -> None:
    objects = np.array([[0, 3, 0]], np.uint32)
    nothing = np.zeros((1, 3), bool)
    assert grow_objects(objects, nothing, beta=beta).tolist() == [[0, 3, 0]]
    assert grow_mask(objects > 0, nothing, beta=beta).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("beta", [1e-30, 0.01, 0.5, 5.0, 1e200])
def test_a_full_proposal_gives_everything_to_the_only_object(beta: float) -> None:
    objects = np.zeros((9, 11), np.uint32)
    objects[0, 0] = 3
    full = np.ones((9, 11), bool)
    assert (grow_objects(objects, full, beta=beta) == 3).all()
    assert grow_mask(objects > 0, full, beta=beta).all()


def test_nothing_painted_stays_empty() -> None:
    empty, full = np.zeros((4, 4), np.uint32), np.ones((4, 4), bool)
    assert not grow_objects(empty, full, beta=5).any()
    assert not grow_mask(empty > 0, full, beta=5).any()
    assert grow_objects(empty[:0], full[:0], beta=5).shape == (0, 4)


def test_the_image_border_does_not_slow_growth() -> None:
    objects = np.array([[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]], np.uint32)
    proposal = np.array([[1, 1, 1, 1, 1, 1, 1, 1, 1, 0]], bool)
    grown = grow_objects(objects, proposal, beta=0.5)
    assert grown.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0, 0, 0]]


def test_strokes_of_one_object_grow_together_and_nothing_else_does() -> None:
    objects = np.array([[5, 0, 0, 0, 0, 5, 0, 0, 0, 0]], np.uint32)
    proposal = np.array([[1, 1, 0, 0, 1, 1, 1, 0, 1, 1]], bool)
    grown = grow_objects(objects, proposal, beta=1)
    assert grown.tolist() == [[5, 5, 0, 0, 5, 5, 5, 0, 0, 0]]


def test_a_separator_keeps_objects_apart() -> None:
    objects = np.array([[1, 0, 0, 0, 0, 2, 0, 0]], np.uint32)
    proposal = np.ones((1, 8), bool)
    separator = np.array([[0, 1, 0, 0, 0, 0, 0, 0]], bool)
    grown = grow_objects(objects, proposal, beta=5, separator=separator)
    assert grown.tolist() == [[1, 0, 2, 2, 2, 2, 2, 2]]


def test_what_was_passed_in_is_left_alone() -> None:
    objects = np.array([[1, 0, 0]], np.uint32)
    proposal = np.ones((1, 3), bool)
    for beta in (0.0, 0.5, 5.0):
        grown = grow_objects(objects, proposal, beta=beta)
        grown[:] = 9
        assert objects.tolist() == [[1, 0, 0]]
        assert proposal.all()


@pytest.mark.parametrize("beta", [-0.1, float("nan"), float("inf")])
def test_a_beta_that_makes_no_sense_is_refused(beta: float) -> None:
    mask = np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="beta"):
        grow_mask(mask, mask, beta=beta)
    with pytest.raises(ValueError, match="beta"):
        grow_objects(mask.astype(np.uint32), mask, beta=beta)


def test_arrays_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        grow_mask(np.ones((2, 2), bool), np.ones((2, 3), bool), beta=1)
    objects, proposal = np.ones((2, 2), np.uint32), np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="differ"):
        grow_objects(objects, proposal, beta=1, separator=np.ones((1, 2), bool))
