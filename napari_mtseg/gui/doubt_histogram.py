"""How doubtful the images are: a histogram with the threshold as a line to drag.

Drawn by Qt itself: pyqtgraph takes most of a second to load, which would be felt when
the page is opened first.
"""

import math

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_mtseg.gui.review_rows import FLAG, FLAGGED

N_BINS = 32
"""bars"""

_HEIGHT = 92
_SIDE = 8
"""pixels left and right of the bars"""
_GRIP = 8
"""pixels beside the line at which it can be taken"""
_BEYOND = 1.04
"""the axis ends at this multiple of the highest score: there no image is flagged"""
_REST = 600
"""milliseconds after the last key until a line that keys move counts as let go"""
_TIP = (
    "How many images have which score. Drag the line, or move it by the arrow keys: "
    "images to its right are flagged. A double click flags the worst 10 % again."
)


class DoubtHistogram(QWidget):
    """Bars of a score over all predicted images, and the threshold as a line.

    Parameters
    ----------
    parent : QWidget, optional
        Qt parent.
    """

    moved = Signal(float)
    """threshold, while the line is dragged"""
    let_go = Signal(float)
    """threshold that the user has settled on"""
    reset_asked = Signal()
    """the user wants the threshold that is set unless another is chosen"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts = np.zeros(N_BINS, np.intp)
        self._end, self._threshold = 1.0, math.inf
        self._is_dragged = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(lambda: self.let_go.emit(self._threshold))
        self.setObjectName("doubt_histogram")
        self.setAccessibleName("Histogram of the score, with the threshold")
        self.setToolTip(_TIP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        fixed = QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, fixed)

    @property
    def threshold(self) -> float:
        """Where the line is."""
        return self._threshold

    @property
    def counts(self) -> NDArray[np.intp]:
        """(N_BINS,) images of each bar."""
        return self._counts

    def show_values(self, values: NDArray[np.float64]) -> None:
        """Draw the bars of other scores.

        Parameters
        ----------
        values : (images,) float64
            A score of each image, >= 0; NaN where it has none.
        """
        known = values[np.isfinite(values)]
        highest = float(known.max(initial=0.0)) or 1.0
        self._end = _BEYOND * highest
        self._counts = np.histogram(known, N_BINS, (0.0, self._end))[0]
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Put the line elsewhere, unless the user holds it."""
        if not self._is_dragged:
            self._threshold = threshold
            self._describe()

    def line_x(self) -> float:
        """Return where the line is, pixels from the left."""
        share = min(max(self._threshold / self._end, 0.0), 1.0)
        return _SIDE + share * self._width()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that leaves room for the list."""
        return QSize(200, _HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size at which the bars can still be told apart."""
        return QSize(120, _HEIGHT)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take the line, if it is near."""
        if event is not None and self._is_near(event):
            self._rest.stop()
            self._is_dragged = True

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag the line."""
        if event is None:
            return
        if self._is_dragged:
            self._move_to(self._value_at(event.position().x()))
        near = self._is_dragged or self._is_near(event)
        shape = Qt.CursorShape
        self.setCursor(shape.SplitHCursor if near else shape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Let the line go."""
        if self._is_dragged:
            self._is_dragged = False
            self.let_go.emit(self._threshold)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Ask for the usual threshold."""
        self._is_dragged = False
        self.reset_asked.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Move the line by the arrow keys."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = 0 if event is None else steps.get(Qt.Key(event.key()), 0)
        if not step:
            super().keyPressEvent(event)
            return
        here = min(self._threshold, self._end)
        self._move_to(here + step * self._end / (2 * N_BINS))
        self._rest.start()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Take the colours of a new theme."""
        super().changeEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw axis, bars and line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        line = painter.fontMetrics().height()
        top, bottom = float(line), float(self.height() - line)
        self._draw_bars(painter, ink, top, bottom)
        self._draw_axis(painter, ink, bottom)
        self._draw_line(painter, ink, top, bottom)
        painter.end()

    def _draw_bars(
        self, painter: QPainter, ink: QColor, top: float, bottom: float
    ) -> None:
        most, width = max(1, int(self._counts.max())), self._width() / N_BINS
        plain = QColor(ink)
        plain.setAlpha(130)
        for place, n in enumerate(self._counts):
            if not n:
                continue
            # A single image can still be seen.
            height = max(2.0, (bottom - top - 4) * n / most)
            left = _SIDE + place * width
            box = QRectF(left, bottom - height, width - 1, height)
            painter.fillRect(box, plain)
            right = QRectF(box)
            right.setLeft(max(box.left(), self.line_x()))
            if right.width() > 0:
                painter.fillRect(right, self.palette().color(self.backgroundRole()))
                painter.fillRect(right, QColor(FLAGGED))

    def _draw_axis(self, painter: QPainter, ink: QColor, bottom: float) -> None:
        faint = QColor(ink)
        faint.setAlpha(140)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QPointF(_SIDE, bottom), QPointF(self.width() - _SIDE, bottom))
        painter.setPen(ink)
        box = QRectF(_SIDE, bottom, self._width(), self.height() - bottom)
        align = Qt.AlignmentFlag
        painter.drawText(box, align.AlignLeft, "0")
        painter.drawText(box, align.AlignRight, f"{self._end / _BEYOND:.3g}")
        painter.drawText(box, align.AlignHCenter, "certain ← → doubtful")

    def _draw_line(
        self, painter: QPainter, ink: QColor, top: float, bottom: float
    ) -> None:
        x = self.line_x()
        painter.setPen(QPen(ink, 3 if self.hasFocus() or self._is_dragged else 2))
        painter.drawLine(QPointF(x, top), QPointF(x, bottom))
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(x, top + 2), 3, 3)
        text = self._threshold_text()
        width = painter.fontMetrics().horizontalAdvance(text) + 2
        left = min(max(x - width / 2, 0), self.width() - width)
        box = QRectF(left, 0, width, top)
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, text)

    def _threshold_text(self) -> str:
        none = self._threshold > self._end / _BEYOND
        return "none flagged" if none else f"{FLAG} ≥ {self._threshold:.3g}"

    def _width(self) -> float:
        return max(1.0, self.width() - 2.0 * _SIDE)

    def _value_at(self, x: float) -> float:
        return (x - _SIDE) / self._width() * self._end

    def _is_near(self, event: QMouseEvent) -> bool:
        return abs(event.position().x() - self.line_x()) <= _GRIP

    def _move_to(self, value: float) -> None:
        self._threshold = min(max(value, 0.0), self._end)
        self._describe()
        self.moved.emit(self._threshold)

    def _describe(self) -> None:
        self.setAccessibleDescription(self._threshold_text())
        self.update()
