"""Results over the image, each a layer of its own that is made once and refilled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import Colormap, CyclicLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import PALETTE, ImageEntry
from napari_mtseg.gui.image_pixels import Placement, place, placement_of
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import load_prediction

ANNOTATION_LAYERS = ("Partial masks", "Scribbles", "Full masks")
ANY_CLASS = 0
"""stands for all classes together"""

_DIVERGING = Colormap(
    ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"], name="blue white red"
)
_OUTLINE = 2
"""pixels of an outline, inside the object"""
_DASH = 4
"""pixels of a dash and of the gap after it"""
_PAUSE = 10
"""milliseconds between two layers, in which the window answers"""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one overlay looks until the user changes it."""

    is_labels: bool = True
    """False for a map of numbers"""
    is_outline: bool = False
    """True if it leaves the inside of objects bare"""
    visible: bool = False
    """whether it is switched on at first"""
    opacity: float = 0.6
    """0 to 1"""
    colours: Any = "classes"
    """'classes', 'objects', or a colour map of napari"""
    rendering: str = "mip"
    """how the 3D canvas shows a map of numbers"""


STYLES: Mapping[str, Style] = {
    "Probability": Style(is_labels=False, colours="viridis"),
    "Distance": Style(is_labels=False, colours=_DIVERGING, rendering="minip"),
    "Uncertainty": Style(is_labels=False, colours="magma"),
    "Segmentation": Style(visible=True, opacity=0.4),
    "Instances": Style(colours="objects"),
    "Grown masks": Style(visible=True, opacity=1.0, is_outline=True),
    "Contours": Style(visible=True, opacity=1.0, is_outline=True),
}
"""all overlays, the lowest layer first"""
GROWN = "Grown masks"
LIVE = ("Segmentation", "Instances", "Contours", GROWN)
"""overlays that a training refreshes"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What one overlay shows of one image."""

    values: NDArray[Any]
    """([Z,] Y, X) labels, or numbers with NaN where nothing is shown"""
    limits: tuple[float, float] = (0.0, 1.0)
    """of the colours of numbers"""


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
        self._layers = _ResultLayers(viewer, state)
        self._filled: set[str] = set()
        self._waiting: dict[str, Content | None] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._show_one)
        self._switched_on: set[str] | None = None
        self._probability_of = ANY_CLASS
        self._folder: Path | None = None
        self._results, self._growth = NewestAnswer(self), NewestAnswer(self)
        self._results.answered.connect(self._show_results)
        self._results.refused.connect(self.failed)
        self._growth.answered.connect(self._show_soon)
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
        for name, layer in self._layers.made():
            if name in names:
                layer.visible = visible
        self.changed.emit()

    def is_visible(self, name: str) -> bool:
        """Return True if an overlay is switched on, be the group hidden or not."""
        if self._switched_on is not None:
            return name in self._switched_on
        layer = dict(self._layers.made()).get(name)
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
        for name, layer in self._layers.made():
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
        self._folder, n_class = folder, self._probability_of
        self._results.ask(lambda: prediction_content(load_prediction(folder), n_class))

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
        self._folder = None
        self._results.ask(lambda: preview_content(classes, instances))

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
        self._growth.ask(lambda: grown_content(grown))

    def make_ready(self, names: Iterable[str] = LIVE) -> None:
        """Make layers before they are needed, one after the other.

        A new layer costs napari a tenth of a second, which one who paints would feel.
        """
        made = dict(self._layers.made())
        self._show_soon({name: None for name in names if name not in made})

    def clear(self) -> None:
        """Show nothing; the layers stay, in the size of the current image."""
        self.release()
        self._folder = None
        self._filled.clear()
        self._layers.remove_other_axes()
        for name, _ in self._layers.made():
            self._layers.empty(name)
        self.changed.emit()

    def release(self) -> None:
        """Give up what is on its way: the window closes."""
        self._results.drop()
        self._growth.drop()
        self._timer.stop()
        self._waiting.clear()

    def _show_results(self, shown: Mapping[str, Content]) -> None:
        gone = [n for n in self._filled if n not in shown and n != GROWN]
        self._show_soon({**dict.fromkeys(gone), **shown})

    def _show_soon(self, shown: Mapping[str, Content | None]) -> None:
        """Fill one layer after the other: all at once would be felt."""
        self._waiting.update(shown)
        self._timer.start()

    def _show_one(self) -> None:
        if self._waiting:
            name = next(iter(self._waiting))
            self._show(name, self._waiting.pop(name))
            self.changed.emit()
        if not self._waiting:
            self._timer.stop()
            self.shown.emit()

    def _show(self, name: str, content: Content | None) -> None:
        self._layer(name)
        entry = self._state.entry
        if entry and content and content.values.shape == entry.spatial_shape:
            self._layers.fill(name, content)
            self._filled.add(name)
        else:
            self._layers.empty(name)
            self._filled.discard(name)

    def _layer(self, name: str) -> Any:
        layer, is_new = self._layers.get(name, hidden=not self.visible)
        if is_new:
            self._filled.discard(name)
            layer.events.visible.connect(self._tell)
            layer.events.opacity.connect(self._tell)
        return layer

    def _tell(self) -> None:
        self.changed.emit()


class _ResultLayers:
    """Makes, places, fills and colours the layers."""

    def __init__(self, viewer: ViewerModel, state: WindowState) -> None:
        self._viewer, self._state = viewer, state
        self._layers: dict[str, Image | Labels] = {}
        self._limits: dict[str, tuple[float, float]] = {}
        self._placed: tuple[ImageEntry, Placement] | None = None

    def made(self) -> Iterator[tuple[str, Image | Labels]]:
        """Yield the layers that exist, the lowest first."""
        for name in STYLES:
            layer = self._layers.get(name)
            if layer is not None and layer in self._viewer.layers:
                yield name, layer

    def get(self, name: str, *, hidden: bool) -> tuple[Image | Labels, bool]:
        """Return a layer, and True if it had to be made (again)."""
        layer = self._layers.get(name)
        if layer is not None and layer in self._viewer.layers:
            return layer, False
        style, entry = STYLES[name], self._state.entry
        layer = _new_layer(name, n_axes=len(entry.spatial_shape) if entry else 2)
        layer.visible = style.visible and not hidden
        self._layers[name] = layer
        self.empty(name)
        self._limits.pop(name, None)
        self._insert(name, layer)
        self.recolour()
        return layer, True

    def fill(self, name: str, content: Content) -> None:
        """Show something in a layer that exists."""
        layer = self._layers[name]
        self._refill(layer, content.values)
        if isinstance(layer, Image):
            layer.colorbar.visible = True
            # Limits that the user chose are kept.
            if self._limits.get(name, layer.contrast_limits) == layer.contrast_limits:
                layer.contrast_limits_range = content.limits
                layer.contrast_limits = content.limits
                self._limits[name] = layer.contrast_limits

    def empty(self, name: str) -> None:
        """Show nothing in a layer, without using memory; NaN is transparent."""
        layer, entry = self._layers[name], self._state.entry
        shape = entry.spatial_shape if entry else (1,) * layer.ndim
        nothing: Any = np.uint8(0) if isinstance(layer, Labels) else np.float32(np.nan)
        if isinstance(layer, Image):
            layer.colorbar.visible = False
        self._refill(layer, np.broadcast_to(nothing, shape))

    def remove_other_axes(self) -> None:
        """Remove layers with another number of axes than the image: they are remade.

        napari fails on layers that change from 2D to 3D in its list.
        """
        entry = self._state.entry
        for name, layer in list(self.made()):
            if entry is not None and layer.ndim != len(entry.spatial_shape):
                self._viewer.layers.remove(layer)
                del self._layers[name]

    def _refill(self, layer: Image | Labels, values: NDArray[Any]) -> None:
        layer.data = values
        if isinstance(layer, Labels):
            layer.editable = False
        if (entry := self._state.entry) is not None:
            if self._placed is None or self._placed[0] != entry:
                self._placed = entry, placement_of(entry)
            place(layer, self._placed[1])

    def recolour(self) -> None:
        """Take over the colours of the classes."""
        project = self._state.project
        colours = [c.colour for c in project.info.classes] if project else [*PALETTE]
        colormap = CyclicLabelColormap(colors=["#00000000", *colours], name="classes")
        for name, layer in self.made():
            if STYLES[name].colours == "classes" and layer.colormap != colormap:
                layer.colormap = colormap

    def _insert(self, name: str, layer: Image | Labels) -> None:
        """Put a layer below the annotations, and leave the selection as it is."""
        layers, order = self._viewer.layers, list(STYLES)
        above = {id(self._layers.get(n)) for n in order[order.index(name) + 1 :]}
        place = len(layers)
        for index, other in enumerate(layers):
            if other.name in ANNOTATION_LAYERS or id(other) in above:
                place = index
                break
        active, selected = layers.selection.active, set(layers.selection)
        layers.insert(place, layer)
        layers.selection.active = active
        if set(layers.selection) != selected:
            layers.selection.clear()
            layers.selection.update(selected)


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
    if "uncertainty" in prediction.maps:
        doubt = prediction.maps["uncertainty"].astype(np.float32)
        found["Uncertainty"] = Content(values=doubt)
    if "distance" in prediction.maps:
        distance = prediction.maps["distance"].astype(np.float32)
        distance[~np.isfinite(distance)] = np.nan
        top = float(np.fmax.reduce(np.abs(distance), axis=None))
        top = top if top > 0 else 1.0
        found["Distance"] = Content(values=distance, limits=(-top, top))
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


def _label_content(
    classes: NDArray[np.uint8], objects: ObjectMasks
) -> dict[str, Content]:
    line = np.where(outlines(objects.objects), objects.class_map(), 0)
    return {
        "Segmentation": Content(values=classes),
        "Instances": Content(values=objects.objects),
        "Contours": Content(values=line.astype(np.uint8)),
    }


def _new_layer(name: str, *, n_axes: int) -> Image | Labels:
    style = STYLES[name]
    options: dict[str, Any] = {"name": name, "opacity": style.opacity}
    shape = (1,) * n_axes
    if style.is_labels:
        return Labels(np.zeros(shape, np.uint8), **options)
    return Image(
        np.full(shape, np.nan, np.float32),
        colormap=style.colours,
        contrast_limits=(0, 1),
        blending="translucent",
        rendering=style.rendering,
        **options,
    )
