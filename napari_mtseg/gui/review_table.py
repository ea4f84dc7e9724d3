"""Predicted images, the most doubtful first, as a table quick with thousands of rows.

Sorting and filtering work on columns of numbers, so that a threshold that is dragged is
followed at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QIcon, QPixmap

from napari_mtseg.domain.review import ReviewRecord, Verdict
from napari_mtseg.gui.review_rows import ReviewRow, ReviewRows, Show
from napari_mtseg.gui.review_words import (
    name_cell,
    row_in_words,
    score_cell,
    verdict_cell,
)
from napari_mtseg.gui.table_looks import heading
from napari_mtseg.storage.review_index import ReviewedImage

MARK = Qt.ItemDataRole.UserRole
"""role of a score cell: (score as a share of the highest, whether it is flagged)"""
_ROLES = frozenset(
    {
        MARK,
        Qt.ItemDataRole.DisplayRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.DecorationRole,
    }
)


class Column(IntEnum):
    """Columns of the table."""

    IMAGE = 0
    SCORE = 1
    VERDICT = 2


_HEADERS = {
    Column.IMAGE: ("Image", "Name, and what was found. Enter or a click shows it."),
    Column.SCORE: ("Doubt", "Higher is more doubtful; ⚑ is at or above the threshold."),
    Column.VERDICT: ("Verdict", "What a person said of the result."),
}


class ReviewTable(QAbstractTableModel):
    """Rows are the images that pass the filter, the most doubtful first.

    Parameters
    ----------
    picture_of : callable
        Returns the thumbnail of an image by its id; None while there is none.
    parent : QObject, optional
        Qt parent.
    """

    def __init__(
        self,
        picture_of: Callable[[str], QPixmap | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._picture_of = picture_of
        self.rows = ReviewRows()
        self._column, self._descending = Column.SCORE, True
        self._text, self._show = "", Show.ALL
        self._set_order()

    def list_images(self, images: Sequence[ReviewedImage], run: str) -> None:
        """Show these images in place of the present ones.

        Parameters
        ----------
        images : sequence of ReviewedImage
            What a run predicted.
        run : str
            Name of the run.
        """
        with self._rearranged():
            self.rows.list_images(images, run)

    def set_score(self, name: str | None) -> None:
        """Show and sort by another score."""
        with self._rearranged():
            self.rows.set_score(name)

    def set_threshold(self, threshold: float) -> None:
        """Flag the images whose score is ``threshold`` or more."""
        if threshold == self.rows.threshold:
            return
        self.rows.threshold = threshold
        if self._show is Show.FLAGGED:
            self._arrange()
        else:
            self._tell_all(Column.SCORE)

    def set_verdict(self, image_id: str, record: ReviewRecord | None) -> None:
        """Show the verdict on an image that is on the disk now."""
        self.rows.set_verdict(image_id, record)
        self._follow(image_id)

    def set_saving(self, image_id: str, verdict: Verdict | None) -> None:
        """Show a verdict that is being saved; None where none is any more."""
        self.rows.set_saving(image_id, verdict)
        self._follow(image_id)

    def set_filter(self, show: Show, text: str) -> None:
        """Show the images in a state whose name has ``text`` in it."""
        self._show, self._text = show, text
        self._arrange()

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Order the rows by a column; images that are alike there by doubt."""
        self._column = Column(column)
        self._descending = order == Qt.SortOrder.DescendingOrder
        self._arrange()

    def tell(self, image_id: str | None) -> None:
        """Draw the row of an image again."""
        row = self.row_of(image_id)
        if row is not None:
            first = self.index(row, Column.IMAGE)
            self.dataChanged.emit(first, self.index(row, Column.VERDICT))

    def id_at(self, row: int) -> str:
        """Return the id of the image of a row."""
        return self.rows.images[self._order[row]].id

    def row_of(self, image_id: str | None) -> int | None:
        """Return the row of an image, or None where the filter hides it."""
        place = self.rows.place_of(image_id)
        row = -1 if place is None else int(self._row_of[place])
        return None if row < 0 else row

    def next_unreviewed(self, image_id: str) -> str | None:
        """Return the first unreviewed image of the list after one; None without one.

        After the last row the first one follows.
        """
        start = self.row_of(image_id)
        rows = np.roll(self._order, -(0 if start is None else start + 1))
        return self._first_unreviewed(rows, image_id)

    def most_doubtful(self, *, after: str | None) -> str | None:
        """Return the most doubtful unreviewed image of the list; None without one.

        Parameters
        ----------
        after : str, optional
            Image from which to go on to the next less doubtful one.
        """
        places = self._order[np.argsort(self.rows.doubt_rank[self._order])]
        row = self.row_of(after)
        if row is not None:
            here = int(np.argmax(places == self._order[row]))
            places = np.roll(places, -here - 1)
        return self._first_unreviewed(places, after)

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return the number of images that pass the filter."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(  # noqa: N802
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's title and what it means."""
        return heading(_HEADERS, section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if role not in _ROLES:
            return None
        row = self.rows.row(int(self._order[index.row()]))
        column = Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _cell(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row_in_words(row)
        if role == MARK and column == Column.SCORE:
            return row.share, row.is_flagged
        if role == Qt.ItemDataRole.DecorationRole and column == Column.IMAGE:
            return _icon(self._picture_of(row.image.id))
        return None

    def _first_unreviewed(
        self, places: NDArray[np.intp], besides: str | None
    ) -> str | None:
        left = places[self.rows.is_unreviewed[places]]
        ids = (self.rows.images[place].id for place in left)
        return next((key for key in ids if key != besides), None)

    def _follow(self, image_id: str) -> None:
        """Show one image anew: where the filter is of verdicts, its row may go."""
        stays = self._show is Show.ALL and self._column != Column.VERDICT
        if stays or np.array_equal(self._sorted(), self._order):
            self.tell(image_id)
        else:
            self._arrange()

    def _tell_all(self, column: Column) -> None:
        if len(self._order):
            last = self.index(len(self._order) - 1, column)
            # One signal for all: thousands of them would be felt.
            self.dataChanged.emit(self.index(0, column), last)

    def _arrange(self) -> None:
        with self._rearranged():
            pass

    @contextmanager
    def _rearranged(self) -> Iterator[None]:
        """Sort and filter anew after what is done inside."""
        self.beginResetModel()
        try:
            yield
        finally:
            self._set_order()
            self.endResetModel()

    def _set_order(self) -> None:
        self._order = self._sorted()
        self._row_of = np.full(len(self.rows.images), -1, np.intp)
        self._row_of[self._order] = np.arange(len(self._order))

    def _sorted(self) -> NDArray[np.intp]:
        shown = self.rows.shown(self._show, self._text)
        keys: Mapping[Column, Callable[[], NDArray[Any]]] = {
            Column.IMAGE: lambda: self.rows.name_rank,
            Column.SCORE: lambda: self.rows.doubt_rank,
            Column.VERDICT: lambda: self.rows.verdict_code,
        }
        key = keys[self._column]()[shown]
        is_down = self._descending != (self._column == Column.SCORE)
        return shown[
            np.lexsort((self.rows.doubt_rank[shown], -key if is_down else key))
        ]


def _icon(picture: QPixmap | None) -> QIcon | None:
    """Return a picture that is drawn at the size that the view wants, never tinted."""
    if picture is None:
        return None
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


def _cell(row: ReviewRow, column: Column) -> str:
    if column == Column.IMAGE:
        return name_cell(row)
    return score_cell(row) if column == Column.SCORE else verdict_cell(row)
