"""A picture per image: what was found on it, and beside it where that is doubtful."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import ClassInfo, Colour
from napari_mtseg.storage.colour_modes import in_colour_mode
from napari_mtseg.storage.whole_files import whole_file
from napari_mtseg.workflows.growth_picture import INK, PAPER, grey_or_rgb
from napari_mtseg.workflows.measure import uncertainty_of
from napari_mtseg.workflows.picture_parts import fitted, fitted_labels, outlines_of
from napari_mtseg.workflows.review_pictures import in_doubt_colours

SIDE = 1000
"""longer side of the two pictures together, pixels (ours)"""

PNG_LEVEL = 3
"""of compression: files are as large as at higher ones, which take twice the time"""

_GAP = 8
_LINE = 22
_FONT_SIZE = 14
_BAR = 90
_READ_SIDE = 2 * SIDE

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, kw_only=True)
class ShownPlane:
    """What is shown of an image: all of a 2D one, or a plane of a volume."""

    caption: str
    """name of the image, and which plane"""
    pixels: NDArray[np.float32]
    """(C, Y, X); may be smaller than the image"""
    objects: NDArray[np.uint32]
    """(Y, X) object id, of any size of the same proportions"""
    uncertainty: NDArray[np.floating]
    """(Y, X) 0..1, of any size of the same proportions"""


def write_overview(
    path: Path,
    found: Prediction,
    image: Image,
    *,
    classes: tuple[ClassInfo, ...],
    colour: Colour = "as_is",
) -> Path:
    """Write what was found in an image as one PNG.

    On the left the image with the outline of each object in the colour of its class,
    on the right the uncertainty. Of a volume the plane with most object pixels is
    shown, the middle one if there is no object; no other plane is read, where possible.

    Parameters
    ----------
    path : Path
        Such as ``cells_overview.png``; replaced if it exists.
    found : Prediction
        What was found.
    image : Image
        The image.
    classes : tuple of ClassInfo
        Classes 1, 2, ... of the model.
    colour : {'as_is', 'grey', 'rgb'}
        How the model reads the image's channels.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ImageError
        If the image is damaged.
    StorageError
        If the disk is full or the file cannot be written.
    """
    objects, caption, plane = found.instances, image.name, slice(None)
    if objects.ndim == 3:
        z = _fullest_plane(objects)
        objects, plane = objects[z], slice(z, z + 1)
        caption = f"{image.name}, plane {z + 1} of {len(found.instances)}"
    doubt = uncertainty_of(found, plane)
    shown = ShownPlane(
        caption=caption,
        pixels=in_colour_mode(_pixels(image, plane), colour),
        objects=objects,
        uncertainty=doubt[0] if doubt.ndim == 3 else doubt,
    )
    return save_overview(path, shown, class_of=found.class_of, classes=classes)


def save_overview(
    path: Path,
    shown: ShownPlane,
    *,
    class_of: Mapping[int, int],
    classes: tuple[ClassInfo, ...],
) -> Path:
    """Write an overview of a plane that has been read already.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    shown : ShownPlane
        What to show.
    class_of : mapping of int to int
        Object id -> class, of all objects of the image; they are counted.
    classes : tuple of ClassInfo
        Classes 1, 2, ... of the model.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    height, width = shown.objects.shape
    side = round(min(SIDE, SIDE / 2 * max(height, width) / width))
    base = fitted(grey_or_rgb(shown.pixels), side)
    objects = fitted_labels(shown.objects, base.shape[:2])
    colours = {c: _rgb(kind.colour) for c, kind in enumerate(classes, start=1)}
    left = _with_outlines(base, objects, class_of, colours)
    doubt = fitted(shown.uncertainty.astype(np.float32), side)
    right = in_doubt_colours(doubt)
    counts = Counter(class_of.values())
    legend = [
        (colours[c], f"{kind.name}: {counts[c]:,}")
        for c, kind in enumerate(classes, start=1)
    ]
    with whole_file(path) as partial:
        _sheet(left, right, shown.caption, legend).save(
            partial, "PNG", compress_level=PNG_LEVEL
        )
    return path


def _fullest_plane(objects: NDArray[np.uint32]) -> int:
    n_pixels = [np.count_nonzero(plane) for plane in objects]
    return int(np.argmax(n_pixels)) if any(n_pixels) else len(objects) // 2


def _pixels(image: Image, plane: slice) -> NDArray[np.float32]:
    """Return (C, Y, X) pixels of an image or a plane of it, not many more than shown.

    ``plane`` is a part of the first axis, which a volume loses.
    """
    everything = slice(None)
    index = (everything, plane, *(everything,) * (image.info.ndim - 1))
    part = np.asarray(image.pixels[index])
    flat = part[:, 0] if image.info.ndim == 3 else part
    step = max(1, min(flat.shape[1:]) // _READ_SIDE)
    return flat[:, ::step, ::step].astype(np.float32)


def _with_outlines(
    image: Rgb,
    objects: NDArray[np.uint32],
    class_of: Mapping[int, int],
    colours: Mapping[int, tuple[int, int, int]],
) -> Rgb:
    lines = outlines_of(objects)
    drawn = image.copy()
    where = np.nonzero(lines)
    ids, places = np.unique(lines[where], return_inverse=True)
    table = [colours[class_of[i]] for i in ids.tolist()]
    drawn[where] = np.array(table, np.uint8).reshape(-1, 3)[places]
    return drawn


def _sheet(
    left: Rgb, right: Rgb, caption: str, legend: list[tuple[tuple[int, int, int], str]]
) -> Picture.Image:
    """Put two pictures beside each other, with words above and below."""
    height, width = left.shape[:2]
    size = (2 * width + 3 * _GAP, height + 2 * (_LINE + _GAP))
    sheet = Picture.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_FONT_SIZE)
    beside = width + 2 * _GAP
    sheet.paste(Picture.fromarray(left), (_GAP, _GAP + _LINE))
    sheet.paste(Picture.fromarray(right), (beside, _GAP + _LINE))
    _write_words(draw, font, (_GAP, _GAP), caption, width)
    _write_words(draw, font, (beside, _GAP), "uncertainty", width)
    below = _LINE + height + _GAP + _GAP // 2
    at = _GAP
    for colour, words in legend:
        draw.rectangle((at, below + 3, at + 11, below + 14), fill=colour)
        draw.text((at + 16, below), words, fill=INK, font=font)
        at += 16 + round(draw.textlength(words, font=font)) + 2 * _GAP
    bar = in_doubt_colours(np.tile(np.linspace(0, 1, _BAR), (12, 1)))
    draw.text((beside, below), "0", fill=INK, font=font)
    sheet.paste(Picture.fromarray(bar), (beside + 14, below + 3))
    draw.text((beside + 20 + _BAR, below), "1", fill=INK, font=font)
    return sheet


def _write_words(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    place: tuple[int, int],
    words: str,
    width: int,
) -> None:
    """Write one line, shortened at the end to a width."""
    shown = words
    while len(shown) > 4 and draw.textlength(shown, font=font) > width:
        shown = f"{shown[:-4]}..."
    draw.text(place, shown, fill=INK, font=font)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
