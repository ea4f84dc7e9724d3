"""Outlines that follow the view: slices along any axis, or all of a volume."""

from collections.abc import Mapping
from dataclasses import replace

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal

from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlay_content import (
    Content,
    Outlines,
    Widths,
    outline_content,
    outline_widths,
)
from napari_mtseg.gui.state import WindowState


class ViewOutlines(QObject):
    """Draws outlines anew, in a thread, when the canvas shows other axes.

    Parameters
    ----------
    viewer : ViewerModel
        Tells which axes its canvas shows.
    state : WindowState
        Tells the spacing of the current image.
    """

    drawn = Signal(object)
    """content by overlay, of the outlines that were drawn anew"""

    def __init__(
        self, viewer: ViewerModel, state: WindowState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._state = viewer, state
        self._shown: dict[str, Outlines] = {}
        self._drawing = NewestAnswer(self)
        self._drawing.answered.connect(self._tell)
        viewer.dims.events.order.connect(self.draw)
        viewer.dims.events.ndisplay.connect(self.draw)

    @property
    def widths(self) -> Widths | None:
        """How outlines are drawn for the axes on the canvas; None without an image."""
        dims, entry = self._viewer.dims, self._state.entry
        if entry is None:
            return None
        first = dims.ndim - len(entry.spatial_shape)
        shown = [axis - first for axis in dims.displayed if axis >= first]
        return outline_widths(shown, entry.spacing)

    def keep(self, name: str, outlines: Outlines | None) -> None:
        """Remember which outlines an overlay shows; None for no outlines."""
        if outlines is None:
            self._shown.pop(name, None)
        else:
            self._shown[name] = outlines

    def clear(self) -> None:
        """Forget all outlines, and those that are being drawn."""
        self._shown.clear()
        self._drawing.drop()

    def draw(self) -> None:
        """Draw those that are of another view."""
        widths = self.widths
        if widths is None:
            return
        wanted = {
            name: replace(outlines, widths=widths)
            for name, outlines in self._shown.items()
            if outlines.widths != widths
        }
        if wanted:
            self._drawing.ask(
                lambda: {name: outline_content(each) for name, each in wanted.items()}
            )

    def _tell(self, drawn: Mapping[str, Content]) -> None:
        """Tell of outlines of objects that are still those on the canvas."""
        current = {}
        for name, content in drawn.items():
            before, now = self._shown.get(name), content.outlines
            if before and now and before.objects is now.objects:
                current[name] = content
        if current:
            self.drawn.emit(current)
