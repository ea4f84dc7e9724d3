"""Partial masks grow into a proposal, as in recursive approximation.

A pixel joins an object where the object is near and the proposal is deep:
``d(x, object) <= beta * d(x, outside of the proposal)``. The update is METHODS.md,
section 4: one object in :func:`grow_mask`, all objects of an image at once, without
merging any, in :func:`grow_objects`.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.components import (
    bounding_boxes,
    box_with_margin,
    compact_labels,
    connected_components,
    run_starts,
    split_between_seeds,
)
from napari_mtseg.geometry.distances import (
    Spacing,
    squared_distance_inside,
    squared_distance_to,
)

_ROUNDING = 1e-6
"""Share of a squared distance that float32 and ``beta`` may be off by; without it
0.7 * 10 < 7 would leave out pixels that lie exactly on the new outline."""

_F4 = np.finfo(np.float32)

_WINDOW_PIXELS = 1 << 18
"""Pixels treated together: small enough for the cache, large enough for NumPy."""


def grow_mask(
    painted: NDArray[np.bool_],
    proposal: NDArray[np.bool_],
    *,
    beta: float,
    spacing: Spacing | None = None,
) -> NDArray[np.bool_]:
    """Grow one mask into a proposal by one step.

    Parameters
    ----------
    painted : ([Z,] Y, X) bool
        Y, the mask as painted or grown so far.
    proposal : ([Z,] Y, X) bool
        P, where the network sees the object.
    beta : float
        Share of the gap that one step closes is ``beta / (1 + beta)``; >= 0. Growth
        stalls about ``1 / beta`` pixels short of the proposal's outline.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) bool
        Y' = {x : d(x, Y) - beta * d(x, outside of P) <= 0}. It holds Y and lies in
        Y or P. Y itself where P is empty or ``beta`` is 0; everything where P is
        full; empty where Y is empty. The image border is not outside.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or ``beta`` is negative or not finite.

    References
    ----------
    .. [1] Recursive approximation, eq. (5)-(6), as reconstructed in METHODS.md,
       section 4.

    Examples
    --------
    >>> painted = np.array([[True, False, False, False, False]])
    >>> proposal = np.array([[True, True, True, True, False]])
    >>> grow_mask(painted, proposal, beta=0.5).astype(int).tolist()
    [[1, 1, 0, 0, 0]]
    """
    _check(painted, proposal, beta)
    grown = painted.copy()
    if beta == 0 or not painted.any():
        return grown
    to_painted = squared_distance_to(painted, spacing=spacing)
    depth = squared_distance_inside(proposal, spacing=spacing)
    undecided = proposal & ~painted
    grown[undecided] = _is_reached(to_painted[undecided], depth[undecided], beta)
    return grown


def grow_objects(
    objects: NDArray[np.uint32],
    proposal: NDArray[np.bool_],
    *,
    beta: float,
    spacing: Spacing | None = None,
    known_background: NDArray[np.bool_] | None = None,
    separator: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint32]:
    """Grow all objects of an image into a proposal by one step, merging none.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object id as painted or grown so far, 0 where there is none. Any ids; one
        object may be several strokes, and objects may touch.
    proposal : ([Z,] Y, X) bool
        P, where the network sees any object, all classes together.
    beta : float
        As in :func:`grow_mask`, >= 0.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    known_background : ([Z,] Y, X) bool, optional
        Where nothing may grow.
    separator : ([Z,] Y, X) bool, optional
        Borders between touching objects, painted or predicted; taken out of P.

    Returns
    -------
    ([Z,] Y, X) uint32
        ``objects`` with some zeros replaced by ids. Each object grows by
        :func:`grow_mask` in its own territory (:func:`territories`), so that
        objects keep their pixels, their ids and their distance to each other's.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or ``beta`` is negative or not finite.

    References
    ----------
    .. [1] Recursive approximation, multi-object update, steps 1-4; METHODS.md,
       section 4. That background and separator are taken out of P is ours.
    """
    _check(objects, proposal, beta)
    if beta == 0:
        return objects.copy()
    free = proposal
    for barrier in (known_background, separator):
        if barrier is not None:
            _check(barrier, proposal, beta)
            free = free & ~barrier
    ids, seeds = compact_labels(objects)
    territory = territories(seeds, free, spacing=spacing)
    boxes = bounding_boxes(np.where(territory != 0, territory, seeds))
    grown = seeds.copy()
    for window, numbers in _windows(boxes, objects.shape):
        is_listed = np.zeros(len(ids), np.bool_)
        is_listed[numbers] = True
        own = territory[window] * is_listed[territory[window]]
        inside = {number: _relative(boxes[number], window) for number in numbers}
        _grow_in_window(grown[window], own, inside, beta=beta, spacing=spacing)
    return ids[grown]


def territories(
    objects: NDArray[np.uint32],
    proposal: NDArray[np.bool_],
    *,
    spacing: Spacing | None = None,
) -> NDArray[np.uint32]:
    """Share a proposal out among the objects that it meets.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Seeds: object ids, 0 where there is none.
    proposal : ([Z,] Y, X) bool
        P, where the network sees any object.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) uint32
        Id of the object whose piece of P a pixel belongs to. 0 outside P, on the
        cuts between objects, and in pieces that meet no seed.

    Notes
    -----
    A component of P that meets one object belongs to it as a whole. One that meets
    several is shared out by :func:`split_between_seeds` among exactly these: an
    object outside the component cannot own a part of it, however near it is (ours).
    Components are counted over corners, so that thin contacts are cut too (ours).
    """
    components = connected_components(proposal, connectivity="full")
    met, owner = _meetings(components, objects)
    n_owners = np.bincount(met, minlength=int(components.max(initial=0)) + 1)
    owner_of = np.zeros(len(n_owners), np.uint32)
    owner_of[met] = owner
    owner_of[n_owners > 1] = 0
    territory: NDArray[np.uint32] = owner_of[components]
    if (n_owners > 1).any():
        boxes = bounding_boxes(components)
        for number in np.flatnonzero(n_owners > 1).tolist():
            box = box_with_margin(boxes[number], components.shape)
            region = components[box] == number
            split = split_between_seeds(objects[box], region, spacing=spacing)
            np.copyto(territory[box], split, where=region)
    return territory


def _windows(
    boxes: Mapping[int, tuple[slice, ...]], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], list[int]]]:
    """Windows that can be grown one by one, each with the objects to grow in it.

    A window holds the territories of its objects, all their strokes and one pixel
    around them: the result is the same as on the whole image, in less memory and in
    the processor's cache. Objects larger than a window share one of their own.
    """
    side = round(_WINDOW_PIXELS ** (1 / len(shape)))
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, box in boxes.items():
        is_large = any(part.stop - part.start > side for part in box)
        cell = () if is_large else tuple(part.start // side for part in box)
        groups.setdefault(cell, []).append(number)
    for numbers in groups.values():
        sides = zip(*(boxes[number] for number in numbers), strict=True)
        box = tuple(
            slice(min(p.start for p in parts), max(p.stop for p in parts))
            for parts in sides
        )
        yield box_with_margin(box, shape), numbers


def _relative(box: tuple[slice, ...], window: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(part.start - origin.start, part.stop - origin.start)
        for part, origin in zip(box, window, strict=True)
    )


def _grow_in_window(
    objects: NDArray[np.uint32],
    territory: NDArray[np.uint32],
    boxes: Mapping[int, tuple[slice, ...]],
    *,
    beta: float,
    spacing: Spacing | None,
) -> None:
    """Grow the objects in place."""
    seeds = objects.copy()
    open_territory = territory * (seeds == 0)
    depth = squared_distance_inside(territory, spacing=spacing)
    # One transform for all objects: the nearer of own seed and territory's end.
    way_out = squared_distance_inside(open_territory, spacing=spacing)
    meets_seed_first = way_out < depth * np.float32(1 - 10 * _ROUNDING)
    joins = meets_seed_first & _is_reached(way_out, depth, beta)
    np.copyto(objects, open_territory, where=joins & (open_territory != 0))
    if not _is_reached(np.float32(1), np.float32(1 + 10 * _ROUNDING), beta):
        return
    # Now a pixel may join although its territory's end is nearer than its seed.
    np.copyto(open_territory, 0, where=meets_seed_first)
    for number, box in boxes.items():
        far = open_territory[box] == number
        if far.any():
            to_seed = squared_distance_to(seeds[box] == number, spacing=spacing)
            far &= _is_reached(to_seed, depth[box], beta)
            objects[box][far] = number


def _is_reached(
    to_seed: NDArray[np.float32] | np.float32,
    depth: NDArray[np.float32] | np.float32,
    beta: float,
) -> NDArray[np.bool_]:
    """Whether ``d(x, Y) <= beta * d(x, outside of P)``, from squared distances."""
    factor = np.clip(beta * beta * (1 + _ROUNDING), _F4.tiny, _F4.max)
    with np.errstate(over="ignore"):
        return np.asarray(to_seed <= factor.astype(np.float32) * depth)


def _meetings(
    components: NDArray[np.int32], objects: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Each pair (component, object) that share a pixel, once."""
    is_met = (components != 0) & (objects != 0)
    keys = components[is_met].astype(np.uint64) << np.uint64(32) | objects[is_met]
    keys = np.unique(keys[run_starts(keys)])
    return (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)


def _check(
    painted: NDArray[np.generic], proposal: NDArray[np.bool_], beta: float
) -> None:
    if painted.shape != proposal.shape:
        raise ValueError(f"mask {painted.shape} and proposal {proposal.shape} differ")
    if not (math.isfinite(beta) and beta >= 0):
        raise ValueError(f"beta is {beta} but must be finite and not negative")
