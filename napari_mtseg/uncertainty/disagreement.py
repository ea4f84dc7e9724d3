"""Doubt about an image: the classes it is said to hold against those segmented."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.targets import BACKGROUND


def disagreement(present: Mapping[int, float], classes: NDArray[np.uint8]) -> float:
    """Return how far the probable classes of an image are from its class map.

    It compares what occurs, not how much of it or where.

    Parameters
    ----------
    present : mapping of int to float
        Class -> probability that it occurs in the image, 0..1; background does not
        count.
    classes : ([Z,] Y, X) uint8
        Class of each pixel, 0 background.

    Returns
    -------
    float
        Largest ``|p_k - P_k|`` (ours), where P_k is 1 if some pixel has class k, else
        0: 0 where both agree or ``present`` is empty, 1 where one is sure of the
        contrary.

    Raises
    ------
    ValueError
        If a probability does not lie in 0..1.

    Examples
    --------
    >>> disagreement({1: 0.75, 2: 0.5}, np.array([[0, 1]], np.uint8))
    0.5
    """
    shown = _shown(present, classes)
    return max((abs(present[k] - shows) for k, shows in shown.items()), default=0.0)


def disagreeing_classes(
    present: Mapping[int, float], classes: NDArray[np.uint8]
) -> tuple[int, ...]:
    """Return the classes that probably occur and are not segmented, or the reverse.

    Parameters
    ----------
    present, classes
        As in :func:`disagreement`.

    Returns
    -------
    tuple of int
        In ascending order; a class probably occurs above one half.

    Raises
    ------
    ValueError
        If a probability does not lie in 0..1.
    """
    shown = _shown(present, classes)
    return tuple(sorted(k for k, shows in shown.items() if (present[k] > 0.5) != shows))


def _shown(present: Mapping[int, float], classes: NDArray[np.uint8]) -> dict[int, bool]:
    """Return of each class but background whether the map shows it."""
    for k, probability in present.items():
        if not 0 <= probability <= 1:
            raise ValueError(f"probability of class {k} is {probability}, not in 0..1")
    return {k: bool((classes == k).any()) for k in present if k != BACKGROUND}
