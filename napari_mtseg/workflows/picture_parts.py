"""What pictures of results are made of: images brought to size, outlines on them."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from napari_mtseg.geometry.boundaries import inner_boundary, neighbours

Value = TypeVar("Value", np.uint8, np.float32)


def fitted(image: NDArray[Value], side: int) -> NDArray[Value]:
    """Return an image whose longer side is ``side``.

    Parameters
    ----------
    image : (Y, X, 3) uint8 or (Y, X) float32
        Pixels that become one are averaged.
    side : int
        Of the result, pixels.
    """
    scale = side / max(image.shape[:2])
    size = [max(1, round(n * scale)) for n in image.shape[1::-1]]
    way = Picture.Resampling.BOX if scale < 1 else Picture.Resampling.NEAREST
    return np.asarray(Picture.fromarray(image).resize((size[0], size[1]), way))


def fitted_labels(
    labels: NDArray[np.uint32], shape: tuple[int, ...]
) -> NDArray[np.uint32]:
    """Return the label in the middle of each pixel of ``shape``."""
    rows, columns = (
        ((np.arange(n) + 0.5) * before / n).astype(np.intp)
        for n, before in zip(shape, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def outlines_of(objects: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return outlines two pixels wide, which may be shown smaller than they are.

    Parameters
    ----------
    objects : (Y, X) uint32
        Object id, 0 background.

    Returns
    -------
    (Y, X) uint32
        Id of the object whose outline runs here, 0 elsewhere. The second pixel lies
        before the first one, and may be one of the background.
    """
    lines = np.where(inner_boundary(objects), objects, np.uint32(0))
    for axis in range(lines.ndim):
        before, after = neighbours(lines, axis)
        np.copyto(before, after.copy(), where=before == 0)
    return lines
