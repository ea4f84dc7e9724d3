"""Smooth boundary maps to regress, and weights that grow near boundaries."""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import canny

from napari_mtseg.geometry.boundaries import neighbours, within
from napari_mtseg.geometry.components import bounding_boxes
from napari_mtseg.geometry.distances import Spacing, voxel_size

Edges = Literal["inner", "canny"]
"""'inner': the outermost pixels of a region; 'canny': the edges Canny finds on its
mask, plane by plane"""

REACH = 3.0
"""standard deviations from a boundary beyond which its map counts as 0"""

TRUNCATE = 4.0
"""standard deviations at which the Gaussian is cut off"""

CANNY_SIGMA = 1.0
"""standard deviation of the smoothing before Canny, pixels"""

CANNY_REACH = 6
"""pixels beyond which a change of a mask leaves its Canny edges as they are"""


def boundary_map(
    labels: NDArray[np.generic],
    *,
    delta: float = 2.0,
    spacing: Spacing | None = None,
    edges: Edges = "inner",
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Gaussian ridge along all boundaries, 1 on top of them.

    Parameters
    ----------
    labels : ([Z,] Y, X) bool or integer
        Object ids or a class map, 0 outside. Where two labels touch, each keeps its
        own boundary. The image edge is no boundary.
    delta : float
        Standard deviation of the Gaussian, pixels of the last axis, > 0; 2 to 3 in
        the paper.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    edges : 'inner' or 'canny'
        What counts as boundary. Canny is the paper's; its edges are up to two pixels
        thick. The default is ours.
    known : ([Z,] Y, X) bool, optional
        Where labels are known; only boundaries with both sides there count. All of
        the image if left out.

    Returns
    -------
    ([Z,] Y, X) float32
        0..1; 0 everywhere if there is no boundary.

    Raises
    ------
    ValueError
        If ``delta`` is not positive or ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 3: y_r = min(1, G_delta * B / g_delta), where
       g_delta = 1 / (sqrt(2 pi) delta) is the response to a straight line. The paper
       gives no normalisation.

    Examples
    --------
    >>> row = np.array([[0, 0, 0, 0, 5, 5, 5, 5]])
    >>> (100 * boundary_map(row, delta=1)).round().astype(int).tolist()
    [[0, 1, 14, 61, 100, 61, 14, 1]]
    """
    sigmas = _sigmas(delta, spacing, labels.ndim)
    ridge = _smoothed(_edges(labels, sigmas, edges, known=known), sigmas)
    return np.minimum(ridge, 1, out=ridge)


def difficulty_map(  # noqa: PLR0913 - one argument per property of the map
    objects: NDArray[np.uint32],
    class_of: Mapping[int, int],
    *,
    weights: Mapping[int, float],
    delta: float = 8.0,
    base: float = 1.0,
    spacing: Spacing | None = None,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """How much each pixel counts: more near boundaries, most between close ones.

    Parameters
    ----------
    objects : ([Z,] Y, X) uint32
        Object ids, 0 background. The image edge is no boundary.
    class_of : mapping of int to int
        Object id -> class.
    weights : mapping of int to float
        Class -> what a straight boundary of it adds, >= 0; in the paper the ratio of
        background to foreground, 25.
    delta : float
        Standard deviation of the Gaussian, pixels of the last axis, > 0.
    base : float
        Weight far from all boundaries, >= 0.
    spacing : tuple of float, optional
        Voxel size ([Z,] Y, X); 1 if left out.
    known : ([Z,] Y, X) bool, optional
        As in :func:`boundary_map`.

    Returns
    -------
    ([Z,] Y, X) float32
        At least ``base``. Boundaries add up and nothing is cut off.

    Raises
    ------
    ValueError
        If an object has no class or its class no weight, if ``delta`` is not
        positive, or if ``spacing`` does not fit the array.

    References
    ----------
    .. [1] METHODS.md section 3: base + sum over k of weight_k G_delta * B_k / g_delta.

    Examples
    --------
    >>> row = np.array([[0] * 40 + [5] * 4], np.uint32)
    >>> weight = difficulty_map(row, {5: 1}, weights={1: 25})
    >>> weight[0, [0, 32, 40]].round().tolist()
    [1.0, 16.0, 26.0]
    """
    sigmas = _sigmas(delta, spacing, objects.ndim)
    edges = _edges(objects, sigmas, known=known)
    edges = _weighted(edges, objects, class_of, weights)
    return _smoothed(edges, sigmas) + np.float32(base)


def _weighted(
    edges: NDArray[np.float32],
    objects: NDArray[np.uint32],
    class_of: Mapping[int, int],
    weights: Mapping[int, float],
) -> NDArray[np.float32]:
    """Edges times the weight of their object's class."""
    places = np.flatnonzero(edges)
    ids, ranks = np.unique(objects.flat[places], return_inverse=True)
    try:
        weight = np.array([weights[class_of[i]] for i in ids.tolist()], np.float32)
    except KeyError as missing:
        raise ValueError(f"no class or no weight is given for {missing}") from missing
    edges.flat[places] *= weight[ranks]
    return edges


def _sigmas(delta: float, spacing: Spacing | None, ndim: int) -> tuple[float, ...]:
    """Return the standard deviation along each axis, voxels."""
    if not 0 < delta < math.inf:
        raise ValueError(f"delta is {delta} but must be a positive number")
    size = voxel_size(spacing, ndim)
    return tuple(delta * size[-1] / s for s in size)


def _smoothed(
    edges: NDArray[np.float32], sigmas: tuple[float, ...]
) -> NDArray[np.float32]:
    if not edges.any():
        return np.zeros(edges.shape, np.float32)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(
        edges, sigmas, output=np.float32, mode="nearest", truncate=TRUNCATE
    )
    return smooth


def _inverse_response(sigma: float) -> float:
    """One over the Gaussian's response to a straight boundary one voxel thick.

    It is 1 / g_delta for wide Gaussians, and right for narrow ones, too.
    """
    reach = int(TRUNCATE * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    return float(np.exp(-0.5 * (offsets / sigma) ** 2).sum())


def _edges(
    labels: NDArray[np.generic],
    sigmas: tuple[float, ...],
    edges: Edges = "inner",
    *,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Boundaries, as strong as makes a straight one peak at 1 when smoothed; else 0.

    Along each axis, so that a boundary between thick slices counts as one, too (ours).
    Only boundaries whose two sides are ``known`` count.
    """
    if edges == "canny":
        found = _canny_edges(labels)
        if known is not None:
            # Canny's edge lies on either side of the boundary.
            found &= ~within(~known, 2)
        return found * np.float32(_inverse_response(sigmas[-1]))
    strength = np.zeros(labels.shape, np.float32)
    for axis, sigma in enumerate(sigmas):
        before, after = neighbours(labels, axis)
        differ = before != after
        if known is not None:
            differ &= np.logical_and(*neighbours(known, axis))
        for side in neighbours(strength, axis):
            np.maximum(side, _inverse_response(sigma), out=side, where=differ)
    strength[~labels.astype(np.bool_, copy=False)] = 0
    return strength


def _canny_edges(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Canny edges of the mask of each label, found in a box around it."""
    codes = labels.astype(np.uint32)
    found = np.zeros(labels.shape, np.bool_)
    for key, box in bounding_boxes(codes).items():
        plane = tuple(
            slice(max(0, s.start - CANNY_REACH), s.stop + CANNY_REACH) for s in box
        )
        around = (*box[:-2], *plane[-2:])
        masks = codes[around] == key
        parts = found[around]
        for i in np.ndindex(masks.shape[:-2]):
            mask = masks[i].astype(np.float32)
            parts[i] |= canny(mask, sigma=CANNY_SIGMA, mode="nearest")
    return found
