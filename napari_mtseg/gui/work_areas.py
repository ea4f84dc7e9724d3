"""The part of a large image that is painted on follows the view."""

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.annotation import Box
from napari_mtseg.gui.autosave import Autosave
from napari_mtseg.gui.layers import PaintLayers
from napari_mtseg.gui.loaded_image import LoadedImage, load_image
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.painted_image import PaintedImage
from napari_mtseg.gui.view_box import ViewRest, view_of
from napari_mtseg.gui.work_area import area_around, holds
from napari_mtseg.storage.project import Project

ZOOM_IN = (
    "Zoom in to paint: this image is too large to be painted on as a whole. Its paint "
    "is shown, and can be changed, where you have zoomed in."
)
READING = "Reading what is painted here…"


class WorkAreas(QObject):
    """Reads another part of a large image when the view leaves the present one.

    Parameters
    ----------
    viewer : ViewerModel
        Whose view is followed.
    layers : PaintLayers
        Nobody can paint on them while the view is on no part.
    autosave : Autosave
        Saves a part before it is left.
    parent : QObject, optional
        Qt parent.
    """

    loaded = Signal(object)
    """LoadedImage with the paint of another part"""
    refused = Signal(str)
    """sentence that says why the paint could not be read"""
    hint_changed = Signal()
    """why nobody can paint is another reason now"""

    def __init__(
        self,
        viewer: ViewerModel,
        layers: PaintLayers,
        autosave: Autosave,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._layers, self._autosave = viewer, layers, autosave
        self._project: Project | None = None
        self._painted: PaintedImage | None = None
        self._wanted: Box | None = None
        self._hint = ""
        self._reader = NewestAnswer(self)
        self._reader.answered.connect(self._on_read)
        self._reader.refused.connect(self._on_refused)
        self._rest = ViewRest(viewer, self)
        self._rest.came.connect(self._look)

    @property
    def hint(self) -> str:
        """Why nobody can paint now; '' where everybody can."""
        return self._hint

    def follow(self, project: Project, painted: PaintedImage) -> None:
        """Follow the view over the image on the canvas from now on."""
        self.forget()
        if painted.area is not None:
            self._project, self._painted = project, painted
            self._look()

    def forget(self) -> None:
        """Follow the view no more: no image is on the canvas."""
        self._reader.drop()
        self._rest.stop()
        self._project = self._painted = self._wanted = None
        self._say("")

    def _look(self) -> None:
        painted, project = self._painted, self._project
        if painted is None or project is None or painted.area is None:
            return
        entry = painted.entry
        view, shape = view_of(self._viewer, entry), entry.spatial_shape
        if view is None or holds(painted.area, view, shape):
            self._stay()
            return
        wanted = area_around(view, shape)
        if wanted is None:
            self._reader.drop()
            self._wanted = None
            self._layers.freeze()
            self._say(ZOOM_IN)
        elif wanted != self._wanted:
            # A stroke meanwhile would be missing in what is read.
            self._layers.freeze()
            if not self._autosave.flush():
                self._stay()
                return
            self._wanted = wanted
            self._say(READING)
            self._reader.ask(
                lambda: load_image(project, entry, None, with_pixels=False, area=wanted)
            )

    def _stay(self) -> None:
        """Let everybody paint on the present part."""
        self._reader.drop()
        self._wanted = None
        self._layers.thaw()
        self._say("")

    def _on_read(self, loaded: LoadedImage) -> None:
        self._wanted = None
        self.loaded.emit(loaded)

    def _on_refused(self, sentence: str) -> None:
        self._wanted = None
        self._say(sentence)
        self.refused.emit(sentence)

    def _say(self, hint: str) -> None:
        if hint != self._hint:
            self._hint = hint
            self.hint_changed.emit()
