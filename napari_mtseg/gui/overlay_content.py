"""What each overlay shows of a prediction, of a preview and of grown masks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.prediction import Prediction

ANY_CLASS = 0
"""stands for all classes together"""
GROWN = "Grown masks"
BEFORE = "Before"

Widths = tuple[int, ...]
"""pixels of an outline along each axis, inside the object; 0 for no line"""

Dashes = Literal["none", "gaps", "tones"]

_OUTLINE = 2
"""pixels of an outline along the finest axis that the canvas shows"""
_DASH = 4
"""pixels of a dash and of the gap after it"""
_FAINT = 0.05
"""highest value that the colours of doubt show, where all of them are lower"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlines:
    """Which outlines an overlay shows, to draw them anew for another view."""

    objects: ObjectMasks
    """what has the outlines"""
    widths: Widths
    """how they are drawn"""
    dashes: Dashes = "none"
    """'gaps' leaves every other dash out; 'tones' draws the dashes as 1 and 2"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What one overlay shows of one image."""

    values: NDArray[Any]
    """([Z,] Y, X) labels, or numbers with NaN where nothing is shown"""
    limits: tuple[float, float] = (0.0, 1.0)
    """of the colours of numbers"""
    outlines: Outlines | None = None
    """what it shows, if that depends on the axes that the canvas shows"""


def outline_widths(displayed: Sequence[int], spacing: Sequence[float]) -> Widths:
    """Return how outlines are drawn for a view, equally wide in the world.

    Parameters
    ----------
    displayed : sequence of int
        Axes of the image that the canvas shows: two of a slice, all three in 3D.
    spacing : sequence of float
        Voxel size along ([Z,] Y, X).

    Examples
    --------
    >>> outline_widths((1, 2), (5, 1, 1))
    (0, 2, 2)
    >>> outline_widths((0, 1, 2), (5, 1, 1))
    (1, 2, 2)
    """
    widths = [0] * len(spacing)
    finest = min((spacing[axis] for axis in displayed), default=1.0)
    for axis in displayed:
        widths[axis] = max(1, round(_OUTLINE * finest / spacing[axis]))
    return tuple(widths)


def outlines(
    objects: NDArray[np.integer], widths: Widths | None = None
) -> NDArray[np.bool_]:
    """Return where the outlines of objects run.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object of each pixel, 0 background.
    widths : tuple of int, optional
        Pixels along each axis; without them two in each plane (Y, X).

    Returns
    -------
    ([Z,] Y, X) bool
        True inside objects, up to so many pixels from anything else along the axis.
        The edge of the image is no outline.

    Examples
    --------
    >>> outlines(np.array([[0, 7, 7, 7, 7, 7, 0]])).astype(int).tolist()
    [[0, 1, 1, 0, 1, 1, 0]]
    """
    edge = np.zeros(objects.shape, bool)
    for axis, width in enumerate(widths or _in_planes(objects.ndim)):
        values, found = np.moveaxis(objects, axis, 0), np.moveaxis(edge, axis, 0)
        for step in range(1, width + 1):
            differs = values[step:] != values[:-step]
            found[step:] |= differs
            found[:-step] |= differs
    return edge & (objects != 0)


def prediction_content(
    prediction: Prediction, n_class: int, widths: Widths | None = None
) -> dict[str, Content]:
    """Return what each overlay shows of a prediction.

    Parameters
    ----------
    prediction : Prediction
        All that is known of one image.
    n_class : int
        Class whose probability is shown; ANY_CLASS for any object.
    widths : tuple of int, optional
        How outlines are drawn.
    """
    objects = ObjectMasks(objects=prediction.instances, class_of=prediction.class_of)
    found = _label_content(prediction.classes, objects, widths)
    p = prediction.probabilities
    known = n_class in range(1, len(p))
    # A copy, so that the other classes leave the memory.
    found["Probability"] = Content(values=p[n_class].copy() if known else 1 - p[0])
    for name, (overlay, limits_of) in _OF_MAPS.items():
        if name in prediction.maps:
            values = _shown(prediction.maps[name])
            found[overlay] = Content(values=values, limits=limits_of(values))
    return found


def preview_content(
    classes: NDArray[np.uint8],
    instances: NDArray[np.uint32],
    widths: Widths | None = None,
) -> dict[str, Content]:
    """Return what the overlays show where only classes and objects are known."""
    known = (classes > 0) & (instances > 0)
    ids, first = np.unique(instances[known], return_index=True)
    class_of = dict(zip(ids.tolist(), classes[known][first].tolist(), strict=True))
    sure = np.where(np.isin(instances, ids), instances, 0).astype(np.uint32)
    objects = ObjectMasks(objects=sure, class_of=class_of)
    return _label_content(classes, objects, widths)


def grown_content(
    grown: ObjectMasks, widths: Widths | None = None
) -> dict[str, Content]:
    """Return dashed outlines of grown masks, in class colours."""
    widths = widths or _in_planes(grown.objects.ndim)
    return {
        GROWN: outline_content(Outlines(objects=grown, widths=widths, dashes="gaps"))
    }


def before_content(
    objects: NDArray[np.uint32], widths: Widths | None = None
) -> dict[str, Content]:
    """Return outlines of what an earlier run found, in dashes of two tones."""
    found = ObjectMasks(objects=objects, class_of={})
    widths = widths or _in_planes(objects.ndim)
    return {
        BEFORE: outline_content(Outlines(objects=found, widths=widths, dashes="tones"))
    }


def outline_content(wanted: Outlines) -> Content:
    """Return outlines in the colours of classes, or in two tones."""
    masks = wanted.objects
    line = outlines(masks.objects, wanted.widths)
    if wanted.dashes == "none":
        colours: NDArray[np.integer] = masks.class_map()
    else:
        steps = [np.arange(n) * (w > 0) for n, w in _axes(masks, wanted.widths)]
        along = sum(np.ix_(*steps), start=np.zeros(1, int))
        tone = (along // _DASH % 2).astype(np.uint8)
        is_tones = wanted.dashes == "tones"
        colours = 1 + tone if is_tones else masks.class_map() * (tone == 0)
    return Content(values=np.where(line, colours, 0).astype(np.uint8), outlines=wanted)


def _axes(masks: ObjectMasks, widths: Widths) -> list[tuple[int, int]]:
    return list(zip(masks.objects.shape, widths, strict=True))


def _in_planes(n_axes: int) -> Widths:
    return (0,) * (n_axes - 2) + (_OUTLINE, _OUTLINE)


def _shown(values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Return numbers as they are stored, with NaN for what is not finite."""
    known = np.isfinite(values)
    if not np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    return values if known.all() else np.where(known, values, values.dtype.type("nan"))


def _shares(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    return 0.0, 1.0


def _around_zero(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    top = float(np.fmax.reduce(np.abs(values), axis=None))
    return (-top, top) if top > 0 else (-1.0, 1.0)


def _from_one(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    top = float(np.fmax.reduce(values, axis=None))
    return 1.0, top if top > 1 else 2.0


def _up_to_top(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    top = float(np.fmax.reduce(values, axis=None))
    return 0.0, max(top, _FAINT) if np.isfinite(top) else 1.0


_OF_MAPS: Mapping[
    str, tuple[str, Callable[[NDArray[np.floating[Any]]], tuple[float, float]]]
] = {
    "uncertainty": ("Uncertainty", _shares),
    "expected_entropy": ("Mean entropy", _shares),
    "mutual_information": ("Mutual information", _up_to_top),
    "variance": ("Variance", _up_to_top),
    "distance": ("Distance", _around_zero),
    "contour_probability": ("Contour probability", _shares),
    "shape_distance": ("Learned distance", _around_zero),
    "boundary": ("Boundary", _shares),
    "difficulty": ("Difficulty", _from_one),
    "marker": ("Marker", _shares),
    "border": ("Border", _shares),
}
"""map of a prediction -> overlay that shows it, limits of its colours"""


def _label_content(
    classes: NDArray[np.uint8], objects: ObjectMasks, widths: Widths | None
) -> dict[str, Content]:
    widths = widths or _in_planes(objects.objects.ndim)
    return {
        "Segmentation": Content(values=classes),
        "Instances": Content(values=objects.objects),
        "Contours": outline_content(Outlines(objects=objects, widths=widths)),
    }
