"""What a trained method answers for one image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ONE_PASS = "one pass"
"""where the uncertainty of a prediction comes from if the network answered once"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """Maps and scores for one image, in the image's own pixels."""

    classes: NDArray[np.uint8]
    """([Z,] Y, X) class, 0 background"""
    probabilities: NDArray[np.float16]
    """(n_classes + 1, [Z,] Y, X), sums to 1 over the first axis"""
    instances: NDArray[np.uint32]
    """([Z,] Y, X) object id, 0 background"""
    class_of: Mapping[int, int]
    """object id -> class"""
    maps: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """further maps by name, ([Z,] Y, X): 'approximation', 'separator', 'contours'"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from: ONE_PASS, or in words such as
    '20 passes with dropout' or 'ensemble of 3', whose mean the prediction is"""
    scores: Mapping[str, float] = field(default_factory=dict)
    """numbers about the image as a whole, by name"""
    object_scores: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """columns of equal length, a row per object: 'id', 'class', 'size' (pixels),
    'physical_size', 'boundary_entropy', 'inside_entropy', 'elongation', 'fill'; empty
    where nothing is known"""
    slice_scores: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """columns of equal length, a row per plane of a volume: 'plane',
    'boundary_entropy', 'inside_entropy', 'low_confidence', 'n_object_pixels'"""
    statistics: Mapping[str, float] = field(default_factory=dict)
    """what is typical of the objects, to pool over images: 'n', and mean and variance
    of 'log_size', 'log_elongation' and 'fill'"""
    descriptor: tuple[float, ...] = ()
    """what the image looks like, of fixed length; empty where it is not known"""
    present: Mapping[int, float] = field(default_factory=dict)
    """class -> probability that it occurs in the image, where the method tells it
    apart from the class map; else empty"""
    scenes: tuple[float, ...] = ()
    """probability of each scene of the project, where the method tells it; else
    empty"""
