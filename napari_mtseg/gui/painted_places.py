"""Where a large image is painted on, coarsely, for the view of all of it."""

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from numpy.typing import NDArray

from napari_mtseg.gui.image_pixels import Placement
from napari_mtseg.storage.annotation_files import LAYERS
from napari_mtseg.storage.label_arrays import CHUNK_2D, CHUNK_3D
from napari_mtseg.storage.label_chunks import chunks_in_folder

NAME = "Painted places"
_OPACITY = 0.35


def places_map(folder: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return 1 for each chunk of an image that is painted on, 0 elsewhere.

    Parameters
    ----------
    folder : Path
        Folder of the image's annotation; need not exist.
    shape : ([Z,] Y, X)
        Shape of the image.

    Returns
    -------
    ([Z,] Y, X) uint8
        One pixel per chunk; what was erased counts, too.
    """
    sides = zip(shape, _chunk(len(shape)), strict=True)
    found = np.zeros([-(-n // chunk) for n, chunk in sides], np.uint8)
    for layer in LAYERS:
        for place in chunks_in_folder(folder / layer):
            found[place] = 1
    return found


class PaintedPlaces:
    """An Image layer of the painted places, seen while nobody can paint."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: ImageLayer | None = None

    def show(self, places: NDArray[np.uint8], placement: Placement) -> None:
        """Show the places of an image that lies in ``placement``, once one looks.

        Parameters
        ----------
        places : ([Z,] Y, X) uint8
            As :func:`places_map` returns it.
        placement : Placement
            Of the whole image.
        """
        layer = self._existing
        if layer is not None and layer.data.shape == places.shape:
            layer.data = places
            return
        self.remove()
        chunk = _chunk(places.ndim)
        steps = tuple(zip(chunk, placement.scale, strict=True))
        active = self._viewer.layers.selection.active
        self._layer = ImageLayer(
            places,
            name=NAME,
            colormap="yellow",
            blending="additive",
            opacity=_OPACITY,
            contrast_limits=(0, 1),
            scale=[n * size for n, size in steps],
            translate=[(n - 1) / 2 * size for n, size in steps],
            units=placement.units,
            axis_labels=placement.axis_labels,
            visible=False,
        )
        self._viewer.layers.append(self._layer)
        if active is not None:
            self._viewer.layers.selection.active = active

    def set_visible(self, visible: bool) -> None:
        """Show the places, or hide them."""
        layer = self._existing
        if layer is not None and layer.visible != visible:
            layer.visible = visible

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        layer, self._layer = self._existing, None
        if layer is not None:
            self._viewer.layers.remove(layer)

    @property
    def _existing(self) -> ImageLayer | None:
        is_there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if is_there else None


def _chunk(n_axes: int) -> tuple[int, ...]:
    return CHUNK_2D if n_axes == len(CHUNK_2D) else CHUNK_3D
