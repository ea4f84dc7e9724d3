"""Images made for benchmarks that need no real ones."""

import numpy as np
from numpy.typing import NDArray


def discs(size: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return a (1, size, size) noisy image and the (size, size) ids of its discs."""
    rng = np.random.default_rng(seed)
    objects = np.zeros((size, size), np.uint32)
    rows, columns = np.indices((size, size))
    for key in range(1, 41):
        y, x = rng.uniform(0, size, 2)
        radius = rng.uniform(6, 18)
        objects[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = key
    noise = rng.normal(0, 0.3, (size, size))
    return (np.where(objects > 0, 0.6, -0.6) + noise)[np.newaxis].astype(
        np.float32
    ), objects
