"""The complete region on the canvas: shown lightly, and boxes drawn by dragging."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_mtseg.domain.annotation import CompleteRegion
from napari_mtseg.gui.layers import LAYER_NAMES

NAME = "Complete region"
_LIKE = LAYER_NAMES["partial"]
"""layer whose scale and units the region takes over"""
_WIDTH_SHARE = 1 / 250
"""width of the outline as a share of the image's shorter side"""

_LONGEST_SIDE = 4096
"""pixels; of larger images a part is looked at, where the outline must not be wide"""

BoxDrawn = Callable[[Sequence[float], Sequence[float]], None]


class RegionLayer:
    """A Shapes layer in the plane that is shown; made when there is something to show.

    It spans rows and columns only, so napari shows it in whichever plane is current:
    :meth:`show` puts there what holds for that plane.

    Parameters
    ----------
    viewer : napari viewer
        Where the layer goes.
    on_drawn : callable
        Called with the (row, column) of the least and the greatest corner of a box
        that was dragged, in pixels; centres of pixels are whole numbers.
    on_stopped : callable
        Called when drawing has ended, with a box or without.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        on_drawn: BoxDrawn,
        on_stopped: Callable[[], None],
    ) -> None:
        self._viewer = viewer
        self._on_drawn = on_drawn
        self._on_stopped = on_stopped
        self._layer: Shapes | None = None
        self._region = CompleteRegion()
        self._image_shape: tuple[int, ...] = ()
        self._shown: list[NDArray[np.float64]] = []
        self._before: Any = None
        self._is_drawing = False
        viewer.layers.selection.events.active.connect(self._active_changed)

    def show(self, region: CompleteRegion, shape: tuple[int, ...], plane: int) -> None:
        """Show what of ``region`` lies in ``plane`` of an image of ``shape``.

        A layer that somebody removed is made again for another region only: napari
        removes it as well while the viewer closes.
        """
        is_other = (region, shape) != (self._region, self._image_shape)
        self._region, self._image_shape = region, shape
        if is_other and not region.is_empty:
            self._made()
        self.show_plane(plane)

    def show_plane(self, plane: int) -> None:
        """Show what lies in another plane of the same image."""
        layer = self._existing
        if layer is None or self._is_drawing:
            return
        shape = self._image_shape
        wanted = _rectangles(self._region, shape, plane) if shape else []
        is_same = len(wanted) == len(self._shown) and all(
            np.array_equal(a, b) for a, b in zip(wanted, self._shown, strict=True)
        )
        if not is_same:
            self._fit(layer)
            side = min((*shape[-2:], _LONGEST_SIDE))
            layer.current_edge_width = side * _WIDTH_SHARE
            self._shown = wanted
            self._refill(layer)

    def remove(self) -> None:
        """Take the layer away: nothing is open any more."""
        self.stop_drawing()
        layer, self._layer = self._existing, None
        if layer is not None:
            self._viewer.layers.remove(layer)

    @property
    def has_the_mouse(self) -> bool:
        """True while this is the layer that strokes would go to."""
        active = self._viewer.layers.selection.active
        return active is not None and active is self._existing

    def start_drawing(self) -> bool:
        """Let the next drag over the image draw a box; False if it cannot be drawn."""
        dims = self._viewer.dims
        if tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1):
            return False
        self._before = self._viewer.layers.selection.active
        layer = self._made()
        layer.visible = True
        layer.editable = True
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        self._is_drawing = True
        return True

    def stop_drawing(self) -> None:
        """End drawing without a box, and go back to the layer that was painted on."""
        if not self._is_drawing:
            return
        self._is_drawing = False
        layer = self._existing
        if layer is not None:
            layer.mode = "pan_zoom"
            layer.editable = False
            self._refill(layer)
            active = self._viewer.layers.selection.active
            if active is layer and self._before in self._viewer.layers:
                self._viewer.layers.selection.active = self._before
        self._on_stopped()

    @property
    def _existing(self) -> Shapes | None:
        is_there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if is_there else None

    def _made(self) -> Shapes:
        if (existing := self._existing) is not None:
            return existing
        layer = Shapes(
            ndim=2,
            name=NAME,
            face_color="transparent",
            edge_color="white",
            opacity=0.6,
        )
        self._fit(layer)
        layer.events.data.connect(self._data_changed)
        active = self._viewer.layers.selection.active
        self._viewer.layers.insert(self._place(), layer)
        self._viewer.layers.selection.active = active
        layer.editable = False
        self._layer, self._shown = layer, []
        return layer

    def _place(self) -> int:
        """Return where the layer goes: below the paint."""
        layers = self._viewer.layers
        return int(layers.index(_LIKE)) if _LIKE in layers else len(layers)

    def _fit(self, layer: Shapes) -> None:
        """Give the region the pixel size of the image."""
        if _LIKE not in self._viewer.layers:
            return
        like = self._viewer.layers[_LIKE]
        layer.scale = like.scale[-2:]
        layer.units = like.units[-2:]
        layer.axis_labels = like.axis_labels[-2:]

    def _refill(self, layer: Shapes) -> None:
        layer.data = []
        layer.selected_data = set()
        if self._shown:
            layer.add_rectangles(self._shown)
        layer.selected_data = set()

    def _data_changed(self, event: Any) -> None:
        if self._is_drawing and str(event.action) == "added":
            # napari finishes the rectangle after this event.
            QTimer.singleShot(0, self._take_drawn)

    def _take_drawn(self) -> None:
        layer = self._existing
        if not self._is_drawing or layer is None or not len(layer.data):
            return
        corners = np.asarray(layer.data[-1])[:, -2:]
        self.stop_drawing()
        self._on_drawn(corners.min(axis=0).tolist(), corners.max(axis=0).tolist())

    def _active_changed(self) -> None:
        """Stop drawing when the user goes on to another layer."""
        if self._is_drawing and self._viewer.layers.selection.active is not self._layer:
            self.stop_drawing()


def _rectangles(
    region: CompleteRegion, shape: tuple[int, ...], plane: int
) -> list[NDArray[np.float64]]:
    """Return the outlines of a region in one plane, corners as (row, column)."""
    if region.whole or (len(shape) > 2 and plane in region.slices):
        return [_outline((0, 0), shape[-2:])]
    return [
        _outline(box.start[-2:], box.stop[-2:])
        for box in region.boxes
        if len(box.start) == 2 or box.start[0] <= plane < box.stop[0]
    ]


def _outline(start: Sequence[int], stop: Sequence[int]) -> NDArray[np.float64]:
    # A pixel reaches half a pixel around its whole-numbered centre.
    top, left = start[0] - 0.5, start[1] - 0.5
    bottom, right = stop[0] - 0.5, stop[1] - 0.5
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
