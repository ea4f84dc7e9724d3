"""By how much each level of a network is coarser than the one before, axis by axis."""

from collections.abc import Sequence

import numpy as np


def pool_factors(
    spacing: Sequence[float], levels: int, *, size: Sequence[int] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Return the pooling factor per level and axis; thick axes are pooled later.

    An axis is pooled by 2 where its voxels, as pooled so far, are less than twice as
    long as the shortest, and where at least one voxel remains.

    Parameters
    ----------
    spacing : sequence of float
        Voxel size along ([Z,] Y, X), any unit, > 0.
    levels : int
        Resolutions of the network; there are ``levels - 1`` poolings.
    size : sequence of int, optional
        ([Z,] Y, X) of the images or patches. An axis is not pooled below 1.

    Returns
    -------
    tuple of tuple of int
        1 or 2 for each pooling and axis.

    References
    ----------
    .. [1] The rule of nnU-Net (Isensee et al., Nature Methods 2021); ours here.

    Examples
    --------
    >>> pool_factors((5.0, 1.0, 1.0), 5)
    ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    >>> pool_factors((1.0, 1.0, 1.0), 3, size=(1, 64, 64))
    ((1, 2, 2), (1, 2, 2))
    """
    length = np.array(spacing, float)
    if not (length > 0).all():
        raise ValueError(f"spacing must be positive, not {tuple(spacing)}")
    remaining = np.array(size if size is not None else [2**levels] * len(length))
    rows = []
    for _ in range(levels - 1):
        divisible = remaining > 1
        shortest = length[divisible].min() if divisible.any() else 0.0
        factors = np.where(divisible & (length < 2 * shortest), 2, 1)
        length, remaining = length * factors, remaining // factors
        rows.append(tuple(int(f) for f in factors))
    return tuple(rows)
