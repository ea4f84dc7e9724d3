"""One batch of patches: what a network is shown in one step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Patches and their targets on the training device."""

    image: Tensor
    """(N, C, [Z,] Y, X) float32, normalised"""
    targets: Mapping[str, Tensor]
    """name -> (N, [Z,] Y, X); int64 for class maps, float32 for others"""
    magnification: Tensor
    """(N,) float32 by which each patch was enlarged: what targets measure in pixels
    grows with it"""
    facts: Mapping[str, Tensor] = field(default_factory=dict)
    """name -> (N, ...) numbers that hold for the image of each patch as a whole"""
