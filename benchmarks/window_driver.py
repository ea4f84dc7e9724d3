"""A hand for the window: real mouse and key events, for tests, benchmarks, pictures."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

Point = tuple[float, float]
"""(y, x) in world units"""


def start_screen() -> Any:
    """Start a virtual screen where there is none; return what to stop at the end."""
    if os.environ.get("DISPLAY") or os.name != "posix":
        return None
    from pyvirtualdisplay.display import Display

    return Display(visible=False, size=(1600, 1000), color_depth=24).start()


class Hand:
    """Moves the mouse over the canvas of a viewer, in world coordinates.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window that is shown.
    window : QWidget
        Any widget of that window, such as the dock.
    settles : bool
        True lets the window draw after each event; False leaves that to the event
        loop that runs.
    """

    def __init__(self, viewer: Any, window: Any, *, settles: bool = True) -> None:
        from qtpy.QtWidgets import QWidget

        self._viewer, self._settles = viewer, settles
        main = window.window()
        self.canvas = next(
            widget
            for widget in main.findChildren(QWidget)
            if type(widget).__name__ == "CanvasBackendDesktop"
        )

    def place(self, point: Point) -> Any:
        """Return where a world position is on the canvas."""
        from qtpy.QtCore import QPointF

        camera = self._viewer.scene.camera
        y, x = (
            (p - c) * camera.zoom
            for p, c in zip(point, camera.center[-2:], strict=True)
        )
        return QPointF(self.canvas.width() / 2 + x, self.canvas.height() / 2 + y)

    def press(self, point: Point) -> None:
        """Press the left button."""
        from qtpy.QtCore import QEvent

        self.move(point, held=False)
        self._send(QEvent.Type.MouseButtonPress, point, held=True, changes=True)

    def move(self, point: Point, *, held: bool = True) -> None:
        """Move, with the left button held or not."""
        from qtpy.QtCore import QEvent

        self._send(QEvent.Type.MouseMove, point, held=held, changes=False)

    def release(self, point: Point) -> None:
        """Let the left button go."""
        from qtpy.QtCore import QEvent

        self._send(QEvent.Type.MouseButtonRelease, point, held=False, changes=True)

    def stroke(self, points: Sequence[Point]) -> None:
        """Draw one stroke through the points."""
        self.press(points[0])
        for point in points[1:]:
            self.move(point)
        self.release(points[-1])

    def _send(self, kind: Any, point: Point, *, held: bool, changes: bool) -> None:
        from qtpy.QtCore import QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        here = self.place(point)
        corner = self.canvas.mapToGlobal(here.toPoint())
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        event = QMouseEvent(
            kind,
            here,
            here,
            QPointF(corner),
            left if changes else none,
            left if held else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)
        if self._settles:
            QApplication.processEvents()


def wait_until(claim: Callable[[], bool], *, seconds: float) -> None:
    """Let the window work until ``claim`` holds.

    Raises
    ------
    TimeoutError
        If it does not hold in time.
    """
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            raise TimeoutError(f"not so within {seconds} s")
        QApplication.processEvents()
        time.sleep(0.005)
