"""The boxes and slices of a complete region: listed, entered and removed."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_mtseg.domain.annotation import N_AXES_3D, Box, CompleteRegion

_AXES = ("Planes", "Rows", "Columns")
_TALLEST_LIST = 96
"""pixels of the list; more boxes and slices scroll"""


class RegionParts(QWidget):
    """A list of boxes and slices with the buttons that change it."""

    draw_wanted = Signal(bool)
    """Draw box was pressed (True), or Cancel (False)"""
    box_entered = Signal(object)
    """a Box that was typed in"""
    mark_wanted = Signal()
    """the plane that is shown shall be complete"""
    remove_wanted = Signal(int)
    """place of a part in the list, boxes first"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: tuple[int, ...] = ()
        self._plane = 0
        self._list = QListWidget()
        self._list.setObjectName("complete_parts")
        self._list.setToolTip("Boxes and slices that are complete, counted from 0.")
        self._list.setWordWrap(True)
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._list.setHorizontalScrollBarPolicy(never)
        self._list.currentRowChanged.connect(self._show_remove)
        self._depth_name = QLabel("Box depth, planes")
        self._depth = QSpinBox()
        self._depth.setObjectName("complete_depth")
        self._depth.setPrefix("± ")
        self._depth.setToolTip(
            "How many planes below and above the one shown a drawn box reaches."
        )
        self._draw = _button("draw_box", "Draw box", self.draw_wanted.emit)
        self._draw.setCheckable(True)
        self._draw.setToolTip("Then drag over the image, from corner to corner.")
        self._enter = _button("enter_box", "Enter box…", lambda _: self._enter_box())
        self._enter.setToolTip("Give the first and last row and column of a box.")
        mark = self.mark_wanted
        self._mark = _button("mark_slice", "Mark slice", lambda _: mark.emit())
        self._remove = _button("remove_part", "Remove", lambda _: self._remove_part())
        self._arrange()

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self._draw, 0, 0)
        grid.addWidget(self._enter, 0, 1)
        grid.addWidget(self._remove, 0, 2)
        grid.addWidget(self._mark, 1, 0)
        grid.addWidget(self._depth_name, 1, 1)
        grid.addWidget(self._depth, 1, 2)
        grid.addWidget(self._list, 2, 0, 1, 3)

    @property
    def depth(self) -> int:
        """Planes that a drawn box reaches below and above the one shown."""
        return int(self._depth.value())

    def set_shape(self, shape: tuple[int, ...]) -> None:
        """Take the ([Z,] Y, X) shape of another image."""
        self._shape = shape
        is_volume = len(shape) == N_AXES_3D
        for control in (self._depth_name, self._depth, self._mark):
            control.setVisible(is_volume)
        self._depth.setMaximum(shape[0] if is_volume else 0)
        self._depth.setValue(0)

    def set_drawing(self, drawing: bool) -> None:
        """Show whether a box is being drawn."""
        self._draw.setChecked(drawing)
        self._draw.setText("Cancel" if drawing else "Draw box")

    def show_region(self, region: CompleteRegion) -> None:
        """List the parts of a region."""
        names = [_box_name(box) for box in region.boxes]
        names += [f"Slice {plane}" for plane in region.slices]
        shown = [self._list.item(row).text() for row in range(self._list.count())]
        if names != shown:
            self._list.clear()
            self._list.addItems(names)
            self._list.setCurrentRow(len(names) - 1)
            row = max(self._list.sizeHintForRow(0), 1)
            self._list.setFixedHeight(min(row * len(names) + 6, _TALLEST_LIST))
        self._list.setVisible(bool(names))
        self._show_remove()

    def show_plane(self, plane: int, *, is_marked: bool) -> None:
        """Name the plane that is shown, and whether it is complete already."""
        self._plane = plane
        self._mark.setText(f"Mark slice {plane}")
        self._mark.setEnabled(not is_marked)
        self._mark.setToolTip(
            f"Slice {plane} is marked already."
            if is_marked
            else f"Every object on slice {plane} has its full mask."
        )

    def _show_remove(self) -> None:
        is_chosen = self._list.currentRow() >= 0
        self._remove.setEnabled(is_chosen)
        self._remove.setToolTip(
            "Takes the chosen box or slice out of the region; paint stays."
            if is_chosen
            else "Draw or mark something first, then choose it in the list."
        )

    def _remove_part(self) -> None:
        self.remove_wanted.emit(self._list.currentRow())

    def _enter_box(self) -> None:
        ranges = [(0, size - 1) for size in self._shape]
        if len(self._shape) == N_AXES_3D:
            ranges[0] = (self._plane, self._plane)
        dialog = BoxDialog(self._shape, ranges, self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.box_entered.emit(dialog.box)
        dialog.deleteLater()


class BoxDialog(QDialog):
    """First and last plane, row and column of a box.

    Parameters
    ----------
    shape : tuple of int
        ([Z,] Y, X) of the image.
    ranges : sequence of (int, int)
        First and last index along each axis, to begin with.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        ranges: Sequence[tuple[int, int]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Complete box")
        self._sides: list[tuple[QSpinBox, QSpinBox]] = []
        grid = QGridLayout(self)
        grid.addWidget(QLabel("Counted from 0, first and last included."), 0, 0, 1, 4)
        rows = zip(_AXES[-len(shape) :], shape, ranges, strict=True)
        for row, (name, size, (first, last)) in enumerate(rows, start=1):
            low = _index_box(f"first_{name.lower()}", size, first)
            high = _index_box(f"last_{name.lower()}", size, last)
            for column, part in enumerate((QLabel(name), low, QLabel("to"), high)):
                grid.addWidget(part, row, column)
            self._sides.append((low, high))
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        grid.addWidget(buttons, len(shape) + 1, 0, 1, 4)

    @property
    def box(self) -> Box:
        """The box as entered; first and last may be given in either order."""
        pairs = [sorted((low.value(), high.value())) for low, high in self._sides]
        return Box(
            start=tuple(first for first, _ in pairs),
            stop=tuple(last + 1 for _, last in pairs),
        )


def _index_box(name: str, size: int, value: int) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setRange(0, size - 1)
    box.setValue(value)
    box.setToolTip(f"0 to {size - 1}.")
    return box


def _button(name: str, text: str, clicked: Callable[[bool], object]) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAutoDefault(False)
    button.clicked.connect(clicked)
    return button


def _box_name(box: Box) -> str:
    rows = zip(_AXES[-len(box.start) :], box.start, box.stop, strict=True)
    text = ", ".join(f"{name.lower()} {a} to {b - 1}" for name, a, b in rows)
    return text.capitalize()
