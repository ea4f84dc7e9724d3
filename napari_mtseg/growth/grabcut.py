"""Grow painted seeds by GrabCut: the pseudo-label baseline, which learns nothing.

METHODS.md section 4, row PL: each object is cut out of its surroundings by colour and
contrast alone. The algorithm is Rother, Kolmogorov and Blake, "GrabCut", ACM
Transactions on Graphics 23(3), 2004, DOI 10.1145/1015706.1015720.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from napari_mtseg.domain.annotation import UNPAINTED
from napari_mtseg.geometry.components import bounding_boxes
from napari_mtseg.geometry.distances import distance_to
from napari_mtseg.growth.colour_mixture import ColourMixture

SURE_COST = 1000.0
"""Largest colour cost of a pixel that a cut sees, natural logarithm; ours: more than
all links of a pixel together."""

COST_STEPS = 64.0
"""Capacities are integers: so many per unit of cost; ours."""

MAX_TOTAL = 2.0**30
"""Largest sum of capacities, so that 32-bit flows cannot overflow."""

Mask = NDArray[np.bool_]


def grabcut_objects(  # noqa: PLR0913 - the numbers of the published baseline
    image: NDArray[np.floating],
    objects: NDArray[np.uint32],
    *,
    rng: np.random.Generator,
    n_colours: int = 5,
    rounds: int = 5,
    min_margin: int = 20,
    background_beyond: float = 0.5,
    smoothness: float = 50.0,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.uint32]:
    """Grow each seed to the object around it, as far as colours and contrast tell.

    Per object, the seed is foreground for sure, other seeds and what is farther than
    ``background_beyond`` margins are background for sure, and only what stays
    connected to the seed is kept. Where two objects claim a pixel, the nearer seed
    gets it.

    Parameters
    ----------
    image : (C, [Z,] Y, X) float
        Finite intensities on any scale.
    objects : ([Z,] Y, X) uint32
        Seeds by object id, 0 elsewhere.
    rng : numpy.random.Generator
        Starts the clustering of colours; same state, same result.
    n_colours : int
        Gaussians per colour model, >= 1 [paper: 5].
    rounds : int
        Alternations of colour model and cut, >= 1 [paper: 5]; fewer if nothing
        changes any more.
    min_margin : int
        Smallest margin of the box around a seed, pixels, >= 1 [paper: 20]; otherwise
        the margin is the size of the seed along that axis.
    background_beyond : float
        Share of the margin, 0..1, beyond which pixels are background for sure; 1
        leaves all of the box open [paper names both; ours: half].
    smoothness : float
        Cost of a cut between two pixels of one colour, >= 0 [GrabCut: 50].
    spacing : tuple of float, optional
        Size of a pixel along each axis, > 0; 1 if left out.

    Returns
    -------
    ([Z,] Y, X) uint32
        Ids as in ``objects``; every seed pixel keeps its own.

    Raises
    ------
    ValueError
        If shapes do not fit, the image is not finite or a number is out of range.
    """
    if image.shape[1:] != objects.shape or not np.isfinite(image).all():
        raise ValueError(
            f"image is {image.shape} but must be finite and (C, {objects.shape})"
        )
    if min(n_colours, rounds, min_margin) < 1 or not 0 < background_beyond <= 1:
        raise ValueError(
            "n_colours, rounds and min_margin must be at least 1, "
            f"background_beyond in 0..1: {n_colours, rounds, min_margin}, "
            f"{background_beyond}"
        )
    size = (1.0,) * objects.ndim if spacing is None else spacing
    colours = np.moveaxis(_scaled(image), 0, -1)
    grown = objects.copy()
    nearest = np.where(objects == UNPAINTED, np.inf, 0).astype(np.float32)
    for object_id, seed_box in bounding_boxes(objects).items():
        margin = [max(min_margin, s.stop - s.start) for s in seed_box]
        box = tuple(
            slice(max(0, s.start - m), s.stop + m)
            for s, m in zip(seed_box, margin, strict=True)
        )
        seed = objects[box] == object_id
        in_margins = tuple(1 / m for m in margin)
        far = distance_to(seed, spacing=in_margins) > background_beyond
        problem = _Cutout(
            colours=colours[box],
            seed=seed,
            other_seed=(objects[box] != UNPAINTED) & ~seed,
            far=far,
            links=_links(colours[box], smoothness, size),
        )
        mask = problem.solved(n_colours, rounds, rng)
        distance = distance_to(seed, spacing=size)
        won = mask & (distance < nearest[box])
        grown[box][won] = object_id
        nearest[box][won] = distance[won]
    return grown


@dataclass(frozen=True, eq=False, kw_only=True)
class _Links:
    """Undirected links between neighbouring pixels of a crop."""

    first: NDArray[np.intp]
    """(n,) flat index of one end"""
    second: NDArray[np.intp]
    """(n,) flat index of the other end"""
    cost: NDArray[np.float64]
    """(n,) cost of cutting the link"""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cutout:
    """One seed and its surroundings."""

    colours: NDArray[np.float64]
    """([Z,] Y, X, C)"""
    seed: Mask
    """foreground for sure"""
    other_seed: Mask
    """background for sure, but of the same kind: no example of background colours"""
    far: Mask
    """background for sure"""
    links: _Links

    def solved(self, n_colours: int, rounds: int, rng: np.random.Generator) -> Mask:
        """Return the object: the seed and what the last cut left connected to it."""
        open_pixels = ~(self.seed | self.other_seed | self.far)
        if not open_pixels.any():
            return self.seed
        mask, background = self.seed | open_pixels, self.far & ~self.other_seed
        if not background.any():
            mask, background = self._first_guess(open_pixels)
        inner = ColourMixture.clustered(self.colours[mask], n_colours, rng)
        outer = ColourMixture.clustered(self.colours[background], n_colours, rng)
        for _ in range(rounds):
            advantage = outer.cost(self.colours) - inner.cost(self.colours)
            cut = _cut(self, open_pixels, advantage)
            background = ~(cut | self.other_seed)
            unchanged, mask = np.array_equal(cut, mask), cut
            if unchanged or not background.any():
                break
            inner = inner.refitted(self.colours[mask])
            outer = outer.refitted(self.colours[background])
        pieces, _ = ndimage.label(mask)
        return np.isin(pieces, np.unique(pieces[self.seed]))

    def _first_guess(self, open_pixels: Mask) -> tuple[Mask, Mask]:
        """Take the farthest quarter as background if none is sure, for a start."""
        distance = distance_to(self.seed)
        limit = np.quantile(distance[open_pixels], 0.75)
        background = open_pixels & (distance >= limit)
        return self.seed | (open_pixels & ~background), background


def _cut(cutout: _Cutout, open_pixels: Mask, advantage: NDArray[np.float64]) -> Mask:
    """Return the seed and the open pixels on its side of the cheapest cut.

    ``advantage`` is how much dearer a pixel is as background than as foreground.
    """
    n_open = np.count_nonzero(open_pixels)
    source, sink = n_open, n_open + 1
    node = np.full(open_pixels.size, sink)
    node[cutout.seed.ravel()] = source
    node[open_pixels.ravel()] = np.arange(n_open)
    one, other = node[cutout.links.first], node[cutout.links.second]
    gain = np.clip(advantage[open_pixels], -SURE_COST, SURE_COST)
    likes, dislikes = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    ends = [
        (one, other, cutout.links.cost),
        (other, one, cutout.links.cost),
        (np.full(len(likes), source), likes, gain[likes]),
        (dislikes, np.full(len(dislikes), sink), -gain[dislikes]),
    ]
    rows, columns, costs = (np.concatenate(part) for part in zip(*ends, strict=True))
    kept = (rows < n_open) & (columns != source) | (rows == source) & (columns < n_open)
    rows, columns, costs = rows[kept], columns[kept], costs[kept]
    scale = min(COST_STEPS, MAX_TOTAL / max(costs.sum(), 1.0))
    capacities = np.rint(costs * scale).astype(np.int32)
    shape = (n_open + 2, n_open + 2)
    graph = csr_array((capacities, (rows, columns)), shape=shape)
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    side = np.zeros(n_open + 2, bool)
    side[reached] = True
    return side[node].reshape(open_pixels.shape)


def _links(
    colours: NDArray[np.float64], smoothness: float, spacing: tuple[float, ...]
) -> _Links:
    """Link 8 neighbours in 2D and 6 in 3D, dearer where colours are alike."""
    shape = colours.shape[:-1]
    index = np.arange(np.prod(shape)).reshape(shape)
    most_steps = 2 if len(shape) == 2 else 1
    ends, lengths = [], []
    for offset in product((-1, 0, 1), repeat=len(shape)):
        if offset <= (0,) * len(shape) or np.count_nonzero(offset) > most_steps:
            continue
        sides = list(zip(offset, shape, strict=True))
        here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in sides)
        there = tuple(slice(max(0, o), n - max(0, -o)) for o, n in sides)
        ends.append((index[here].ravel(), index[there].ravel()))
        step = np.linalg.norm(np.multiply(offset, spacing)) / min(spacing)
        lengths.append(np.full(ends[-1][0].size, step))
    first, second = (np.concatenate(part) for part in zip(*ends, strict=True))
    points = colours.reshape(-1, colours.shape[-1])
    contrast = ((points[first] - points[second]) ** 2).sum(axis=1)
    typical = 2 * contrast.mean() if contrast.any() else 1.0
    cost = smoothness * np.exp(-contrast / typical) / np.concatenate(lengths)
    return _Links(first=first, second=second, cost=cost)


def _scaled(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``(C, [Z,] Y, X)`` with each channel of mean 0 and deviation 1."""
    axes = tuple(range(1, image.ndim))
    centred = image - image.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = centred.std(axis=axes, keepdims=True)
    return centred / np.where(deviation > 0, deviation, 1.0)
