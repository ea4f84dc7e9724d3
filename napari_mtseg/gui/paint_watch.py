"""What in the paint layers may have changed, learned from napari's events.

Paint, fill and polygons tell of themselves. Undo and redo only redraw the layer, so a
redraw that no change of the view explains counts as a possible change, too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_mtseg.domain.annotation import N_AXES_3D
from napari_mtseg.gui.autosave import SMALL
from napari_mtseg.gui.painted_image import PaintedImage
from napari_mtseg.gui.state import DrawAs

Touched = Callable[[DrawAs, set[int], bool], None]
"""Layer, planes, and whether it is not sure that they changed."""


class PaintWatch:
    """Listens to the paint layers.

    Parameters
    ----------
    viewer : napari viewer
        Says which plane is shown.
    on_touched : callable
        Called when paint changed or may have changed.
    on_replaced : callable
        Called with the layer's kind when somebody gave it other data.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        on_touched: Touched,
        on_replaced: Callable[[DrawAs], None],
    ) -> None:
        self._viewer = viewer
        self._on_touched = on_touched
        self._on_replaced = on_replaced
        self._views: dict[DrawAs, object] = {}
        self._is_muted = False
        self.painted: PaintedImage | None = None
        """image on the canvas"""

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Do not listen while the window itself fills the layers."""
        self._is_muted = True
        try:
            yield
        finally:
            self._is_muted = False
            self._views = dict.fromkeys(self._views, self._view())

    def listen(self, kind: DrawAs, layer: Labels) -> None:
        """Listen to a layer that was made."""
        self._views[kind] = self._view()

        def on_paint(event: Any) -> None:
            self._painted(kind, layer, event.value)

        def on_update(event: Any) -> None:
            self._painted(kind, layer, ())

        def on_set_data(event: Any) -> None:
            self._redrawn(kind, layer)

        def on_data(event: Any) -> None:
            if self._is_about(layer):
                self._on_replaced(kind)

        layer.events.paint.connect(on_paint)
        layer.events.labels_update.connect(on_update)
        layer.events.set_data.connect(on_set_data)
        layer.events.data.connect(on_data)

    def _is_about(self, layer: Labels) -> bool:
        listens = self.painted is not None and not self._is_muted
        return listens and layer in self._viewer.layers

    def _painted(self, kind: DrawAs, layer: Labels, atoms: Sequence[Any]) -> None:
        painted = self.painted
        if painted is None or not self._is_about(layer):
            return
        planes = planes_of(atoms, painted.n_planes) or self._planes_shown(layer)
        painted.was_painted.setdefault(kind, set()).update(planes)
        self._on_touched(kind, planes, False)

    def _redrawn(self, kind: DrawAs, layer: Labels) -> None:
        painted = self.painted
        if painted is None or not self._is_about(layer):
            return
        view = self._view()
        if self._views.get(kind) != view:
            self._views[kind] = view
            return
        if painted.arrays[kind].size <= SMALL:
            planes = set(range(painted.n_planes))
        else:
            planes = painted.was_painted.get(kind, set()) | self._planes_shown(layer)
        self._on_touched(kind, planes, True)

    def _planes_shown(self, layer: Labels) -> set[int]:
        """Return the plane on the canvas; all planes where the canvas shows several."""
        if layer.ndim < N_AXES_3D:
            return {0}
        n_planes = layer.data.shape[0]
        dims = self._viewer.dims
        across = dims.ndim - N_AXES_3D
        if across in dims.displayed:
            return set(range(n_planes))
        point = layer.world_to_data(dims.point)
        return {int(np.clip(round(point[0]), 0, n_planes - 1))}

    def _view(self) -> object:
        dims = self._viewer.dims
        return tuple(dims.point), dims.ndisplay, tuple(dims.order)


def planes_of(atoms: Sequence[Any], n_planes: int) -> set[int]:
    """Return the planes that one step of a layer's history changed.

    Parameters
    ----------
    atoms : sequence
        The value of napari's ``paint`` event: tuples that begin with where they
        painted, as slices or as arrays of indices, one per axis.
    n_planes : int
        Planes of the image; 1 in 2D.
    """
    if n_planes == 1:
        return {0} if atoms else set()
    planes: set[int] = set()
    for atom in atoms:
        first = atom[0][0]
        if isinstance(first, slice):
            planes.update(range(*first.indices(n_planes)))
        else:
            planes.update(np.unique(first).tolist())
    return planes
