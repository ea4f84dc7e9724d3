"""The annotation of the current image: shown, painted on, counted and saved."""

from typing import ClassVar

import numpy as np
from napari.components import ViewerModel
from napari.utils.notifications import show_error
from psygnal import Signal

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    UNPAINTED,
    Annotation,
    CompleteRegion,
    Tags,
)
from napari_mtseg.gui.autosave import Autosave
from napari_mtseg.gui.image_pixels import ImageLayers, placement_of
from napari_mtseg.gui.layers import LAYER_NAMES, PaintLayers
from napari_mtseg.gui.loaded_image import LoadedImage, load_image, load_paint
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.paint_watch import PaintWatch
from napari_mtseg.gui.painted_image import PaintCopy, PaintCounts, PaintedImage
from napari_mtseg.gui.painted_places import PaintedPlaces
from napari_mtseg.gui.state import DrawAs, WindowState
from napari_mtseg.gui.strokes import Strokes
from napari_mtseg.gui.work_areas import ZOOM_IN, WorkAreas
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.stored_array import size_text


class Editing:
    """The annotation of the current image, kept in step with layers and disk.

    Parameters
    ----------
    viewer : napari viewer
        Holds the layers.
    state : WindowState
        Says which image is shown; is told how saving goes.
    """

    changed: ClassVar[Signal] = Signal(
        description="paint, tags, regions or their counts changed, or the image did"
    )

    def __init__(self, viewer: ViewerModel, state: WindowState) -> None:
        self._viewer = viewer
        self._state = state
        self._images = ImageLayers(viewer)
        self._layers = PaintLayers(viewer)
        self._strokes = Strokes(viewer, state, self._layers)
        self._watch = PaintWatch(viewer, self._on_touched, self._on_replaced)
        self._autosave = Autosave(state)
        self._areas = WorkAreas(viewer, self._layers, self._autosave)
        self._places = PaintedPlaces(viewer)
        self._painted: PaintedImage | None = None
        self._copy: PaintCopy | None = None
        self._counts = PaintCounts()
        self._shape: tuple[int, ...] | None = None
        self._pictured: str | None = None
        self._is_to_paint = False
        self._reader = NewestAnswer()
        self._reader.answered.connect(self._on_loaded)
        self._reader.refused.connect(self._on_refused)
        self._autosave.compared.connect(self._on_compared)
        self._areas.loaded.connect(self._on_area)
        self._areas.refused.connect(show_error)
        self._areas.hint_changed.connect(self._on_hint)
        state.events.image_id.connect(self._on_image_id)
        state.events.project.connect(self._on_project)
        state.classes_changed.connect(self.apply_classes)
        state.closing.connect(self._on_closing)

    @property
    def is_shown(self) -> bool:
        """True once the current image and its paint are on the canvas."""
        return self._current is not None

    @property
    def annotation(self) -> Annotation | None:
        """The annotation as it is now; None while no image is shown.

        Its arrays are read-only and show later strokes, too.
        """
        painted = self._current
        return None if painted is None else painted.annotation()

    @property
    def tags(self) -> Tags:
        """What is said about the current image as a whole."""
        return Tags() if self._current is None else self._current.tags

    @property
    def complete(self) -> CompleteRegion:
        """Where the full masks of the current image are complete."""
        painted = self._current
        return CompleteRegion() if painted is None else painted.complete

    @property
    def counts(self) -> PaintCounts:
        """How much is painted on the current image, at most a second ago."""
        return PaintCounts() if self._current is None else self._counts

    @property
    def hint(self) -> str:
        """Why nobody can paint on the current image now; '' where everybody can."""
        return "" if self._current is None else self._areas.hint

    @property
    def is_in_parts(self) -> bool:
        """True if a part of the current image is painted on at a time."""
        return self._current is not None and self._current.area is not None

    def set_tags(self, tags: Tags) -> None:
        """Say something else about the current image."""
        if self._current is not None and tags != self._current.tags:
            self._current.tags = tags
            self._autosave.touch_facts()
            self.changed.emit()

    def set_complete(self, region: CompleteRegion) -> None:
        """Say where the full masks of the current image are complete."""
        if self._current is not None and region != self._current.complete:
            self._current.complete = region
            self._autosave.touch_facts()
            self.changed.emit()

    def replace_annotation(self, annotation: Annotation) -> None:
        """Put another annotation in place of the current image's; it cannot be undone.

        Its arrays are taken over: strokes go into them.

        Raises
        ------
        ValueError
            If the annotation is of another shape than the image, none is shown, or it
            is painted on in parts.
        """
        old, copy = self._current, self._copy
        if old is None or copy is None or old.area is not None:
            raise ValueError("no image is shown that is painted on as a whole")
        if annotation.shape != old.entry.spatial_shape:
            raise ValueError(f"{annotation.shape} is not {old.entry.spatial_shape}")
        # No save may run while arrays and ids are exchanged.
        self._autosave.flush()
        new = PaintedImage.of(old.entry, annotation, old.n_classes)
        old.arrays, old.ids = new.arrays, new.ids
        old.tags, old.complete, old.origin = new.tags, new.complete, new.origin
        self._fill(old)
        for kind in LAYER_NAMES:
            self._autosave.touch(kind, range(old.n_planes), quiet=False)
        self._autosave.touch_facts()
        self.changed.emit()

    def apply_classes(self) -> None:
        """Follow a new palette; after a class went, the paint is read again."""
        painted, project = self._painted, self._state.project
        if project is None:
            return
        n_classes = project.info.n_classes
        self._layers.recolour(project.info.classes)
        if painted is None or painted.n_classes == n_classes:
            return
        if painted.n_classes > n_classes:
            self._read_again(project, painted)
        else:
            painted.n_classes = n_classes

    def take_brush(self) -> None:
        """Go back to the layer that strokes go to, brush ready."""
        self._strokes.select_layer()

    def flush(self) -> bool:
        """Save now, and return when it is done: True if all paint is on disk.

        Where it is not, ``state.saving`` says why, and saving is tried again.
        """
        return self._autosave.flush()

    def let_go(self) -> bool:
        """Save the current image; then nobody can paint on it until it is read again.

        For whoever writes its annotation: a save of the window meanwhile would
        undo that. Where saving fails the image is kept, ``state.saving`` says why, and
        False is returned.
        """
        if not self._autosave.flush():
            return False
        # Not only of the current one: the former may be on the canvas still.
        if self._painted is not None:
            self._show_nothing()
            self.changed.emit()
        return True

    def read_again(self) -> None:
        """Show the current image's annotation as it is on disk, after ``let_go``.

        On the Annotate page the brush is ready then.
        """
        project, entry = self._state.project, self._state.entry
        if project is None or entry is None or not self.let_go():
            return
        self._is_to_paint = self._state.page == "annotate"
        is_pictured = self._pictured == entry.id
        self._reader.ask(
            lambda: load_image(project, entry, None, with_pixels=not is_pictured)
        )

    @property
    def _current(self) -> PaintedImage | None:
        """The paint on the canvas, if it is that of the current image."""
        painted = self._painted
        is_current = painted is not None and painted.entry.id == self._state.image_id
        return painted if is_current else None

    def _on_image_id(self, image_id: str | None) -> None:
        self._autosave.flush()
        project, entry = self._state.project, self._state.entry
        self._reader.drop()
        if project is None or entry is None:
            self._show_nothing()
        elif self._current is None:
            kept = self._autosave.unsaved(entry.id)
            self._reader.ask(lambda: load_image(project, entry, kept))
        self.changed.emit()

    def _on_refused(self, sentence: str) -> None:
        self._show_nothing()
        show_error(sentence)
        self.changed.emit()

    def _on_loaded(self, loaded: LoadedImage) -> None:
        # Strokes on the former image while this one was read.
        self._autosave.flush()
        self._show(loaded)

    def _on_area(self, loaded: LoadedImage) -> None:
        now = self._current
        if now is not None and now.entry.id == loaded.painted.entry.id:
            # What was said of the image while its paint was read.
            loaded.painted.tags, loaded.painted.complete = now.tags, now.complete
            is_saved = self._autosave.flush()
            self._show(loaded)
            if not is_saved:
                self._autosave.touch_facts()

    def _on_hint(self) -> None:
        self._places.set_visible(self._areas.hint == ZOOM_IN)
        self.changed.emit()

    def _show(self, loaded: LoadedImage) -> None:
        painted = loaded.painted
        painted.n_classes = loaded.project.info.n_classes
        self._painted, self._copy = painted, loaded.copy
        self._counts = loaded.copy.counts
        self._autosave.watch(loaded.project, painted, loaded.copy)
        if loaded.image is not None:
            self._images.show(loaded.image)
            self._pictured = painted.entry.id
        is_first = self._fill(painted)
        self._show_places(loaded)
        if loaded.image is not None and self._shape != painted.entry.spatial_shape:
            self._viewer.reset_view()
        self._shape = painted.entry.spatial_shape
        if is_first or self._is_to_paint:
            self._is_to_paint = False
            self._strokes.select_layer()
        self._areas.follow(loaded.project, painted)
        self.changed.emit()

    def _show_places(self, loaded: LoadedImage) -> None:
        if loaded.places is not None:
            with self._strokes.unfollowed():
                placement = placement_of(loaded.painted.entry)
                self._places.show(loaded.places, placement)
        elif loaded.painted.area is None:
            self._places.remove()

    def _fill(self, painted: PaintedImage) -> bool:
        """Show paint in the layers; return True if all of them were made for it."""
        project = self._state.project
        classes = () if project is None else project.info.classes
        with self._watch.muted(), self._strokes.unfollowed():
            made = self._layers.show(
                painted.arrays, placement_of(painted.entry, painted.area), classes
            )
        for kind in made:
            layer = self._layers.get(kind)
            if layer is not None:
                self._watch.listen(kind, layer)
                self._strokes.attach(kind, layer)
        self._watch.painted = painted
        self._strokes.show(painted)
        return len(made) == len(LAYER_NAMES)

    def _show_nothing(self) -> None:
        self._painted, self._copy, self._counts = None, None, PaintCounts()
        self._areas.forget()
        self._watch.painted = None
        self._strokes.show(None)
        self._autosave.forget()
        self._layers.freeze()

    def _read_again(self, project: Project, painted: PaintedImage) -> None:
        self._autosave.drop()
        painted, copy = load_paint(project, painted.entry, area=painted.area)
        self._show(LoadedImage(project=project, image=None, painted=painted, copy=copy))

    def _on_touched(self, kind: DrawAs, planes: set[int], quiet: bool) -> None:
        self._autosave.touch(kind, planes, quiet=quiet)

    def _on_replaced(self, kind: DrawAs) -> None:
        """Take over the data that somebody gave a layer, if they fit the image."""
        painted, layer = self._painted, self._layers.get(kind)
        project = self._state.project
        if painted is None or layer is None or project is None:
            return
        given, before = np.asarray(layer.data), painted.arrays[kind]
        if given is before:
            return
        if given.shape == before.shape:
            labels = np.array(given, dtype=before.dtype, order="C")
            if kind == "scribble":
                top = project.info.n_classes + SCRIBBLE_FIRST_CLASS - 1
                labels[labels > top] = UNPAINTED
            else:
                labels = painted.ids[kind].adopt(labels, self._strokes.n_class)
            painted.arrays[kind] = labels
        else:
            show_error(
                f"The new labels of '{layer.name}' are {size_text(given.shape)} pixels "
                f"but the image is {size_text(before.shape)}. They were not used: give "
                "the layer labels of the image's size."
            )
        self._fill(painted)
        self._autosave.touch(kind, range(painted.n_planes), quiet=False)

    def _on_compared(self, painted: PaintedImage) -> None:
        if painted is self._painted and self._copy is not None:
            self._counts = self._copy.counts
            self.changed.emit()

    def _on_closing(self) -> None:
        if not self._autosave.flush():
            show_error(self._state.saving)

    def _on_project(self, project: Project | None) -> None:
        if project is not None:
            return
        self._autosave.drop()
        self._reader.drop()
        self._areas.forget()
        with self._strokes.unfollowed():
            self._layers.remove()
            self._places.remove()
            self._images.remove()
        self._shape, self._pictured = None, None
