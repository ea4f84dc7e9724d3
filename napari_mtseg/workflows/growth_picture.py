"""A picture of a training: image, paint, growing labels, prediction with contours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from skimage.transform import resize

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.instances.components import contours_of
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.write import clear_write_errors

CELL = 224
"""height and width of one panel, pixels"""

GAP = 8
CAPTION = 24
INK = (40, 40, 40)
PAPER = (255, 255, 255)
PAINTED = (230, 159, 0)
GROWN = (86, 180, 233)
PREDICTED = (0, 158, 115)
OUTLINE = (240, 228, 66)

Rgb = NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """One cell of a picture."""

    caption: str
    image: Rgb
    """(Y, X, 3)"""


def growth_panels(
    project: Project, run: RunFolder, image_id: str, prediction: Prediction
) -> list[Panel]:
    """Return the panels of one training image.

    Image, what was painted, the labels after iterations 0, 1, 2 and the last, and the
    prediction; the middle plane of a volume.
    """
    entry = project.image(image_id)
    shown = grey_or_rgb(_middle(project.read_pixels(entry), axis=1))
    painted = _middle(project.annotation(entry).partial.objects)
    panels = [
        Panel(caption=entry.name, image=shown),
        Panel(caption="painted", image=with_fill(shown, painted, PAINTED)),
    ]
    last = run.last_iteration()
    for iteration in sorted({0, min(1, last), min(2, last), last}):
        grown = run.load_grown(iteration, image_id)
        if grown is not None:
            flat = _middle(grown)
            panels.append(
                Panel(
                    caption=f"iteration {iteration}",
                    image=with_contours(with_fill(shown, flat, GROWN), flat),
                )
            )
    found = _middle(prediction.instances)
    filled = with_fill(shown, found, PREDICTED)
    panels.append(Panel(caption="prediction", image=with_contours(filled, found)))
    return panels


def save_picture(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    """Write rows of panels with their captions as PNG.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    n_columns = max(len(row) for row in rows)
    width = n_columns * (CELL + GAP) + GAP
    height = len(rows) * (CELL + CAPTION + GAP) + GAP
    sheet = Picture.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            left, top = GAP + j * (CELL + GAP), GAP + i * (CELL + CAPTION + GAP)
            draw.text((left, top), panel.caption, fill=INK, font=font)
            fitted = _fitted(panel.image)
            sheet.paste(Picture.fromarray(fitted), (left, top + CAPTION))
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)


def grey_or_rgb(pixels: NDArray[np.float32]) -> Rgb:
    """Return (C, Y, X) pixels as (Y, X, 3) uint8, stretched to their own range."""
    channels = pixels if pixels.shape[0] == 3 else np.repeat(pixels[:1], 3, axis=0)
    low, high = np.percentile(channels, (0.5, 99.5))
    scaled = np.clip((channels - low) / max(high - low, 1e-6), 0, 1)
    return np.moveaxis(np.round(255 * scaled), 0, -1).astype(np.uint8)


def with_fill(
    image: Rgb, objects: NDArray[np.uint32], colour: tuple[int, int, int]
) -> Rgb:
    """Tint the objects half transparently."""
    tinted = (image.astype(np.float32) + np.array(colour, np.float32)) / 2
    return np.where((objects > 0)[..., np.newaxis], tinted.astype(np.uint8), image)


def with_contours(image: Rgb, objects: NDArray[np.uint32]) -> Rgb:
    """Draw the outline of each object."""
    outline = contours_of(objects)[..., np.newaxis]
    return np.where(outline, np.array(OUTLINE, np.uint8), image)


def _fitted(image: Rgb) -> Rgb:
    scale = CELL / max(image.shape[:2])
    size = (round(image.shape[0] * scale), round(image.shape[1] * scale), 3)
    fitted = resize(
        image, size, order=0, mode="edge", anti_aliasing=False, preserve_range=True
    )
    return fitted.astype(np.uint8)


def _middle(values: NDArray[Pixel], *, axis: int = 0) -> NDArray[Pixel]:
    """Return the middle plane of a volume, or the image itself."""
    if values.ndim - axis < 3:
        return values
    return values.take(values.shape[axis] // 2, axis=axis)
