"""The picture by which a shared model is found: what it sees, and what it says."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from napari_mtseg.domain.project import ClassInfo

HEIGHT, WIDTH = 300, 600
"""pixels of the picture: BioImage.IO wants twice as wide as high"""

N_PANELS = 3


def cover_picture(
    image: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    classes: tuple[ClassInfo, ...],
) -> bytes:
    """Return a PNG of an image, its objects' probability, and their classes.

    Parameters
    ----------
    image : (C, [Z,] Y, X)
        Intensities; of a volume the middle plane is shown.
    probabilities : (classes, [Z,] Y, X)
        Of the background and each class, in 0..1.
    classes : tuple of ClassInfo
        Names and colours.
    """
    plane = _middle_plane(image)
    answer = _middle_plane(probabilities)
    low, high = np.percentile(plane[0], (1, 99.8))
    grey = np.clip((plane[0] - low) / max(high - low, 1e-6), 0, 1)
    seen = np.repeat(grey[..., None], 3, axis=-1)
    doubt = np.repeat(1 - answer[0][..., None], 3, axis=-1)
    panels = [seen, doubt, _coloured(seen, answer.argmax(axis=0), classes)]
    picture = Picture.new("RGB", (WIDTH, HEIGHT))
    for number, panel in enumerate(panels):
        picture.paste(_fitted(panel), (number * WIDTH // N_PANELS, 0))
        if number:
            line = number * WIDTH // N_PANELS
            picture.paste((255, 255, 255), (line - 1, 0, line + 1, HEIGHT))
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _middle_plane(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values if values.ndim == 3 else values[:, values.shape[1] // 2]


def _coloured(
    seen: NDArray[np.float32], labels: NDArray[np.intp], classes: tuple[ClassInfo, ...]
) -> NDArray[np.float32]:
    """Return the image with its classes laid over it in their colours."""
    colours: Mapping[int, str] = {n: c.colour for n, c in enumerate(classes, start=1)}
    shown = seen.copy()
    for number, colour in colours.items():
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        here = labels == number
        shown[here] = 0.4 * shown[here] + 0.6 * np.asarray(rgb, np.float32)
    return shown


def _fitted(panel: NDArray[np.float32]) -> Picture.Image:
    """Return the middle of a panel, as large as a third of the picture."""
    pixels = np.round(panel * 255).clip(0, 255).astype(np.uint8)
    width, height = WIDTH // N_PANELS, HEIGHT
    n_rows, n_columns = pixels.shape[:2]
    shown = min(n_columns, max(1, n_rows * width // height))
    rows = min(n_rows, max(1, shown * height // width))
    top, left = (n_rows - rows) // 2, (n_columns - shown) // 2
    middle = pixels[top : top + rows, left : left + shown]
    return Picture.fromarray(middle).resize((width, height), Picture.Resampling.NEAREST)
