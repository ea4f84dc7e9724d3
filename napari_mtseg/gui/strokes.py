"""Which id a stroke gets: it extends the object it starts on, or begins a new one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.action_manager import action_manager

from napari_mtseg.domain.annotation import SCRIBBLE_FIRST_CLASS, UNPAINTED
from napari_mtseg.gui.layers import PaintLayers
from napari_mtseg.gui.painted_image import PaintedImage
from napari_mtseg.gui.state import DrawAs, WindowState

_TOOLS = ("paint", "fill", "polygon")
_LEFT, _RIGHT = 1, 2


class Strokes:
    """Joins the window's choice of layer and class with napari's tools.

    Parameters
    ----------
    viewer : napari viewer
        Its active layer is the one that is drawn on.
    state : WindowState
        ``draw_as`` and ``paint_code`` are what the user chose.
    layers : PaintLayers
        The layers.
    """

    def __init__(
        self, viewer: ViewerModel, state: WindowState, layers: PaintLayers
    ) -> None:
        self._viewer = viewer
        self._state = state
        self._layers = layers
        self._class_code = max(state.paint_code, SCRIBBLE_FIRST_CLASS)
        self._last_object: dict[DrawAs, int] = {}
        self._is_outlining = False
        self._follows = True
        self.painted: PaintedImage | None = None
        """image on the canvas"""
        state.events.draw_as.connect(self._on_draw_as)
        state.events.paint_code.connect(self._on_paint_code)
        viewer.layers.selection.events.active.connect(self._on_active)

    def attach(self, kind: DrawAs, layer: Labels) -> None:
        """Decide the id of every stroke on a layer that was made."""

        def on_press(layer: Labels, event: Any) -> None:
            self._on_press(kind, layer, event)

        def on_paint(event: Any) -> None:
            self._is_outlining = False
            if layer.mode in _TOOLS and layer.selected_label != UNPAINTED:
                self._last_object[kind] = layer.selected_label

        def on_mode(event: Any) -> None:
            self._is_outlining = False

        def on_escape(layer: Labels) -> None:
            """Give up the polygon or outline that was begun."""
            self._is_outlining = False
            action_manager.trigger("napari:reset_polygon")

        # In front of napari's own tools, which read the selected label.
        layer.mouse_drag_callbacks.insert(0, on_press)
        layer.events.paint.connect(on_paint)
        layer.events.mode.connect(on_mode)
        layer.bind_key("Escape", on_escape, overwrite=True)

    @contextmanager
    def unfollowed(self) -> Iterator[None]:
        """Do not follow the selected layer while layers are made or removed."""
        before, self._follows = self._follows, False
        try:
            yield
        finally:
            self._follows = before

    def show(self, painted: PaintedImage | None) -> None:
        """Draw on another image from now on."""
        self.painted = painted
        self._last_object.clear()
        self._is_outlining = False
        for kind in ("partial", "scribble", "full"):
            self._preselect(kind)

    def select_layer(self) -> None:
        """Select the layer that strokes go to, brush ready."""
        layer = self._layers.get(self._state.draw_as)
        if layer is None:
            return
        with self.unfollowed():
            self._viewer.layers.selection.active = layer
        layer.visible = True
        self._layers.use(self._state.draw_as, "paint")
        self._preselect(self._state.draw_as)

    @property
    def n_class(self) -> int:
        """Class that strokes on partial and full masks have."""
        return self._class_code - SCRIBBLE_FIRST_CLASS + 1

    def _on_draw_as(self, draw_as: DrawAs) -> None:
        if draw_as != "scribble" and self._state.paint_code < SCRIBBLE_FIRST_CLASS:
            self._state.paint_code = self._class_code
        if self._follows:
            self.select_layer()

    def _on_paint_code(self, code: int) -> None:
        if code >= SCRIBBLE_FIRST_CLASS:
            self._class_code = code
        elif self._state.draw_as != "scribble":
            self._state.draw_as = "scribble"
        self._preselect(self._state.draw_as)

    def _on_active(self, event: Any) -> None:
        kind = self._layers.kind_of(event.value)
        if kind is None or not self._follows or kind == self._state.draw_as:
            return
        # Selecting in napari's list keeps the tool that the layer has.
        with self.unfollowed():
            self._state.draw_as = kind
        self._preselect(kind)

    def _preselect(self, kind: DrawAs) -> None:
        """Show the colour of the next stroke as the layer's selected label."""
        layer = self._layers.get(kind)
        if layer is None or self.painted is None or self._is_outlining:
            return
        if kind == "scribble":
            layer.selected_label = self._state.paint_code
        else:
            layer.selected_label = self.painted.ids[kind].next_id(self.n_class)

    def _on_press(self, kind: DrawAs, layer: Labels, event: Any) -> None:
        painted, tool = self.painted, str(layer.mode)
        if painted is None or tool not in _TOOLS or event.button not in (_LEFT, _RIGHT):
            return
        # The user chose label 0 in napari's controls: that brush erases.
        if layer.selected_label == UNPAINTED or self._is_outlining:
            return
        if tool == "polygon" and event.button != _LEFT:
            return
        self._is_outlining = self._begins_outline(layer, tool, event.button)
        if kind == "scribble":
            layer.selected_label = self._state.paint_code
            return
        found = _label_below(layer, event)
        layer.selected_label = self._id_of_stroke(kind, tool, found)

    def _begins_outline(self, layer: Labels, tool: str, button: int) -> bool:
        """Return True for presses that are followed by others of the same object."""
        if self._viewer.dims.ndisplay != 2 or layer.n_edit_dimensions != 2:
            return False
        return tool == "polygon" or (tool == "paint" and button == _RIGHT)

    def _id_of_stroke(self, kind: DrawAs, tool: str, found: int) -> int:
        """Return the id for a press on ``found``, which is UNPAINTED on bare ground."""
        painted = self.painted
        if painted is None:
            return found
        ids = painted.ids[kind]
        if found != UNPAINTED and (
            tool != "fill" or ids.class_of(found) == self.n_class
        ):
            return found
        last = self._last_object.get(kind, UNPAINTED)
        fills_ground = tool == "fill" and found == UNPAINTED and last != UNPAINTED
        if fills_ground and ids.class_of(last) == self.n_class:
            return last
        return ids.add_object(self.n_class)


def _label_below(layer: Labels, event: Any) -> int:
    value = layer.get_value(
        event.position,
        view_direction=event.view_direction,
        dims_displayed=event.dims_displayed,
        world=True,
    )
    return UNPAINTED if value is None else int(value)
