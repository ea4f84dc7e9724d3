"""Size, outline, place, shape and intensity of every object, in 2D and 3D."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.crofton import extent_per_exit
from napari_mtseg.geometry.object_sums import ObjectSums
from napari_mtseg.geometry.row_runs import ellipse_axes

UNIT_SYMBOLS: Mapping[str, str] = {
    "nanometer": "nm",
    "micrometer": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "meter": "m",
    "pixel": "px",
}
"""unit of an image -> what it is called in the name of a column, if not the same"""

_AXES = "zyx"

Columns = dict[str, NDArray[Any]]
"""a table: arrays of equal length by name"""


def measurements(
    sums: ObjectSums,
    *,
    class_of: Mapping[int, int],
    class_names: Mapping[int, str],
    spacing: tuple[float, ...],
    unit: str,
) -> Columns:
    """Return what is known of each object, as columns of a table.

    Parameters
    ----------
    sums : ObjectSums
        Of a whole image.
    class_of : mapping of int to int
        Object id -> class, of all objects.
    class_names : mapping of int to str
        Class -> name.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    unit : str
        Of the spacing, such as 'micrometer'.

    Returns
    -------
    dict of str to (n,) array
        In ascending order of 'object': 'object', 'class', 'class_name', 'pixels'; then,
        with the unit in their names, such as um:

        - 'area_um2' and 'perimeter_um'; in 3D 'volume_um3' and 'surface_um2'. An
          outline is closed where the image cuts an object.
        - 'diameter_um' of the disc (ball) that is as large.
        - 'centroid_y_um' and so on for each axis, from the middle of the first pixel.
        - 'major_axis_um' and 'minor_axis_um', in 3D with 'middle_axis_um' between, of
          the ellipse (ellipsoid) with the same second moments, and 'elongation', major
          over minor.
        - 'circularity', 4 pi area / perimeter**2; in 3D 'sphericity', the surface of
          the ball that is as large over the object's own. 1 if round; cut off at 1.
        - 'bbox_y_from' and 'bbox_y_to' and so on for each axis, pixels, the last one
          not included.
        - 'mean_intensity_0', 'std_intensity_0', 'min_intensity_0', 'max_intensity_0'
          and so on for each channel, where intensities were given.
        - 'mean_uncertainty', where it was given.

    References
    ----------
    .. [1] Of outline and surface: see :mod:`napari_mtseg.geometry.crofton`.
    """
    symbol = UNIT_SYMBOLS.get(unit, unit)
    classes = [class_of[i] for i in sums.ids.tolist()]
    return {
        "object": sums.ids,
        "class": np.array(classes, np.int64),
        "class_name": np.array([class_names[c] for c in classes], np.str_),
        "pixels": sums.pixels,
        **_shape_columns(sums, spacing, symbol),
        **_box_columns(sums),
        **_value_columns(sums),
    }


def _shape_columns(sums: ObjectSums, spacing: tuple[float, ...], unit: str) -> Columns:
    is_flat = len(spacing) == 2
    size = sums.pixels * math.prod(spacing)
    outline = sums.exits @ np.array(extent_per_exit(spacing))
    if is_flat:
        diameter = 2 * np.sqrt(size / np.pi)
        names = (f"area_{unit}2", f"perimeter_{unit}", "circularity")
        roundness = 4 * np.pi * size / outline**2
    else:
        diameter = np.cbrt(6 * size / np.pi)
        names = (f"volume_{unit}3", f"surface_{unit}2", "sphericity")
        roundness = np.pi * diameter**2 / outline
    lengths = 2 * ellipse_axes(sums.pixels, sums.moments.T, spacing=spacing)
    order = ("minor", "major") if is_flat else ("minor", "middle", "major")
    centres = sums.moments[:, : len(spacing)] / sums.pixels[:, np.newaxis] * spacing
    return {
        names[0]: size,
        names[1]: outline,
        f"diameter_{unit}": diameter,
        **{
            f"centroid_{axis}_{unit}": centre
            for axis, centre in zip(_AXES[-len(spacing) :], centres.T, strict=True)
        },
        **{
            f"{name}_axis_{unit}": length
            for name, length in reversed(list(zip(order, lengths.T, strict=True)))
        },
        "elongation": lengths[:, -1] / lengths[:, 0],
        names[2]: np.minimum(roundness, 1.0),
    }


def _box_columns(sums: ObjectSums) -> Columns:
    columns: Columns = {}
    for axis, low, high in zip(
        _AXES[-sums.first.shape[1] :], sums.first.T, sums.last.T, strict=True
    ):
        columns[f"bbox_{axis}_from"] = low
        columns[f"bbox_{axis}_to"] = high + 1
    return columns


def _value_columns(sums: ObjectSums) -> Columns:
    columns: Columns = {}
    for i in range(sums.intensity.shape[1]):
        mean = sums.intensity[:, i] / sums.pixels
        columns[f"mean_intensity_{i}"] = mean
        columns[f"std_intensity_{i}"] = np.sqrt(
            sums.squared_deviation[:, i] / sums.pixels
        )
        columns[f"min_intensity_{i}"] = sums.lowest[:, i]
        columns[f"max_intensity_{i}"] = sums.highest[:, i]
    for total in sums.uncertainty.T:
        columns["mean_uncertainty"] = total / sums.pixels
    return columns
