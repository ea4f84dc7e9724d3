"""Bounds of the distance to an outline of which only parts are painted."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import SCRIBBLE_SEPARATOR, Annotation
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.domain.targets import IGNORE
from napari_mtseg.geometry.distances import (
    Spacing,
    relative_spacing,
)
from napari_mtseg.targets.class_map import (
    known_classes,
    known_objects,
    undisputed_complete,
)
from napari_mtseg.targets.distance_maps import (
    REACH,
    DistanceKind,
    DistanceRule,
    distance_map,
    gap_distance,
    normalised,
    two_sided_distance,
)

Interval = tuple[NDArray[np.float32], NDArray[np.float32]]
"""lowest and highest possible distance of each pixel"""

UNBOUNDED = 2.0
"""reaches at which maps of rule 'trunc' are cut: a patch may be shrunk to half its
size, and what was cut must still lie at the end of the range"""


WIDEST = 2.0
"""reaches between two bounds from which on they are as good as none (ours)"""


def distance_interval(
    foreground: NDArray[np.generic],
    background: NDArray[np.bool_],
    *,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> Interval:
    """Bounds of ``D = d(x, m) - d(x, not m)`` where the mask m is known in parts.

    Parameters
    ----------
    foreground : ([Z,] Y, X) bool or integer
        Pixels known to be in m; as integers, the object that each is known to be in,
        0 where that is not known. Touching objects have an outline between them.
    background : ([Z,] Y, X) bool
        Pixels known not to be in m.
    spacing : tuple of float, optional
        Size of a voxel along each axis, > 0; 1 if left out.
    border_is_boundary : bool
        Whether what lies beyond the image edge is known not to be in m.

    Returns
    -------
    low, high : ([Z,] Y, X) float32
        In the unit of ``spacing``, -inf and +inf where a side is unbounded. Equal
        where a mask is known everywhere.

    Raises
    ------
    ValueError
        If a pixel is both, or ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 6. Its four bounds in two: D falls as m grows, so the
       known foreground bounds it from above and all that may be foreground from below.
       The paper's D3 equals D outside of m; inside it is higher, by at most a voxel.

    Examples
    --------
    >>> row = np.array([[0, 0, 0, 1, 1, 0]])
    >>> low, high = distance_interval(row == 1, np.array([[1, 1, 0, 0, 0, 0]]) == 1)
    >>> low.tolist(), high.tolist()
    ([[2.0, 1.0, -1.0, -2.0, -3.0, -4.0]], [[3.0, 2.0, 1.0, -1.0, -1.0, 1.0]])
    """
    if (background & foreground.astype(np.bool_, copy=False)).any():
        raise ValueError("a pixel cannot be known as foreground and as background")
    low, high = (
        gap_distance(labels, spacing=spacing, border_is_boundary=border_is_boundary)
        for labels in (~background, foreground)
    )
    return low, high


def interval_of_kind(
    low: NDArray[np.float32], high: NDArray[np.float32], kind: DistanceKind
) -> Interval:
    """Bounds of D1 = max(D, 0), D2 = abs(D) or D3 = D, from those of D."""
    if kind == "D1":
        return np.maximum(low, 0), np.maximum(high, 0)
    if kind == "D2":
        return np.maximum(np.maximum(low, -high), 0), np.maximum(-low, high)
    return low, high


def distance_targets(  # noqa: PLR0913 - one argument per property of the map
    annotation: Annotation,
    *,
    n_classes: int,
    kind: DistanceKind = "D3",
    rule: DistanceRule = "trunc",
    reach: float = REACH,
    spacing: Spacing | None = None,
    border_is_boundary: bool = False,
) -> dict[int, Interval]:
    """Return the bounds between which each class's distance map is to be learned.

    Where full masks hold everywhere, both bounds are the paper's map of the class's
    objects. Elsewhere they are what paint leaves possible: a side that no paint
    bounds is the end of the range, and so are both where, cut at two reaches, they
    still are more than two reaches apart. On a separator masks tell nothing: an
    outline may run there.

    Parameters
    ----------
    annotation : Annotation
        Paint of all kinds.
    n_classes : int
        Classes without background, >= 1.
    kind, rule, border_is_boundary
        As in :func:`~napari_mtseg.targets.distance_maps.distance_map` and
        :func:`~napari_mtseg.targets.distance_maps.normalised`.
    reach : float
        Distance at which rule 'trunc' saturates, pixels of the last axis, > 0.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.

    Returns
    -------
    dict of int to (([Z,] Y, X) float32, ([Z,] Y, X) float32)
        Class 1..n_classes -> lowest and highest value; one and the same array where
        the map is known.

        Rules 'sym', 'minmax' and 'sides': 0..1, final; enlarging the image changes
        nothing. 'sides' makes D3 of
        :func:`~napari_mtseg.targets.distance_maps.two_sided_distance`.

        Rule 'trunc': in reaches, -2..2 (D3) or 0..2 (D1, D2), not yet cut to the
        range, since in an image enlarged by s (0.5..2) distances grow by s. With m
        the map of the enlarged image, the value to learn is
        ``0.5 + clip(s * m, -1, 1) / 2`` for D3 and ``clip(s * m, 0, 1)`` for D1 and
        D2; unbounded sides then still are the ends of 0..1.

    Raises
    ------
    ValueError
        If ``reach`` is not positive or ``spacing`` does not fit.
    AnnotationError
        If the rule is not 'trunc' although full masks do not hold everywhere.

    References
    ----------
    .. [1] METHODS.md sections 2 and 6.
    """
    if not 0 < reach < np.inf:
        raise ValueError(f"reach is {reach} but must be a positive number")
    exact = bool(undisputed_complete(annotation).all())
    if rule != "trunc" and not exact:
        raise AnnotationError(
            f"Distances normalised by {rule!r} need full masks of the whole image, but "
            "an image is painted in part, or has scribbles that contradict its full "
            "masks or separate objects. Use 'trunc', or erase these scribbles and mark "
            "the whole image complete."
        )
    known = known_classes(annotation)
    known[annotation.scribbles == SCRIBBLE_SEPARATOR] = IGNORE
    in_pixels = relative_spacing(spacing, known.ndim)
    objects = annotation.full.objects if exact else known_objects(annotation)
    found: dict[int, Interval] = {}
    for number in range(1, n_classes + 1):
        of_class = objects * (known == number)
        if exact:
            distance = _known_distance(
                of_class,
                kind,
                rule,
                spacing=in_pixels,
                border_is_boundary=border_is_boundary,
            )
            value = _to_learn(distance, kind=kind, rule=rule, reach=reach)
            found[number] = value, value
        else:
            low, high = distance_interval(
                of_class,
                (known != number) & (known != IGNORE),
                spacing=in_pixels,
                border_is_boundary=border_is_boundary,
            )
            found[number] = _interval_to_learn(low, high, kind=kind, reach=reach)
    return found


def _known_distance(
    labels: NDArray[np.generic],
    kind: DistanceKind,
    rule: DistanceRule,
    *,
    spacing: Spacing,
    border_is_boundary: bool,
) -> NDArray[np.float32]:
    """Return the distance map of objects that are known everywhere."""
    if rule == "sides" and kind == "D3":
        return two_sided_distance(
            labels, spacing=spacing, border_is_boundary=border_is_boundary
        )
    return distance_map(
        labels, kind, spacing=spacing, border_is_boundary=border_is_boundary
    )


def _interval_to_learn(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    *,
    kind: DistanceKind,
    reach: float,
) -> Interval:
    """Bounds in reaches, the ends of the range where they are too far apart."""
    bounds = interval_of_kind(low, high, kind)
    is_bounded = np.isfinite(bounds[0]) & np.isfinite(bounds[1])
    low, high = (
        _to_learn(bound, kind=kind, rule="trunc", reach=reach) for bound in bounds
    )
    too_wide = is_bounded & (high - low > WIDEST)
    low[too_wide] = _lowest(kind)
    high[too_wide] = UNBOUNDED
    return low, high


def _to_learn(
    distance: NDArray[np.float32],
    *,
    kind: DistanceKind,
    rule: DistanceRule,
    reach: float,
) -> NDArray[np.float32]:
    """Return a map as :func:`distance_targets` describes it."""
    if rule != "trunc":
        return normalised(distance, rule, kind=kind)
    values = distance * np.float32(1 / reach)
    np.clip(values, _lowest(kind), UNBOUNDED, out=values)
    return values


def _lowest(kind: DistanceKind) -> float:
    """Return the lowest value of a 'trunc' map, in reaches."""
    return -UNBOUNDED if kind == "D3" else 0.0
