"""Finding and ordering images in the table: by name, by state, by column."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from napari_mtseg.gui.image_table import Column, ImageTable, Show
from napari_mtseg.gui.image_table_view import ImageTableView

_SHOWN: dict[str, Show] = {
    "all images": "all",
    "nothing painted": "unpainted",
    "painted": "painted",
    "predicted": "predicted",
    "not predicted": "unpredicted",
    "file missing": "missing",
}
_SORTED = {
    "name": Column.IMAGE,
    "size": Column.SIZE,
    "paint": Column.PAINT,
    "predicted": Column.PREDICTED,
    "reviewed": Column.REVIEWED,
    "split": Column.SPLIT,
    "scene": Column.SCENE,
}


class ImageFilter(QWidget):
    """Controls above the table; the table's header sorts as well.

    Parameters
    ----------
    table : ImageTable
        Is filtered.
    view : ImageTableView
        Is sorted.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, table: ImageTable, view: ImageTableView, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._table = table
        self._view = view
        self._build()
        self._name.textChanged.connect(self._filter)
        self._show.currentTextChanged.connect(self._filter)
        self._sort.currentTextChanged.connect(self._order)
        self._down.toggled.connect(self._order)
        view.horizontalHeader().sortIndicatorChanged.connect(self._follow_header)
        self._order()

    def clear(self) -> None:
        """Show all images again."""
        self._name.clear()
        self._show.setCurrentIndex(0)

    def _build(self) -> None:
        self._name = QLineEdit()
        self._name.setObjectName("image_name_filter")
        self._name.setPlaceholderText("Find by name")
        self._name.setClearButtonEnabled(True)
        self._name.setToolTip("Show the images that have this in their name.")
        self._show = _list(
            "image_state_filter", list(_SHOWN), "Show the images in this state only."
        )
        self._sort = _list("image_order", list(_SORTED), "Sort the images by this.")
        self._down = QToolButton()
        self._down.setObjectName("image_order_down")
        self._down.setCheckable(True)
        sort = QLabel("Sort by")
        sort.setBuddy(self._sort)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.addWidget(self._name, 0, 0, 1, 4)
        for place, widget in enumerate((self._show, sort, self._sort, self._down)):
            grid.addWidget(widget, 1, place)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(2, 2)

    def _filter(self) -> None:
        self._table.set_filter(self._name.text(), _SHOWN[self._show.currentText()])

    def _order(self) -> None:
        down = self._down.isChecked()
        self._down.setText("▼" if down else "▲")
        self._down.setToolTip(
            "Largest or last first; press for the other way round."
            if down
            else "Smallest or first first; press for the other way round."
        )
        order = Qt.SortOrder.DescendingOrder if down else Qt.SortOrder.AscendingOrder
        self._view.sortByColumn(_SORTED[self._sort.currentText()], order)

    def _follow_header(self, column: int, order: Qt.SortOrder) -> None:
        self._sort.blockSignals(True)
        self._sort.setCurrentIndex(list(_SORTED.values()).index(Column(column)))
        self._sort.blockSignals(False)
        self._down.setChecked(order == Qt.SortOrder.DescendingOrder)


def _list(name: str, texts: list[str], tooltip: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.addItems(texts)
    box.setToolTip(tooltip)
    box.setAccessibleName(tooltip)
    box.setMinimumContentsLength(4)
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(policy)
    return box
