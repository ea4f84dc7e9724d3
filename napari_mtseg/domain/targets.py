"""What a method learns from on one image, and the codes of computed class maps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0
"""Value of a computed class map: known to be no object. Classes are 1..n_classes."""

IGNORE = 255
"""Value of a computed class map: nothing is known here, so nothing is learned."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageTargets:
    """Maps to learn for one image, computed on the whole image before cropping."""

    maps: Mapping[str, NDArray[np.generic]]
    """name -> ([Z,] Y, X); uint8 maps hold classes and IGNORE and are warped to the
    nearest pixel, float32 maps are warped linearly"""
    known: NDArray[np.uint8]
    """([Z,] Y, X) class where something is known, IGNORE elsewhere: patches are
    centred on it"""
    objects: NDArray[np.uint32]
    """([Z,] Y, X) object or stroke id, so that patches visit objects evenly"""
    stratum: str
    """batches draw evenly from strata: 'full', 'weak', or 'none' without paint"""
    facts: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """name -> int64 or float32 numbers that hold for the image as a whole, of one shape
    for all images"""
