"""Objects as a set of ImageJ regions of interest: ``NAME_rois.zip``.

Needs the extra ``export``. Fiji opens the file in its ROI Manager.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.project import PALETTE
from napari_mtseg.geometry.pixel_outlines import FlatObject, flat_objects
from napari_mtseg.storage.whole_files import whole_file

_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def write_rois(
    path: Path,
    instances: NDArray[np.integer[Any]],
    *,
    class_of: Mapping[int, int],
    class_names: Mapping[int, str],
    class_colours: Mapping[int, str] | None = None,
) -> Path:
    """Write the outline of each object as an ImageJ ROI.

    Outlines run along the edges of pixels, so that a ROI holds exactly the pixels of
    its object. An object with holes or in several pieces is one composite ROI.

    Parameters
    ----------
    path : Path
        Such as ``cells_rois.zip``; replaced if it exists.
    instances : ([Z,] Y, X) integer
        Object id, 0 background. Of a volume, each plane of an object is a ROI with
        the position of that plane in the stack.
    class_of : mapping of int to int
        Object id -> class, which becomes the group of the ROI.
    class_names : mapping of int to str
        Class -> name. ROIs are called 'CLASS ID', in a volume 'CLASS ID z PLANE' with
        planes counted from 1, as in ImageJ.
    class_colours : mapping of int to str, optional
        Class -> '#rrggbb' of the outline; colours that colour-blind people can tell
        apart by default.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SettingsError
        If the package roifile is not installed.
    StorageError
        If the disk is full or the file cannot be written.
    """
    roifile = roifile_package()
    colours = class_colours or {}
    with (
        whole_file(path) as partial,
        zipfile.ZipFile(partial, "x", zipfile.ZIP_DEFLATED) as entries,
    ):
        for found in flat_objects(instances):
            c = class_of[found.number]
            roi = _roi(roifile, found)
            roi.name = _name(found, class_names[c])
            roi.group = c
            roi.stroke_color = _argb(colours.get(c) or PALETTE[(c - 1) % len(PALETTE)])
            entries.writestr(f"{roi.name}.roi", roi.tobytes())
    return path


def roifile_package() -> Any:
    """Return the module roifile.

    Raises
    ------
    SettingsError
        If it is not installed.
    """
    try:
        import roifile
    except ModuleNotFoundError:
        raise SettingsError(
            "ImageJ ROI sets need the extra 'export': pip install "
            "'napari-mtseg[export]'."
        ) from None
    return roifile


def _roi(roifile: Any, found: FlatObject) -> Any:
    position = found.plane
    first, *others = (outline[:, ::-1] for outline in found.outlines())
    roi = roifile.ImagejRoi.frompoints(first, name="-", position=position)
    roi.roitype = roifile.ROI_TYPE.TRACED
    roi.options &= roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    if not others:
        # ImageJ's box ends where the pixels do, not at the last corner plus one.
        roi.right, roi.bottom = roi.right - 1, roi.bottom - 1
        return roi
    (top, left), (height, width) = found.corner, found.mask.shape
    steps = _path([first, *others])
    return roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT,
        top=top,
        left=left,
        bottom=top + height,
        right=left + width,
        multi_coordinates=steps,
        shape_roi_size=len(steps),
        position=roi.position,
    )


def _path(outlines: list[NDArray[np.int64]]) -> NDArray[np.float32]:
    """Return outlines (n, 2) of x and y as one path of moves, lines and closings."""
    steps: list[float] = []
    for outline in outlines:
        for i, (x, y) in enumerate(outline.tolist()):
            steps += [_LINE if i else _MOVE, x, y]
        steps.append(_CLOSE)
    return np.array(steps, np.float32)


def _name(found: FlatObject, class_name: str) -> str:
    plane = "" if found.plane is None else f" z {found.plane + 1:04}"
    return f"{_NOT_IN_NAMES.sub('_', class_name)} {found.number:04}{plane}"


def _argb(colour: str) -> bytes:
    return b"\xff" + bytes.fromhex(colour.removeprefix("#"))
