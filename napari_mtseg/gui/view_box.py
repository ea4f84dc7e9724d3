"""What of an image is in view, told when the view has come to rest."""

from math import ceil, floor

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer, Signal

from napari_mtseg.domain.annotation import N_AXES_3D, Box
from napari_mtseg.domain.project import ImageEntry

REST = 120
"""milliseconds without a movement after which the view is at rest"""


class ViewRest(QObject):
    """Tells when the camera and the plane have not moved for a moment.

    Parameters
    ----------
    viewer : ViewerModel
        Whose view is watched.
    parent : QObject, optional
        Qt parent.
    """

    came = Signal()
    """the view is at rest after a movement"""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST)
        self._timer.timeout.connect(self.came)
        for event in (
            viewer.scene.camera.events.center,
            viewer.scene.camera.events.zoom,
            viewer.dims.events.point,
            viewer.dims.events.order,
            viewer.dims.events.ndisplay,
            viewer.canvas.events.size,
        ):
            event.connect(self.await_rest)

    def await_rest(self) -> None:
        """Wait for a moment without a movement, from now on."""
        self._timer.start()

    def stop(self) -> None:
        """Forget that the view moved."""
        self._timer.stop()


def view_of(viewer: ViewerModel, entry: ImageEntry) -> Box | None:
    """Return what of an image is in view, in pixels; it may reach beyond the image.

    Parameters
    ----------
    viewer : ViewerModel
        With a canvas of known size.
    entry : ImageEntry
        The image, the first pixel of which is at the origin of the world.

    Returns
    -------
    Box or None
        ([Z,] Y, X), one plane of a volume; None where the canvas shows other axes
        than rows and columns, or all of a volume.
    """
    dims, camera = viewer.dims, viewer.scene.camera
    n_axes = len(entry.spatial_shape)
    if tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1) or dims.ndim < n_axes:
        return None
    start, stop = [], []
    if n_axes == N_AXES_3D:
        plane = round(dims.point[dims.ndim - N_AXES_3D] / entry.spacing[0])
        plane = min(max(plane, 0), entry.spatial_shape[0] - 1)
        start, stop = [plane], [plane + 1]
    for centre, pixels, size in zip(
        camera.center[-2:], viewer.canvas.size, entry.spacing[-2:], strict=True
    ):
        reach = pixels / camera.zoom / 2
        start.append(floor((centre - reach) / size))
        stop.append(ceil((centre + reach) / size) + 1)
    return Box(start=tuple(start), stop=tuple(stop))
