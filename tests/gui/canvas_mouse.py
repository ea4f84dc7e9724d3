"""Real mouse events on napari's canvas, at positions of the image."""

import time

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.MouseButton.NoButton
BETWEEN_MOVES = 0.012
"""seconds"""


def canvas_of(viewer: Viewer) -> QWidget:
    """Return the widget that napari draws on; napari has no public way to it."""
    return viewer.window._qt_viewer.canvas.native


def point_on_canvas(viewer: Viewer, place: tuple[float, ...]) -> QPoint:
    """Return where the (row, column) ``place`` of the world is on the canvas."""
    canvas = canvas_of(viewer)
    _, y, x = viewer.scene.camera.center
    row, column = place[-2:]
    zoom = viewer.scene.camera.zoom
    return QPoint(
        round((column - x) * zoom + canvas.width() / 2),
        round((row - y) * zoom + canvas.height() / 2),
    )


def stroke(viewer: Viewer, *places: tuple[float, ...], button=LEFT) -> None:
    """Press at the first place, move through the others, release at the last."""
    points = [point_on_canvas(viewer, place) for place in places]
    move(viewer, places[0])
    send(viewer, QEvent.Type.MouseButtonPress, points[0], button, button)
    for point in points[1:]:
        send(viewer, QEvent.Type.MouseMove, point, NONE, button)
    send(viewer, QEvent.Type.MouseButtonRelease, points[-1], button, NONE)


def move(viewer: Viewer, place: tuple[float, ...]) -> None:
    """Move the mouse with no button down."""
    point = point_on_canvas(viewer, place)
    send(viewer, QEvent.Type.MouseMove, point, NONE, NONE)


def double_click(viewer: Viewer, place: tuple[float, ...]) -> None:
    """Send the second click of a double click."""
    point = point_on_canvas(viewer, place)
    send(viewer, QEvent.Type.MouseButtonDblClick, point, LEFT, LEFT)
    send(viewer, QEvent.Type.MouseButtonRelease, point, LEFT, NONE)


def send(viewer: Viewer, kind: QEvent.Type, point: QPoint, button, buttons) -> None:
    canvas = canvas_of(viewer)
    if kind == QEvent.Type.MouseMove:
        # vispy ignores a move that follows another one too closely.
        since = time.perf_counter()
        while time.perf_counter() - since < BETWEEN_MOVES:
            QApplication.processEvents()
    event = QMouseEvent(
        kind,
        QPointF(point),
        QPointF(canvas.mapToGlobal(point)),
        button,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)
