"""Pictures of a prediction for a report: outlines on the image, and where it doubts."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.colour_modes import in_colour_mode
from napari_mtseg.storage.image_files import read_pixels
from napari_mtseg.storage.prediction_files import load_map
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.score_tables import load_slice_scores
from napari_mtseg.workflows.growth_picture import OUTLINE, grey_or_rgb
from napari_mtseg.workflows.picture_parts import fitted, fitted_labels, outlines_of

SIDE = 360
"""longer side of a picture, pixels"""

QUALITY = 88
"""of JPEG, at which thin outlines stay clear"""

DOUBT_COLOURS = ("#000004", "#57106e", "#bc3754", "#f98e09", "#fcffa4")
"""colours of doubt from 0 to 1, equally spaced (five of Matplotlib's 'inferno')"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ReviewPicture:
    """Two pictures of one prediction, equal in size, as JPEG files."""

    outlines: bytes
    """the image with the outline of each object"""
    doubt: bytes
    """the uncertainty of each pixel in DOUBT_COLOURS"""
    plane: int | None
    """plane of a volume that is shown, from 0; None for a 2D image"""


def review_picture(project: Project, entry: ImageEntry, run: str) -> ReviewPicture:
    """Return pictures of an image and its prediction.

    Of a volume the most doubtful plane is shown, or that with most object pixels where
    the doubt of planes is not known. Of the image nothing else is read, where possible.

    Raises
    ------
    ImageError
        If the image is gone or damaged.
    ProjectError
        If the prediction is, or is of another size.
    """
    folder = project.path / "predictions" / run / entry.id
    objects = load_map(folder, "instances")
    if objects.shape != entry.spatial_shape:
        raise ProjectError(
            f"The prediction of '{entry.name}' is not of the image's size. Predict it "
            "again with 'mtseg predict'."
        )
    doubt = _doubt_map(folder)
    plane = None
    if objects.ndim == 3:
        plane = _worst_plane(folder, objects)
        objects, doubt = objects[plane], doubt[plane]
    shown = fitted(grey_or_rgb(_plane_pixels(project, entry, plane)), SIDE)
    outlined = _with_outlines(shown, fitted_labels(objects, shown.shape[:2]))
    coloured = fitted(in_doubt_colours(doubt), SIDE)
    return ReviewPicture(outlines=_jpeg(outlined), doubt=_jpeg(coloured), plane=plane)


def in_doubt_colours(doubt: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return (Y, X, 3) colours of (Y, X) doubts 0..1; others are cut off.

    Examples
    --------
    >>> in_doubt_colours(np.array([[0.0, 2.0]])).tolist()
    [[[0, 0, 4], [252, 255, 164]]]
    """
    anchors = np.array([_rgb(colour) for colour in DOUBT_COLOURS], np.float64)
    places = np.linspace(0, 1, len(anchors))
    values = np.nan_to_num(np.clip(doubt.astype(np.float64), 0, 1))
    channels = [np.interp(values, places, anchors[:, c]) for c in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def _doubt_map(folder: Path) -> NDArray[np.floating]:
    """Return the saved uncertainty, or how far the likeliest class is from certain."""
    try:
        return load_map(folder, "uncertainty")
    except ProjectError:
        probabilities = load_map(folder, "probabilities").astype(np.float32)
    n = probabilities.shape[0]
    rest: NDArray[np.floating] = (1 - probabilities.max(axis=0)) * n / max(n - 1, 1)
    return rest


def _worst_plane(folder: Path, objects: NDArray[np.uint32]) -> int:
    slices = load_slice_scores(folder)
    if slices:
        doubt = np.where(slices["n_object_pixels"] > 0, slices["boundary_entropy"], -1)
        return int(slices["plane"][np.argmax(doubt)])
    return int(np.argmax(np.count_nonzero(objects, axis=(1, 2))))


def _plane_pixels(
    project: Project, entry: ImageEntry, plane: int | None
) -> NDArray[np.float32]:
    """Return (C, Y, X) pixels of an image, or of one plane of a volume."""
    image, everything = project.open_image(entry), slice(None)
    if plane is None:
        return in_colour_mode(read_pixels(image), project.info.colour)
    region = (slice(plane, plane + 1), everything, everything)
    return in_colour_mode(read_pixels(image, region), project.info.colour)[:, 0]


def _with_outlines(
    image: NDArray[np.uint8], objects: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    lines = outlines_of(objects) != 0
    return np.where(lines[..., np.newaxis], np.array(OUTLINE, np.uint8), image)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    # Colours at half resolution would blur the outlines.
    Picture.fromarray(image).save(content, "JPEG", quality=QUALITY, subsampling=0)
    return content.getvalue()
