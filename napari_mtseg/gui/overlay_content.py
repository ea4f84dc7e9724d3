"""What each overlay shows of a prediction, of a preview and of grown masks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.prediction import Prediction

ANY_CLASS = 0
"""stands for all classes together"""
GROWN = "Grown masks"

_OUTLINE = 2
"""pixels of an outline, inside the object"""
_DASH = 4
"""pixels of a dash and of the gap after it"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What one overlay shows of one image."""

    values: NDArray[Any]
    """([Z,] Y, X) labels, or numbers with NaN where nothing is shown"""
    limits: tuple[float, float] = (0.0, 1.0)
    """of the colours of numbers"""


def outlines(objects: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return where the outlines of objects run, plane by plane in 3D.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object of each pixel, 0 background.

    Returns
    -------
    ([Z,] Y, X) bool
        True inside objects, up to two pixels from anything else in the plane. The
        edge of the image is no outline.

    Examples
    --------
    >>> outlines(np.array([[0, 7, 7, 7, 7, 7, 0]])).astype(int).tolist()
    [[0, 1, 1, 0, 1, 1, 0]]
    """
    edge = np.zeros(objects.shape, bool)
    for axis in (-2, -1):
        values, found = np.moveaxis(objects, axis, 0), np.moveaxis(edge, axis, 0)
        for step in range(1, _OUTLINE + 1):
            differs = values[step:] != values[:-step]
            found[step:] |= differs
            found[:-step] |= differs
    return edge & (objects != 0)


def prediction_content(prediction: Prediction, n_class: int) -> dict[str, Content]:
    """Return what each overlay shows of a prediction.

    Parameters
    ----------
    prediction : Prediction
        All that is known of one image.
    n_class : int
        Class whose probability is shown; ANY_CLASS for any object.
    """
    objects = ObjectMasks(objects=prediction.instances, class_of=prediction.class_of)
    found = _label_content(prediction.classes, objects)
    p = prediction.probabilities
    chosen = (
        1 - p[0].astype(np.float32) if n_class not in range(1, len(p)) else p[n_class]
    )
    found["Probability"] = Content(values=chosen.astype(np.float32))
    for name, (overlay, limits_of) in _OF_MAPS.items():
        if name in prediction.maps:
            values = prediction.maps[name].astype(np.float32)
            values[~np.isfinite(values)] = np.nan
            found[overlay] = Content(values=values, limits=limits_of(values))
    return found


def preview_content(
    classes: NDArray[np.uint8], instances: NDArray[np.uint32]
) -> dict[str, Content]:
    """Return what the overlays show where only classes and objects are known."""
    known = (classes > 0) & (instances > 0)
    ids, first = np.unique(instances[known], return_index=True)
    class_of = dict(zip(ids.tolist(), classes[known][first].tolist(), strict=True))
    sure = np.where(np.isin(instances, ids), instances, 0).astype(np.uint32)
    return _label_content(classes, ObjectMasks(objects=sure, class_of=class_of))


def grown_content(grown: ObjectMasks) -> dict[str, Content]:
    """Return dashed outlines of grown masks, in class colours."""
    rows, columns = grown.objects.shape[-2:]
    along = np.add.outer(np.arange(rows), np.arange(columns))
    line = outlines(grown.objects) & (along // _DASH % 2 == 0)
    return {GROWN: Content(values=np.where(line, grown.class_map(), 0))}


def _shares(values: NDArray[np.float32]) -> tuple[float, float]:
    return 0.0, 1.0


def _around_zero(values: NDArray[np.float32]) -> tuple[float, float]:
    top = float(np.fmax.reduce(np.abs(values), axis=None))
    return (-top, top) if top > 0 else (-1.0, 1.0)


def _from_one(values: NDArray[np.float32]) -> tuple[float, float]:
    top = float(np.fmax.reduce(values, axis=None))
    return 1.0, top if top > 1 else 2.0


_OF_MAPS: Mapping[
    str, tuple[str, Callable[[NDArray[np.float32]], tuple[float, float]]]
] = {
    "uncertainty": ("Uncertainty", _shares),
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
    classes: NDArray[np.uint8], objects: ObjectMasks
) -> dict[str, Content]:
    line = np.where(outlines(objects.objects), objects.class_map(), 0)
    return {
        "Segmentation": Content(values=classes),
        "Instances": Content(values=objects.objects),
        "Contours": Content(values=line.astype(np.uint8)),
    }
