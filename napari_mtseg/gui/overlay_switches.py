"""Switches of the results on the canvas: which are shown, and how strongly."""

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QIcon,
    QLinearGradient,
    QPainter,
    QPen,
    QPixmap,
)
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.overlay_content import ANY_CLASS
from napari_mtseg.gui.overlay_layers import STYLES
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import WindowState

SIGN = 14
"""width and height of a sign, pixels"""

_LONG = 13
"""characters of a name that would not fit beside another one"""

TIPS = {
    "Segmentation": "Every pixel in the colour of its class",
    "Instances": "Every object in a colour of its own",
    "Contours": "Outlines of the objects, in class colours",
    "Distance": "Distance to the nearest outline, in the image's unit: blue and "
    "negative inside objects, white at the outline, red outside",
    "Probability": "How probable an object is at each pixel, 0 (dark) to 1 (bright)",
    "Uncertainty": "How undecided the network is at each pixel: 0 (dark) sure, "
    "1 (bright) no idea. Entropy of the probabilities, not calibrated",
    "Mean entropy": "How undecided each of the answers is by itself, on average, 0 to "
    "1: doubt that the image gives cause for, as at a blurred outline",
    "Mutual information": "How far the answers contradict each other, in the unit of "
    "the uncertainty: doubt of the network, which more labels like this can end",
    "Variance": "How far the probabilities of the answers scatter: their variance, "
    "averaged over the classes",
    "Contour probability": "How probable a contour is at each pixel, as the network "
    "sees it: 0 (clear) to 1 (bright)",
    "Learned distance": "Distance to the boundary as the network learned it, at most "
    "the reach it was trained with; negative inside where it learned signed distances "
    "(D3). In pixels, unless distance_norm is sym or minmax: then relative to the "
    "largest of the image, and with minmax never negative",
    "Boundary": "How close a boundary is, as the network sees it: 1 (bright) on it, "
    "fading to 0 (clear) a few pixels away",
    "Difficulty": "How much each pixel would count in a training on these objects: "
    "1 (dark) far from boundaries, most (bright) between close ones",
    "Marker": "How probable the core of an object is at each pixel: 0 (clear) to "
    "1 (bright). Each core becomes one object",
    "Border": "How probable the border of an object is at each pixel: 0 (clear) to "
    "1 (bright). It keeps objects that touch apart",
    "Before": "Outlines of what an earlier run found, as black and white dashes; which "
    "run, says 'Compare with' below",
    "Grown masks": "Your partial masks as the training has grown them, as dashed "
    "outlines",
}
_BLUE_WHITE_RED = ("#2166ac", "#f7f7f7", "#b2182b")
_MAGMA = ("#000004", "#b73779", "#fcfdbf")
_VIRIDIS = ("#440154", "#21918c", "#fde725")
_RAMPS = {
    "Distance": _BLUE_WHITE_RED,
    "Probability": _VIRIDIS,
    "Uncertainty": _MAGMA,
    "Mean entropy": _MAGMA,
    "Mutual information": _MAGMA,
    "Variance": _MAGMA,
    "Instances": ("#56b4e9", "#e69f00", "#cc79a7"),
    "Contour probability": _VIRIDIS,
    "Learned distance": _BLUE_WHITE_RED,
    "Boundary": _VIRIDIS,
    "Difficulty": ("#000004", "#bc3754", "#fcffa4"),
    "Marker": ("#000000", "#1060a0", "#20adf8"),
    "Border": ("#000000", "#800080", "#ff00ff"),
}


class OverlaySwitches(QWidget):
    """A check box per result that exists, and the opacity of all that fill areas.

    Where there is no result, there is nothing to see.

    Parameters
    ----------
    state : WindowState
        Tells the classes.
    overlays : Overlays
        What is switched.
    """

    def __init__(
        self, state: WindowState, overlays: Overlays, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("overlay_switches")
        self._state, self._overlays = state, overlays
        self._all = self._check_box("show_results", "Show results")
        key = key_of("hide_results")
        held = f"; hold {key} to hide them for a moment" if key else ""
        self._all.setToolTip(f"Show or hide all results at once{held}")
        self._all.toggled.connect(self._switch_all)
        self._boxes = {name: self._box(name) for name in reversed(tuple(STYLES))}
        self._grid = QGridLayout()
        self._grid.setContentsMargins(16, 0, 0, 0)
        self._grid.setVerticalSpacing(2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._all)
        column.addLayout(self._grid)
        self._controls = self._new_controls()
        column.addWidget(self._controls)
        overlays.changed.connect(self._show)
        state.classes_changed.connect(self._list_classes)
        state.events.project.connect(self._list_classes)
        self._list_classes()
        self._show()

    def _new_controls(self) -> QWidget:
        controls = QWidget(self)
        form = QFormLayout(controls)
        form.setContentsMargins(16, 0, 0, 0)
        self._opacity = QSlider(Qt.Orientation.Horizontal, controls)
        self._opacity.setObjectName("overlay_opacity")
        self._opacity.setRange(0, 100)
        self._opacity.setToolTip(
            "Opacity of the results that fill areas, 0 to 100 %; outlines stay as "
            "they are"
        )
        self._opacity.setAccessibleName("Opacity of the results, per cent")
        self._opacity.valueChanged.connect(self._set_opacity)
        self._percent = QLabel(controls)
        row = QGridLayout()
        row.addWidget(self._opacity, 0, 0)
        row.addWidget(self._percent, 0, 1)
        form.addRow("Opacity", row)
        self._class = QComboBox(controls)
        self._class.setObjectName("probability_class")
        self._class.setToolTip("Class whose probability is shown")
        self._class.setMinimumContentsLength(6)
        self._class.activated.connect(self._choose_class)
        self._class_label = QLabel("Probability of", controls)
        self._class_label.setBuddy(self._class)
        form.addRow(self._class_label, self._class)
        return controls

    def _check_box(self, name: str, text: str) -> QCheckBox:
        box = QCheckBox(text, self)
        box.setObjectName(name)
        return box

    def _box(self, name: str) -> QCheckBox:
        box = self._check_box(f"show_{name.lower().replace(' ', '_')}", name)
        box.setToolTip(TIPS[name])
        box.setIconSize(QSize(SIGN, SIGN))
        box.toggled.connect(lambda on: self._overlays.set_visible(name, on))
        box.hide()
        return box

    def _switch_all(self, visible: bool) -> None:
        self._overlays.visible = visible

    def _set_opacity(self, per_cent: int) -> None:
        self._percent.setText(f"{per_cent} %")
        self._overlays.opacity = per_cent / 100

    def _choose_class(self, place: int) -> None:
        self._overlays.probability_of = self._class.itemData(place)

    def _list_classes(self) -> None:
        project = self._state.project
        names = [c.name for c in project.info.classes] if project else []
        self._class.clear()
        self._class.addItem("any object", ANY_CLASS)
        for number, name in enumerate(names, start=1):
            self._class.addItem(name, number)
        place = self._class.findData(self._overlays.probability_of)
        self._class.setCurrentIndex(max(place, 0))
        self._colour_signs(names)

    def _colour_signs(self, names: list[str]) -> None:
        project = self._state.project
        first = project.info.classes[0].colour if project and names else "#e69f00"
        for name, box in self._boxes.items():
            box.setIcon(_sign(name, first))

    def _show(self) -> None:
        names = self._overlays.names
        self._all.setVisible(bool(names))
        self._controls.setVisible(bool(names))
        _set(self._all, self._overlays.visible)
        self._place([name for name in self._boxes if name in names])
        for name, box in self._boxes.items():
            box.setVisible(name in names)
            box.setEnabled(self._overlays.visible)
            _set(box, self._overlays.is_visible(name))
            hidden = "" if self._overlays.visible else " (all results are hidden)"
            box.setToolTip(TIPS[name] + hidden)
        several = self._class.count() > 2
        for widget in (self._class, self._class_label):
            widget.setVisible(several and "Probability" in names)
        self._opacity.blockSignals(True)
        self._opacity.setValue(round(100 * self._overlays.opacity))
        self._opacity.blockSignals(False)
        self._percent.setText(f"{self._opacity.value()} %")

    def _place(self, names: list[str]) -> None:
        """Put two boxes into a row, or one whose name is long."""
        row, column = 0, 0
        for name in names:
            columns = 2 if len(name) >= _LONG else 1
            if column + columns > 2:
                row, column = row + 1, 0
            self._grid.addWidget(self._boxes[name], row, column, 1, columns)
            column += columns


def _set(box: QCheckBox, is_on: bool) -> None:
    box.blockSignals(True)
    box.setChecked(is_on)
    box.blockSignals(False)


def _sign(name: str, class_colour: str) -> QIcon:
    """Return what an overlay looks like, as a little square."""
    pixmap = QPixmap(2 * SIGN, 2 * SIGN)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    square = QRectF(3, 3, 2 * SIGN - 6, 2 * SIGN - 6)
    painter.setPen(Qt.PenStyle.NoPen)
    if name in _RAMPS:
        ramp = QLinearGradient(square.topLeft(), square.topRight())
        for place, colour in enumerate(_RAMPS[name]):
            ramp.setColorAt(place / 2, QColor(colour))
        painter.setBrush(QBrush(ramp))
    elif STYLES[name].is_outline:
        dashed = name != "Contours"
        line = Qt.PenStyle.DotLine if dashed else Qt.PenStyle.SolidLine
        colour = "#ffffff" if name == "Before" else class_colour
        if name == "Before":
            painter.setPen(QPen(QColor("#000000"), 4))
            painter.drawRoundedRect(square, 4, 4)
        painter.setPen(QPen(QColor(colour), 4, line))
    else:
        painter.setBrush(QColor(class_colour))
    painter.drawRoundedRect(square, 4, 4)
    painter.end()
    return QIcon(pixmap)
