"""One entry of a project: where its pixels are and what they mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """What is known of an image file without its pixels."""

    axes: str
    """axes of the array as read: 'CYX' or 'CZYX'"""
    shape: tuple[int, ...]
    """(C, [Z,] Y, X)"""
    dtype: str
    """NumPy name of the pixel type in the file"""
    rgb: bool
    """True if the three channels are red, green and blue"""
    spacing: tuple[float, ...]
    """size of a voxel along ([Z,] Y, X), in ``unit``; 1 where the file does not say"""
    unit: str = "pixel"
    """'micrometer', 'millimeter' ... or 'pixel' where the file does not say"""
    translation: tuple[float, ...] = ()
    """where an OME-Zarr image puts the middle of its first voxel, along ([Z,] Y, X) in
    ``unit``; empty where the file does not say"""

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.shape[0]

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """([Z,] Y, X)."""
        return self.shape[1:]

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.shape) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """Pixels of one image with their meaning."""

    name: str
    """file name, for messages"""
    pixels: NDArray[np.generic]
    """(C, [Z,] Y, X) in the file's own dtype; may be lazy, read by slicing"""
    info: ImageInfo
