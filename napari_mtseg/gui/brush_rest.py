"""Letting the brush rest while the canvas shows a volume in 3D."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import show_info

from napari_mtseg.gui.layers import LAYER_NAMES

RESTS = (
    "The brush rests while the canvas shows 3D: drag to turn the volume. Go back to "
    "slices to paint; the brush is ready there again."
)
_DRAWING = ("paint", "erase", "fill", "polygon")
_LOOKING = "pan_zoom"


class BrushRest:
    """Turns the volume by dragging in 3D, where a brush would paint on what is hidden.

    A tool that the user takes up again in 3D works as napari has it: on what is painted
    already.

    Parameters
    ----------
    viewer : ViewerModel
        Its paint layers, known by their names, lay their tools down.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._resting: list[tuple[Labels, str]] = []
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    def _on_ndisplay(self, event: Any) -> None:
        if event.value == 2:
            self._take_up()
        else:
            self._lay_down()

    def _lay_down(self) -> None:
        layers = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels)
            and layer.name in LAYER_NAMES.values()
            and layer.mode in _DRAWING
        ]
        self._resting = [(layer, str(layer.mode)) for layer in layers]
        for layer in layers:
            layer.mode = _LOOKING
        if self._viewer.layers.selection.active in layers:
            show_info(RESTS)

    def _take_up(self) -> None:
        resting, self._resting = self._resting, []
        for layer, mode in resting:
            is_here = layer in self._viewer.layers and layer.editable
            if is_here and layer.mode == _LOOKING:
                layer.mode = mode
