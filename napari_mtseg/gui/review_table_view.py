"""The table of predicted images on the screen; its selected row is the image shown."""

from typing import Any

from qtpy.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QRectF,
    Qt,
    QTimer,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_mtseg.gui.review_rows import FLAGGED
from napari_mtseg.gui.review_table import MARK, Column, ReviewTable
from napari_mtseg.gui.table_looks import set_column_widths, set_table_looks

_REST = 120
"""milliseconds without a key after which the row that keys moved to is shown"""
_MIN_HEIGHT = 220
_WIDEST = {Column.SCORE: "⚑ 00.000", Column.VERDICT: "✎ corrected"}
_BAR = 4
"""height of a bar, pixels"""
_GROUND = 60
"""opacity of what is behind a bar, of 255"""


class ReviewTableView(QTableView):
    """Shows a :class:`ReviewTable`; a click, Enter or resting on a row chooses it."""

    chosen = Signal(str)
    """id of the image that is to be shown"""

    def __init__(self, model: ReviewTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = model
        """what is shown"""
        self._image_id: str | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self.settle)
        self.setModel(model)
        self._set_looks()
        self._set_columns()
        self.setItemDelegateForColumn(Column.SCORE, ScoreDelegate(self))
        self.clicked.connect(self._choose)
        self.selectionModel().currentRowChanged.connect(self._wait_for_rest)
        model.modelReset.connect(self._select)

    def show_image(self, image_id: str | None) -> None:
        """Select the row of an image and scroll to it, if the filter shows it."""
        self._rest.stop()
        self._image_id = image_id
        self._select()
        row = self.images.row_of(image_id)
        if row is not None:
            self.scrollTo(self.images.index(row, 0))

    def settle(self) -> None:
        """Choose now the row that keys have moved to."""
        self._rest.stop()
        here = self.currentIndex()
        if here.isValid() and self.images.id_at(here.row()) != self._image_id:
            self._choose(here)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Choose by Enter."""
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event is not None and event.key() in enter:
            self.settle()
        else:
            super().keyPressEvent(event)

    def _set_looks(self) -> None:
        self.setObjectName("review_table")
        self.setAccessibleName("Predicted images")
        set_table_looks(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(_MIN_HEIGHT)
        self.setToolTip("Predicted images; a click or Enter shows one.")

    def _set_columns(self) -> None:
        set_column_widths(self, _WIDEST, stretched=Column.IMAGE)
        columns = self.horizontalHeader()
        columns.setSortIndicator(Column.SCORE, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)

    def _choose(self, index: QModelIndex) -> None:
        self._rest.stop()
        self.chosen.emit(self.images.id_at(index.row()))

    def _wait_for_rest(self, index: QModelIndex) -> None:
        """Wait for keys that move on: not each row that they pass is to be shown."""
        if index.isValid() and self.images.id_at(index.row()) != self._image_id:
            self._rest.start()

    def _select(self) -> None:
        """Select the row of the image that is shown, which others may have moved."""
        row = self.images.row_of(self._image_id)
        if row is None:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        else:
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(
                self.images.index(row, 0), flags.ClearAndSelect | flags.Rows
            )


class ScoreDelegate(QStyledItemDelegate):
    """Draws a bar below the score: how high it is beside the highest one."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw the number, then the bar."""
        super().paint(painter, option, index)
        mark: Any = index.data(MARK)
        if mark is None:
            return
        share, is_flagged = mark
        ink = option.palette.color(option.palette.ColorRole.Text)
        ground = QColor(ink)
        ground.setAlpha(_GROUND)
        box = QRectF(option.rect)
        box = QRectF(
            box.left() + 4, box.bottom() - 2 * _BAR, box.width() - 12, float(_BAR)
        )
        painter.fillRect(box, ground)
        box.setWidth(box.width() * share)
        painter.fillRect(box, QColor(FLAGGED) if is_flagged else ink)
