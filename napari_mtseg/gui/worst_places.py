"""Going to the most doubtful slices and objects of the current image."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.places_of_doubt import (
    Box,
    DoubtfulObject,
    DoubtfulPlane,
    doubtful_objects,
    doubtful_planes,
)
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import has_prediction

LOOKING = "Looking for the most doubtful places…"
NO_OBJECT = "No object was found on this image."
TOO_OLD = (
    "This prediction does not tell how doubtful its parts are: a version before this "
    "one made it. Click Predict this image."
)
FILLS = 1 / 3
"""share of the canvas that an object fills along the side where it fills most"""
_LEAST = 32
"""pixels that fill so much at least: a speck is shown with what is around it"""


class WorstPlaces(QWidget):
    """Buttons that go to the most doubtful slice or object, then to the next one.

    Parameters
    ----------
    viewer : ViewerModel
        Its camera and sliders are moved.
    state : WindowState
        Tells the project and the current image.
    """

    def __init__(
        self, viewer: ViewerModel, state: WindowState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("worst_places")
        self._viewer, self._state = viewer, state
        self._run_id: str | None = None
        self._objects: tuple[DoubtfulObject, ...] | None = None
        self._planes: tuple[DoubtfulPlane, ...] | None = None
        self._object_at = self._plane_at = -1
        self._came_from: tuple[tuple[float, ...], float] | None = None
        self._for_objects, self._for_planes = NewestAnswer(self), NewestAnswer(self)
        self._awaited: set[NewestAnswer] = set()
        self._slice = self._button("worst_slice", "Worst slice")
        self._object = self._button("worst_object", "Worst object")
        self._said = SentenceLabel("", "plain", self)
        self._said.setObjectName("worst_place")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row_of(self._object, self._slice))
        column.addWidget(self._said)
        self._object.clicked.connect(self.next_worst_object)
        self._slice.clicked.connect(self.next_worst_slice)
        self._for_objects.answered.connect(self._take_objects)
        self._for_planes.answered.connect(self._take_planes)
        for reading in (self._for_objects, self._for_planes):
            reading.refused.connect(self._refuse)
        state.events.project.connect(self._leave_project)
        state.events.image_id.connect(self._leave_image)
        state.events.page.connect(self._go_back)
        state.predictions_changed.connect(self._forget)
        self._forget()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run whose results are looked at; None for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._forget()

    def next_worst_object(self) -> None:
        """Go to the most doubtful object, or on to the next one after it."""
        folder = self._folder()
        if folder is None:
            return
        if self._objects is None:
            self._ask(self._for_objects, partial(doubtful_objects, folder))
        elif self._objects:
            self._object_at = (self._object_at + 1) % len(self._objects)
            found = self._objects[self._object_at]
            self._show_object(found)
            self._said.say(found.sentence(self._object_at, len(self._objects)))
        else:
            self._said.say(NO_OBJECT, "note")

    def next_worst_slice(self) -> None:
        """Go to the most doubtful slice, or on to the next one after it."""
        folder, entry = self._folder(), self._state.entry
        if folder is None or entry is None or len(entry.spatial_shape) < 3:
            return
        if self._planes is None:
            self._ask(self._for_planes, partial(doubtful_planes, folder))
        elif self._planes:
            self._plane_at = (self._plane_at + 1) % len(self._planes)
            found = self._planes[self._plane_at]
            self._show_plane(found.plane)
            self._said.say(found.sentence(self._plane_at, len(self._planes)))

    def refresh(self) -> None:
        """Offer what there is on the current image."""
        entry, has_any = self._state.entry, self._folder() is not None
        is_volume = entry is not None and len(entry.spatial_shape) == 3
        self.setVisible(has_any)
        self._slice.setVisible(is_volume)

    def _button(self, name: str, text: str) -> QPushButton:
        button = named_button(name, text, self)
        what, key = text.split()[1], key_of(name)
        again = f"Goes to the most doubtful {what}; pressed again, to the next one"
        button.setToolTip(f"{again}. Key: {key}" if key else again)
        button.setAccessibleName(f"Go to the most doubtful {what}")
        return button

    def _folder(self) -> Path | None:
        """Return the folder of the prediction that is looked at, if there is one."""
        state = self._state
        if state.project is None or state.image_id is None or self._run_id is None:
            return None
        folder = state.project.path / "predictions" / self._run_id / state.image_id
        return folder if has_prediction(folder) else None

    def _forget(self) -> None:
        """Know nothing of the places: they are of another image, or predicted anew."""
        self._for_objects.drop()
        self._for_planes.drop()
        self._awaited.clear()
        self._objects = self._planes = None
        self._object_at = self._plane_at = -1
        self._said.say("")
        self.refresh()

    def _leave_image(self) -> None:
        self._go_back()
        self._forget()

    def _go_back(self) -> None:
        """Show again what the canvas showed before it went to an object."""
        if self._came_from is not None:
            camera = self._viewer.scene.camera
            camera.center, camera.zoom = self._came_from
            self._came_from = None

    def _leave_project(self) -> None:
        self._run_id = None
        self._forget()

    def _ask(self, reading: NewestAnswer, read: Callable[[], object]) -> None:
        # A second press while it is being read would only read it again.
        if reading not in self._awaited:
            self._awaited.add(reading)
            self._said.say(LOOKING)
            reading.ask(read)

    def _take_objects(self, found: tuple[DoubtfulObject, ...] | None) -> None:
        self._objects = found
        self._awaited.discard(self._for_objects)
        if found is None:
            self._said.say(TOO_OLD, "note")
        else:
            self.next_worst_object()

    def _take_planes(self, found: tuple[DoubtfulPlane, ...] | None) -> None:
        self._planes = found
        self._awaited.discard(self._for_planes)
        if found is None:
            self._said.say(TOO_OLD, "note")
        else:
            self.next_worst_slice()

    def _refuse(self, why: str) -> None:
        self._awaited.clear()
        self._said.say(why, "problem")

    def _show_plane(self, plane: int) -> None:
        dims, entry = self._viewer.dims, self._state.entry
        if entry is None:
            return
        axis = dims.ndim - len(entry.spatial_shape)
        if axis in dims.displayed:
            # Its planes are not what the canvas shows: show them.
            dims.ndisplay = 2
            dims.order = tuple(range(dims.ndim))
        dims.set_point(axis, plane * entry.spacing[0])

    def _show_object(self, found: DoubtfulObject) -> None:
        """Centre the canvas on an object, and zoom until it fills a third of it."""
        dims, entry = self._viewer.dims, self._state.entry
        if entry is None:
            return
        first = dims.ndim - len(entry.spatial_shape)
        centre = world_centre(found.box, entry.spacing)
        if len(centre) == 3 and first not in dims.displayed:
            centre[0] = found.plane * entry.spacing[0]
        hidden = [axis for axis in dims.not_displayed if axis >= first]
        if hidden:
            dims.set_point(hidden, [centre[axis - first] for axis in hidden])
        shown = [axis - first for axis in dims.displayed]
        if min(shown) < 0:
            return
        camera = self._viewer.scene.camera
        view = self._viewer.canvas.viewbox_size(self._viewer.layers)
        size = [
            max(found.box[axis].stop - found.box[axis].start, _LEAST)
            * entry.spacing[axis]
            for axis in shown
        ]
        if self._came_from is None:
            self._came_from = camera.center, camera.zoom
        camera.center = tuple(centre[axis] for axis in shown)
        camera.zoom = fitting_zoom(size, view)


def world_centre(box: Box, spacing: Sequence[float]) -> list[float]:
    """Return the middle of a box of pixels in world units, ([Z,] Y, X).

    Examples
    --------
    >>> world_centre((slice(2, 5), slice(0, 2)), (5.0, 1.0))
    [15.0, 0.5]
    """
    return [
        (side.start + side.stop - 1) / 2 * step
        for side, step in zip(box, spacing, strict=True)
    ]


def fitting_zoom(size: Sequence[float], view: Sequence[float]) -> float:
    """Return the zoom with which a thing fills FILLS of the canvas.

    Parameters
    ----------
    size : sequence of float
        Its extent along the axes on the canvas, ([Z,] Y, X), world units.
    view : (float, float)
        Height and width of the canvas, pixels.

    Returns
    -------
    float
        Canvas pixels per world unit.

    Examples
    --------
    >>> fitting_zoom((10.0, 20.0), (300, 300))
    5.0
    """
    if len(size) == len(view):
        return FILLS * min(v / s for v, s in zip(view, size, strict=True))
    return FILLS * min(view) / max(size)
