"""The layers of the overlays: how they look, where they stand, what fills them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import Colormap, CyclicLabelColormap, ensure_colormap
from numpy.typing import NDArray

from napari_mtseg.domain.project import PALETTE, ImageEntry
from napari_mtseg.gui.image_pixels import Placement, place, placement_of
from napari_mtseg.gui.overlay_content import Content
from napari_mtseg.gui.state import WindowState

ANNOTATION_LAYERS = ("Partial masks", "Scribbles", "Full masks")

_OPAQUE_FROM = 0.5
"""share of the range from which a map that fades is as opaque as its layer"""
_CLEAR_FROM = 0.6
"""share of the range from which signed distances are clear in the 3D canvas"""


def _fading(name: str) -> Colormap:
    """Return a colour map of napari that is clear where values are low."""
    values = np.linspace(0, 1, 65)
    colours = np.array(ensure_colormap(name).map(values))
    colours[:, 3] = np.minimum(values / _OPAQUE_FROM, 1)
    return Colormap(colours, name=f"{name}, fading", controls=values)


def _inside_only(colours: Colormap) -> Colormap:
    """Return colours of signed distances that are clear outside objects."""
    values = np.linspace(0, 1, 101)
    table = np.array(colours.map(values))
    table[:, 3] = np.clip((_CLEAR_FROM - values) / (_CLEAR_FROM - 0.5), 0, 1)
    return Colormap(table, name=f"{colours.name}, inside", controls=values)


_DIVERGING = Colormap(
    ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"], name="blue white red"
)
_LINES = _fading("viridis")
# No class has these, and one of them is seen on any ground.
_TWO_TONES = CyclicLabelColormap(
    colors=["#00000000", "#ffffff", "#000000"], name="white and black"
)


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
    colours_3d: Colormap | None = None
    """colour map in the 3D canvas, where one looks through all of a map: it is clear
    where nothing is to be seen; None for ``colours``"""
    rendering: str = "attenuated_mip"
    """how the 3D canvas shows a map of numbers"""


def _of_numbers(colours: str) -> Style:
    return Style(is_labels=False, colours=colours, colours_3d=_fading(colours))


_DISTANCE = Style(
    is_labels=False,
    colours=_DIVERGING,
    colours_3d=_inside_only(_DIVERGING),
    rendering="minip",
)


# Boundary, border and marker may be shown together, and so differ in colour.
STYLES: Mapping[str, Style] = {
    "Learned distance": _DISTANCE,
    "Contour probability": Style(is_labels=False, colours=_LINES),
    "Border": Style(is_labels=False, colours=_fading("magenta")),
    "Marker": Style(is_labels=False, colours=_fading("bop blue")),
    "Difficulty": _of_numbers("inferno"),
    "Boundary": Style(is_labels=False, colours=_LINES),
    "Probability": _of_numbers("viridis"),
    "Distance": _DISTANCE,
    "Variance": _of_numbers("magma"),
    "Mutual information": _of_numbers("magma"),
    "Mean entropy": _of_numbers("magma"),
    "Uncertainty": _of_numbers("magma"),
    "Segmentation": Style(visible=True, opacity=0.4),
    "Instances": Style(colours="objects"),
    "Grown masks": Style(visible=True, opacity=1.0, is_outline=True),
    # Below the contours: it shows where they were elsewhere.
    "Before": Style(visible=True, opacity=1.0, is_outline=True, colours=_TWO_TONES),
    "Contours": Style(visible=True, opacity=1.0, is_outline=True),
}
"""all overlays, the lowest layer first"""


class ResultLayers:
    """Makes, places, fills and colours the layers."""

    def __init__(self, viewer: ViewerModel, state: WindowState) -> None:
        self._viewer, self._state = viewer, state
        self._layers: dict[str, Image | Labels] = {}
        self._away: set[str] = set()
        self._limits: dict[str, tuple[float, float]] = {}
        self._placed: tuple[ImageEntry, Placement] | None = None
        viewer.dims.events.ndisplay.connect(self._change_maps)

    def made(self) -> Iterator[tuple[str, Image | Labels]]:
        """Yield the layers in napari's list, the lowest first."""
        for name in STYLES:
            layer = self._layers.get(name)
            if layer is not None and layer in self._viewer.layers:
                yield name, layer

    def known(self) -> Iterator[tuple[str, Image | Labels]]:
        """Yield the layers in napari's list and those that are put away."""
        yield from self.made()
        for name in self._away:
            yield name, self._layers[name]

    def get(self, name: str, *, hidden: bool) -> tuple[Image | Labels, bool]:
        """Return a layer in napari's list, and True if it had to be made (again)."""
        layer = self._layers.get(name)
        if layer is not None and layer in self._viewer.layers:
            return layer, False
        if name in self._away:
            self._away.discard(name)
            self._insert(name, self._layers[name])
            return self._layers[name], False
        style, entry = STYLES[name], self._state.entry
        n_axes = len(entry.spatial_shape) if entry else 2
        layer = _new_layer(name, n_axes=n_axes, in_3d=self._is_3d)
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

    def put_away(self, name: str) -> None:
        """Take a layer out of napari's list; it comes back as the user left it."""
        layer = self._layers.get(name)
        if layer is not None and layer in self._viewer.layers:
            self.empty(name)
            self._away.add(name)
            with self._selection_kept():
                self._viewer.layers.remove(layer)

    def remove_other_axes(self) -> None:
        """Remove layers with another number of axes than the image: they are remade.

        napari fails on layers that change from 2D to 3D in its list.
        """
        entry = self._state.entry
        for name, layer in list(self.known()):
            if entry is not None and layer.ndim != len(entry.spatial_shape):
                if name in self._away:
                    self._away.discard(name)
                else:
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
        for name, layer in self.known():
            if STYLES[name].colours == "classes" and layer.colormap != colormap:
                layer.colormap = colormap

    @property
    def _is_3d(self) -> bool:
        return self._viewer.dims.ndisplay == 3

    def _change_maps(self) -> None:
        """Show numbers in the colours for slices or for 3D, unless the user chose."""
        for name, layer in self.known():
            if isinstance(layer, Image):
                now, before = (
                    _colours_of(STYLES[name], in_3d=in_3d)
                    for in_3d in (self._is_3d, not self._is_3d)
                )
                if layer.colormap.name == before.name != now.name:
                    layer.colormap = now

    def _insert(self, name: str, layer: Image | Labels) -> None:
        """Put a layer below the annotations, and leave the selection as it is."""
        layers, order = self._viewer.layers, list(STYLES)
        above = {id(self._layers.get(n)) for n in order[order.index(name) + 1 :]}
        place = len(layers)
        for index, other in enumerate(layers):
            if other.name in ANNOTATION_LAYERS or id(other) in above:
                place = index
                break
        with self._selection_kept():
            layers.insert(place, layer)

    @contextmanager
    def _selection_kept(self) -> Iterator[None]:
        chosen = self._viewer.layers.selection
        active, selected = chosen.active, set(chosen)
        yield
        kept = {layer for layer in selected if layer in self._viewer.layers}
        chosen.active = active if active in kept else None
        if set(chosen) != kept:
            chosen.clear()
            chosen.update(kept)


def _colours_of(style: Style, *, in_3d: bool) -> Colormap:
    colours = style.colours_3d if in_3d and style.colours_3d else style.colours
    return ensure_colormap(colours)


def _new_layer(name: str, *, n_axes: int, in_3d: bool) -> Image | Labels:
    style = STYLES[name]
    options: dict[str, Any] = {"name": name, "opacity": style.opacity}
    shape = (1,) * n_axes
    if style.is_labels:
        if isinstance(style.colours, CyclicLabelColormap):
            options["colormap"] = style.colours
        return Labels(np.zeros(shape, np.uint8), **options)
    return Image(
        np.full(shape, np.nan, np.float32),
        colormap=_colours_of(style, in_3d=in_3d),
        contrast_limits=(0, 1),
        # Without depth, so that a map in the 3D canvas cuts no hole into labels.
        blending="translucent_no_depth",
        rendering=style.rendering,
        **options,
    )
