"""Results over the image, each a layer of its own that is made once and refilled.

A layer is put away while what is shown has nothing for it, and comes back as it was.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlay_content import (
    ANY_CLASS,
    BEFORE,
    GROWN,
    Content,
    before_content,
    grown_content,
    prediction_content,
    preview_content,
)
from napari_mtseg.gui.overlay_layers import STYLES, ResultLayers
from napari_mtseg.gui.paced_changes import PacedChanges
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.view_outlines import ViewOutlines
from napari_mtseg.storage.prediction_files import load_prediction

LIVE = ("Segmentation", "Instances", "Contours")
"""overlays that every training refreshes"""

_APART = (GROWN, BEFORE)
"""overlays that come and go by themselves, whatever prediction is shown"""


class Overlays(QObject):
    """The results of the current image as layers.

    What the user sets in them is kept: opacity, order, visibility, contrast.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer that gets the layers.
    state : WindowState
        Tells the current image and the colours of the classes.
    """

    changed = Signal()
    """an overlay came, went, or was changed by the user"""
    shown = Signal()
    """all that was to be shown is on the canvas"""
    failed = Signal(str)
    """the sentence that says why a prediction cannot be shown"""

    def __init__(
        self, viewer: ViewerModel, state: WindowState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._project = state.project
        self._layers = ResultLayers(viewer, state)
        self._filled: set[str] = set()
        self._outlines = ViewOutlines(viewer, state, self)
        self._outlines.drawn.connect(self._show_drawn)
        self._changes = PacedChanges(self)
        self._changes.made.connect(self.changed)
        self._changes.ended.connect(self._end)
        self._switched_on: set[str] | None = None
        self._probability_of = ANY_CLASS
        self._folder: Path | None = None
        self._results = NewestAnswer(self)
        self._results.answered.connect(self._show_results)
        self._results.refused.connect(self.failed)
        self._apart = {name: NewestAnswer(self) for name in _APART}
        for reading in self._apart.values():
            reading.answered.connect(self._show_soon)
        state.events.image_id.connect(self.clear)
        state.classes_changed.connect(self._layers.recolour)

    @property
    def names(self) -> tuple[str, ...]:
        """Overlays that show something now, the uppermost first."""
        return tuple(name for name in reversed(tuple(STYLES)) if name in self._filled)

    @property
    def visible(self) -> bool:
        """False while all overlays are hidden as a group."""
        return self._switched_on is None

    @visible.setter
    def visible(self, visible: bool) -> None:
        if visible == self.visible:
            return
        if visible:
            names, self._switched_on = self._switched_on or set(), None
        else:
            names = {n for n in STYLES if self.is_visible(n)}
            self._switched_on = names
        for name, layer in self._layers.known():
            if name in names:
                layer.visible = visible
        self.changed.emit()

    def is_visible(self, name: str) -> bool:
        """Return True if an overlay is switched on, be the group hidden or not."""
        if self._switched_on is not None:
            return name in self._switched_on
        layer = dict(self._layers.known()).get(name)
        return STYLES[name].visible if layer is None else bool(layer.visible)

    def set_visible(self, name: str, visible: bool) -> None:
        """Switch one overlay; in a hidden group it waits until the group comes."""
        if self._switched_on is None:
            self._layer(name).visible = visible
        else:
            change = self._switched_on.add if visible else self._switched_on.discard
            change(name)
            self.changed.emit()

    @property
    def opacity(self) -> float:
        """Opacity of what fills areas, 0 to 1; outlines keep their own."""
        layer = dict(self._layers.made()).get("Segmentation")
        return STYLES["Segmentation"].opacity if layer is None else float(layer.opacity)

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        for name, layer in self._layers.known():
            if not STYLES[name].is_outline:
                layer.opacity = opacity

    @property
    def probability_of(self) -> int:
        """Class whose probability is shown; ANY_CLASS for any object."""
        return self._probability_of

    @probability_of.setter
    def probability_of(self, n_class: int) -> None:
        self._probability_of = n_class
        if self._folder is not None:
            self.show_prediction(self._folder)

    def show_prediction(self, folder: Path) -> None:
        """Show a saved prediction of the current image; it is read in a thread."""
        self._folder = folder
        n_class, widths = self._probability_of, self._outlines.widths
        self._results.ask(
            lambda: prediction_content(load_prediction(folder), n_class, widths)
        )

    def show_maps(
        self, classes: NDArray[np.uint8], instances: NDArray[np.uint32]
    ) -> None:
        """Show what a training says of the current image at this moment.

        Parameters
        ----------
        classes : ([Z,] Y, X) uint8
            Class of each pixel, 0 background.
        instances : ([Z,] Y, X) uint32
            Object of each pixel, 0 background.
        """
        self._folder, widths = None, self._outlines.widths
        self._results.ask(lambda: preview_content(classes, instances, widths))

    def show_grown(
        self, objects: NDArray[np.uint32], class_of: Mapping[int, int]
    ) -> None:
        """Show grown masks of the current image as dashed outlines.

        Parameters
        ----------
        objects : ([Z,] Y, X) uint32
            Object of each pixel, 0 where nothing is painted or grown.
        class_of : mapping
            Object -> class.
        """
        grown = ObjectMasks(objects=objects, class_of=class_of)
        widths = self._outlines.widths
        self._apart[GROWN].ask(lambda: grown_content(grown, widths))

    def put_away_grown(self) -> None:
        """Show no grown masks: they are of another run, or of none."""
        self._put_away_apart(GROWN)

    def show_before(self, objects: NDArray[np.uint32]) -> None:
        """Show objects ([Z,] Y, X) that an earlier run found, as dashed outlines."""
        widths = self._outlines.widths
        self._apart[BEFORE].ask(lambda: before_content(objects, widths))

    def put_away_before(self) -> None:
        """Show no outlines of an earlier run: none is compared with."""
        self._put_away_apart(BEFORE)

    def put_away_results(self) -> None:
        """Show no results: they are of another run, which has none of this image."""
        self._results.drop()
        self._folder = None
        for name in LIVE:
            self._changes.drop(name)
            self._empty(name)
        self._put_away_soon(n for n in STYLES if n not in {*LIVE, *_APART})
        self.changed.emit()

    def make_ready(self, names: Iterable[str] = LIVE) -> None:
        """Make layers before they are needed, one after the other.

        A new layer costs napari a tenth of a second, which one who paints would feel.
        """
        made = dict(self._layers.made())
        self._changes.add({n: partial(self._layer, n) for n in names if n not in made})

    def clear(self) -> None:
        """Show nothing; the layers stay, in the size of the current image."""
        self.release()
        self._folder = None
        self._filled.clear()
        self._layers.remove_other_axes()
        for name, _ in self._layers.made():
            self._layers.empty(name)
        project = self._state.project
        if project is not None and project is not self._project:
            self._project = project
            self._put_away_soon(n for n in STYLES if n not in LIVE)
        self.changed.emit()

    def release(self) -> None:
        """Give up what is on its way: the window closes."""
        self._results.drop()
        for reading in self._apart.values():
            reading.drop()
        self._outlines.clear()
        self._changes.clear()

    def _show_results(self, shown: Mapping[str, Content]) -> None:
        self._put_away_soon(n for n in STYLES if n not in {*shown, *_APART})
        self._show_soon(shown)

    def _show_soon(self, shown: Mapping[str, Content]) -> None:
        self._changes.add({n: partial(self._show, n, shown[n]) for n in shown})

    def _put_away_apart(self, name: str) -> None:
        self._apart[name].drop()
        # Without an image nothing is shown, and the window may be closing.
        if self._state.entry is not None:
            self._put_away_soon([name])

    def _put_away_soon(self, names: Iterable[str]) -> None:
        made, names = dict(self._layers.made()), tuple(names)
        for name in names:
            self._changes.drop(name)
        if gone := {n: partial(self._put_away, n) for n in names if n in made}:
            self._changes.add(gone)

    def _end(self) -> None:
        self.shown.emit()
        # The view may have changed since they were asked for.
        self._outlines.draw()

    def _show_drawn(self, drawn: Mapping[str, Content]) -> None:
        self._show_soon({n: c for n, c in drawn.items() if n not in self._changes})

    def _put_away(self, name: str) -> None:
        self._filled.discard(name)
        self._outlines.keep(name, None)
        self._layers.put_away(name)

    def _show(self, name: str, content: Content) -> None:
        self._layer(name)
        entry = self._state.entry
        if entry and content.values.shape == entry.spatial_shape:
            self._layers.fill(name, content)
            self._filled.add(name)
            self._outlines.keep(name, content.outlines)
        else:
            self._empty(name)

    def _empty(self, name: str) -> None:
        self._filled.discard(name)
        self._outlines.keep(name, None)
        if name in dict(self._layers.made()):
            self._layers.empty(name)

    def _layer(self, name: str) -> Any:
        layer, is_new = self._layers.get(name, hidden=not self.visible)
        if is_new:
            self._filled.discard(name)
            layer.events.visible.connect(self._tell)
            layer.events.opacity.connect(self._tell)
        return layer

    def _tell(self) -> None:
        self.changed.emit()
