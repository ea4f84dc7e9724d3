"""Parts of an array that are worked on one after the other, to bound memory."""

import math
from collections.abc import Iterator, Sequence

SLAB_PIXELS = 2**20
"""pixels that are worked on at a time (ours)"""


def slabs(shape: Sequence[int], *, n_pixels: int = SLAB_PIXELS) -> Iterator[slice]:
    """Cut the first axis of an array into parts of about ``n_pixels``.

    Parameters
    ----------
    shape : ([Z,] Y, X)
        Of the array; nothing is yielded where it has no pixels.
    n_pixels : int
        Largest part, unless one line of the first axis is larger.

    Yields
    ------
    slice
        Of the first axis, in order.

    Examples
    --------
    >>> list(slabs((5, 10), n_pixels=20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if 0 in shape:
        return
    length = max(n_pixels // math.prod(shape[1:]), 1)
    for start in range(0, shape[0], length):
        yield slice(start, min(start + length, shape[0]))
