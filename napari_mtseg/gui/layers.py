"""The three Labels layers that paint goes to: made once, filled anew for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
)
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.gui.image_pixels import Placement, place
from napari_mtseg.gui.object_ids import N_COLOURS
from napari_mtseg.gui.state import DrawAs

LAYER_NAMES: Mapping[DrawAs, str] = {
    "partial": "Partial masks",
    "scribble": "Scribbles",
    "full": "Full masks",
}
"""names of the paint layers, the lowest first"""

BACKGROUND_COLOUR = "#7f92ad"
"""of background scribbles: grey blue"""
SEPARATOR_COLOUR = "#fafafa"
"""of separator scribbles: nearly white"""

_OPACITY = 0.6


class PaintLayers:
    """*Partial masks*, *Scribbles* and *Full masks* in the viewer."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[DrawAs, Labels] = {}
        self._modes: dict[DrawAs, str] = {}

    def get(self, kind: DrawAs) -> Labels | None:
        """Return a layer; None if it was not made yet or the user deleted it."""
        layer = self._layers.get(kind)
        return layer if layer is not None and layer in self._viewer.layers else None

    def kind_of(self, layer: Any) -> DrawAs | None:
        """Return which paint layer this is; None if it is another layer."""
        return next((k for k in LAYER_NAMES if self._layers.get(k) is layer), None)

    def show(
        self,
        arrays: Mapping[DrawAs, NDArray[Any]],
        placement: Placement,
        classes: Sequence[ClassInfo],
    ) -> tuple[DrawAs, ...]:
        """Show paint in the layers, and forget what could be undone before.

        Parameters
        ----------
        arrays : mapping
            ([Z,] Y, X) ids (uint32) or scribble codes (uint8) per layer; they are
            painted on in place.
        placement : Placement
            Where the image lies.
        classes : sequence of ClassInfo
            Colours.

        Returns
        -------
        tuple
            The layers that were made: all at first, later those that were deleted.
        """
        made: list[DrawAs] = []
        for kind, array in arrays.items():
            layer = self.get(kind)
            if layer is not None and layer.ndim != array.ndim:
                self._viewer.layers.remove(layer)
                layer = None
            if layer is None:
                self._add(kind, array, placement, classes)
                made.append(kind)
            else:
                self._refill(kind, layer, array, placement)
        if made:
            self._put_on_top()
        self.recolour(classes)
        return tuple(made)

    def use(self, kind: DrawAs, mode: str) -> None:
        """Take a tool of a layer, once one can paint on it."""
        layer = self.get(kind)
        if layer is None:
            return
        if layer.editable:
            layer.mode = mode
        else:
            self._modes[kind] = mode

    def freeze(self) -> None:
        """Show on what there is, but let nobody paint."""
        for kind in LAYER_NAMES:
            layer = self.get(kind)
            if layer is not None and layer.editable:
                self._modes[kind] = layer.mode
                layer.editable = False

    def thaw(self) -> None:
        """Let everybody paint again, with the tools that the layers had."""
        for kind in LAYER_NAMES:
            layer = self.get(kind)
            if layer is not None and not layer.editable:
                layer.editable = True
                layer.mode = self._modes.pop(kind, layer.mode)

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for kind in LAYER_NAMES:
            layer = self.get(kind)
            if layer is not None:
                self._viewer.layers.remove(layer)
        self._layers.clear()
        self._modes.clear()

    def recolour(self, classes: Sequence[ClassInfo]) -> None:
        """Draw in these colours of the classes."""
        for kind in LAYER_NAMES:
            layer = self.get(kind)
            colours = colours_of(kind, classes)
            if layer is not None and not np.array_equal(layer.colormap.colors, colours):
                layer.colormap = CyclicLabelColormap(colors=colours)

    def _add(
        self,
        kind: DrawAs,
        array: NDArray[Any],
        placement: Placement,
        classes: Sequence[ClassInfo],
    ) -> None:
        layer = Labels(
            array,
            name=LAYER_NAMES[kind],
            opacity=_OPACITY,
            colormap=CyclicLabelColormap(colors=colours_of(kind, classes)),
            scale=placement.scale,
            units=placement.units,
            axis_labels=placement.axis_labels,
            translate=placement.translate,
        )
        self._layers[kind] = layer
        active = self._viewer.layers.selection.active
        self._viewer.layers.append(layer)
        if active is not None:
            self._viewer.layers.selection.active = active

    def _refill(
        self, kind: DrawAs, layer: Labels, array: NDArray[Any], placement: Placement
    ) -> None:
        mode = self._modes.pop(kind, layer.mode)
        # Without a history: an undo would put the pixels of one image into another.
        layer.editable = False
        layer.data = array
        layer.editable = True
        place(layer, placement)
        layer.mode = mode

    def _put_on_top(self) -> None:
        layers = self._viewer.layers
        for kind in LAYER_NAMES:
            layer = self.get(kind)
            if layer is not None and layers.index(layer) != len(layers) - 1:
                layers.move(layers.index(layer), len(layers))


def colours_of(kind: DrawAs, classes: Sequence[ClassInfo]) -> NDArray[np.float32]:
    """Return the colour table of a paint layer.

    Returns
    -------
    (255, 4) float32
        RGBA, 0 to 1. Row 0 is transparent. Row ``i`` is the colour of class ``i``, or
        of scribble code ``i``; rows beyond the classes look like the last class.
    """
    names = [info.colour for info in classes]
    if kind == "scribble":
        special = {
            SCRIBBLE_BACKGROUND: BACKGROUND_COLOUR,
            SCRIBBLE_SEPARATOR: SEPARATOR_COLOUR,
        }
        names = [special[code] for code in range(1, SCRIBBLE_FIRST_CLASS)] + names
    table = np.ones((N_COLOURS + 1, 4), np.float32)
    table[0] = 0
    rgb = np.array([_rgb(name) for name in names], np.float32)
    table[1 : len(rgb) + 1, :3] = rgb
    table[len(rgb) + 1 :, :3] = rgb[-1]
    return table


def _rgb(name: str) -> tuple[float, ...]:
    """Return red, green and blue, 0 to 1, of '#rrggbb'."""
    return tuple(int(name[i : i + 2], 16) / 255 for i in (1, 3, 5))
