"""What to annotate next: doubtful images that are unlike each other, or plain draws."""

from collections.abc import Collection, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

How = Literal["doubt", "random", "interval"]
"""'doubt': doubtful and unlike each other; 'random': any; 'interval': evenly spaced"""

HOWS: tuple[How, ...] = get_args(How)

ROUNDING = 1e-9
"""A feature that varies less, relative to its largest value, does not vary."""


def suggest(
    n: int,
    *,
    how: How,
    doubts: Sequence[float],
    descriptors: Sequence[Sequence[float]],
    rng: np.random.Generator,
    annotated: Collection[int] = (),
) -> list[int]:
    """Choose the images that a person should annotate next.

    With 'doubt' they are chosen one after the other. The worth of an image is its
    doubt, as a rank in 0..1, times how unlike the nearest image chosen before it is,
    0..1, where 1 is as unlike as two images are on average. So of twenty alike images
    few are taken, and an image that is stranger than others needs doubt as well. Where
    that leaves a tie, the more doubtful image comes first, then the more unlike.

    Parameters
    ----------
    n : int
        Images wanted, at least 0. If there are fewer, all of them are returned.
    how : {'doubt', 'random', 'interval'}
        How they are chosen: 'interval' divides the order that the images are given in
        into equal parts, one for each image that is wanted or annotated, and takes the
        middle of those in which nothing is annotated.
    doubts : (n_images,) sequence of float
        How doubtful each image is, higher is more, in any unit: only the order counts.
        NaN where it is not known: such images come after all others.
    descriptors : (n_images,) sequence of sequence of float
        What each image looks like, numbers in any unit, equally many for each; empty
        or NaN where it is not known: such an image counts as unlike all others.
    rng : numpy.random.Generator
        Draws, and breaks ties; the same state gives the same answer.
    annotated : collection of int
        Images that are annotated already: they are not chosen. With 'doubt' the others
        should be unlike them as well, with 'interval' far from them.

    Returns
    -------
    list of int
        Places of the images in ``doubts``, no one twice. With 'doubt' and 'random' in
        the order that they were chosen in, so that fewer are a beginning of this list;
        with 'interval' in ascending order.

    Raises
    ------
    ValueError
        If ``n`` is negative, there is no such way, or the sequences differ in length.

    References
    ----------
    .. [1] Sener and Savarese, Active learning for convolutional neural networks: a
       core-set approach, ICLR 2018, arXiv:1708.00489, algorithm 1 (k-center greedy:
       the image farthest from all that are chosen). The weight by doubt, the limit
       to the distance and the plain descriptors are ours.

    Examples
    --------
    >>> looks = [[0.0], [0.1], [0.1], [5.0]]
    >>> rng = np.random.default_rng(0)
    >>> suggest(2, how="doubt", doubts=[3, 4, 2, 1], descriptors=looks, rng=rng)
    [1, 3]
    """
    doubt = np.asarray(doubts, np.float64)
    if n < 0:
        raise ValueError(f"n is {n} but must be at least 0")
    if how not in HOWS:
        raise ValueError(f"there is no way {how!r} to choose, only {HOWS}")
    if doubt.shape != (len(descriptors),):
        raise ValueError(f"{doubt.shape} doubts but {len(descriptors)} descriptors")
    done = set(annotated)
    if not done <= set(range(doubt.size)):
        raise ValueError(f"annotated images {sorted(done)} are not in 0..{doubt.size}")
    open_ones = np.array([i for i in range(doubt.size) if i not in done], np.intp)
    n = min(n, open_ones.size)
    if how == "interval":
        return _evenly_spaced(n, doubt.size, sorted(done))
    mixed = rng.permutation(open_ones)
    if how == "random":
        return [int(i) for i in mixed[:n]]
    looks = _standardised(descriptors)
    return _doubtful_and_unlike(n, mixed, doubt[mixed], looks, sorted(done))


def _evenly_spaced(n: int, n_images: int, annotated: Sequence[int]) -> list[int]:
    """Return the middles of ``n`` parts without an annotated image, evenly chosen."""
    n_parts = n + len(annotated)
    part_of = np.arange(n_images) * n_parts // max(n_images, 1)
    untouched = np.setdiff1d(np.arange(n_parts), part_of[list(annotated)])
    wanted = untouched[(2 * np.arange(n) + 1) * untouched.size // max(2 * n, 1)]
    members = [np.flatnonzero(part_of == part) for part in wanted]
    return [int(images[images.size // 2]) for images in members]


def _doubtful_and_unlike(
    n: int,
    places: NDArray[np.intp],
    doubts: NDArray[np.float64],
    looks: NDArray[np.float64],
    annotated: Sequence[int],
) -> list[int]:
    """Greedily take ``n`` of ``places``, whose doubts are given in the same order."""
    ranks = _ranks(doubts)
    nearest = np.full(places.size, np.inf)
    for other in annotated:
        nearest = np.minimum(nearest, _distances(looks[places], looks[other]))
    left = np.ones(places.size, np.bool_)
    chosen: list[int] = []
    for _ in range(n):
        worth = ranks * np.minimum(nearest, 1)
        order = np.lexsort((nearest, ranks, worth, left))
        best = int(order[-1])
        left[best] = False
        chosen.append(int(places[best]))
        nearest = np.minimum(nearest, _distances(looks[places], looks[places[best]]))
    return chosen


def _ranks(doubts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks in 0..1, alike for equal doubts; 0 where unknown, 1 if all are unknown."""
    known = ~np.isnan(doubts)
    if not known.any():
        return np.ones(doubts.size)
    ranks = np.zeros(doubts.size)
    _, places, counts = np.unique(
        doubts[known], return_inverse=True, return_counts=True
    )
    ranks[known] = (np.cumsum(counts) / places.size)[places]
    return ranks


def _standardised(descriptors: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """(n_images, n_features + 1) scaled so that two images are 1 apart on average.

    That is the root of the mean square, over all pairs; each feature that varies has
    an equal part in it. The first feature is 0. Rows of NaN where an image has no
    descriptor.
    """
    length = max((len(row) for row in descriptors), default=0)
    looks = np.full((len(descriptors), length), np.nan)
    for i, row in enumerate(descriptors):
        if len(row) == length and np.isfinite(row).all():
            looks[i] = row
    known = np.array([len(row) == length > 0 for row in descriptors], np.bool_)
    known &= np.isfinite(looks).all(axis=1)
    first = np.where(known, 0.0, np.nan)[:, np.newaxis]
    if known.sum() < 2:
        return first
    looks /= np.maximum(np.abs(looks[known]).max(axis=0), np.finfo(np.float64).tiny)
    deviation = looks[known].std(axis=0, ddof=1)
    varies = deviation > ROUNDING
    scale = deviation[varies] * np.sqrt(2 * max(1, int(varies.sum())))
    return np.concatenate([first, looks[:, varies] / scale], axis=1)


def _distances(
    looks: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_images,) distances to another image; infinite where one is not known."""
    distances = np.sqrt(((looks - other) ** 2).sum(axis=1))
    return np.where(np.isnan(distances), np.inf, distances)
