"""Curves that grow while a training runs: losses, and scores on held-out images."""

import math
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

REDRAW_AFTER = 250
"""milliseconds between two drawings of live curves"""

MAX_POINTS = 400
"""points of one curve; more are joined into means of neighbours"""

HEIGHT = 110
"""pixels of one plot"""

_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2")
_STYLES = (
    (Qt.PenStyle.SolidLine, "━━"),
    (Qt.PenStyle.DashLine, "╍╍"),
    (Qt.PenStyle.DotLine, "┅┅"),
    (Qt.PenStyle.DashDotLine, "━┅"),
)


class Series:
    """Points of one curve, of which a bounded number is kept.

    Parameters
    ----------
    max_points : int
        Points kept; where there are more, neighbours are joined into their mean.
    """

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max = max_points
        self._size = 1
        self._sums = [0.0, 0.0]
        self._n = 0
        self.x: list[float] = []
        """steps"""
        self.y: list[float] = []
        """values, finite"""

    def add(self, x: float, y: float) -> None:
        """Add a point to the right of all others; one that is not finite is left."""
        if not math.isfinite(y):
            return
        self._sums[0] += x
        self._sums[1] += y
        self._n += 1
        if self._n < self._size:
            return
        self.x.append(self._sums[0] / self._n)
        self.y.append(self._sums[1] / self._n)
        self._sums, self._n = [0.0, 0.0], 0
        if len(self.x) >= self._max:
            self.x, self.y = _means_of_pairs(self.x), _means_of_pairs(self.y)
            self._size *= 2

    def forget_after(self, x: float) -> None:
        """Drop the points to the right of ``x``."""
        n_kept = sum(1 for known in self.x if known <= x)
        del self.x[n_kept:], self.y[n_kept:]
        self._sums, self._n = [0.0, 0.0], 0


class CurvePlot(QWidget):
    """One plot with a line of names above it.

    Parameters
    ----------
    title : str
        What the curves show.
    object_name : str
        Name for tests and scripts.
    tooltip : str
        How to read it.
    are_scores : bool
        True for few values from 0 to 1, each of which is marked.
    """

    def __init__(
        self,
        title: str,
        object_name: str,
        *,
        tooltip: str,
        are_scores: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._are_scores = title, are_scores
        self._curves: dict[str, Any] = {}
        self.setObjectName(object_name)
        self.setToolTip(tooltip)
        self._names = QLabel(title)
        self._names.setWordWrap(True)
        self._names.setMinimumWidth(1)
        self._plot = _plotting().PlotWidget()
        self._plot.setBackground(None)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._plot.setFixedHeight(HEIGHT)
        self._plot.setMinimumWidth(1)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(False, False)
        self._plot.hideButtons()
        self._plot.setLimits(xMin=0)
        if are_scores:
            self._plot.setYRange(0, 1)
        # A transparent view takes its ground from the page, whatever the theme.
        self._plot.setStyleSheet("background: transparent;")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._names)
        layout.addWidget(self._plot)
        self._take_theme()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the curves that are drawn."""
        return tuple(self._curves)

    def draw(self, curves: Mapping[str, Series]) -> None:
        """Draw curves by name, in place of those that were drawn."""
        if set(curves) != set(self._curves):
            self._make(list(curves))
        for name, series in curves.items():
            self._curves[name].setData(series.x, series.y)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Take the colours of a new theme."""
        super().changeEvent(event)
        changes = (QEvent.Type.StyleChange, QEvent.Type.PaletteChange)
        if event is not None and event.type() in changes:
            self._take_theme()

    def showEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Take the colours of the theme, which a style sheet sets on showing."""
        super().showEvent(event)
        self._take_theme()

    def _make(self, names: Sequence[str]) -> None:
        if self._plot is None:
            return
        self._plot.clear()
        self._curves = {}
        words = []
        for index, name in enumerate(names):
            colour = _COLOURS[index % len(_COLOURS)]
            style, sign = _STYLES[index % len(_STYLES)]
            pen = _plotting().mkPen(colour, width=1.5, style=style)
            points = {"symbol": "o", "symbolSize": 5, "symbolBrush": colour}
            self._curves[name] = self._plot.plot(
                pen=pen,
                **({**points, "symbolPen": None} if self._are_scores else {}),
            )
            words.append(f'<span style="color:{colour}">{sign}</span>&nbsp;{name}')
        named = f"{self._title}: {'&ensp; '.join(words)}" if words else self._title
        self._names.setText(named)

    def _take_theme(self) -> None:
        plot = getattr(self, "_plot", None)
        if plot is None:
            return
        ink = QColor(self._names.palette().color(self._names.foregroundRole()))
        faint = QColor(ink)
        faint.setAlpha(140)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(faint)
            axis.setTextPen(ink)

    def release(self) -> None:
        """Take the plot apart, for good: left to Qt, it crashes Python at its end."""
        if self._plot is not None:
            self._plot.close()
            self._plot.setParent(None)
            self._plot.deleteLater()
            self._plot = None


class TrainingCurves(QWidget):
    """The live curves of one training, drawn at most four times a second."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training_curves")
        self._losses: dict[str, Series] = {}
        self._scores: dict[str, Series] = {}
        self.loss_plot = CurvePlot(
            "Loss",
            "loss_plot",
            tooltip="What the training makes smaller, by step; 'total' is their sum.",
        )
        self.score_plot = CurvePlot(
            "Validation",
            "score_plot",
            tooltip="Scores on images that are held out from training, by step; "
            "1 is perfect. The weights of the best score are kept.",
            are_scores=True,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.loss_plot)
        layout.addWidget(self.score_plot)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_AFTER)
        self._timer.timeout.connect(self.redraw)
        self.clear()

    def clear(self) -> None:
        """Begin with empty plots."""
        self._losses, self._scores = {}, {}
        self.redraw()

    def forget_after(self, step: int) -> None:
        """Take back what came after a step: a run goes on from there."""
        for curves in (self._losses, self._scores):
            for series in curves.values():
                series.forget_after(step)
        self._redraw_soon()

    def add_losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Add the loss terms of one step; their total is drawn first."""
        terms = {name: losses[name] for name in sorted(losses, key=_is_term)}
        _add(self._losses, step, terms)
        self._redraw_soon()

    def add_scores(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the scores of one validation."""
        _add(self._scores, step, metrics)
        self._redraw_soon()

    def redraw(self) -> None:
        """Draw now what was added."""
        self.loss_plot.setVisible(bool(self._losses))
        self.loss_plot.draw(self._losses)
        self.score_plot.setVisible(bool(self._scores))
        self.score_plot.draw(self._scores)

    def _redraw_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


def _add(curves: dict[str, Series], step: int, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        curves.setdefault(name, Series()).add(step, value)


def _is_term(name: str) -> bool:
    return name != "total"


def _means_of_pairs(values: Sequence[float]) -> list[float]:
    even = len(values) - len(values) % 2
    pairs = zip(values[0:even:2], values[1:even:2], strict=True)
    return [(a + b) / 2 for a, b in pairs] + list(values[even:])


def _plotting() -> Any:
    """Return pyqtgraph, which finds the Qt that is loaded by now.

    It puts a hook of its own over the one that shows errors in napari; that one stays.
    """
    hooks = sys.excepthook, threading.excepthook
    import pyqtgraph

    sys.excepthook, threading.excepthook = hooks
    return pyqtgraph
